"""A drill: when traffic may go back for practice and forward again, and where a digest needs one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.decision import (
    Decision,
    Deploy,
    Keep,
    OnAlarm,
    Refuse,
    Requested,
    TrafficOnly,
    advance,
    decide,
)
from release_lane.decide.freeze import Freeze, Window
from release_lane.errors import Refused
from release_lane.record.alarms import Alarm
from release_lane.record.digest import short
from release_lane.record.evidence import Drill, Proof, with_proof
from release_lane.record.halts import Halts
from release_lane.record.journal import Phase
from release_lane.record.ledger import Draft, EntryKind
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Observed, Recorded, Scaling
from release_lane.record.times import minute_in
from tests.decide.situations import (
    BLUE,
    GREEN,
    OTHER_SERVICE,
    SCALED_TO_ZERO,
    SERVICE,
    SICK,
    A,
    B,
    C,
    journal,
    observed,
    proof,
    recorded,
    release,
    side,
)

pytestmark = pytest.mark.pure

LIVE = recorded(GREEN, A, B)
"""B is live on green; blue holds A."""
BACK = Requested(service=SERVICE, digest=A.digest, rollback_from=B.digest, drill=Drill.BACK)
FORWARD = Requested(service=SERVICE, digest=B.digest, rollback_from=A.digest, drill=Drill.FORWARD)


def halfway(evidence: tuple[Proof, ...] = ()) -> Recorded:
    """After the first half: A is live on blue, green still holds B."""
    proven = evidence or with_proof(LIVE.evidence, proof(A), Drill.BACK, B.digest)
    return replace(recorded(BLUE, A, B, A), evidence=proven)


def decision(record: Recorded | None, cloud: Observed, request: Requested, **more: Any) -> Decision:
    return decide(record, cloud, replace(request, **more)).decision


def refused(found: Decision) -> Refused:
    assert isinstance(found, Refuse), found
    assert isinstance(found.error, Refused)
    assert found.error.next_step
    return found.error


def test_traffic_goes_back_and_forward_again_and_no_task_is_started() -> None:
    back = decision(LIVE, observed(A, B, GREEN), BACK)
    assert isinstance(back, TrafficOnly)
    assert (back.target, back.release, back.reason) == (BLUE, A, f"drill: back from {short(B.digest)}")
    forward = decision(halfway(), observed(A, B, BLUE), FORWARD)
    assert isinstance(forward, TrafficOnly)
    assert (forward.target, forward.release, forward.reason) == (
        GREEN,
        B,
        f"drill: forward again from {short(A.digest)}",
    )


@pytest.mark.parametrize(
    "blue", [side(C), side(A, **SICK), side(A, **SCALED_TO_ZERO)], ids=["another", "sick", "no tasks"]
)
def test_a_drill_is_refused_where_no_traffic_only_rollback_is_at_hand(blue: Any) -> None:
    cloud = observed(blue, B, GREEN)
    assert isinstance(decision(LIVE, cloud, BACK, drill=None), Deploy), "in earnest it is a deployment"
    error = refused(decision(LIVE, cloud, BACK))
    assert "no traffic-only rollback is at hand" in error.what
    assert "would be: deploy" in error.why


def test_a_drill_goes_back_to_the_previous_release_and_to_no_earlier_one() -> None:
    record = recorded(GREEN, A, C, B)
    assert "no traffic-only rollback" in refused(decision(record, observed(A, B, GREEN), BACK)).what


def test_after_a_rollback_no_drill_leads_users_to_what_they_were_rolled_back_from() -> None:
    rolled_back = replace(recorded(BLUE, A, B, A), evidence=(proof(B), proof(A)))
    there = replace(FORWARD, drill=Drill.BACK)
    assert isinstance(decision(rolled_back, observed(A, B, BLUE), there, drill=None), TrafficOnly), "if a person asks"
    error = refused(decision(rolled_back, observed(A, B, BLUE), there))
    assert f"rolled back from the previous release {short(B.digest)}" in error.what


@pytest.mark.parametrize("proven", [[proof(A)], [proof(A), replace(proof(B), release_id="other")]])
def test_a_drill_is_of_a_release_whose_proof_can_say_so(proven: list[Proof]) -> None:
    record = replace(LIVE, evidence=tuple(proven))
    assert "the record has no proof of" in refused(decision(record, observed(A, B, GREEN), BACK)).what


def test_the_undoing_of_an_interrupted_switch_is_no_drill() -> None:
    cloud = observed(A, B, GREEN, journal((BLUE, A), (GREEN, B), Phase.MOVED))
    assert "no traffic-only rollback" in refused(decision(recorded(BLUE, A), cloud, BACK)).what


def test_a_drill_is_refused_where_traffic_is_not_as_recorded() -> None:
    assert "Drift" in refused(decision(LIVE, observed(A, B, {BLUE: 50, GREEN: 50}), BACK)).what


@pytest.mark.parametrize("of", [GREEN, None], ids=["the live colour's", "the adopter's"])
@pytest.mark.parametrize("proceed", [None, OnAlarm.PROCEED])
def test_no_drill_while_an_alarm_is_firing_although_a_rollback_goes(of: Colour | None, proceed: OnAlarm | None) -> None:
    cloud = observed(A, B, GREEN, alarms=(Alarm(name="x", firing=True, since=1.0, colour=of, why="7 % > 5 %"),))
    assert isinstance(decision(LIVE, cloud, BACK, drill=None), TrafficOnly)
    assert (
        "No drill while the alarm x is firing (7 % > 5 %)"
        in refused(decision(LIVE, cloud, BACK, on_alarm=proceed)).what
    )


def test_no_drill_to_a_colour_that_would_not_be_scaled() -> None:
    cloud = observed(A, side(B, scaling=Scaling(least=2, most=9)), GREEN)
    assert isinstance(decision(LIVE, cloud, BACK, drill=None), TrafficOnly)
    assert "would not be scaled" in refused(decision(LIVE, cloud, BACK)).what


def test_an_alarm_does_not_keep_users_from_going_forward_again() -> None:
    cloud = observed(A, B, BLUE, alarms=(Alarm(name="x", firing=True, since=1.0, colour=BLUE, why="y"),))
    assert isinstance(decision(halfway(), cloud, FORWARD), TrafficOnly)


def test_forward_goes_where_the_drill_came_from_and_only_after_its_first_half() -> None:
    rolled_back = halfway(tuple(replace(each, drilling="") for each in halfway().evidence))
    assert "cannot go forward" in refused(decision(rolled_back, observed(A, B, BLUE), FORWARD)).what


def test_forward_goes_nowhere_else() -> None:
    elsewhere = replace(FORWARD, digest=C.digest)
    assert "cannot go forward" in refused(decision(halfway(), observed(A, C, BLUE), elsewhere)).what


def test_forward_by_a_deployment_is_no_drill_and_says_how_users_get_there() -> None:
    error = refused(decision(halfway(), observed(A, side(B, **SICK), BLUE), FORWARD))
    assert "would be: deploy" in error.what
    assert "--again" in error.next_step


STOPPED = Draft(id="1", kind=EntryKind.STOPPED, at="", environment="production", reason="x").after(None, "")
NOW = minute_in("UTC", 1.8e9)
FROZEN = Freeze(zone="UTC", windows=(Window(begins=NOW - 60, ends=NOW + 60, weekly=False, words="now", reason="x"),))


@pytest.mark.parametrize(
    "waits", [{"halts": Halts(stopped=STOPPED)}, {"freeze": FROZEN, "now": 1.8e9}], ids=["stopped", "frozen"]
)
def test_where_nothing_goes_forward_no_drill_begins_but_one_that_began_goes_forward_again(waits: Any) -> None:
    assert isinstance(decision(LIVE, observed(A, B, GREEN), BACK, drill=None, **waits), TrafficOnly), "in earnest"
    refused(decision(LIVE, observed(A, B, GREEN), BACK, **waits))
    assert isinstance(decision(halfway(), observed(A, B, BLUE), FORWARD, **waits), TrafficOnly)


def test_a_drill_needs_no_seal_since_both_releases_were_approved() -> None:
    assert isinstance(decision(LIVE, observed(A, B, GREEN), BACK, needs_seal=True), TrafficOnly)
    assert isinstance(decision(halfway(), observed(A, B, BLUE), FORWARD, needs_seal=True), TrafficOnly)
    again = replace(FORWARD, drill=None)
    assert "seal" in refused(decision(halfway(), observed(A, B, BLUE), again, needs_seal=True)).what


def test_a_drill_leaves_the_history_as_it_was() -> None:
    back = advance(recorded(GREEN, C, A, B), BLUE, A, Drill.BACK)
    assert back.history == (C, A, B, A)
    forward = advance(back, GREEN, B, Drill.FORWARD)
    assert (forward.live_colour, forward.live, forward.previous, forward.history) == (GREEN, B, A, (C, A, B))
    assert advance(back, GREEN, B).history == (C, A, B, A, B), "a rollback is one that happened"


PASSED = Requested(service=SERVICE, drill=Drill.PASSED)


def drilling(**over: Any) -> Recorded:
    return replace(LIVE, evidence=(proof(A), replace(proof(B), drilling="then", **over)))


def test_a_result_is_recorded_by_an_update_that_moves_nothing() -> None:
    assert isinstance(decision(drilling(), observed(A, B, GREEN), PASSED), Keep)


@pytest.mark.parametrize(
    ("record", "cloud"),
    [
        (LIVE, observed(A, B, GREEN)),
        (drilling(release_id="other"), observed(A, B, GREEN)),
        (halfway(), observed(A, B, BLUE)),
        (drilling(), observed(C, B, GREEN)),
    ],
    ids=["no drill", "one of other settings", "half of one", "the standby is lost"],
)
def test_there_is_no_result_of_a_drill_that_did_not_take_place(record: Recorded, cloud: Observed) -> None:
    assert "no drill that could have passed" in refused(decision(record, cloud, PASSED)).what


# ---- where a digest needs one


def wanted(of: Release = C, **more: Any) -> Requested:
    plain = Requested(service=SERVICE, digest=of.digest, commit=of.commit, promotes_from="staging", requires_drill=True)
    return replace(plain, **more)


DRILLED = replace(proof(C), drilled="2026-01-01T00:00:00+00:00")


def promoted(record: Recorded | None, request: Requested, *proven: Proof) -> Decision:
    cloud = observed(A, B, GREEN) if record else observed(None, None, None)
    return decide(record, cloud, request, proven).decision


def test_a_digest_without_a_drill_where_it_comes_from_is_refused_if_that_is_demanded() -> None:
    error = refused(promoted(LIVE, wanted(), proof(C)))
    assert error.what == f"{short(C.digest)} had no drill on staging."
    assert "`release drill staging`" in error.next_step
    assert isinstance(promoted(LIVE, wanted(requires_drill=False), proof(C)), Deploy)


def test_a_digest_that_was_drilled_is_released() -> None:
    assert isinstance(promoted(LIVE, wanted(), DRILLED), Deploy)


def test_a_drill_of_another_digest_is_none_of_this_one() -> None:
    assert "had no drill" in refused(promoted(LIVE, wanted(), proof(C), replace(proof(A), drilled="then"))).what


def test_a_drill_that_has_not_ended_is_none() -> None:
    assert "had no drill" in refused(promoted(LIVE, wanted(), replace(proof(C), drilling="now"))).what


def test_the_first_release_needs_none_since_there_is_no_way_back_to_show() -> None:
    assert isinstance(promoted(None, wanted(), proof(C)), Deploy)


def test_a_rollback_needs_none() -> None:
    assert isinstance(promoted(LIVE, wanted(A, rollback_from=B.digest)), TrafficOnly)


def test_a_new_configuration_of_the_live_image_needs_none() -> None:
    again = release("b", OTHER_SERVICE)
    assert isinstance(promoted(LIVE, wanted(again, service=OTHER_SERVICE)), Deploy)
