"""`release board`: on the terminal, as files, and served on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.machine import FakeMachine
from release_lane.errors import CloudError
from release_lane.ledger.memory import Memory
from release_lane.operate.watching import Look
from release_lane.record.ledger import EntryKind
from release_lane.record.placement import all_on
from release_lane.record.records import Observed
from tests.command.words import BLUE, GREEN, B, Stage, states
from tests.operate.ledgers import DAY, START, Chronicle

pytestmark = pytest.mark.cli

SEEN = Look(rule=None, health={}, alarms=(), traffic=None)


def stage(**over: object) -> Stage:
    """Staging has B live, production A; a review of B waits for production."""
    ledger = Chronicle()
    ledger.released(DAY, "a")
    ledger.add(EntryKind.REVIEW, 19.5 * DAY, digest=B.digest, run="https://ci.example/7")
    there = {
        f"release-lane-{name}": Observed(weights=all_on(colour), journal=None)
        for name, colour in (("staging", GREEN), ("production", BLUE))
    }
    given = {
        "engine": FakeEngine(states=states()),
        "cloud": FakeCloud(environments=there, seen=[SEEN]),
        "ledger": ledger.objects,
        "ledger_url": "file://.local/ledger",
        "machine": FakeMachine(began=START + 20 * DAY),
    }
    return Stage(**{**given, **over})  # type: ignore[arg-type]


def test_the_board_is_shown_on_the_terminal_and_changes_nothing() -> None:
    on = stage()
    assert on.run("board") == 0
    assert "[staging] first of the route" in on.out
    assert "users: blue 100%, green 0%" in on.out
    assert on.engine.calls == []
    assert on.cloud.deleted == []


def test_as_json_it_has_environments_what_comes_waits_and_was() -> None:
    on = stage()
    assert on.run("board", "--json") == 0
    staging, production = on.data["environments"]
    assert (staging["digest"], staging["weights"]) == (B.digest, {"blue": 0, "green": 100})
    assert production["rollback"]["costs"] == "none"
    assert [each["digest"] for each in on.data["onTheirWay"]] == [B.digest]
    assert [each["run"] for each in on.data["waiting"]] == ["https://ci.example/7"]
    assert [each["verb"] for each in on.data["last"]] == ["promote"]
    assert [each["environment"] for each in on.data["metrics"]] == ["staging", "production"]


def test_it_leaves_a_page_and_the_data_for_a_pipeline(tmp_path: Path) -> None:
    on = stage()
    assert on.run("board", "--out", str(tmp_path / "public"), "--json") == 0
    assert json.loads((tmp_path / "public/board.json").read_text()) == on.data
    assert "<h1>Releases: release-lane</h1>" in (tmp_path / "public/board.html").read_text()


def test_it_is_served_until_an_interrupt_and_made_for_each_request() -> None:
    on = stage()
    assert on.run("board", "--serve", "8000") == 0
    assert on.pages.ports == [8000]
    assert "<h1>Releases: release-lane</h1>" in on.pages.page
    assert "The board is at http://127.0.0.1:8000/; Ctrl-C ends it." in on.err
    assert on.out == ""


def test_files_are_written_before_it_is_served(tmp_path: Path) -> None:
    on = stage()
    assert on.run("board", "--serve", "0", "--out", str(tmp_path)) == 0
    assert (tmp_path / "board.html").exists()
    assert on.pages.ports == [0]


@pytest.mark.parametrize("port", ["x", "-1", "65536", ""])
def test_what_is_no_port_is_refused(port: str) -> None:
    on = stage()
    assert on.run("board", f"--serve={port}") == 2
    assert f"{port!r} is no port." in on.err


def test_without_aws_and_ledger_the_board_says_what_is_not_known() -> None:
    class Away(FakeCloud):
        def observed(self, names: object) -> Observed:
            del names
            raise CloudError("AWS does not answer.")

    on = stage(cloud=Away(), ledger=Memory(away=True))
    assert on.run("board") == 0
    assert "users: as recorded; AWS does not say (AWS does not answer.)" in on.out
    assert "Not known: The ledger" in on.out
    assert "METRICS" not in on.out


def test_a_ledger_that_only_a_later_version_can_read_is_not_known() -> None:
    ledger = Memory()
    Chronicle(ledger).released(DAY, "a")
    later = {name: content.replace(b'"schema":1', b'"schema":99') for name, content in ledger.objects.items()}
    on = stage(ledger=Memory(objects=later))
    assert on.run("board") == 0
    assert "Not known: An entry of the ledger was written by a later version of the lane" in on.out
