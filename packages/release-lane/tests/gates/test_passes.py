"""The pass from gate to gate: only of this run, only for this digest and colour."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from release_lane.errors import Refused
from release_lane.gates.passes import RUN, Pass, demand

pytestmark = pytest.mark.pure

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PASS = Pass(digest=DIGEST, run=RUN, colour="green", taskDefinition="app:7", deployment="ecs-svc/7")


def test_a_pass_of_this_run_for_this_digest_and_colour_opens() -> None:
    assert demand(PASS.as_dict(), gate="The rollout gate", digest=DIGEST, colour="green") == PASS


def test_the_image_gates_pass_names_no_colour() -> None:
    image = Pass(digest=DIGEST, run=RUN)
    assert demand(image.as_dict(), gate="The image gate", digest=DIGEST) == image


@pytest.mark.parametrize(
    ("passed", "why"),
    [
        (None, "it left no pass at all"),
        ({}, "it left no pass at all"),
        ({**PASS.as_dict(), "run": "of yesterday"}, "its pass is of an earlier run"),
        ({**PASS.as_dict(), "run": ""}, "its pass is of an earlier run"),
        ({key: value for key, value in PASS.as_dict().items() if key != "run"}, "its pass is of an earlier run"),
        ({**PASS.as_dict(), "digest": OTHER}, "it passed sha256:bbbbbbbbbbbb"),
        ({**PASS.as_dict(), "digest": ""}, "it passed "),
        ({**PASS.as_dict(), "colour": "blue"}, "it passed blue, wanted is green"),
        ({**PASS.as_dict(), "colour": ""}, "it passed , wanted is green"),
    ],
)
def test_anything_else_is_refused_with_the_reason(passed: dict[str, Any] | None, why: str) -> None:
    with pytest.raises(Refused) as refused:
        demand(passed, gate="The smoke gate", digest=DIGEST, colour="green")
    assert refused.value.what == "The smoke gate did not pass sha256:aaaaaaaaaaaa in this update."
    assert why in refused.value.why


def test_a_pass_carries_nothing_that_a_gate_did_not_put_there() -> None:
    handed = demand({**PASS.as_dict(), "unknown": "x"}, gate="The smoke gate", digest=DIGEST, colour="green")
    assert handed == PASS


def test_what_a_gate_could_not_see_goes_on_to_the_next_ones_as_json() -> None:
    image = Pass(digest=DIGEST, run=RUN, unchecked=("the commit is unknown",))
    crossed = json.loads(json.dumps(image.as_dict()))
    assert demand(crossed, gate="The image gate", digest=DIGEST) == image
    rollout = PASS.after(crossed)
    smoke = Pass(digest=DIGEST, run=RUN, unchecked=("answers name no release",)).after(rollout.as_dict())
    assert smoke.unchecked == ("the commit is unknown", "answers name no release")
    assert smoke.after(smoke.as_dict()) == smoke, "nothing is said twice"


@pytest.mark.parametrize("before", [None, {}, {**PASS.as_dict(), "run": "of yesterday", "unchecked": ["old"]}])
def test_only_a_gate_of_this_run_adds_what_it_could_not_see(before: dict[str, Any] | None) -> None:
    assert PASS.after(before) == PASS


def test_a_pass_of_a_version_that_knew_no_unchecked_has_none() -> None:
    old = {key: value for key, value in PASS.as_dict().items() if key != "unchecked"}
    assert demand(old, gate="The smoke gate", digest=DIGEST).unchecked == ()


def test_what_passed_is_known_to_the_next_gate() -> None:
    rollout = replace(PASS, manifests=frozenset({DIGEST, OTHER}), tasks={"10.0.0.1": OTHER})
    handed = demand(json.loads(json.dumps(rollout.as_dict())), gate="The rollout gate", digest=DIGEST, colour="green")
    assert handed == rollout
    assert handed.known is not None
    assert (handed.known.deployment, handed.known.manifests) == ("ecs-svc/7", {DIGEST, OTHER})
    assert PASS.known is None
