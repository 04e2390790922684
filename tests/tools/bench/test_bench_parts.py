"""The benchmark's small parts: the first terminal failure, what is kept, what is asked for."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tools.bench import measure
from tools.bench.__main__ import main
from tools.bench.measure import Figure
from tools.bench.refusal import Refused, first_sign
from tools.bench.report import Results, keep, show
from tools.bench.weights import Moved

pytestmark = pytest.mark.provider


def task(created: float, **ended: float) -> dict[str, Any]:
    moments = {name: datetime.fromtimestamp(at, UTC) for name, at in ended.items()}
    return {"createdAt": datetime.fromtimestamp(created, UTC), **moments}


def test_the_first_sign_is_the_first_end_of_a_task_of_this_update() -> None:
    tasks = [
        task(50, stoppingAt=60),  # of an earlier update
        task(101, stoppingAt=109, stoppedAt=120),
        task(102, stoppingAt=107),
        task(103),
    ]
    assert first_sign(tasks, begun=100) == 107


def test_a_task_that_could_not_be_started_has_only_an_end() -> None:
    assert first_sign([task(101, stoppedAt=105)], begun=100) == 105


def test_no_task_ended_no_sign() -> None:
    assert first_sign([task(101)], begun=100) is None


RESULTS = Results(
    figures=[Figure(name="switch, 40 tasks a colour", seconds=(2.0, 3.0, 2.5), units=1.1, aim=1.2)],
    refusals=[Refused(what="that exits at once", update=9.0, after_sign=12.5)],
    moves=[Moved(0.004, 0.0), Moved(0.006, 0.051)],
    memory_mib=512,
    load=0.5,
)


def test_what_is_kept_says_whether_each_aim_was_met() -> None:
    kept = json.loads(RESULTS.as_json())
    assert kept["figures"][0]["met"] is True
    assert kept["refusals"][0]["met"] is False
    assert [each["met"] for each in kept["moves"]] == [True, False]
    assert kept["load"] == 0.5


def test_a_switch_is_what_a_rollback_takes_longer_than_an_update_that_changes_nothing() -> None:
    unit = Figure(name=measure.UNIT, seconds=(2.0, 2.0, 2.5), units=1.0)
    rollback = Figure(name=measure.ROLLBACK, seconds=(3.0, 3.5, 9.0), units=1.75)
    assert Results(figures=[unit, rollback], moves=RESULTS.moves).switch() == (1.5, 0.005)
    assert Results(figures=[unit], moves=RESULTS.moves).switch() is None
    assert Results(figures=[unit, rollback]).switch() is None


def test_tables_show_what_was_measured_and_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    show(RESULTS, keep(tmp_path, RESULTS))
    shown = capsys.readouterr().out
    assert "switch, 40 tasks a colour" in shown
    assert "12.50" in shown
    assert "51.0" in shown
    assert "requests a second" not in shown


def test_a_part_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["updates", "nonsense"])
    assert end.value.code == 2
    assert "nonsense; there are updates, peers, refusals, weights, users, sizes" in capsys.readouterr().err
