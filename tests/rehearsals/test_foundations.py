"""What live users stand on: nothing of it is replaced or deleted under them, whatever asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.lane import PROJECT, Lane, Result, Stack
from release.probe import Probe
from tests.rehearsals.cloud import tasks

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]
Prober = Callable[..., Probe]
QUICK = {"deadlineSeconds": 3}
ELSEWHERE = {"cidr": "10.30.0.0/16"}


@pytest.fixture(scope="module")
def live(lane: Lane, good: str) -> Stack:
    """An environment whose first release just went live."""
    stack = lane.environment("ground", like="staging", smoke=QUICK)
    result = stack.up(imageDigest=good)
    assert result.ok, result.text
    return stack


def resources(stack: Stack) -> dict[str, str]:
    """What the state holds: URN to id."""
    state = json.loads((stack.lane.folder / f"state/.pulumi/stacks/{PROJECT}/{stack.name}.json").read_text())
    return {each["urn"]: each.get("id", "") for each in state["checkpoint"]["latest"]["resources"]}


def moved(stack: Stack, **config: Any) -> Stack:
    """The same environment, with a stack file that wants something else."""
    return stack.lane.stack(stack.name, "staging", smoke=QUICK, **config)


def refused(result: Result, *words: str) -> None:
    assert not result.ok
    assert "Traceback" not in result.text
    for word in words:
        assert word in result.text, result.text


def test_another_network_is_refused_under_users_before_anything_changes(live: Stack, better: str) -> None:
    before = resources(live)
    said = (
        "would replace what live users stand on",
        "network.cidr from 10.20.0.0/16 to 10.30.0.0/16",
        "--allow-replace",
    )
    changed = moved(live, network=ELSEWHERE)
    for attempt in (changed.preview, changed.up):
        refused(attempt(), *said)
        refused(attempt(imageDigest=better), *said)
    assert resources(live) == before
    back = moved(live).up(imageDigest=better)
    assert back.ok, back.text


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("infra/components/network.py", "{description} of", "{description} for", "unable to replace"),
        ("infra/components/balancer.py", 'load_balancer_type="application"', "internal=True", "unable to replace"),
    ],
    ids=["security group", "load balancer"],
)
def test_a_changed_program_replaces_nothing_under_users(live: Stack, file: str, old: str, new: str, said: str) -> None:
    before, serving = resources(live), live.outputs["imageDigest"]
    changed = live.with_changed_program(file, old, new)
    for attempt in (changed.preview, changed.up):
        refused(attempt(), said, "protect")
    assert resources(live) == before
    assert live.served()["digest"] == serving
