"""Which breaches are a fault of the image, so that it goes into quarantine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from provider_kit import Cancelled
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, Users
from release_lane.gates.faults import fault_of
from release_lane.gates.move import Move
from release_lane.gates.passes import RUN, Pass
from release_lane.record.course import Course
from release_lane.record.digest import Digest
from release_lane.record.evidence import Drill
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.record.records import Recorded

pytestmark = pytest.mark.pure

BLUE, GREEN = Colour.BLUE, Colour.GREEN
A, B = (Release(digest=Digest("sha256:" + letter * 64), service=Service()) for letter in "ab")
MOVE = Move(
    live=GREEN,
    release=B,
    expected=all_on(BLUE),
    standing=Recorded(live_colour=BLUE, live=A, history=(A,)),
    passed=Pass(digest=B.digest, run=RUN, colour="green", taskDefinition="app:2", deployment="ecs-svc/2"),
    smoke_deadline=10.0,
    course=Course(steps=(10, 100), bake=120, home=BLUE),
)
BACK = replace(MOVE, course=replace(MOVE.course, goes_back=True))
BREACH = CheckFailed("errors of green: 7 % of 400 requests")
ROLLED_BACK = CheckFailed("green had 10 % of the users; … timeline", users=Users.RESTORED)


def foreign() -> CheckFailed:
    error = CheckFailed("somebody else changed the weights")
    error.foreign = True
    return error


def test_a_breach_whose_traffic_was_rolled_back_is_a_fault_in_its_own_words() -> None:
    assert fault_of(BREACH, ROLLED_BACK, MOVE) == "errors of green: 7 % of 400 requests"


def test_so_is_one_of_a_first_release_and_of_going_forward_again() -> None:
    again = replace(BACK, standing=Recorded(live_colour=BLUE, live=A, history=(A, B, A)))
    assert fault_of(BREACH, ROLLED_BACK, replace(MOVE, standing=None))
    assert fault_of(BREACH, ROLLED_BACK, again)


@pytest.mark.parametrize(
    "breach",
    [Interrupted("ann asked to abort"), Cancelled("Ctrl-C"), CloudError("throttled"), Refused("moved"), foreign()],
    ids=lambda error: f"{type(error).__name__} {error}",
)
def test_what_is_not_about_the_release_is_no_fault_of_it(breach: Exception) -> None:
    assert fault_of(breach, ROLLED_BACK, MOVE) == ""


@pytest.mark.parametrize("users", [Users.UNTOUCHED, Users.UNSURE, None])
def test_a_release_that_users_did_not_come_back_from_is_not_put_into_quarantine(users: Users | None) -> None:
    assert fault_of(BREACH, CheckFailed("refused", users=users), MOVE) == ""


def test_a_way_back_that_fails_can_be_taken_once_more() -> None:
    rollback = replace(BACK, standing=Recorded(live_colour=BLUE, live=A, history=(B, A)))
    assert fault_of(BREACH, ROLLED_BACK, rollback) == ""


@pytest.mark.parametrize("half", [Drill.BACK, Drill.FORWARD])
def test_a_drill_that_fails_takes_no_way_back_away(half: Drill) -> None:
    assert fault_of(BREACH, ROLLED_BACK, replace(BACK, drill=half)) == ""


def test_new_settings_of_the_live_image_put_it_into_no_quarantine() -> None:
    settings = replace(MOVE, release=replace(A, service=Service(cpu=512, memory=1024)))
    assert fault_of(BREACH, ROLLED_BACK, settings) == ""
