"""A child process is never left behind: real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from release.adapters.process import run_child

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[3]

CHILD = """
import os, pathlib, signal, sys, time
notes = pathlib.Path(sys.argv[1])
def note(text):
    with notes.open("a") as file: file.write(text + "\\n")
got = []
def on(number, frame):
    got.append(number); note(f"got {signal.Signals(number).name}")
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, on)
note(f"ready {os.getpid()} {os.getpgrp()}")
while not (notes.parent / "finish").exists() and not (got and sys.argv[2] == "stop"): time.sleep(0.02)
note("finished")
sys.exit(7)
"""

PARENT = """
import os, sys, pathlib
from release.adapters.process import run_child
command = [sys.executable, "-c", sys.argv[1], *sys.argv[2:]]
ended = run_child(command, cwd=pathlib.Path("/"), env=os.environ, display=sys.stderr)
print(ended.code, ended.signal.name if ended.signal else None)
"""


def until(look: Callable[[], object], what: str) -> None:
    """Wait for a condition; only a run that hangs is ended by the clock."""
    end = time.monotonic() + 60
    while not look():
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.02)


class Pair:
    """A parent that runs a child which takes notes."""

    def __init__(self, folder: Path, behaviour: str) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, CHILD, str(self.notes), behaviour],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        until(lambda: self.noted("ready"), "the child is ready")

    def noted(self, text: str) -> list[str]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [line for line in lines if line.startswith(text)]

    @property
    def child(self) -> int:
        return int(self.noted("ready")[0].split()[1])

    def finish(self) -> tuple[str, str]:
        (self.folder / "finish").touch()
        return self.parent.communicate(timeout=60)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Callable[[str], Pair]]:
    made: list[Pair] = []

    def make(behaviour: str) -> Pair:
        made.append(Pair(tmp_path, behaviour))
        return made[-1]

    yield make
    for each in made:
        (each.folder / "finish").touch()
        each.parent.kill()
        each.parent.communicate()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_reaches_the_child_and_the_child_is_waited_for(pair: Callable[[str], Pair], name: str) -> None:
    both = pair("stop")
    both.parent.send_signal(signal.Signals[name])
    out, err = both.parent.communicate(timeout=60)
    assert both.noted("got") == [f"got {name}"]
    assert both.noted("finished")
    assert out.strip() == f"7 {name}"
    assert f"{name}: stopping the engine" in err


def test_only_the_first_signal_reaches_the_child(pair: Callable[[str], Pair]) -> None:
    both = pair("stay")
    both.parent.send_signal(signal.SIGINT)
    until(lambda: both.noted("got"), "the first signal arrived")
    both.parent.send_signal(signal.SIGTERM)
    both.parent.send_signal(signal.SIGTERM)
    _, err = both.finish()
    assert both.noted("got") == ["got SIGINT"]
    assert "Still stopping" in err


def test_a_terminals_ctrl_c_does_not_reach_the_child_besides(pair: Callable[[str], Pair]) -> None:
    both = pair("stop")
    os.killpg(both.parent.pid, signal.SIGINT)
    both.parent.communicate(timeout=60)
    assert both.noted("got") == ["got SIGINT"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: prctl(PR_SET_PDEATHSIG)")
def test_a_killed_parent_leaves_no_child(pair: Callable[[str], Pair]) -> None:
    both = pair("stop")
    both.parent.kill()
    until(lambda: both.noted("finished"), "the child was interrupted and ended")
    assert both.noted("got") == ["got SIGINT"]


def test_a_grandchild_that_keeps_stderr_open_is_not_waited_for(tmp_path: Path) -> None:
    # A shell: an interpreter that starts may have something of its own to say on stderr.
    script = "sleep 600 & echo $! >&2"
    with (tmp_path / "display").open("w+") as display:
        ended = run_child(["/bin/sh", "-c", script], cwd=tmp_path, env=os.environ, display=display)
    assert ended.stderr.strip().isdigit(), ended
    os.kill(int(ended.stderr), signal.SIGKILL)
    assert ended.code == 0


def test_stderr_is_shown_and_kept(tmp_path: Path) -> None:
    with (tmp_path / "display").open("w+") as display:
        script = "import sys; print('to stdout', flush=True); print('to stderr', file=sys.stderr); sys.exit(3)"
        ended = run_child([sys.executable, "-c", script], cwd=tmp_path, env=os.environ, display=display)
        display.seek(0)
        assert sorted(display.read().split("\n")) == ["", "to stderr", "to stdout"]
    assert (ended.code, ended.stderr, ended.signal) == (3, "to stderr\n", None)


def test_handlers_are_as_before_afterwards(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with (tmp_path / "display").open("w") as display:
        run_child(["true"], cwd=tmp_path, env=os.environ, display=display)
    assert signal.getsignal(signal.SIGTERM) is before
