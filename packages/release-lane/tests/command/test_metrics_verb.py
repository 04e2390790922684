"""`release metrics`: what it reads, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from release_lane.command.adapters.git import FakeGit
from release_lane.command.adapters.machine import FakeMachine
from release_lane.ledger.memory import Memory
from tests.command.words import Stage
from tests.operate.ledgers import DAY, HOUR, START, Chronicle

pytestmark = pytest.mark.cli

LEDGER = "file://.local/ledger"


def stage(days: float = 28) -> Stage:
    """A release of each environment, seen so many days later."""
    ledger = Chronicle()
    ledger.released(HOUR, "a", environment="staging")
    ledger.released(DAY, "a")
    return Stage(
        ledger=ledger.objects,
        ledger_url=LEDGER,
        machine=FakeMachine(began=START + days * DAY),
        git=FakeGit(times={"a" * 40: START}),
    )


def test_it_counts_every_environment_of_the_route_in_its_order() -> None:
    on = stage()
    assert on.run("metrics", "--json") == 0
    assert [each["environment"] for each in on.data["environments"]] == ["staging", "production"]
    staging, production = on.data["environments"]
    assert production["deployments"] == {"count": 1, "perWeek": 0.25}
    assert production["leadTime"] == {
        "count": 1, "medianSeconds": DAY + 300, "p90Seconds": DAY + 300, "unknown": 0
    }  # fmt: skip
    assert staging["deployments"]["count"] == 1
    assert on.engine.calls == []
    assert on.cloud.looks == 0


def test_it_counts_one_environment_since_a_day() -> None:
    on = stage()
    assert on.run("metrics", "production", "--since", "2026-01-03", "--json") == 0
    (production,) = on.data["environments"]
    assert production["deployments"]["count"] == 0
    assert production["since"] == START + 2 * DAY


def test_the_text_has_figures_plots_and_definitions() -> None:
    on = stage()
    assert on.run("metrics", "production") == 0
    assert on.out.startswith("Release metrics: release-lane\n")
    assert "Deployments      1 (0.3 a week)" in on.out
    assert "2026-01-01 to 2026-01-08  #################### 1\n" in on.out
    assert on.err == ""


def test_it_leaves_a_page_and_the_data_for_a_pipeline(tmp_path: Path) -> None:
    on = stage()
    assert on.run("metrics", "--out", str(tmp_path / "public/metrics"), "--json") == 0
    left = tmp_path / "public/metrics"
    assert sorted(path.name for path in left.iterdir()) == ["metrics.html", "metrics.json"]
    assert json.loads((left / "metrics.json").read_text()) == on.data
    assert (left / "metrics.html").read_text().startswith("<!doctype html>")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    on = stage()
    assert on.run("metrics", "--out", str(tmp_path / "file/there")) == 2
    assert f"{tmp_path}/file/there cannot be written: " in on.err


def test_without_a_ledger_it_says_what_to_do() -> None:
    on = Stage()
    assert on.run("metrics") == 2
    assert "There is no ledger to count from." in on.err
    assert "`release ledger create`" in on.err


def test_a_ledger_that_is_away_is_an_error_of_the_cloud() -> None:
    on = Stage(ledger=Memory(away=True), ledger_url=LEDGER)
    assert on.run("metrics") == 3
    assert "The network is down." in on.err


@pytest.mark.parametrize("since", ["2099-01-01", "0s"])
def test_a_period_that_has_not_begun_is_refused(since: str) -> None:
    on = stage()
    assert on.run("metrics", "--since", since) == 2
    assert f"--since {since} is not in the past." in on.err


@pytest.mark.parametrize("since", ["tomorrow", "2026-13-01", "5y", ""])
def test_what_is_no_day_and_no_duration_is_refused(since: str) -> None:
    on = stage()
    assert on.run("metrics", "--since", since) == 2
    assert "is no day and no duration" in on.err


def test_an_unknown_environment_is_refused_before_anything_is_read() -> None:
    on = Stage(ledger=Memory(away=True), ledger_url=LEDGER)
    assert on.run("metrics", "elsewhere") == 2
