"""check: the commands that a project names, side by side, and what is said of those that were left out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from release_lane.command.adapters import side_by_side
from release_lane.command.adapters.side_by_side import run_side_by_side
from tests.command.checkout import until
from tests.command.words import Stage

from tests.patience import PATIENCE

pytestmark = pytest.mark.cli

HEAD = '[tool.release-lane]\nhotfix = ["tests"]\n\n[tool.release-lane.checks]\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path, *lines: str) -> None:
    (folder / "pyproject.toml").write_text(HEAD + "\n".join(lines) + "\n")


def test_all_checks_run_in_the_projects_folder_and_are_reported_in_their_order(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(here, 'tests = "test -f Pulumi.yaml"', 'lint = "true"')
    (here / "sub").mkdir()
    monkeypatch.chdir(here / "sub")
    on = Stage()
    assert on.run("check") == 0
    rows = [line.split(" | ")[:2] for line in on.out.splitlines() if line.startswith("| ")]
    assert rows[2:] == [["| tests", "passed"], ["| lint", "passed"]]


def test_they_run_side_by_side(here: Path) -> None:
    meet = "touch {}; while [ ! -e {} ]; do sleep 0.02; done"
    names(here, f'tests = "{meet.format("a", "b")}"', f'lint = "{meet.format("b", "a")}"')
    assert Stage().run("check") == 0


def test_a_failed_check_shows_its_output_and_the_others_are_reported(here: Path) -> None:
    names(here, 'tests = "echo what went wrong; exit 7"', 'lint = "true"')
    on = Stage()
    assert on.run("check") == 1
    assert "| tests | **failed** (code 7) |" in on.out
    assert "| lint | passed |" in on.out
    assert "what went wrong" in on.err
    assert "1 of 2 checks failed: tests." in on.err


def test_a_hotfix_runs_what_it_needs_and_names_the_rest_with_the_reason(here: Path) -> None:
    names(here, 'tests = "true"', 'lint = "touch linted"', 'dependencies = "touch scanned"')
    on = Stage()
    assert on.run("check", "--hotfix", "prices are wrong") == 0
    assert "Left out for a hotfix: prices are wrong: lint, dependencies." in on.out
    assert not (here / "linted").exists()
    assert not (here / "scanned").exists()


def test_an_empty_reason_is_no_hotfix(here: Path) -> None:
    names(here, 'tests = "true"', 'lint = "touch linted"')
    assert Stage().run("check", "--hotfix", "") == 0
    assert (here / "linted").exists()


def test_usual_checks_that_a_project_does_not_have_are_named(here: Path) -> None:
    names(here, 'tests = "true"')
    on = Stage()
    assert on.run("check", "--json") == 0
    assert on.data["missing"] == ["lint", "types", "dependencies"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no checks"),
        ("[tool.release-lane]\nchecks = 3\n", "names no checks"),
        ("[tool.release-lane.checks]\ntests = ''\n", "have no command: tests"),
        ("[tool.release-lane.checks]\ntests = 4\n", "have no command: tests"),
        ("[tool.release-lane]\nhotfix = ['a']\n[tool.release-lane.checks]\ntests = 'true'\n", "There is no check a"),
        ("[tool.release-lane]\nhotfix = 'a'\n[tool.release-lane.checks]\ntests = 'true'\n", "There is no check a"),
        ("= nonsense", "cannot be read"),
    ],
)
def test_what_cannot_be_understood_is_refused_so_that_a_pipeline_never_passes_for_it(
    here: Path, text: str, said: str
) -> None:
    (here / "pyproject.toml").write_text(text)
    on = Stage()
    assert on.run("check", "--hotfix", "reason") == 2
    assert said in on.err


def test_no_pyproject_and_an_unknown_name_are_usage_errors(here: Path) -> None:
    assert Stage().run("check") == 2
    names(here, 'tests = "true"')
    on = Stage()
    assert on.run("check", "typos") == 2
    assert "There is no check typos; there are tests." in on.err


def test_an_interrupt_ends_what_runs(here: Path) -> None:
    names(here, "tests = \"trap 'touch ended; exit 0' TERM; touch began; while :; do sleep 0.02; done\"")
    process = subprocess.Popen(
        [sys.executable, "-m", "release_lane.command", "check"], cwd=here, env=dict(os.environ),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until((here / "began").exists, "the check runs")
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert (here / "ended").exists()


def runs(pid: int) -> bool:
    """Is there the process, and is it no zombie?"""
    said = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(said.strip()) and not said.startswith("Z")


def test_a_check_does_not_wait_for_what_it_leaves_in_the_background_and_that_is_ended(here: Path) -> None:
    names(here, 'tests = "echo what it said; sleep 600 & echo $! > pid; exit 3"')
    on = Stage()
    assert on.run("check") == 1
    assert "what it said" in on.err
    left = int((here / "pid").read_text())
    until(lambda: not runs(left), "it was ended")


def test_what_ignores_sigterm_in_the_background_is_killed(here: Path) -> None:
    deaf = "(trap '' TERM; touch deaf; while :; do sleep 0.02; done) & echo $! > pid"
    commands = {"tests": f"{deaf}; while [ ! -e deaf ]; do sleep 0.02; done"}
    (checked,) = run_side_by_side(commands, here, print, grace=0.2)
    assert checked.code == 0
    left = int((here / "pid").read_text())
    until(lambda: not runs(left), "it was killed")


def test_a_check_does_not_wait_for_what_left_its_group_and_holds_its_output(here: Path) -> None:
    commands = {"tests": "setsid sleep 600 & echo $! > pid; sleep 0.1"}
    (checked,) = run_side_by_side(commands, here, print, grace=0.2)
    assert checked.code == 0
    os.kill(int((here / "pid").read_text()), signal.SIGKILL)


def test_what_still_writes_when_the_check_has_ended_is_read(here: Path) -> None:
    commands = {"tests": "exec > >(sleep 0.2; cat); echo to the last line; exit 3"}
    (checked,) = run_side_by_side(commands, here, print, moment=PATIENCE)
    assert (checked.code, checked.output) == (3, "to the last line\n")


def test_an_interrupt_ends_a_check_that_ignores_sigterm(here: Path) -> None:
    deaf = "trap '' TERM; while [ ! -e pid ]; do sleep 0.02; done; touch began; while :; do sleep 0.02; done"

    def interrupt() -> None:
        until((here / "began").exists, "the check runs")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side({"tests": f"({deaf}) & echo $! > pid; trap '' TERM; wait"}, here, print, grace=0.2)
    left = int((here / "pid").read_text())
    until(lambda: not runs(left), "it was killed")


INTERRUPTED_ASIDE = """
import pathlib, signal, sys, threading, time
from release_lane.command.adapters.side_by_side import run_side_by_side
here = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, signal.SIG_DFL)  # whatever runs the tests may ignore it
def interrupt():
    while not (here / "began").exists():
        time.sleep(0.02)
    time.sleep(1)  # by now it waits
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
try:
    run_side_by_side({"tests": sys.argv[2]}, here, print)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupt_that_ends_no_wait_is_seen(here: Path) -> None:
    """As one that arrives just before the main thread begins to wait: Python notes it, and the wait goes on."""
    command = "trap 'touch ended; exit 0' TERM; touch began; for i in $(seq 500); do sleep 0.02; done; touch unharmed"
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_ASIDE, str(here), command], timeout=PATIENCE)
    assert done.returncode == 130
    assert (here / "ended").exists()
    assert not (here / "unharmed").exists()


def test_an_interrupt_while_a_check_is_started_ends_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start(command: str, folder: Path) -> subprocess.Popen[bytes]:
        started.append(begin(command, folder))
        os.kill(os.getpid(), signal.SIGINT)
        return started[-1]

    begin = side_by_side._start
    monkeypatch.setattr(side_by_side, "_start", start)
    with pytest.raises(KeyboardInterrupt):
        run_side_by_side({"tests": "sleep 600"}, here, print)
    (check,) = started
    ended = check.poll()
    check.kill()
    assert ended == -signal.SIGTERM
