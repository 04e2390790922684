"""The plan as a page: the route, who does what, what usually breaks, and the checklist."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.operate.page import Page
from release_lane.operate.page_html import html
from release_lane.operate.page_text import text
from release_lane.operate.plan import LONGEST, Leg, Tally, plan_page, tally
from release_lane.operate.situation import Situation
from release_lane.record.course import Course
from release_lane.record.ledger import Result
from tests.command.words import GREEN, A, B, C, recorded
from tests.operate.ledgers import DAY, Chronicle
from tests.operate.test_situation import C_WANTED, READY

pytestmark = pytest.mark.pure

EVIL = "<img src=x onerror=alert(1)>[x](javascript:alert(1))[bank](https://evil.example/)`**|\x1b]0;\u202e"
STAGING = Leg(environment="staging", source=None, course=Course(), rollout=300, smoke=20)
PRODUCTION = Leg(
    environment="production",
    source="staging",
    course=Course(steps=(10, 50, 100), bake=600),
    rollout=300,
    smoke=20,
    alarms=("shop-green-errors", "shop-blue-errors"),
    people=("confirms at the terminal, or the pipeline says --yes",),
    domain="shop.example",
)
HAS_IT = Situation(environment="staging", recorded=recorded(GREEN, A, C))


def page(so_far: Tally | None = None, at: Situation = READY, leg: Leg = PRODUCTION) -> Page:
    so_far = so_far or Tally(results=((Result.DONE, 9), (Result.REFUSED, 2)), reasons=(("it exits", 2),))
    return plan_page("shop", [STAGING, leg], [Tally(), so_far], [C_WANTED, C_WANTED], [HAS_IT, at])


def test_each_environment_says_its_gates_people_steps_and_what_usually_breaks() -> None:
    lines = [line.strip() for line in text(page()).splitlines()]
    at = lines.index("[production] shop.example")
    assert lines[at + 1 : at + 7] == [
        "takes what staging proved",
        "person: confirms at the terminal, or the pipeline says --yes",
        "gates: Image, Rollout (at most 5 min), SmokeGate (at most 20 s)",
        "switch: in 3 steps: 10 %, 50 %, 100 %, 600 s of watching after each (1800 s at least); signals: targets, own "
        "probes, errors, 2 alarms",
        "so far: 9 done, 2 refused",
        "usually breaks: it exits (2)",
    ]


def test_refusals_for_want_of_an_approval_are_told_apart_from_those_that_stopped_a_release() -> None:
    said = text(page(Tally(results=((Result.DONE, 2), (Result.REFUSED, 16)), unapproved=8)))
    assert "so far: 2 done, 16 refused (8 for want of a valid approval)" in said


def test_a_migration_is_one_of_the_gates_where_the_stack_file_names_one() -> None:
    shown = text(page(leg=replace(PRODUCTION, migration=600)))
    assert "gates: Image, Migration (at most 10 min), Rollout (at most 5 min)" in shown


def test_an_environment_that_has_it_and_one_that_does_not_have_headings_of_their_own() -> None:
    shown = html(page())
    assert "<h2>staging has it</h2>" in shown
    assert "<h2>Before production takes it</h2>" in shown


def test_what_stands_in_the_way_is_bold_and_every_level_has_a_sign() -> None:
    shown = html(page(at=replace(READY, proofs=(), alarms=None)))
    assert "<li><strong>✗ no</strong>: Evidence: staging has no proof" in shown
    assert "<li>? unknown: Alarms: " in shown
    assert "<li>○ open: Review: " in shown
    assert "<li>✓ ok: Updates: " in shown


def test_reasons_are_counted_without_digests_and_cut_to_one_sentence() -> None:
    ledger = Chronicle()
    for number, of in enumerate((A, B, C)):
        why = f"The gate refused {of.digest}: it exits.  More. And more"
        ledger.ended(ledger.began(number * DAY), number * DAY + 9, Result.REFUSED, why=why)
    ledger.ended(ledger.began(5 * DAY), 5 * DAY + 9, Result.FAILED, why="x" * 1000)
    found = tally(ledger.entries, "production")
    assert found.reasons == (("The gate refused it exits", 3), ("x" * LONGEST + "…", 1))
    assert dict(found.results) == {Result.REFUSED: 3, Result.FAILED: 1}


def test_nothing_from_outside_becomes_a_tag_a_link_or_a_control_character() -> None:
    evil = replace(READY, environment=EVIL, source=EVIL, unseen=EVIL, alarms=None, halted=(EVIL,), proofs=())
    leg = replace(PRODUCTION, environment=EVIL, source=EVIL, people=(EVIL,), domain=EVIL)
    shown = page(Tally(reasons=((EVIL, 1),)), evil, leg)
    assert "<img" not in html(shown)
    assert 'href="javascript' not in html(shown)
    assert 'href="https://evil.example' not in html(shown)
    assert not {"\x1b", "\u202e"} & set(html(shown) + text(shown))
