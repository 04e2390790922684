"""Everything that looks at an environment says that a hold stands, and takes nothing of it for a fault."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from release_lane.decide.advance import after
from release_lane.engine.locks import Holder
from release_lane.engine.state import StackState
from release_lane.errors import Refused
from release_lane.operate import drift
from release_lane.operate.aborting import ProductionRule, TooLate, outcome, under_way
from release_lane.operate.board import alerts, board_data, board_of
from release_lane.operate.board_page import board_page
from release_lane.operate.history import cells, passages
from release_lane.operate.metrics import Share
from release_lane.operate.metrics_page import figures
from release_lane.operate.page_text import text
from release_lane.operate.planned import Planned
from release_lane.operate.recovery import Found, findings, next_step
from release_lane.operate.review import Review, Subject, as_dict
from release_lane.operate.review_page import page
from release_lane.operate.situation import Level, checklist
from release_lane.operate.watching import Superseded, bake_of, verdict
from release_lane.record.course import Course
from release_lane.record.decisions import DecisionKind
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.ledger import Result
from release_lane.record.names import Access, Names
from release_lane.record.placement import Weights, all_on
from release_lane.record.records import Observed, Side
from tests.command.words import BLUE, GREEN, A, B, C, recorded
from tests.operate.ledgers import DAY, Chronicle
from tests.operate.test_board import NOW, PRODUCTION
from tests.operate.test_metrics import counted
from tests.operate.test_situation import C_WANTED, HOLDS_B, READY
from tests.operate.test_watching import LOOK, RELEASED, TIMING, signals

pytestmark = pytest.mark.pure

SINCE = "2026-11-29T20:00:00+00:00"
TEN = {BLUE: 10, GREEN: 90}
HELD = after(recorded(GREEN, A, B), BLUE, C, Course(steps=(10,), hold=10), None, at=SINCE)
WORDS = f"{C.digest[:19]} on blue has 10 % of the users since {SINCE}"
HOLDS_C = Side(
    exists=True, digest=C.digest, release=C, wanted=2, running=2, healthy=2,
    task_definition="arn", deployment="2", tasks={"3": C.digest, "4": C.digest},
)  # fmt: skip
JOURNAL = Journal(source=End(GREEN, B.digest, B.id), to=End(BLUE, C.digest, C.id), phase=Phase.HELD)
SEEN = Observed(weights=TEN, journal=JOURNAL, sides={GREEN: HOLDS_B, BLUE: HOLDS_C})


# ---- before a release, and on the board


def test_the_checklist_says_no_and_what_ends_it() -> None:
    checks = checklist(replace(READY, recorded=HELD, observed=SEEN), replace(C_WANTED, digest=A.digest))
    (hold,) = [each for each in checks if each.about == "Hold"]
    assert (hold.level, hold.text) == (Level.NO, f"a hold stands, nothing else is released: {WORDS}")
    assert hold.do == "release hold end production --winner new|old --reason …"
    placed = [(each.level, each.text) for each in checks if each.about == "Placement"]
    assert placed == [
        (Level.OK, "users are on green, as recorded; 2 of 2 tasks are healthy"),
        (Level.OK, "users are on blue, as recorded; 2 of 2 tasks are healthy"),
    ]
    assert not [each for each in checks if each.about == "Idle colour"]


def test_the_board_says_it_and_calls_no_colour_idle() -> None:
    at = replace(PRODUCTION, recorded=HELD, observed=SEEN)
    (said,) = alerts(at)
    assert said.startswith(f"a hold stands, nothing else is released: {WORDS}")
    board = board_of("shop", NOW, [at], ())
    shown = text(board_page(board))
    assert "held: blue runs" in shown
    assert "idle:" not in shown
    assert "ends the hold, traffic only" in shown
    (row,) = board_data(board)["environments"]
    assert row["hold"] == json.loads(json.dumps(HELD.as_dict()["hold"]))


# ---- looking for what is wrong


def test_it_is_no_drift_and_is_noted() -> None:
    assert drift.notes(HELD, SEEN, StackState(), None) == (f"a hold stands: {WORDS}",)


def test_tasks_of_either_colour_that_were_changed_by_hand_are_found_as_tasks() -> None:
    names = Names.of_stack("shop", "production", access=Access(region="r", account="1"))
    assert drift.of_traffic(HELD, SEEN, names) == ()
    rolled = replace(SEEN, sides={**SEEN.sides, BLUE: replace(HOLDS_C, digest=A.digest, release=A)})
    (found,) = drift.of_traffic(HELD, rolled, names)
    assert (found.type, found.known_as) == (drift.TASKS, (names.services[GREEN], names.services[BLUE]))
    (moved,) = drift.of_traffic(HELD, replace(SEEN, weights=all_on(BLUE)), names)
    assert moved.type == drift.TRAFFIC


def test_recover_finds_nothing_to_do_and_says_what_ends_it() -> None:
    found = Found(stack="production", recorded=HELD, observed=SEEN)
    assert findings(found) == ()
    assert next_step(found).startswith(f"nothing; a hold stands: {WORDS}. It ends with `release hold end production")


@pytest.mark.parametrize("colour", [BLUE, GREEN])
def test_recover_looks_at_both_colours(colour: object) -> None:
    sides = {at: replace(side, healthy=1) if at is colour else side for at, side in SEEN.sides.items()}
    found = Found(stack="production", recorded=HELD, observed=replace(SEEN, sides=sides))
    assert findings(found) == (("live", f"{colour} has 1 healthy of 2 wanted tasks"),)


# ---- the switch, seen from outside


def test_an_abort_request_that_comes_after_it_began_is_too_late() -> None:
    moving = replace(JOURNAL, phase=Phase.MOVING)
    assert outcome(moving, ProductionRule(weights=TEN, journal=JOURNAL), running=True) == TooLate()
    assert outcome(moving, ProductionRule(weights=TEN, journal=JOURNAL), running=False) == TooLate()


@pytest.mark.parametrize("holders", [(), (Holder(user="ann", host="here", pid=1, since=""),)])
def test_a_hold_is_no_switch_that_could_be_aborted(holders: tuple[Holder, ...]) -> None:
    with pytest.raises(Refused, match="There is no switch to abort"):
        under_way("production", ProductionRule(weights=TEN, journal=JOURNAL), holders)


@pytest.mark.parametrize(
    ("weights", "superseded"), [(TEN, False), (all_on(GREEN), True), ({BLUE: 50, GREEN: 50}, True)]
)
def test_a_watch_goes_on_while_it_stands(weights: Weights, superseded: bool) -> None:
    look = replace(LOOK, rule=ProductionRule(weights=weights, journal=JOURNAL))
    found = verdict(look, signals(5), bake_of(BLUE, (), seconds=600, released=RELEASED, **TIMING), HELD)
    assert isinstance(found, Superseded) is superseded


# ---- the review of the release that begins it


def test_a_review_says_that_a_hold_begins_and_that_the_approval_covers_its_end() -> None:
    planned = Planned(
        decision=DecisionKind.DEPLOY,
        live=BLUE,
        release=C,
        before=all_on(GREEN),
        after=TEN,
        target=BLUE,
        starts=True,
        course=Course(steps=(10,), bake=60, home=GREEN, hold=10),
    )
    subject = Subject(environment="production", recorded=recorded(GREEN, A, B))
    shown = text(page(Review(subject=subject, planned=planned)))
    moves = "The traffic moves in 1 step: 10 %, 60 s of watching; then a hold keeps 10 % there until it is ended."
    assert moves in shown
    assert "A hold begins: 10 % of the users stay on the new release" in shown
    assert "This approval covers its end as well." in shown
    assert "green, and blue next to it" in shown
    assert as_dict(Review(subject=subject, planned=planned))["hold"] == 10


# ---- the ledger


def holding(ledger: Chronicle) -> None:
    """B is held at a tenth of the users."""
    ledger.released(DAY, "a")
    ledger.released(2 * DAY, "b", details={"hold": 10})


def ends(ledger: Chronicle, winner: str, result: Result = Result.DONE, verb: str = "hold") -> None:
    of, back = ("b", {}) if winner == "new" else ("a", {"goesBack": True})
    intent = ledger.began(3 * DAY, of, verb=verb, details={"holdEnd": winner, "decision": "traffic-only", **back})
    ledger.ended(intent, 3 * DAY + 60, result)


@pytest.fixture
def ledger() -> Chronicle:
    made = Chronicle()
    holding(made)
    return made


def test_metrics_say_that_one_stands(ledger: Chronicle) -> None:
    found = counted(ledger)
    assert (found.deployments, found.held) == (2, 1)
    assert found.hold.startswith("10 % on sha256:bbbbbbbbbbbb since 2026-01-03")
    assert found.as_dict()["holds"] == {"count": 1, "stands": found.hold}
    (row,) = [row for row in figures([found]).rows if row[0] == "Holds"]
    assert row[1].startswith("1; **one stands: 10 % on sha256:bbbbbbbbbbbb")


@pytest.mark.parametrize("winner", ["new", "old"])
def test_its_end_is_no_further_deployment_no_rollback_and_no_failure(ledger: Chronicle, winner: str) -> None:
    ends(ledger, winner)
    found = counted(ledger)
    assert (found.deployments, found.held, found.hold) == (2, 1, "")
    assert (found.rollbacks, found.failures) == (Share(part=0, of=0), Share(part=0, of=2))


def test_a_breach_at_its_end_is_a_failure_of_the_release_that_was_held(ledger: Chronicle) -> None:
    ends(ledger, "new", Result.ROLLED_BACK)
    found = counted(ledger)
    assert (found.failures, found.unrestored, found.hold) == (Share(part=1, of=2), 0, "")


def test_so_is_a_rollback_that_ends_it(ledger: Chronicle) -> None:
    ends(ledger, "old", verb="rollback")
    found = counted(ledger)
    assert (found.failures, found.rollbacks) == (Share(part=1, of=2), Share(part=1, of=1))


def test_a_winner_that_is_rolled_back_later_is_a_failure(ledger: Chronicle) -> None:
    ends(ledger, "new")
    ledger.back(4 * DAY, "a")
    assert counted(ledger).failures == Share(part=1, of=2)


def test_history_says_where_one_began_and_which_release_won(ledger: Chronicle) -> None:
    ends(ledger, "old")
    results = [cells(each)[6] for each in passages(ledger.entries)]
    assert results == ["done", "done, a hold at 10 %", "done, the hold ended: old"]
