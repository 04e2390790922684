"""Alarms and automatic scaling: what keeps users from being moved, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.decision import (
    Decision,
    Deploy,
    Heal,
    Keep,
    OnAlarm,
    OnDrift,
    Refuse,
    Requested,
    TrafficOnly,
    Verdict,
    decide,
)
from release_lane.errors import Refused
from release_lane.record.alarms import Alarm, memory
from release_lane.record.journal import Phase
from release_lane.record.placement import Colour
from release_lane.record.records import Observed, Scaling
from release_lane.record.times import in_words
from tests.decide.situations import BLUE, GREEN, SERVICE, A, B, C, journal, observed, recorded, side

pytestmark = pytest.mark.pure

RECORD = recorded(GREEN, A, B)
NEW = Requested(service=SERVICE, digest=C.digest)
ROLLBACK = Requested(service=SERVICE, digest=A.digest, rollback_from=B.digest)
NOTHING = Requested(service=SERVICE)


def firing(colour: Colour | None, name: str = "x") -> Alarm:
    return Alarm(name=name, firing=True, since=1.0, colour=colour, why="7 % > 5 %")


def decided(cloud: Observed, request: Requested = NEW) -> Verdict:
    return decide(RECORD, cloud, request)


def refused(decision: Decision) -> Refused:
    assert isinstance(decision, Refuse), decision
    assert isinstance(decision.error, Refused)
    assert decision.error.next_step
    return decision.error


# ---- alarms


@pytest.mark.parametrize("of", [GREEN, None], ids=["the live colour's", "the adopter's"])
def test_a_new_release_is_refused_while_an_alarm_about_what_users_get_is_firing(of: Colour | None) -> None:
    cloud = observed(A, B, GREEN, alarms=(firing(of),))
    error = refused(decided(cloud).decision)
    assert "the alarm x is firing (7 % > 5 %)" in error.what
    assert "onAlarm=proceed" in error.next_step


RELEASED = 1767225600.0
"""When RECORD's live release went live: 2026-01-01 00:00:00 UTC."""


@pytest.mark.parametrize(
    ("alarms", "from_start"),
    [
        ([(GREEN, RELEASED - 20)], True),
        ([(GREEN, RELEASED + 239)], True),
        ([(GREEN, RELEASED + 240)], False),
        ([(None, RELEASED - 20)], False),
        ([(GREEN, RELEASED - 20), (None, RELEASED - 20)], False),
    ],
    ids=["before", "while it remembers the start", "later", "the adopter's", "one of two"],
)
def test_a_refusal_says_since_when_and_until_when_it_may_be_about_the_start(
    alarms: list[tuple[Colour | None, float]], from_start: bool
) -> None:
    """New targets are unhealthy at first. An alarm may show that after the release is live, but not for long."""
    seen = tuple(replace(firing(colour), since=since) for colour, since in alarms)
    error = refused(decided(observed(A, B, GREEN, alarms=seen), replace(NEW, alarm_memory=240.0)).decision)
    assert in_words(seen[0].since) in error.what
    assert ("were starting" in error.why) is from_start
    assert ("2026-01-01 00:04:00 UTC at the latest" in error.next_step) is from_start
    assert "onAlarm=proceed" in error.next_step


def test_without_a_time_of_the_release_nothing_is_said_about_its_start() -> None:
    """As an earlier version may have recorded it."""
    for evidence in ((), tuple(replace(proof, at="") for proof in RECORD.evidence)):
        record = replace(RECORD, evidence=evidence)
        cloud = observed(A, B, GREEN, alarms=(firing(GREEN),))
        asked = replace(NEW, alarm_memory=240.0)
        assert "were starting" not in refused(decide(record, cloud, asked).decision).why


def test_it_is_refused_even_where_only_traffic_would_move() -> None:
    refused(decided(observed(C, B, GREEN, alarms=(firing(GREEN),))).decision)


@pytest.mark.parametrize(
    "alarms",
    [(firing(BLUE),), (replace(firing(GREEN), firing=False),), ()],
    ids=["the idle colour's", "OK", "none"],
)
def test_other_alarms_stop_nothing(alarms: Any) -> None:
    """The idle colour's may still be firing because of a release that was refused there."""
    assert isinstance(decided(observed(A, B, GREEN, alarms=alarms)).decision, Deploy)


