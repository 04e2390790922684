"""Is there a switch to abort, and what became of the request?"""

from __future__ import annotations

import pytest
from release_lane.engine.locks import Holder
from release_lane.errors import Refused
from release_lane.operate.aborting import (
    Back,
    NotBack,
    Outcome,
    ProductionRule,
    TooLate,
    Waiting,
    described,
    outcome,
    under_way,
)
from release_lane.record.journal import Abort, Phase
from release_lane.record.placement import Weights, all_on
from tests.decide.situations import BLUE, GREEN, A, B, C, journal

pytestmark = pytest.mark.pure

ANN = Holder(user="ann", host="ci-7", pid=42, since="2026-01-02T03:04:05Z")
SWITCH = journal((BLUE, A), (GREEN, B), Phase.MOVING)
FIRST = journal(None, (BLUE, A), Phase.MOVING)
DIVIDED: Weights = {BLUE: 90, GREEN: 10}


def rule(weights: Weights, phase: Phase = Phase.MOVING, **over: object) -> ProductionRule:
    return ProductionRule(weights=weights, journal=journal((BLUE, A), (GREEN, B), phase), **over)  # type: ignore[arg-type]


# ---- Is there one?


@pytest.mark.parametrize("holders", [(ANN,), None], ids=["locked", "a backend that does not say"])
def test_a_switch_is_under_way_while_its_journal_moves_and_an_update_runs(holders: tuple[Holder, ...] | None) -> None:
    assert under_way("staging", rule(DIVIDED), holders) == SWITCH


@pytest.mark.parametrize(
    ("there", "holders", "said", "step"),
    [
        (rule(all_on(BLUE), Phase.MOVED), (ANN,), "ann@ci-7 (process 42)", "Ctrl-C"),
        (rule(all_on(BLUE), Phase.MOVED), (ANN,), "it has not moved any traffic yet", "Ctrl-C"),
        (None, (ANN,), "it has not moved any traffic yet", "Ctrl-C"),
        (rule(DIVIDED), (), "was interrupted, and no update runs", "release recover staging --undo"),
        (rule(all_on(GREEN), Phase.MOVED), (), "users are on green, and no update is running", ""),
        (ProductionRule(weights=DIVIDED), None, "users are divided: blue 90%, green 10%", ""),
        (None, (), "serves no users", ""),
    ],
)
def test_without_one_it_is_said_what_there_is(
    there: ProductionRule | None, holders: tuple[Holder, ...] | None, said: str, step: str
) -> None:
    with pytest.raises(Refused, match="There is no switch to abort in staging") as refused:
        under_way("staging", there, holders)
    assert said in refused.value.what
    assert step in refused.value.next_step


def test_the_switch_is_described_by_both_ends_and_where_users_are() -> None:
    words = described(SWITCH, rule(DIVIDED))
    assert words == (
        f"A switch from blue ({A.digest[:19]}) to green ({B.digest[:19]}) is under way; "
        "users are divided: blue 90%, green 10%."
    )
    assert described(FIRST, ProductionRule(weights=all_on(BLUE))).startswith(f"A switch to blue ({A.digest[:19]})")


# ---- What became of it

REQUEST = Abort(B.id, "ann")
OLDER = journal((GREEN, C), (BLUE, A), Phase.MOVED)


@pytest.mark.parametrize(
    ("there", "running", "seen"),
    [
        (rule(DIVIDED, abort=REQUEST), True, Waiting()),
        (rule(all_on(BLUE), abort=REQUEST), True, Waiting()),
        (rule(DIVIDED), True, Waiting()),
        (rule(all_on(BLUE), Phase.RESTORED), True, Back(BLUE)),
        (rule(all_on(BLUE), Phase.RESTORED), False, Back(BLUE)),
        (ProductionRule(weights=all_on(BLUE), journal=OLDER), False, Back(BLUE)),
        (ProductionRule(weights=all_on(BLUE), journal=OLDER), True, Waiting()),
        (None, True, Back(None)),
        (rule(all_on(GREEN), Phase.MOVED), True, TooLate()),
        (rule(all_on(GREEN), Phase.MOVED), False, TooLate()),
        (rule(all_on(GREEN)), False, NotBack("users are on green")),
        (rule(DIVIDED, abort=REQUEST), False, NotBack("users are divided: blue 90%, green 10%")),
        (rule(all_on(GREEN), Phase.RESTORED), True, NotBack("users are on green")),
    ],
    ids=[
        "asked", "weights back but not confirmed", "request taken", "restored", "restored and done",
        "back as found", "back as found, not done yet", "first release: the rule is gone", "done", "done and unlocked",
        "died on the new side", "died divided", "restored elsewhere",
    ],
)  # fmt: skip
def test_what_became_of_the_request_follows_from_the_rule_and_the_lock(
    there: ProductionRule | None, running: bool, seen: Outcome
) -> None:
    assert outcome(SWITCH, there, running=running) == seen


def test_a_first_switch_that_died_is_not_taken_for_aborted() -> None:
    there = ProductionRule(weights=all_on(BLUE), journal=FIRST)
    assert outcome(FIRST, there, running=False) == NotBack("users are on blue")
