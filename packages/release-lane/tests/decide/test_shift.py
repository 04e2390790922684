"""In which steps users are moved, and where the traffic rolls back to."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.decide.decision import Deploy, Finish, TrafficOnly, decide
from release_lane.decide.shift import AsFound, Course, Home, Nowhere, Shift, Stay, course, way_back
from release_lane.record.journal import Phase
from release_lane.record.placement import Colour, all_on
from release_lane.record.records import Observed, Recorded
from tests.decide.situations import BLUE, GREEN, A, B, C, D, journal, observed, recorded, side

pytestmark = pytest.mark.pure

RECORD = recorded(GREEN, A, B)
STEPS = Shift(steps=(10, 50, 100), bake=60)
TO_C = journal((GREEN, B), (BLUE, C), Phase.MOVING)
DEPLOY_C = Deploy(target=BLUE, release=C, tasks=2, live=GREEN, reason="")


def planned(decision: Any, cloud: Observed, standing: Recorded | None = RECORD, shift: Shift = STEPS) -> Course:
    return course(decision, standing, cloud, shift)


# ---- steps


def test_a_new_release_takes_all_steps_and_is_watched_after_each() -> None:
    assert planned(DEPLOY_C, observed(A, B, GREEN)) == Course(steps=(10, 50, 100), bake=60, home=GREEN)
    move = TrafficOnly(target=BLUE, release=C, reason="")
    assert planned(move, observed(C, B, GREEN)) == Course(steps=(10, 50, 100), bake=60, home=GREEN)


def test_by_default_everybody_moves_at_once_and_nothing_is_watched() -> None:
    assert planned(DEPLOY_C, observed(A, B, GREEN), shift=Shift()) == Course(steps=(100,), bake=0, home=GREEN)


@pytest.mark.parametrize(
    ("reached", "left"),
    [(1, (10, 50, 100)), (9, (10, 50, 100)), (10, (50, 100)), (30, (50, 100)), (50, (100,)), (99, (100,))],
)
def test_an_interrupted_switch_goes_on_at_the_next_higher_step(reached: int, left: tuple[int, ...]) -> None:
    move = TrafficOnly(target=BLUE, release=C, reason="finish")
    cloud = observed(C, B, {BLUE: reached, GREEN: 100 - reached}, TO_C)
    assert planned(move, cloud) == Course(steps=left, bake=60, home=GREEN)


@pytest.mark.parametrize(
    "decision",
    [
        TrafficOnly(target=BLUE, release=A, reason="rollback", rollback=True),
        Deploy(target=BLUE, release=A, tasks=2, live=GREEN, reason="rollback", rollback=True),
        TrafficOnly(target=BLUE, release=B, reason="restore"),
        Deploy(target=BLUE, release=B, tasks=2, live=GREEN, reason="restore"),
    ],
    ids=["rollback", "rollback by a deployment", "restore", "restore by a deployment"],
)
def test_going_back_is_quick_and_not_stopped_by_alarms(decision: Any) -> None:
    assert planned(decision, observed(A, B, GREEN)) == Course(steps=(100,), bake=0, home=GREEN, goes_back=True)


def test_an_undo_of_a_stepped_switch_is_quick() -> None:
    undo = TrafficOnly(target=GREEN, release=B, reason="undo")
    cloud = observed(C, B, {BLUE: 50, GREEN: 50}, TO_C)
    assert planned(undo, cloud) == Course(steps=(100,), bake=0, home=GREEN, goes_back=True)


@pytest.mark.parametrize(
    ("cloud", "standing"),
    [
        (observed(None, None, None), None),
        (observed(C, B, {BLUE: 0, GREEN: 0}), RECORD),
        (observed(A, None, BLUE), None),
    ],
    ids=["first release", "no users", "in place of an unrecorded one"],
)
def test_where_there_are_no_users_to_protect_traffic_moves_at_once(cloud: Observed, standing: Recorded | None) -> None:
    deploy = Deploy(target=BLUE if standing else GREEN, release=C, tasks=2, live=None, reason="")
    assert planned(deploy, cloud, standing) == Course(steps=(100,), bake=0, home=GREEN if standing else None)


def test_from_an_unknown_release_traffic_moves_at_once_but_is_watched() -> None:
    """In the middle of a stepped switch the live check must know whose answers are right."""
    cloud = observed(A, side(D), GREEN)
    assert planned(DEPLOY_C, cloud) == Course(steps=(100,), bake=60, home=None)


def test_a_recorded_release_that_is_started_anew_on_its_own_colour_is_a_home_again() -> None:
    restore = Deploy(target=GREEN, release=B, tasks=2, live=BLUE, reason="restore")
    assert planned(restore, observed(A, side(None), BLUE)).home is GREEN


@pytest.mark.parametrize(
    ("phase", "bake"), [(Phase.MOVING, 60), (Phase.MOVED, 0)], ids=["killed while it was watched", "after that"]
)
def test_a_finished_switch_makes_up_for_the_bake_that_it_had_not_ended(phase: Phase, bake: float) -> None:
    cloud = observed(C, B, BLUE, journal((GREEN, B), (BLUE, C), phase))
    verdict = decide(RECORD, cloud, request())
    assert isinstance(verdict.decision, Finish)
    assert planned(verdict.decision, cloud, verdict.standing) == Course(steps=(), bake=bake, home=GREEN)


@pytest.mark.parametrize("phase", [Phase.MOVING, Phase.MOVED])
def test_a_finished_rollback_is_one_and_takes_no_user_back_to_what_it_left(phase: Phase) -> None:
    cloud = observed(A, B, BLUE, journal((GREEN, B), (BLUE, A), phase))
    for asked in ({}, {"digest": A.digest, "rollback_from": B.digest}):
        verdict = decide(RECORD, cloud, replace(request(), **asked))
        assert isinstance(verdict.decision, Finish)
        assert planned(verdict.decision, cloud, verdict.standing) == Course(steps=(), home=None, goes_back=True)


def test_a_switch_forward_again_that_is_finished_is_no_way_back() -> None:
    back = replace(RECORD, live_colour=BLUE, live=A, history=(A, B, A))
    cloud = observed(A, B, GREEN, journal((BLUE, A), (GREEN, B), Phase.MOVING))
    verdict = decide(back, cloud, request())
    assert planned(verdict.decision, cloud, verdict.standing) == Course(steps=(), bake=60, home=BLUE)


def test_adopting_moves_no_traffic_and_rolls_none_back() -> None:
    adopt = Finish(target=BLUE, release=A, reason="adopt")
    assert planned(adopt, observed(A, B, BLUE)) == Course(steps=(), bake=0, home=None, goes_back=True)


@given(st.lists(st.integers(1, 99), unique=True), st.integers(0, 99))
def test_steps_that_are_left_rise_and_end_with_everybody(steps: list[int], reached: int) -> None:
    cloud = observed(C, B, {BLUE: reached, GREEN: 100 - reached}, TO_C)
    shift = Shift(steps=(*sorted(steps), 100), bake=1)
    left = planned(TrafficOnly(target=BLUE, release=C, reason=""), cloud, shift=shift).steps
    assert list(left) == sorted(set(left))
    assert left[0] > reached
    assert left[-1] == 100


def request() -> Any:
    from release_lane.decide.decision import Requested
    from tests.decide.situations import SERVICE

    return Requested(service=SERVICE)


# ---- for people, and for the switch


@pytest.mark.parametrize(
    ("planned", "words"),
    [
        (Course(), "all at once"),
        (Course(bake=60), "all at once, 60 s of watching"),
        (Course(steps=(10, 50, 100)), "in 3 steps: 10 %, 50 %, 100 %"),
        (
            Course(steps=(10, 50, 100), bake=60),
            "in 3 steps: 10 %, 50 %, 100 %, 60 s of watching after each (180 s at least)",
        ),
        (Course(steps=(), bake=60), "users are there already, 60 s of watching"),
    ],
)
def test_what_the_switch_will_do_is_said_in_words(planned: Course, words: str) -> None:
    assert planned.words() == words


@pytest.mark.parametrize("planned", [Course(), Course(steps=(10, 100), bake=60, home=GREEN, goes_back=True)], ids=str)
def test_a_course_survives_being_an_input(planned: Course) -> None:
    assert Course.from_dict(json.loads(json.dumps(planned.as_dict()))) == planned


# ---- rolling the traffic back


def back(found: Any, home: Colour | None, blue: int, green: int) -> Any:
    """Of a switch to blue."""
    return way_back(BLUE, found, home, {BLUE: blue, GREEN: green})


DIVIDED = {BLUE: 50, GREEN: 50}


@pytest.mark.parametrize("found", [all_on(GREEN), DIVIDED, all_on(BLUE)], ids=["began", "resumed", "finished"])
def test_all_traffic_is_rolled_back_to_the_recorded_release(found: Any) -> None:
    assert back(found, GREEN, 2, 2) == Home(GREEN)
    assert back(found, GREEN, 0, 2) == Home(GREEN)
    assert back(found, GREEN, 2, 1) == Home(GREEN)


@pytest.mark.parametrize("found", [all_on(GREEN), DIVIDED, all_on(BLUE)], ids=["began", "resumed", "finished"])
def test_traffic_is_not_rolled_back_to_a_colour_that_died_while_the_new_one_is_healthy(found: Any) -> None:
    assert back(found, GREEN, 1, 0) == Stay(BLUE)


def test_where_both_are_dead_users_go_where_they_are_recorded_to_be() -> None:
    assert back(all_on(GREEN), GREEN, 0, 0) == Home(GREEN)


def test_after_a_failed_first_release_there_is_no_rule() -> None:
    assert back(None, None, 2, 0) == Nowhere()


@pytest.mark.parametrize("found", [all_on(GREEN), all_on(BLUE), {BLUE: 0, GREEN: 0}], ids=str)
def test_without_a_recorded_release_to_go_to_users_go_where_they_were_found(found: Any) -> None:
    assert back(found, None, 2, 2) == AsFound()


def test_traffic_is_not_rolled_back_to_an_unrecorded_colour_without_healthy_targets() -> None:
    assert back(all_on(GREEN), None, 2, 0) == Stay(BLUE)
    assert back({BLUE: 0, GREEN: 0}, None, 2, 0) == AsFound()


@pytest.mark.parametrize("found", [all_on(GREEN), DIVIDED], ids=["whole", "divided"])
def test_a_failed_undo_leaves_users_on_the_recorded_release(found: Any) -> None:
    assert back(found, BLUE, 2, 2) == Home(BLUE)
    assert back(found, BLUE, 0, 0) == Home(BLUE)


def test_a_failed_undo_to_a_colour_that_died_goes_back_to_the_one_that_lives() -> None:
    assert back(all_on(GREEN), BLUE, 0, 2) == AsFound()


def test_divided_traffic_is_not_rolled_back_to_a_colour_that_died() -> None:
    """Half of them would meet no task, although the other colour could serve all."""
    assert back(DIVIDED, BLUE, 0, 2) == AsFound(on=GREEN)
    assert back(DIVIDED, None, 0, 2) == AsFound(on=GREEN)
    assert back(DIVIDED, None, 2, 2) == AsFound()
    assert back(DIVIDED, None, 0, 0) == AsFound()
    assert back(all_on(BLUE), None, 0, 2) == AsFound(), "no user was on green, and what it runs is unknown"
