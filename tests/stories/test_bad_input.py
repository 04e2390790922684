"""What is refused by a bare `pulumi up` and `pulumi preview`: before anything changes, with what, why and next step."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tools import states
from tools.lane import PROJECT, Lane, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]
UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def spare(lane: Lane, good: str) -> Iterator[Stack]:
    """Environments that were never updated."""
    del good  # the registry has to be there
    return (lane.environment(f"bad{number}", like="staging") for number in itertools.count(1))


@pytest.fixture(scope="module")
def at_hand() -> list[Stack]:
    """The one of them that stories use."""
    return []


@pytest.fixture
def empty(at_hand: list[Stack], spare: Iterator[Stack]) -> Stack:
    """An environment that was never updated: another one if a failed story touched it."""
    if not at_hand or not untouched(at_hand[-1]):
        at_hand.append(next(spare))
    return at_hand[-1]


def untouched(stack: Stack) -> bool:
    """Its state holds no resource."""
    return not [each for each in stack.state.get("resources") or () if not each["type"].startswith("pulumi:")]


@pytest.mark.parametrize("verb", ["up", pytest.param("preview", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"imageDigest": "v1.2"}, "'v1.2' is not an image digest. it is a tag"),
        ({"imageDigest": "latest"}, "'latest' is not an image digest"),
        ({"imageDigest": "sha256:123"}, "must be followed by 64 lower-case hex digits, here are 3"),
        ({"imageDigest": UNKNOWN}, "is not in the registry"),
        ({"colour": "blue"}, "colour: is not a known key"),
        ({"account": "111111111111"}, "the stack belongs to 111111111111"),
        ({"account": ""}, "account: "),
        ({"promotesFrom": "nowhere"}, "There is no stack nowhere"),
    ],
    ids=["tag", "latest", "short", "unknown", "key", "foreign account", "no account", "no such stack"],
)
def test_refused_before_anything_changes(empty: Stack, verb: str, config: Mapping[str, Any], said: str) -> None:
    given = {"imageDigest": UNKNOWN, **config} if "promotesFrom" in config else config
    refused = empty.up(**given) if verb == "up" else empty.preview(**given)
    assert not refused.ok
    assert said in refused.text
    assert "Next: " in refused.text
    assert "Traceback" not in refused.text
    assert untouched(empty)


def test_the_shell_of_another_checkout_is_refused(empty: Stack) -> None:
    lane = Lane(empty.lane.folder, {**empty.lane.variables, "LOCAL_AWS_HOME": "/another/checkout"})
    refused = Stack(lane, empty.name, empty.settings).up()
    assert not refused.ok
    assert "This shell uses the local cloud of /another/checkout" in refused.text
    assert "Next: `. " in refused.text
    assert "Traceback" not in refused.text
    assert untouched(empty)


def test_all_wrong_keys_are_reported_at_once(empty: Stack) -> None:
    wrong = empty.with_settings(service={"cpu": 3, "port": "http"}, colour="blue", env={"PORT": "1"})
    refused = wrong.up()
    assert not refused.ok
    for path in ("service.cpu", "service.port", "colour", "env.PORT"):
        assert f"  {path}: " in refused.text


def test_a_cloud_that_does_not_answer_is_reported(empty: Stack) -> None:
    lane = Lane(empty.lane.folder, {**empty.lane.variables, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    refused = Stack(lane, empty.name, empty.settings).up()
    assert not refused.ok
    assert "127.0.0.1:9" in refused.text
    assert "Traceback" not in refused.text
    assert untouched(empty)


@pytest.mark.states
def test_a_locked_stack_names_who_holds_the_lock(empty: Stack) -> None:
    lock = f".pulumi/locks/organization/{PROJECT}/{empty.name}/0b7b5d1e-0000-4000-8000-000000000000.json"
    held = {"pid": 4711, "username": "ada", "hostname": "ci-7", "timestamp": "2026-01-02T03:04:05Z"}
    states.write(empty.lane.variables, lock, json.dumps(held))
    try:
        refused = empty.up()
    finally:
        states.delete(empty.lane.variables, lock)
    assert not refused.ok
    assert "ada@ci-7 (pid 4711)" in refused.text
    assert untouched(empty)


def test_a_stack_that_does_not_exist(empty: Stack) -> None:
    refused = Stack(empty.lane, "nosuch", empty.settings).up()
    assert not refused.ok
    assert "no stack named 'nosuch'" in refused.text or "nosuch" in refused.text
