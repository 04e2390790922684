"""A scene: an environment that holds two releases, behind a fault proxy."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.faults.proxy import FaultProxy
from tests.faults.stories import Images, Scene
from tests.stories.conftest import (  # noqa: F401  the same fixtures, in this folder
    best,
    better,
    crasher,
    good,
    lane,
    liar,
    network,
    own_environments_rest,
    probe,
    source,
)
from tools.lane import Lane


@pytest.fixture(scope="session", autouse=True)
def no_second_telling() -> None:
    """A refused update leaves futures in Pulumi's runtime that stay unread; their traces would bury the test's own, and
    what pytest says at its end: some are found only when the interpreter goes."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def images(good: str, better: str, crasher: str) -> Images:  # noqa: F811
    """The digests of the stories."""
    return Images(good, better, crasher)


@pytest.fixture(scope="session")
def scene(lane: Lane, images: Images) -> Iterator[Scene]:  # noqa: F811
    """Both colours hold a release; the second one is live."""
    stack = lane.environment("faults", like="staging", smoke={"deadlineSeconds": 8})
    for digest in (images.one, images.two):
        result = stack.up(imageDigest=digest)
        assert result.ok, result.text
    with FaultProxy(lane.variables["AWS_ENDPOINT_URL"]) as proxy:
        yield Scene(stack, images, proxy)
