"""`release abort`: finds the switch, asks, leaves the request, waits, and reports the outcome."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.machine import FakeMachine
from release_lane.engine.locks import Holder, Origin, Owner
from release_lane.record.journal import Abort, Phase
from release_lane.record.placement import Weights
from release_lane.record.records import Observed
from tests.command.words import BLUE, GREEN, A, B, Stage, states
from tests.decide import situations

pytestmark = pytest.mark.cli

ANN = Holder(user="ann", host="build-7", pid=4711, since="2026-01-02T03:04:05Z")


def seen(users: Weights | Any, phase: Phase) -> Observed:
    written = situations.journal((BLUE, situations.A), (GREEN, situations.B), phase)
    return situations.observed(situations.A, situations.B, users, written)


MOVING = seen({BLUE: 90, GREEN: 10}, Phase.MOVING)
RESTORED = seen(BLUE, Phase.RESTORED)
MOVED = seen(GREEN, Phase.MOVED)
TORN = seen({BLUE: 90, GREEN: 10}, Phase.RESTORED)
PRODUCTION = "release-lane-production"


def stage(now: Observed = MOVING, then: Observed = RESTORED, *, after: int = 3, **over: Any) -> Stage:
    """Production with a switch under way; so many looks after the request the rule says `then`."""

    def heard(cloud: FakeCloud) -> None:
        asked = cloud.looks

        def look(each: FakeCloud) -> None:
            if each.looks >= asked + after:
                each.environments[PRODUCTION] = then

        cloud.each = look

    cloud = FakeCloud(environments={PRODUCTION: now}, on_abort=heard)
    held = over.pop("held", (ANN,))
    backend = over.pop("backend", None) or FakeBackend(held={"production": held} if held else {})
    owners = over.pop("owners", {4711: Owner.RUNS})
    return Stage(
        engine=FakeEngine(states=states()), cloud=cloud, backend=backend, machine=FakeMachine(owners=owners), **over
    )


def test_the_request_names_the_switch_and_its_author_and_users_are_back_in_the_end() -> None:
    on = stage(origin=Origin(who="bob", run="https://ci.example/8"))
    assert on.run("abort", "production", "--yes") == 0
    assert on.cloud.aborts == [Abort(situations.B.id, "bob https://ci.example/8")]
    assert on.out == "production: the switch to green was aborted; users are back on blue.\n"
    assert f"A switch from blue ({A.digest[:19]}) to green ({B.digest[:19]}) is under way" in on.err
    assert on.machine.time == 2


def test_outside_ci_the_request_names_the_user_and_the_machine() -> None:
    on = stage()
    on.run("abort", "production", "--yes", "--json")
    assert on.cloud.aborts[0].by == "me@here"
    assert on.data == {"environment": "production", "liveColour": "blue", "aborted": True}


def test_a_switch_that_was_done_first_is_too_late_to_abort() -> None:
    on = stage(then=MOVED)
    assert on.run("abort", "production", "--yes") == 4
    assert "Too late" in on.err
    assert "release rollback production" in on.err


def test_an_update_that_ends_without_rolling_the_traffic_back_is_reported() -> None:
    on = stage(then=MOVING)
    on.cloud.on_abort = lambda _: on.backend.held.clear()
    assert on.run("abort", "production", "--yes") == 3
    assert "users are divided" in on.err
    assert "release recover production" in on.err


def test_weights_of_before_the_way_back_with_a_journal_of_after_it_are_looked_at_again() -> None:
    on = stage()
    on.cloud.on_abort = lambda cloud: cloud.environments.update({PRODUCTION: TORN})
    on.cloud.each = lambda cloud: cloud.environments.update({PRODUCTION: RESTORED}) if cloud.looks == 3 else None
    assert on.run("abort", "production", "--yes") == 0, on.err
    assert on.cloud.looks == 3


def test_what_was_restored_elsewhere_is_reported_once_a_second_look_says_the_same() -> None:
    on = stage(then=TORN)
    assert on.run("abort", "production", "--yes") == 3
    assert "users are divided" in on.err
    assert on.cloud.looks == 5


def test_a_switch_that_never_answers_is_given_up() -> None:
    on = stage(then=MOVING)
    assert on.run("abort", "production", "--yes") == 3
    assert "did not answer within 600 s" in on.err
    assert on.machine.time <= 602


@pytest.mark.parametrize(
    ("now", "over", "said"),
    [
        (RESTORED, {}, "it has not moved any traffic yet"),
        (MOVED, {"held": ()}, "users are on green, and no update is running"),
        (MOVING, {"held": ()}, "was interrupted, and no update runs"),
        (MOVING, {"owners": {4711: Owner.GONE}}, "was interrupted, and no update runs"),
    ],
    ids=["gates", "nothing", "interrupted", "its owner is dead"],
)
def test_without_a_switch_it_says_so_and_leaves_no_request(now: Observed, over: dict[str, Any], said: str) -> None:
    on = stage(now, **over)
    assert on.run("abort", "production", "--yes") == 4
    assert said in on.err
    assert on.cloud.aborts == []


def test_where_the_backend_does_not_say_who_runs_the_journal_is_believed() -> None:
    on = stage(backend=FakeBackend(readable=False))
    assert on.run("abort", "production", "--yes") == 0


def test_it_asks_before_it_rolls_the_traffic_back() -> None:
    no = stage(answer="n")
    assert no.run("abort", "production") == 130
    assert no.cloud.aborts == []
    yes = stage(answer="y")
    assert yes.run("abort", "production") == 0
    assert "Roll the traffic back?" in yes.err


def test_without_a_terminal_it_wants_yes() -> None:
    on = stage()
    assert on.run("abort", "production") == 2
    assert on.cloud.aborts == []


def test_a_stack_without_users_is_none_to_abort() -> None:
    assert stage().run("abort", "artifacts", "--yes") == 2
