"""An interrupt ends what waits, at once; what was begun is recorded and can be finished by the next update."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from provider_kit import Props
from tests.kit.serving import Client, Refusal
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.recording import Calls, trouble
from tests.local.standins.lifecycle.service_cases import CASES
from tests.local.standins.lifecycle.world import World

pytestmark = pytest.mark.cloud

CASE = {str(case): case for case in CASES}


def interrupted(
    client: Client, calls: Calls, waits_at: Callable[[list[str]], bool], work: Callable[[], Any]
) -> Refusal:
    """What `work` ends with, when the engine cancels it as soon as the calls show that it waits."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        while not waits_at(calls.made):
            assert not done.done(), done.exception()
        client.cancel()
        error = done.exception(timeout=10)
    assert isinstance(error, Refusal)
    return error


@pytest.mark.parametrize(
    ("name", "operation", "code"),
    [
        ("Cluster", "delete_cluster", "ClusterContainsTasksException"),
        ("TargetGroup", "delete_target_group", "ResourceInUse"),
    ],
)
def test_a_deletion_that_waits_is_given_up_and_stays_in_the_state(
    name: str, operation: str, code: str, connect: Callable[[], Client], calls: Calls, world: World
) -> None:
    client = connect()
    one, good = Managed(client, CASE[name].token), CASE[name].good(world)
    one.up(good)
    calls.refuse = lambda called, _before: trouble(called, code) if called == operation else None
    told = interrupted(client, calls, lambda made: made.count(operation) > 1, one.destroy)
    assert "was cancelled" in told.message
    calls.refuse = lambda _called, _before: None
    one.client = connect()  # the next update starts the plugin anew
    assert one.up(good) == "same"
    one.destroy()


def test_a_load_balancer_that_is_not_ready_yet_is_kept_and_waited_for_next_time(
    connect: Callable[[], Client], calls: Calls, world: World
) -> None:
    client = connect()
    case = CASE["LoadBalancer"]
    one, good = Managed(client, case.token), case.good(world)
    calls.answer = provisioning
    told = interrupted(client, calls, lambda made: made.count("describe_load_balancers") > 3, lambda: one.up(good))
    assert "was cancelled" in told.message
    assert one.failed
    calls.answer = lambda _called, answer: answer
    one.client = connect()
    assert one.up(good) == "update"
    assert one.drift() == {}
    one.destroy()


def provisioning(called: str, answer: Props) -> Props:
    if called != "describe_load_balancers":
        return answer
    return answer | {"LoadBalancers": [one | {"State": {"Code": "provisioning"}} for one in answer["LoadBalancers"]]}


def test_a_service_that_drains_is_given_up_and_its_end_is_seen_next_time(
    connect: Callable[[], Client], calls: Calls, world: World
) -> None:
    client = connect()
    case = CASE["Service"]
    one = Managed(client, case.token)
    one.up(case.good(world))
    calls.answer = draining
    told = interrupted(client, calls, lambda made: made.count("describe_services") > 4, one.destroy)
    assert "was cancelled" in told.message
    assert one.id
    calls.answer = lambda _called, answer: answer
    again = replace(one, client=connect())
    again.destroy()
    assert one.id


def draining(called: str, answer: Props) -> Props:
    if called != "describe_services":
        return answer
    return answer | {"services": [one | {"status": "DRAINING"} for one in answer["services"]]}
