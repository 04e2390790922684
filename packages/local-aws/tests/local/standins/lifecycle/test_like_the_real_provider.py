"""Every type's lives through the real provider and through its stand-in, on one emulator, step by step.

The real one waits (half a minute for each change of a load balancer), so cases run side by side, and the lives of slow
ones as well. Part of `make test-provider`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from local_aws.provider import VARIABLE
from local_aws.standins.aws.door import Door
from local_aws.standins.aws.provider import provider
from local_aws.standins.departures import DEPARTURES, Departure
from tests.kit.serving import Client, served
from tests.local.emulator.ecs.conftest import Emulator
from tests.local.standins.lifecycle.case import Case
from tests.local.standins.lifecycle.course import LIVES, Course, Life, Place, Provider, differences
from tests.local.standins.lifecycle.refusing import Refusing
from tests.local.standins.lifecycle.test_lifecycle import AGAINST, CASES, TYPE
from tests.local.standins.lifecycle.world import World
from tests.local.standins.real.plugin import binary, running

pytestmark = pytest.mark.cloud

SIDE_BY_SIDE = 16
Both = tuple[Course, Course]
"""The real provider's, the stand-in's."""


@pytest.fixture(scope="module")
def providers(emulator: Emulator) -> Iterator[tuple[Provider, Provider]]:
    """The real one, and the stand-in."""
    plugin = binary()
    if os.environ.get(VARIABLE) != "real" or plugin is None:
        pytest.skip("LEFT OUT: part of `make test-provider`, with the real AWS provider")
    with ExitStack() as held:
        doors = [held.enter_context(Refusing(emulator.endpoint)) for _ in range(2)]

        def standin(endpoint: str) -> Client:
            client = held.enter_context(served(provider(Door({"AWS_ENDPOINT_URL": endpoint}))))
            client.configure(region="us-east-1")
            return client

        def real(endpoint: str) -> Client:
            return held.enter_context(running(plugin, endpoint))

        theirs, ours = doors
        yield (
            Provider(real(emulator.endpoint), real(theirs.url), theirs),
            Provider(standin(emulator.endpoint), standin(ours.url), ours),
        )


@pytest.fixture(scope="module")
def courses(
    request: pytest.FixtureRequest, emulator: Emulator, world: World, providers: tuple[Provider, Provider]
) -> Iterator[dict[tuple[str, Life], Future[Both]]]:
    """All lives that were asked for, under way."""
    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    asked = {str(case): case for item in items if (case := item.callspec.params.get("case"))}
    lock = threading.Lock()

    def aws(service: str) -> Any:
        with lock:  # boto3's default session is not made for threads
            return emulator.client(service)

    shared = replace(world, aws=aws)
    turns = {name: threading.Lock() for name in asked}
    """One life of a case at a time: some need a name for themselves. Slow ones have names of their own."""

    def lived(case: Case, life: Life) -> Both:
        if case.slow:
            return both(case, life, providers, shared)
        with turns[str(case)]:
            return both(case, life, providers, shared)

    lives = sorted(((case, life) for life in LIVES for case in asked.values()), key=lambda life: not life[0].slow)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as side_by_side:
        yield {(str(case), life): side_by_side.submit(lived, case, life) for case, life in lives}


def both(case: Case, life: Life, providers: tuple[Provider, Provider], world: World) -> Both:
    """One after the other: some names are the same in both."""
    real, here = providers
    place = Place(TYPE[case.token], world, AGAINST)
    ours = life(case, here, place)
    return life(case, real, place), ours


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.__name__)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_step_does_what_it_does_with_the_real_provider(
    case: Case, life: Life, courses: dict[tuple[str, Life], Future[Both]]
) -> None:
    real, here = courses[str(case), life].result()
    found = [*differences(real, here)]
    listed = [each for each in DEPARTURES if each.of(str(case), life.__name__)]
    news = [f"{step}: {aspect}: {words}" for step, aspect, words in found if not _listed(listed, step, aspect)]
    assert not news, "\n".join(["", *news])
    gone = [each for each in listed if not any(each.at(step, aspect) for step, aspect, _ in found)]
    assert not gone, "they do the same by now"


def _listed(listed: list[Departure], step: str, aspect: str) -> bool:
    return any(each.at(step, aspect) for each in listed)
