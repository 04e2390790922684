"""What a review costs on top of its preview, counted: calls of engine, AWS, git and ledger, and work for each step.

`make bench` measures the time (`tools.bench.reviews`): at most 1.3 times the preview, with 500 resources.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from release_lane.command.adapters.engine import FakeEngine
from release_lane.ledger.memory import Memory
from release_lane.operate.page_html import html
from release_lane.operate.page_markdown import markdown
from release_lane.operate.review import Program, Subject, review
from release_lane.operate.review_page import page
from release_lane.operate.sealing import facts
from tests.command.words import GREEN, B, Stage, log, plan, pre, ran, states
from tests.operate.test_review_facts import SUBJECT

pytestmark = pytest.mark.cli

PREVIEW = ran(*plan("deploy", GREEN, B, target=GREEN, starts=True))
GROUP = "aws:cloudwatch/logGroup:LogGroup"
A_STEP = 200
"""Calls of functions for each resource, at most: for review, page, seal, Markdown and HTML together."""


def test_a_review_asks_the_engine_for_two_states_and_one_preview_and_aws_once() -> None:
    class Counting(FakeEngine):
        asked: list[str]

        def state(self, stack: str) -> Any:
            self.asked.append(stack)
            return super().state(stack)

    engine = Counting(states=states(), runs=[PREVIEW])
    engine.asked = []
    on = Stage(engine=engine, ledger_url="s3://ledger", ledger=Memory())
    assert on.run("review", "production", "--digest", B.digest) == 0, on.err
    assert engine.asked == ["production", "staging"]
    assert [verb for verb, _, _ in engine.calls] == ["preview"]
    assert on.cloud.looks == 1


def test_a_sealed_promotion_has_one_preview_more_and_nothing_else() -> None:
    on = Stage(engine=FakeEngine(states=states(), runs=[PREVIEW]))
    assert on.run("review", "production", "--format", "seal") == 0
    again = Stage(engine=FakeEngine(states=states(), runs=[PREVIEW, PREVIEW]))
    assert again.run("promote", "production", "--yes", "--seal", on.out.strip()) == 0, again.err
    assert [verb for verb, _, _ in again.engine.calls] == ["preview", "update"]
    assert again.cloud.looks == 0


def calls(act: Callable[[], object]) -> int:
    """How many functions of Python are called meanwhile."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return counted


def of_size(number: int, op: str, subject: Subject) -> int:
    """The work for a stack of which every resource changes."""
    steps = [pre(op, GROUP, f"group-{each}", paths=["retentionInDays"], retentionInDays=7) for each in range(number)]
    seen = log(*plan("deploy", GREEN, B, target=GREEN, starts=True), *steps)

    def act() -> None:
        found = page(review(subject, seen))
        markdown(found)
        html(found)
        facts(seen, environment="production", digest=B.digest, exported={}, program=Program(), settings={}, given={})

    return calls(act)


@pytest.mark.parametrize(
    ("op", "subject"),
    [("update", SUBJECT), ("delete", SUBJECT), ("create", Subject(environment="staging"))],
    ids=["changes", "deletions", "a first update"],
)
def test_the_work_of_a_review_grows_with_its_steps_and_no_faster(op: str, subject: Subject) -> None:
    of_size(1, op, subject)  # what is imported or made once
    few, many = of_size(250, op, subject), of_size(500, op, subject)
    assert many <= 2 * few
    assert (many - few) / 250 <= A_STEP
