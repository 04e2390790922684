"""While a hold stands: what ends it, what keeps it, what is refused; and what the record is afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.advance import advance, after
from release_lane.decide.decision import (
    Decision,
    Deploy,
    Finish,
    Keep,
    OnAlarm,
    OnDrift,
    Refuse,
    Requested,
    TrafficOnly,
    Verdict,
    decide,
)
from release_lane.decide.idle import need_of_idle
from release_lane.decide.shift import Course, Home, Shift, course, way_back
from release_lane.decide.whereabouts import Drift, Interrupted, locate
from release_lane.errors import Refused
from release_lane.record.alarms import Alarm
from release_lane.record.evidence import Drill
from release_lane.record.halts import Halts
from release_lane.record.hold import Winner
from release_lane.record.journal import Journal, Phase
from release_lane.record.ledger import Draft, EntryKind
from release_lane.record.placement import Colour, all_on
from release_lane.record.records import Observed, Recorded
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
    D,
    journal,
    observed,
    proof,
    recorded,
    release,
    side,
)

pytestmark = pytest.mark.pure

SINCE = "2026-11-29T20:00:00+00:00"
TEN = {GREEN: 10, BLUE: 90}
DIVIDED = {GREEN: 50, BLUE: 50}
BEFORE = recorded(BLUE, A, B)
HELD = replace(
    after(BEFORE, GREEN, C, Course(steps=(10,), hold=10), None, at=SINCE), evidence=(*BEFORE.evidence, proof(C))
)
BEGUN = journal((BLUE, B), (GREEN, C), Phase.HELD)
HOLDS = observed(B, C, TEN, BEGUN)
STEPS = Shift(steps=(10, 50, 100), bake=60, hold=10)
STOPPED = Halts(stopped=Draft(id="1", kind=EntryKind.STOPPED, at=SINCE).after(None, ""))


def ask(**more: Any) -> Requested:
    return Requested(environment="production", service=SERVICE, **more)


def verdict(cloud: Observed, request: Requested, record: Recorded = HELD) -> Verdict:
    return decide(record, cloud, request)


def decision(cloud: Observed, request: Requested, record: Recorded = HELD) -> Decision:
    return verdict(cloud, request, record).decision


def refusal(cloud: Observed, request: Requested, record: Recorded = HELD) -> Refused:
    found = decision(cloud, request, record)
    assert isinstance(found, Refuse), found
    assert isinstance(found.error, Refused)
    return found.error


# ---- beginning


@pytest.mark.parametrize(
    ("shift", "steps"),
    [
        (STEPS, (10,)),
        (replace(STEPS, hold=30), (10, 30)),
        (replace(STEPS, hold=50), (10, 50)),
        (Shift(hold=5), (5,)),
    ],
)
def test_a_release_takes_the_steps_up_to_the_hold_and_ends_there(shift: Shift, steps: tuple[int, ...]) -> None:
    goes = Deploy(target=GREEN, release=C, tasks=2, live=BLUE, reason="")
    planned = course(goes, BEFORE, observed(B, A, BLUE), shift)
    assert planned == Course(steps=steps, bake=shift.bake, home=BLUE, hold=shift.hold)
    assert planned.after(GREEN) == {GREEN: shift.hold, BLUE: 100 - (shift.hold or 0)}


def test_what_goes_back_and_what_comes_first_is_not_held() -> None:
    back = TrafficOnly(target=GREEN, release=A, reason="", rollback=True)
    assert course(back, BEFORE, observed(B, A, BLUE), STEPS).hold is None
    first = Deploy(target=BLUE, release=A, tasks=2, live=None, reason="")
    assert course(first, None, observed(None, None, None), STEPS).hold is None


def test_no_user_is_held_on_a_colour_that_cannot_serve() -> None:
    goes = Deploy(target=GREEN, release=C, tasks=2, live=BLUE, reason="")
    dead = observed(side(B, healthy=0), A, BLUE)
    assert course(goes, BEFORE, dead, STEPS) == Course(steps=(10, 50, 100), bake=60, home=BLUE)
    assert course(goes, BEFORE, observed(side(B, **SICK), A, BLUE), STEPS).hold == 10


def test_the_record_names_both_releases_side_by_side() -> None:
    assert HELD.serves == {BLUE: B, GREEN: C}
    assert HELD.weights == TEN
    assert (HELD.live, HELD.previous, HELD.history) == (B, A, (A, B))
    assert HELD.hold
    assert HELD.hold.since == SINCE


# ---- standing


def test_a_hold_is_no_drift_and_neither_colour_is_touched() -> None:
    assert locate(HELD, HOLDS) == HELD
    assert decision(HOLDS, ask()) == Keep(live=BLUE, reason=f"a hold stands: {HELD.hold.words()}")  # type: ignore[union-attr]


@pytest.mark.parametrize("tasks", [None, 0, 1])
def test_no_colour_is_idle_while_a_hold_stands(tasks: int | None) -> None:
    assert need_of_idle(HELD, HOLDS, tasks) is None
    broken = observed(B, side(C, **SICK), TEN, BEGUN)
    assert need_of_idle(HELD, broken, tasks) is None
    assert isinstance(decision(broken, ask(idle_tasks=tasks)), Keep)


@pytest.mark.parametrize(
    "request_",
    [
        ask(digest=D.digest),
        ask(digest=B.digest),
        ask(digest=A.digest, rollback_from=B.digest),
        ask(digest=A.digest, rollback_from=C.digest),
        replace(ask(digest=C.digest), service=OTHER_SERVICE),
        ask(digest=A.digest, rollback_from=B.digest, drill=Drill.BACK),
        ask(drill=Drill.PASSED),
    ],
    ids=["another", "what was live", "further back", "back to another", "new settings", "a drill", "a drill's end"],
)
def test_nothing_else_is_released_and_the_refusal_names_the_end(request_: Requested) -> None:
    error = refusal(HOLDS, request_)
    assert "while a hold stands" in error.what
    assert "`release hold end production --winner new|old --reason …`" in error.next_step


def test_the_job_that_began_it_may_run_again_and_does_nothing() -> None:
    assert isinstance(decision(HOLDS, ask(digest=C.digest)), Keep)


@pytest.mark.parametrize(
    "cloud",
    [
        observed(B, C, DIVIDED, BEGUN),
        observed(B, C, BLUE, BEGUN),
        observed(B, C, GREEN, BEGUN),
        observed(B, C, {GREEN: 0, BLUE: 0}, BEGUN),
        observed(B, D, TEN, BEGUN),
        observed(D, C, TEN, BEGUN),
    ],
    ids=["divided", "all on the live one", "all on the new one", "none", "another held", "another live"],
)
@pytest.mark.parametrize("winner", [None, *Winner])
def test_what_the_hold_does_not_explain_is_drift(cloud: Observed, winner: Winner | None) -> None:
    assert isinstance(locate(HELD, cloud), Drift)
    assert refusal(cloud, ask(hold_end=winner)).what.startswith("Drift: ")
    if winner:  # one thing at a time
        assert refusal(cloud, ask(hold_end=winner, on_drift=OnDrift.RESTORE)).what.startswith("Drift: ")


def test_restoring_leads_all_users_to_the_live_release_and_adopting_records_the_one_that_they_are_on() -> None:
    back = verdict(observed(B, C, DIVIDED, BEGUN), ask(on_drift=OnDrift.RESTORE))
    assert back.decision == TrafficOnly(target=BLUE, release=B, reason="restore what was recorded")
    assert advance(back.standing, BLUE, B).hold is None
    adopted = decision(observed(B, C, GREEN, BEGUN), ask(on_drift=OnDrift.ADOPT))
    assert isinstance(adopted, Finish)
    assert (adopted.target, adopted.release) == (GREEN, C)


def test_where_hands_destroyed_the_live_one_restoring_says_what_they_must_do_first() -> None:
    lost = observed(side(B, **SCALED_TO_ZERO), side(C, **SCALED_TO_ZERO), TEN, BEGUN)
    error = refusal(lost, ask(on_drift=OnDrift.RESTORE))
    assert "set the weight of green to 0 in the load balancer" in error.next_step
    then = decision(observed(side(B, **SCALED_TO_ZERO), side(C, **SCALED_TO_ZERO), BLUE), ask(on_drift=OnDrift.RESTORE))
    assert isinstance(then, Deploy)
    assert (then.target, then.release) == (GREEN, B)


# ---- ending


def test_the_new_one_wins_by_the_steps_above_the_hold() -> None:
    found = decision(HOLDS, ask(hold_end=Winner.NEW))
    assert isinstance(found, TrafficOnly)
    assert (found.target, found.release, found.rollback) == (GREEN, C, False)
    assert course(found, HELD, HOLDS, STEPS) == Course(steps=(50, 100), bake=60, home=BLUE)
    assert advance(HELD, GREEN, C) == replace(HELD, live_colour=GREEN, live=C, previous=B, history=(A, B, C), hold=None)


def test_the_release_that_wins_is_the_one_that_was_decided_about() -> None:
    assert isinstance(decision(HOLDS, ask(hold_end=Winner.NEW, hold_of=C.digest)), TrafficOnly)
    assert "Another release is held" in refusal(HOLDS, ask(hold_end=Winner.NEW, hold_of=A.digest)).what
    back = decision(HOLDS, ask(hold_end=Winner.OLD, hold_of=A.digest))
    assert isinstance(back, TrafficOnly), "users go back from every held release"
    assert back.target is BLUE


def test_a_breach_on_the_way_leads_all_users_back_and_the_next_update_records_that() -> None:
    assert way_back(GREEN, TEN, BLUE, {BLUE: 2, GREEN: 2}) == Home(BLUE)
    cloud = observed(B, C, BLUE, journal((BLUE, B), (GREEN, C), Phase.RESTORED))
    found = verdict(cloud, ask())
    assert found.decision == Finish(target=BLUE, release=B, reason="finish the interrupted switch")
    assert advance(found.standing, BLUE, B).hold is None
    assert "no hold that could end" in refusal(cloud, ask(hold_end=Winner.NEW)).what
    assert isinstance(decision(cloud, ask(hold_end=Winner.OLD)), Finish)


@pytest.mark.parametrize(
    "request_",
    [ask(hold_end=Winner.OLD), ask(digest=B.digest, rollback_from=C.digest)],
    ids=["by its end", "by a rollback"],
)
@pytest.mark.parametrize(
    "cloud",
    [
        HOLDS,
        observed(B, side(C, **SICK), TEN, BEGUN),
        observed(B, side(C, **SCALED_TO_ZERO), TEN, BEGUN),
        observed(side(B, **SICK), C, TEN, BEGUN),
        replace(HOLDS, alarms=(Alarm(name="a", firing=True, colour=BLUE), Alarm(name="b", firing=True, colour=None))),
    ],
    ids=["well", "held one sick", "held one gone", "live one sick", "alarms"],
)
def test_the_old_one_wins_at_once_whatever_the_new_one_is_like(cloud: Observed, request_: Requested) -> None:
    found = decision(cloud, replace(request_, halts=STOPPED, needs_seal=True))
    assert isinstance(found, TrafficOnly)
    assert (found.target, found.release, found.rollback) == (BLUE, B, True)
    assert course(found, HELD, cloud, STEPS) == Course(home=BLUE, goes_back=True)


def test_users_of_the_loser_came_back_from_it_so_releasing_it_is_going_forward_again() -> None:
    ended = advance(HELD, BLUE, B)
    assert (ended.live, ended.previous, ended.history, ended.hold) == (B, C, (A, B, C, B), None)
    cloud = observed(B, C, BLUE, journal((BLUE, B), (BLUE, B), Phase.MOVED))
    assert isinstance(decision(cloud, ask(), ended), Keep), "the standby is as it should be"
    assert "forwardFrom" in refusal(cloud, ask(digest=C.digest), ended).what
    again = decision(cloud, ask(digest=C.digest, forward_from=B.digest), ended)
    assert isinstance(again, TrafficOnly)
    assert course(again, ended, cloud, STEPS).hold == 10


def test_a_new_one_that_has_fewer_tasks_than_serve_does_not_win() -> None:
    grown = observed(side(B, wanted=4, running=4, healthy=4), C, TEN, BEGUN)
    error = refusal(grown, ask(hold_end=Winner.NEW))
    assert "green cannot take all users: it has 2 tasks, and 4 serve on blue" in error.what
    starting = observed(side(B, wanted=4, running=2, healthy=2), C, TEN, BEGUN)
    assert isinstance(decision(starting, ask(hold_end=Winner.NEW)), TrafficOnly)


def test_the_new_one_wins_only_where_something_may_go_forward_but_needs_no_seal() -> None:
    assert isinstance(decision(HOLDS, ask(hold_end=Winner.NEW, needs_seal=True)), TrafficOnly)
    assert "is stopped" in refusal(HOLDS, ask(hold_end=Winner.NEW, halts=STOPPED)).what
    quarantined = Halts(quarantined=Draft(id="1", kind=EntryKind.QUARANTINE, at=SINCE).after(None, ""))
    assert "is in quarantine" in refusal(HOLDS, ask(hold_end=Winner.NEW, halts=quarantined)).what
    firing = replace(HOLDS, alarms=(Alarm(name="errors", firing=True, colour=GREEN),))
    assert "Users are not moved while" in refusal(firing, ask(hold_end=Winner.NEW)).what
    assert isinstance(decision(firing, ask(hold_end=Winner.NEW, on_alarm=OnAlarm.PROCEED)), TrafficOnly)


@pytest.mark.parametrize("winner", Winner)
@pytest.mark.parametrize(
    ("record", "cloud"),
    [(BEFORE, observed(B, A, BLUE)), (None, observed(None, None, None)), (BEFORE, observed(B, C, TEN, BEGUN))],
    ids=["none ever", "nothing live", "not recorded yet"],
)
def test_a_hold_that_does_not_stand_cannot_be_ended(record: Any, cloud: Observed, winner: Winner) -> None:
    assert "no hold that could end" in refusal(cloud, ask(hold_end=winner), record).what


def test_where_only_the_settings_differ_the_old_ones_win_as_well() -> None:
    debug = release("b", OTHER_SERVICE)
    record = after(BEFORE, GREEN, debug, Course(steps=(10,), hold=10), None, at=SINCE)
    cloud = observed(B, debug, TEN, journal((BLUE, B), (GREEN, debug), Phase.HELD))
    assert isinstance(decision(cloud, ask(), record), Keep)
    back = decision(cloud, ask(hold_end=Winner.OLD), record)
    assert isinstance(back, TrafficOnly)
    assert back.release == B


# ---- interrupted


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.HELD])
def test_a_switch_that_was_killed_at_the_hold_is_finished_there_or_undone(phase: Phase) -> None:
    cloud = observed(B, C, TEN, journal((BLUE, B), (GREEN, C), phase))
    found = verdict(cloud, ask(), BEFORE)
    assert isinstance(found.decision, TrafficOnly)
    bake = 0 if phase is Phase.HELD else 60
    assert course(found.decision, found.standing, cloud, STEPS) == Course(steps=(), bake=bake, home=BLUE, hold=10)
    undone = decision(cloud, ask(digest=B.digest), BEFORE)
    assert undone == TrafficOnly(target=BLUE, release=B, reason="undo the interrupted switch")
    assert isinstance(decision(cloud, ask(digest=D.digest), BEFORE), Refuse)


def test_one_that_was_killed_beyond_a_hold_that_was_set_since_takes_no_step_back() -> None:
    cloud = observed(B, C, DIVIDED, journal((BLUE, B), (GREEN, C), Phase.MOVING))
    move = TrafficOnly(target=GREEN, release=C, reason="")
    assert course(move, BEFORE, cloud, STEPS) == Course(steps=(), bake=60, home=BLUE, hold=50)


def test_a_killed_end_in_favour_of_the_new_one_is_finished_to_the_end_or_undone() -> None:
    cloud = observed(B, C, DIVIDED, journal((BLUE, B), (GREEN, C), Phase.MOVING))
    for request in (ask(), ask(hold_end=Winner.NEW), ask(digest=C.digest)):
        found = verdict(cloud, request)
        assert isinstance(found.decision, TrafficOnly)
        assert (found.decision.target, found.decision.release) == (GREEN, C)
        assert course(found.decision, found.standing, cloud, STEPS) == Course(steps=(100,), bake=60, home=BLUE)
    for request in (ask(hold_end=Winner.OLD), ask(digest=B.digest), ask(on_drift=OnDrift.RESTORE)):
        undone = decision(cloud, request)
        assert undone == TrafficOnly(target=BLUE, release=B, reason="undo the interrupted switch")


@pytest.mark.parametrize(
    ("at", "written", "winner"),
    [
        (GREEN, journal((BLUE, B), (GREEN, C), Phase.MOVING), C),
        (GREEN, journal((BLUE, B), (GREEN, C), Phase.MOVED), C),
        (BLUE, journal((BLUE, B), (BLUE, B), Phase.MOVING), B),
        (BLUE, journal((BLUE, B), (BLUE, B), Phase.MOVED), B),
    ],
    ids=["new, moving", "new, moved", "old, moving", "old, moved"],
)
def test_a_killed_end_that_had_moved_all_users_is_recorded_by_the_next_update(
    at: Colour, written: Journal, winner: Any
) -> None:
    cloud = observed(B, C, all_on(at), written)
    assert isinstance(locate(HELD, cloud), Interrupted)
    found = verdict(cloud, ask())
    assert found.decision == Finish(target=at, release=winner, reason="finish the interrupted switch")
    assert found.standing == HELD
    ended = advance(found.standing, at, winner)
    assert (ended.live, ended.hold) == (winner, None)


def test_another_release_counts_such_an_end_as_done() -> None:
    cloud = observed(B, C, GREEN, journal((BLUE, B), (GREEN, C), Phase.MOVED))
    found = verdict(cloud, ask(digest=D.digest))
    assert isinstance(found.decision, Deploy)
    assert found.decision.target is BLUE
    assert found.standing
    assert (found.standing.live, found.standing.previous, found.standing.hold) == (C, B, None)


def test_an_end_that_was_killed_before_it_moved_any_traffic_left_the_hold_as_it_was() -> None:
    cloud = observed(B, C, TEN, journal((BLUE, B), (GREEN, C), Phase.MOVING))
    assert isinstance(decision(cloud, ask()), Keep)
