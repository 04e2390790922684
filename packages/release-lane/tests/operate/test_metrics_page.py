"""The metrics as a page: figures in words, plots, and nothing from outside that could be more than text."""

from __future__ import annotations

import re

import pytest
from release_lane.operate.metrics import measured
from release_lane.operate.metrics_page import FIGURES, metrics_page
from release_lane.operate.page import Page
from release_lane.operate.page_html import html
from release_lane.operate.page_text import plain, text
from release_lane.record.ledger import EntryKind, Result
from tests.operate.ledgers import DAY, HOUR, START, Chronicle, at

pytestmark = pytest.mark.pure


def busy() -> Chronicle:
    """Four weeks with something of everything."""
    ledger = Chronicle()
    ledger.add(EntryKind.OTHER, 0)
    ledger.released(DAY, "a")
    ledger.released(5 * DAY, "b", run="", verb="update", details={"overrides": {"allowOlder": "sha256:a"}})
    ledger.back(5 * DAY + HOUR)
    ledger.released(9 * DAY, "c", details={"hotfix": True})
    ledger.ended(ledger.began(15 * DAY, "d"), 15 * DAY + 400, Result.ROLLED_BACK, movedAt=at(15 * DAY + 370))
    ledger.ended(ledger.began(16 * DAY, "d"), 16 * DAY + 60, Result.REFUSED)
    ledger.released(22 * DAY, "e")
    ledger.released(20 * DAY, "e", environment="staging")
    return ledger


def page(ledger: Chronicle, *environments: str, weeks: int = 4) -> Page:
    committed = {letter * 40: START + number * 3 * DAY for number, letter in enumerate("abcde")}
    return metrics_page(
        "shop",
        [
            measured(ledger.entries, each, since=START, until=START + weeks * 7 * DAY, committed=committed)
            for each in environments or ("staging", "production")
        ],
    )


def figure(name: str, ledger: Chronicle) -> str:
    """What the text says of it for production."""
    found = re.search(rf"^{name}  +(.*)$", text(page(ledger, "production")), re.MULTILINE)
    assert found
    return found[1].strip()


def test_every_figure_is_said_in_words() -> None:
    said = {name: figure(name, busy()) for name, _, _ in FIGURES}
    assert said == {
        "Deployments": "4 (1.0 a week)",
        "Lead time": "median 2.0 days, p90 10.0 days (4)",
        "Change failures": "2 of 5 (40 %)",
        "Time to restore": "median 30 s, p90 55 min 20 s (2)",
        "Stopped in time": "1",
        "From a pipeline": "5 of 6 (83 %)",
        "Plain updates": "1 of 6 (17 %)",
        "Holds": "none",
        "Overrides": "allowOlder 1",
        "Hotfixes": "5 min",
        "Rollbacks": "1 of 1 (100 %); 20 s",
    }


def test_a_figure_of_nothing_says_so() -> None:
    said = {name: figure(name, Chronicle()) for name, _, _ in FIGURES}
    assert set(said.values()) == {"0 (0.0 a week)", "none", "0"}


def test_every_figure_is_defined_on_the_page_itself() -> None:
    shown = text(page(busy()))
    assert all(plain(meaning) in shown for _, _, meaning in FIGURES)
    assert "https://dora.dev/guides/dora-metrics/" in shown


def test_a_week_with_a_failure_is_marked_without_colour() -> None:
    lines = text(page(busy(), "production")).splitlines()
    assert "2026-01-01 to 2026-01-08  ##########xxxxxxxxxx 2, 1 failed" in lines
    assert html(page(busy())).count('<rect class="bad"') == 2


def test_the_figures_of_a_plot_are_in_a_table_as_well() -> None:
    row = '<th scope="row">2026-01-01 to 2026-01-08</th><td data-of="Figure">2, 1 failed</td>'
    assert row in html(page(busy()))


def test_a_lead_time_of_seconds_is_said_in_seconds() -> None:
    ledger = Chronicle()
    ledger.released(24, "a", takes=0)
    assert ">24 s</text>" in html(page(ledger))


def test_what_comes_from_outside_is_text_and_nothing_else() -> None:
    ledger = Chronicle()
    evil = "<script>alert(1)</script>[x](javascript:y)\x1b[2J\u202e**`|"
    ledger.released(0, details={"overrides": {evil: "1"}})
    page_html, plain = html(page(ledger)), text(page(ledger))
    assert "<script" not in page_html
    assert 'href="javascript' not in page_html
    assert "\x1b" not in plain + page_html
    assert "\u202e" not in plain + page_html
    assert r"<script>alert(1)</script>[x](javascript:y)\x1b[2J\u202e**`|" in plain
