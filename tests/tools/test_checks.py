"""`make test`: what it concludes, and that nothing red ends green."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tools.checks import EVERY, ON_A_CLOUD, Check, Outcome, conclude, main, perform, places_of, side_by_side
from tools.lane import ROOT


def ok(name: str) -> Outcome:
    return Outcome(name, 0, 1.0)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([ok("a"), ok("b")], 0),
        ([ok("a"), Outcome("b", 1, 1.0)], 1),
        ([Outcome("a", -9, 1.0), ok("b")], 1),
        ([ok("a"), Outcome("cloud", 0, 0.0, "no docker")], 0),
        ([Outcome("local cloud", 3, 1.0), Outcome("cloud", 0, 0.0, "it did not come up")], 1),
    ],
)
def test_one_no_is_a_no(outcomes: list[Outcome], code: int) -> None:
    assert conclude(outcomes) == code


@pytest.mark.pure
def test_the_summary_names_what_was_left_out_and_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    conclude([ok("lint"), Outcome("types", 1, 2.0), Outcome("cloud", 0, 0.0, "there is no docker")])
    text = capsys.readouterr().out
    assert "FAILED    types (2.0 s)" in text
    assert "LEFT OUT  cloud: there is no docker" in text


@pytest.mark.pure
def test_an_unknown_check_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lnit"]) == 2
    assert "lnit" in capsys.readouterr().err


@pytest.mark.pure
def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fats"]) == 2
    assert "--fats" in capsys.readouterr().err


@pytest.mark.provider
@pytest.mark.parametrize(
    "module", ["tools.checks", "tools.demo", "local_aws.standins.tables", "tests.faults.record", "tests.contract.page"]
)
def test_who_asks_for_help_gets_it_and_nothing_else(module: str, tmp_path: Path) -> None:
    """Without tools on the PATH, and with the local cloud in an empty folder: nothing could be begun unseen."""
    environment = {
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "PATH": "",
        "HOME": str(tmp_path),
        "LOCAL_RUNTIME": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert module in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.pure
@pytest.mark.parametrize(
    "marks", [{"pure"}, {"program"}, {"provider"}, {"cli"}, {"cloud"}, {"cloud", "story"}, set(), {"pure", "cloud"}]
)
def test_every_test_is_run_by_exactly_one_check(marks: set[str]) -> None:
    """A test without any mark, too."""
    chosen = [check.command for check in EVERY.values() if "pytest" in check.command]
    expressions = [command[command.index("-m", 3) + 1] for command in chosen]
    assert [eval(e, {}, {m: m in marks for m in ("pure", "cloud", "story")}) for e in expressions].count(True) == 1


@pytest.mark.provider
@pytest.mark.parametrize(("source", "code"), [("pass", 0), ("raise SystemExit(3)", 3)])
def test_a_commands_exit_code_is_the_verdict(source: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    check = Check("thing", (sys.executable, "-c", f"print('its output'); {source}"))
    assert perform(check, os.environ).code == code
    assert ("its output" in capsys.readouterr().out) is (code != 0)


@pytest.mark.provider
def test_a_ring_without_any_test_is_a_no(capfd: pytest.CaptureFixture[str]) -> None:
    command = (sys.executable, "-m", "pytest", "-q", "-m", "pure and cloud", "tests/tools/test_checks.py")
    assert perform(Check("rings", command, show="as it comes"), os.environ).code != 0
    assert "no test was found" in capfd.readouterr().out


@pytest.mark.pure
def test_checks_tell_their_clouds_apart() -> None:
    """`run` keeps the place of each by the check itself."""
    clouds = {check: places_of(check) for check in ON_A_CLOUD}
    assert len({places.runtime for places in clouds.values()}) == len(ON_A_CLOUD)


def test_outcomes_come_in_the_order_asked() -> None:
    assert [o.name for o in side_by_side([lambda: ok("a"), lambda: ok("b"), lambda: ok("c")])] == ["a", "b", "c"]


@pytest.mark.provider
def test_the_help_of_make_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    declared = makefile.split(".PHONY:")[1].splitlines()[0].split()
    undocumented = [name for name in declared if f"\n{name}: " not in makefile.replace("bootstrap:", "bootstrap: ##")]
    assert undocumented == []