def test_a_person_may_say_that_the_release_is_the_fix() -> None:
    verdict = decided(observed(A, B, GREEN, alarms=(firing(GREEN),)), replace(NEW, on_alarm=OnAlarm.PROCEED))
    assert isinstance(verdict.decision, Deploy)
    assert verdict.notes == (
        "the alarm x is firing (7 % > 5 %), as it was before this update; it does not stop this update",
    )


def test_a_rollback_goes_on_since_alarms_fire_because_the_live_release_is_bad() -> None:
    verdict = decided(observed(A, B, GREEN, alarms=(firing(GREEN), firing(None, "y"))), ROLLBACK)
    assert isinstance(verdict.decision, TrafficOnly)
    assert len(verdict.notes) == 2


def test_an_undo_and_a_restore_go_on_too() -> None:
    alarms = (firing(GREEN), firing(BLUE, "y"))
    divided = observed(C, B, {BLUE: 50, GREEN: 50}, journal((GREEN, B), (BLUE, C), Phase.MOVING), alarms=alarms)
    assert isinstance(decided(divided, replace(NOTHING, digest=B.digest)).decision, TrafficOnly)
    moved = observed(A, B, BLUE, alarms=alarms)
    assert isinstance(decided(moved, replace(NOTHING, on_drift=OnDrift.RESTORE)).decision, TrafficOnly)


@pytest.mark.parametrize("colour", Colour)
def test_a_divided_switch_is_not_carried_on_while_an_alarm_of_either_colour_is_firing(colour: Colour) -> None:
    """Both serve: this may be why it was stopped."""
    written = journal((GREEN, B), (BLUE, C), Phase.MOVING)
    refused(decided(observed(C, B, {BLUE: 50, GREEN: 50}, written, alarms=(firing(colour),)), NOTHING).decision)


def test_an_update_that_moves_no_traffic_ignores_alarms() -> None:
    alarms = (firing(GREEN), firing(None, "y"))
    assert isinstance(decided(observed(A, B, GREEN, alarms=alarms), NOTHING).decision, Keep)
    assert isinstance(decided(observed(C, B, GREEN, alarms=alarms), NOTHING).decision, Heal)


def test_an_alarm_that_does_not_exist_is_reported_before_it_is_relied_on() -> None:
    cloud = observed(A, B, GREEN, missing_alarms=("ordrs",))
    assert "There is no CloudWatch alarm ordrs" in refused(decided(cloud).decision).what
    assert isinstance(decided(cloud, ROLLBACK).decision, TrafficOnly)
    assert isinstance(decided(cloud, NOTHING).decision, Keep)


def test_an_alarm_remembers_its_datapoints_and_the_period_in_which_it_was_over() -> None:
    assert memory(60, 1, 120) == 240
    assert memory(10, 3, 8) == 48


# ---- scaling


def scaled(blue: Scaling | None, green: Scaling | None, tasks: int = 2) -> Observed:
    """B on green is live on so many tasks."""
    live = side(B, wanted=tasks, running=tasks, healthy=tasks, scaling=green)
    return observed(side(A, wanted=tasks, running=tasks, healthy=tasks, scaling=blue), live, GREEN)


UP_TO_10 = Scaling(least=2, most=10)


def test_a_live_service_that_is_scaled_is_left_only_for_one_that_is_scaled_too() -> None:
    error = refused(decided(scaled(None, UP_TO_10)).decision)
    assert "blue would not be scaled" in error.what
    assert "register a scalable target" in error.next_step
    deployed = decided(scaled(UP_TO_10, UP_TO_10, tasks=7)).decision
    assert isinstance(deployed, Deploy)
    assert deployed.tasks == 7


def test_a_colour_that_may_not_have_as_many_tasks_as_serve_is_refused() -> None:
    error = refused(decided(scaled(Scaling(least=1, most=5), UP_TO_10, tasks=7)).decision)
    assert error.what == "blue needs 7 tasks, but its scalable target allows 5 at most."


def test_scaling_of_the_idle_colour_alone_is_fine() -> None:
    assert isinstance(decided(scaled(UP_TO_10, None)).decision, Deploy)


def test_scaling_does_not_stop_going_back_but_is_reported() -> None:
    verdict = decided(scaled(None, UP_TO_10), ROLLBACK)
    assert isinstance(verdict.decision, TrafficOnly)
    (note,) = verdict.notes
    assert "blue would not be scaled" in note


def test_the_first_release_is_not_scaled_yet() -> None:
    verdict = decide(None, observed(None, None, None), NEW)
    assert isinstance(verdict.decision, Deploy)
    assert not verdict.notes
