"""A hold as the program sees it: what the graph is while one begins, stands and ends; and what is handed out."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
from release_lane.decide.advance import after
from release_lane.errors import Refused, ReleaseError
from release_lane.record.course import Course
from release_lane.record.halts import Halts
from release_lane.record.intended import Intended
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.ledger import Draft, EntryKind
from release_lane.record.placement import Colour
from release_lane.record.records import OF_HOLD, OUTPUTS, Recorded
from tests.program.mocks import ARTIFACTS, FIRST, SECOND, THIRD, World, observed, outputs_of, release, run

pytestmark = pytest.mark.program

BLUE, GREEN = Colour.BLUE, Colour.GREEN
ONE, TWO = release(FIRST), release(SECOND)
TEN = {"blue": 90, "green": 10}
SHIFT = {"release-lane:shift": json.dumps({"steps": [10, 50, 100], "bakeSeconds": 60, "hold": 10})}
LEDGER = {"release-lane:ledger": "s3://shop-releases"}
BEFORE = Recorded.from_outputs(outputs_of(ONE, BLUE))
assert BEFORE
HELD = after(BEFORE, GREEN, TWO, Course(steps=(10,), hold=10), None, at="2026-11-29T20:00:00+00:00")
STOPPED = Draft(id="1", kind=EntryKind.STOPPED, at="2026-12-25T11:00:00Z", environment="staging").after(None, "")


def holding(image: str = "", **over: Any) -> World:
    """A hold stands: FIRST on blue, SECOND on green with 10 % of the users."""
    seen = observed(blue=ONE, green=TWO, live=BLUE, image=image)
    ends = (End(colour, each.digest, each.id) for colour, each in ((BLUE, ONE), (GREEN, TWO)))
    source, to = ends
    seen["rule"] = {"weights": TEN, "tags": Journal(source=source, to=to, phase=Phase.HELD).as_tags()}
    own = json.loads(json.dumps(HELD.as_outputs()))
    return World(outputs={**ARTIFACTS, "staging": own}, observed=seen, **over)


@pytest.fixture
def handed_out(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the stack's outputs."""
    names: set[str] = set()
    monkeypatch.setattr(pulumi, "export", lambda name, _: names.add(name))
    return names


def switch(world: World) -> Any:
    return world.one("TrafficSwitch").inputs


def test_the_switch_to_a_release_ends_at_the_hold(handed_out: set[str]) -> None:
    own = {**ARTIFACTS, "staging": outputs_of(ONE, BLUE)}
    world = World(outputs=own, observed=observed(blue=ONE, live=BLUE, image=SECOND))
    given = switch(run(world, {"release-lane:imageDigest": SECOND, **SHIFT}))
    assert (given["decision"], given["live"], given["weights"]) == ("deploy", "green", TEN)
    assert (given["course"]["steps"], given["course"]["hold"]) == ([10], 10)
    assert {*OUTPUTS, *OF_HOLD} <= handed_out


def test_without_a_hold_nothing_of_it_is_handed_out(handed_out: set[str]) -> None:
    own = {**ARTIFACTS, "staging": outputs_of(ONE, BLUE)}
    world = run(World(outputs=own, observed=observed(blue=ONE, live=BLUE, image=SECOND)), SHIFT)
    assert {*OUTPUTS} <= handed_out
    assert not {*OF_HOLD} & handed_out
    assert "hold" not in switch(world)["course"]


def test_while_it_stands_nothing_is_written_and_its_record_stays(handed_out: set[str]) -> None:
    world = run(holding(), SHIFT)
    given = switch(world)
    assert (given["decision"], given["active"], given["weights"]) == ("keep", False, TEN)
    assert Recorded.from_outputs(given["standing"]) == HELD
    for name in ("release-lane-staging-blue", "release-lane-staging-green"):
        assert world.options["aws:ecs/service:Service", name].ignored == ("*",)
    assert {*OF_HOLD} <= handed_out


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"imageDigest": THIRD}, "Nothing is released while a hold stands"),
        ({"imageDigest": FIRST}, "Nothing is released while a hold stands"),
        ({"imageDigest": THIRD, "holdEnd": "old"}, "holdEnd: ends the hold and does nothing else"),
        ({"holdEnd": "new", "holdOf": FIRST}, "Another release is held than the one that is to win"),
    ],
)
def test_nothing_else_is_released(config: dict[str, str], said: str) -> None:
    world = holding(image=THIRD)
    with pytest.raises(ReleaseError, match=said):
        run(world, {f"release-lane:{key}": value for key, value in config.items()})
    assert not world.registered


def ends(winner: str) -> dict[str, str]:
    """What asks for the end of the hold of SECOND."""
    return {"release-lane:holdEnd": winner, **({"release-lane:holdOf": SECOND} if winner == "new" else {})}


@pytest.mark.parametrize(
    ("winner", "live", "steps", "back"), [("new", "green", [50, 100], False), ("old", "blue", [100], True)]
)
def test_its_end_moves_traffic_only_and_hands_out_nothing_of_it(
    winner: str, live: str, steps: list[int], back: bool, handed_out: set[str]
) -> None:
    world = run(holding(), {**ends(winner), **SHIFT})
    given = switch(world)
    assert (given["decision"], given["live"]) == ("traffic-only", live)
    assert (given["course"]["steps"], given["course"]["goesBack"]) == (steps, back)
    assert not {*OF_HOLD} & handed_out


@pytest.mark.parametrize("winner", ["new", "old"])
def test_the_intent_says_which_release_wins(winner: str) -> None:
    ((what, given),) = run(holding(), {**ends(winner), **LEDGER, **SHIFT}).ledger
    intended = Intended.from_dict(given)
    assert (what, intended.details["holdEnd"]) == ("begin", winner)
    assert intended.release == (TWO if winner == "new" else ONE)
    assert intended.standing.held == TWO.id


def test_so_does_the_intent_of_the_update_that_finishes_a_killed_end() -> None:
    world = holding()
    one, two = (End(colour, each.digest, each.id) for colour, each in ((BLUE, ONE), (GREEN, TWO)))
    journal = Journal(source=one, to=two, phase=Phase.MOVING)
    world.observed["rule"] = {"weights": {"blue": 50, "green": 50}, "tags": journal.as_tags()}
    ((_, given),) = run(world, {**LEDGER, **SHIFT}).ledger
    assert Intended.from_dict(given).details["holdEnd"] == "new"
    assert switch(world)["course"]["steps"] == [100]


def test_the_ledger_is_asked_about_the_held_digest_before_it_wins_and_not_before_users_go_back() -> None:
    world = holding(halts=Halts(stopped=STOPPED))
    with pytest.raises(Refused, match="The line of staging is stopped"):
        run(world, {**ends("new"), **LEDGER})
    (asked,) = world.halts_asked
    assert asked["digest"] == SECOND
    assert not world.registered
    back = run(holding(halts=Halts(stopped=STOPPED)), {**ends("old"), **LEDGER})
    assert (switch(back)["live"], back.halts_asked) == ("blue", [])
