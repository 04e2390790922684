"""`release drift`: what it compares, what it says, how it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.engine.events import STACK, EngineLog, Step
from release_lane.engine.locks import Holder
from release_lane.errors import CloudError
from release_lane.operate.drift import Call
from release_lane.record.placement import all_on
from release_lane.record.records import Located, Observed
from tests.command.words import BLUE, GREEN, A, B, Stage, failed, said, states
from tests.decide import situations

pytestmark = pytest.mark.cli

GROUP = "aws:ec2/securityGroup:SecurityGroup"
CHANGED = Step(op="update", urn=f"urn:pulumi:staging::release-lane::{GROUP}::tasks", type=GROUP, paths=("ingress",))
ROOT = Step(op="same", urn=f"urn:pulumi:staging::release-lane::{STACK}::x", type=STACK)
BY_HAND = Call(name="ModifyRule", at="then", by="ann", event=json.dumps({"requestParameters": {"ruleArn": "arn:rule"}}))


def refreshed(*steps: Step, **over: Any) -> Run:
    return Run(exit_code=0, log=EngineLog(refreshed=(ROOT, *steps)), **over)


def stage(run: Run | Callable[[FakeEngine], Run], *, weights: Any = None, **over: Any) -> Stage:
    cloud = FakeCloud(trail=over.pop("trail", ()))
    seen = situations.observed(A, B, weights or all_on(GREEN), located=Located(rule="arn:rule"))
    cloud.environments["release-lane-staging"] = seen
    return Stage(engine=FakeEngine(states=states(), runs=[run]), cloud=cloud, **over)


def test_without_drift_it_ends_with_0_and_has_only_previewed_a_refresh() -> None:
    on = stage(refreshed())
    assert on.run("drift", "staging") == 0
    assert on.out == "staging: no drift.\n"
    assert on.engine.calls == [("refresh --preview-only", "staging", {})]
    assert on.cloud.asked_for == []


def test_drift_ends_with_1_and_says_what_by_whom_and_what_to_do() -> None:
    on = stage(refreshed(CHANGED), weights={BLUE: 50, GREEN: 50}, trail=(BY_HAND,))
    assert on.run("drift", "staging") == 1
    assert on.out.splitlines() == [
        "staging: 2 things were changed outside the lane.",
        "  traffic: users are served blue 50%, green 50%, recorded is green",
        "    ModifyRule by ann at then",
        f"  {GROUP} tasks: ingress changed",
        "    by whom is not known",
        "Next: `release heal staging --on-drift restore` goes back to the record, adopt records what is live; "
        "`pulumi up --refresh --stack staging` restores what both colours stand on; parts of a colour come anew with "
        "its next release.",
    ]


def test_as_json_each_change_has_its_type_paths_and_who() -> None:
    on = stage(refreshed(CHANGED), weights={BLUE: 50, GREEN: 50}, trail=(BY_HAND,))
    assert on.run("drift", "staging", "--json") == 1
    traffic, group = on.data["drift"]
    assert (traffic["type"], traffic["who"]["by"]) == ("traffic", "ann")
    assert (group["type"], group["paths"], group["who"]) == (GROUP, ["ingress"], None)
    assert on.data["unchecked"] == []


def test_where_cloudtrail_may_not_be_asked_drift_is_reported_all_the_same() -> None:
    refused = CloudError("AWS refused a request.", why="AccessDenied")
    on = stage(refreshed(CHANGED), weights={BLUE: 50, GREEN: 50}, trail=refused)  # type: ignore[arg-type]
    assert on.run("drift", "staging") == 1
    assert "tasks: ingress changed" in on.out
    assert "not checked: who did it: CloudTrail could not be asked (AWS refused a request. AccessDenied)" in on.out


def test_what_the_lane_left_is_a_note_and_no_drift() -> None:
    on = stage(refreshed())
    on.cloud.environments["release-lane-staging"] = situations.observed(B, B, GREEN)
    assert on.run("drift", "staging") == 0
    assert "note: the standby is not as it should be" in on.out


def test_during_an_update_it_is_refused() -> None:
    holder = Holder(user="ann", host="build-7", pid=1, since="now")
    on = stage(refreshed(), backend=FakeBackend(held={"staging": (holder,)}))
    assert on.run("drift", "staging") == 4
    assert "ann@build-7" in on.err
    assert on.engine.calls == []


def test_an_update_that_begins_meanwhile_would_look_like_drift() -> None:
    holder = Holder(user="ann", host="build-7", pid=1, since="now")

    def begins(_: FakeEngine) -> Run:
        on.backend.held["staging"] = (holder,)
        return refreshed(CHANGED)

    on = stage(begins, backend=FakeBackend())
    assert on.run("drift", "staging") == 4
    assert "ann@build-7" in on.err
    assert on.out == ""


def test_so_would_one_that_has_begun_and_ended_meanwhile() -> None:
    def updated(engine: FakeEngine) -> Run:
        engine.states["staging"] = replace(engine.states["staging"], pending=("urn:new",))
        return refreshed(CHANGED)

    on = stage(updated)
    assert on.run("drift", "staging") == 4
    assert "staging was updated while it was compared" in on.err
    assert on.out == ""


def test_a_refresh_that_fails_is_no_answer() -> None:
    on = stage(failed(said("AccessDenied: not authorized", about="urn:x"), touched=False))
    assert on.run("drift", "staging") == 3
    assert "AccessDenied" in on.err
    assert on.out == ""


def test_one_that_was_stopped_is_none_either() -> None:
    on = stage(refreshed(signal=signal.SIGINT))
    assert on.run("drift", "staging") == 130
    assert on.out == ""


def test_an_environment_without_a_release_is_compared_too() -> None:
    on = stage(refreshed(CHANGED))
    on.cloud.environments["release-lane-production"] = Observed(weights=None, journal=None)
    on.engine.states["production"] = type(on.engine.states["production"])()
    assert on.run("drift", "production") == 1
    assert "1 thing was changed" in on.out
