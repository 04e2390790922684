"""Seals: each part that moved is named, and nothing else opens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.errors import Refused, UsageError
from release_lane.record.decisions import DecisionKind
from release_lane.record.placement import all_on
from release_lane.record.seal import CLOCKS, Facts, Part, Seal, bound, check_meant, check_unmoved
from tests.command.words import BLUE, GREEN, A, B, recorded

pytestmark = pytest.mark.pure

AT = 1_800_000_000
FACTS: Facts = {
    Part.ENVIRONMENT: "production",
    Part.DIGEST: B.digest,
    Part.PLAN: {"decision": "deploy", "Service green": "update 1"},
    Part.STATE: {"resources": "1"},
    Part.PROGRAM: "d" * 40,
    Part.CONFIGURATION: {"env": "1", "shift": "2"},
    Part.WEIGHTS: {"blue": 100, "green": 0},
    Part.POLICIES: [],
}
SEAL = Seal.of("production", AT, FACTS)


def other(part: Part) -> Facts:
    return {**FACTS, part: "something else"}


def test_a_seal_reads_back_as_it_was() -> None:
    assert Seal.parse(f" {SEAL}\n") == SEAL
    assert not SEAL.moved(FACTS)


@given(st.sets(st.sampled_from(list(Part))))
def test_exactly_the_parts_that_moved_are_named(parts: set[Part]) -> None:
    assert set(SEAL.moved({**FACTS, **dict.fromkeys(parts, "moved")})) == parts


@given(st.integers(min_value=0, max_value=len(str(SEAL)) - 1), st.sampled_from("0f:-x"))
def test_a_seal_with_any_character_changed_is_none(at: int, character: str) -> None:
    text = str(SEAL)
    changed = text[:at] + character + text[at + 1 :]
    if changed != text:
        with pytest.raises(UsageError, match="is not a whole seal"):
            Seal.parse(changed)


@pytest.mark.parametrize("text", ["", "s1", str(SEAL)[:-1], str(SEAL) + "0", "s2" + str(SEAL)[2:], B.digest])
def test_what_is_no_whole_seal_is_said_to_be_none(text: str) -> None:
    with pytest.raises(UsageError, match="is not a whole seal"):
        Seal.parse(text)


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"environment": "staging"}, "This seal is of production, and not of staging."),
        ({"digest": A.digest}, "This seal is of another digest."),
        ({"now": AT + 3601}, "This seal has expired."),
        ({"now": AT - CLOCKS - 1}, "This seal is of the future."),
    ],
)
def test_a_seal_of_another_environment_digest_or_day_is_refused(over: dict[str, Any], words: str) -> None:
    meant = {"environment": "production", "digest": B.digest, "now": AT + 3600.0, "valid_for": 3600.0}
    check_meant(SEAL, **meant)  # type: ignore[arg-type]
    with pytest.raises(Refused, match=words):
        check_meant(SEAL, **{**meant, **over})  # type: ignore[arg-type]


def test_a_refusal_has_a_line_for_each_part_that_moved_and_only_those() -> None:
    check_unmoved(SEAL, FACTS)
    now = {**FACTS, Part.WEIGHTS: {"blue": 90, "green": 10}, Part.PROGRAM: "e" * 40}
    with pytest.raises(Refused) as error:
        check_unmoved(SEAL, now)
    assert error.value.what.splitlines()[1:-1] == [
        f"  the commit of the program: now {'e' * 40}",
        '  the observed weights: now {"blue": 90, "green": 10}',
    ]


def test_an_empty_seal_was_not_handed_on_and_the_review_is_where_to_look() -> None:
    with pytest.raises(UsageError, match="none was handed on") as error:
        Seal.parse("\n")
    assert "a review that is refused gives no seal" in error.value.why


LIVE_NOW: Facts = {**FACTS, Part.PLAN: {"decision": "keep 2"}, Part.STATE: {"resources": "2"}}


@pytest.mark.parametrize("reviewed", [FACTS, None], ids=["with the ledger", "without"])
def test_a_seal_of_what_is_live_by_now_begins_with_that(reviewed: Facts | None) -> None:
    with pytest.raises(Refused) as error:
        check_unmoved(SEAL, LIVE_NOW, reviewed)
    first, *moved = error.value.what.splitlines()
    assert first.startswith("production has this release live by now: the seal of its review at 2027-01-15")
    assert [line.split(":")[0].strip() for line in moved[:-1]] == ["the plan", "the state of the stack"]
    assert "`release status production`" in error.value.next_step


def test_of_many_things_that_moved_the_decision_comes_first_and_the_rest_is_counted() -> None:
    """After a first release the review's plan was 50 resources, and there is none by now."""
    many = {f"Subnet {number}": "create 1" for number in range(50)}
    reviewed = {**FACTS, Part.PLAN: {**many, "decision": "deploy 1"}}
    with pytest.raises(Refused) as error:
        check_unmoved(Seal.of("production", AT, reviewed), LIVE_NOW, reviewed)
    plan = error.value.what.splitlines()[1]
    assert plan.startswith("  the plan: decision: deploy 1 -> keep 2; Subnet 0: create 1 -> none; ")
    assert plan.endswith("; and 45 more")
    assert plan.count(" -> ") == 6


def test_where_the_review_is_known_old_and_new_are_named() -> None:
    now = {**FACTS, Part.WEIGHTS: {"blue": 90, "green": 10}, Part.CONFIGURATION: {"env": "1", "shift": "3"}}
    with pytest.raises(Refused) as error:
        check_unmoved(SEAL, now, FACTS)
    assert error.value.what.splitlines()[1:-1] == [
        "  the configuration: shift: 2 -> 3",
        "  the observed weights: blue: 100 -> 90; green: 0 -> 10",
    ]


@pytest.mark.parametrize(
    "moved",
    [
        (DecisionKind.TRAFFIC_ONLY, GREEN, "r", all_on(BLUE), recorded(BLUE, A)),
        (DecisionKind.DEPLOY, BLUE, "r", all_on(BLUE), recorded(BLUE, A)),
        (DecisionKind.DEPLOY, GREEN, "s", all_on(BLUE), recorded(BLUE, A)),
        (DecisionKind.DEPLOY, GREEN, "r", {BLUE: 90, GREEN: 10}, recorded(BLUE, A)),
        (DecisionKind.DEPLOY, GREEN, "r", None, recorded(BLUE, A)),
        (DecisionKind.DEPLOY, GREEN, "r", all_on(BLUE), recorded(BLUE, B)),
        (DecisionKind.DEPLOY, GREEN, "r", all_on(BLUE), recorded(GREEN, A)),
        (DecisionKind.DEPLOY, GREEN, "r", all_on(BLUE), None),
    ],
)
def test_each_part_of_a_decision_binds(moved: Any) -> None:
    sealed = bound(DecisionKind.DEPLOY, GREEN, "r", all_on(BLUE), recorded(BLUE, A))
    assert bound(*moved) != sealed
