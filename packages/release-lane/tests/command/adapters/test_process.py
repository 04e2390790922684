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
from release_lane.command.adapters.process import run_child, undisturbed

from tests.patience import PATIENCE

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[5]

CHILD = """
import os, pathlib, signal, sys, time
notes = pathlib.Path(sys.argv[1])
def note(text):
    print(text, flush=True); print(text, file=sys.stderr, flush=True)  # a reader that is gone does not end it
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
import os, sys, pathlib, signal
from release_lane.command.adapters.process import run_child
if os.environ.get("NOHUP"): signal.signal(signal.SIGHUP, signal.SIG_IGN)
on = os.environ.get("DISPLAY_ON")
display = os.fdopen(os.open(on, os.O_RDWR), "w") if on else sys.stderr  # also for reading: so it becomes our terminal
command = [sys.executable, "-c", sys.argv[1], *sys.argv[2:]]
ended = run_child(command, cwd=pathlib.Path("/"), env=os.environ, display=display)
print(ended.code, ended.signal.name if ended.signal else None)
"""

TALKER = """
import pathlib, sys
for number in range(20000): print("line", number, file=(sys.stdout, sys.stderr)[number % 2], flush=number < 10)
sys.stdout.flush()
pathlib.Path(sys.argv[1]).write_text("finished\\n")
sys.exit(7)
"""


def until(look: Callable[[], object], what: str) -> None:
    """Wait for a condition; only a run that hangs is ended by the clock."""
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.02)


class Pair:
    """A parent that runs a child which takes notes."""

    def __init__(self, folder: Path, behaviour: str, child: str = CHILD, **environ: str) -> None:
        self.folder = folder
        self.notes = folder / "notes"
        self.parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, child, str(self.notes), behaviour], cwd=ROOT, env={**os.environ, **environ},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        if child == CHILD:
            until(lambda: self.noted("ready"), "the child is ready")

    def noted(self, text: str) -> list[str]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [line for line in lines if line.startswith(text)]

    @property
    def child(self) -> int:
        return int(self.noted("ready")[0].split()[1])

    def finish(self) -> tuple[str, str]:
        (self.folder / "finish").touch()
        return self.parent.communicate(timeout=PATIENCE)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    made: list[Pair] = []

    def make(behaviour: str, child: str = CHILD, **environ: str) -> Pair:
        made.append(Pair(tmp_path, behaviour, child, **environ))
        return made[-1]

    yield make
    for each in made:
        (each.folder / "finish").touch()
        each.parent.kill()
        each.parent.communicate()


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (tmp_path / "display").open("w+") as display:
        ended = run_child(["./no-such-command"], cwd=tmp_path, env=os.environ, display=display)
    assert ended.code != 0
    assert "no-such-command" in ended.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_reaches_the_child_and_the_child_is_waited_for(pair: Callable[..., Pair], name: str) -> None:
    both = pair("stop")
    both.parent.send_signal(signal.Signals[name])
    out, err = both.parent.communicate(timeout=PATIENCE)
    assert both.noted("got") == [f"got {name}"]
    assert both.noted("finished")
    assert out.strip() == f"7 {name}"
    assert f"{name}: stopping the engine" in err


def test_only_the_first_signal_reaches_the_child(pair: Callable[..., Pair]) -> None:
    both = pair("stay")
    both.parent.send_signal(signal.SIGINT)
    until(lambda: both.noted("got"), "the first signal arrived")
    both.parent.send_signal(signal.SIGTERM)
    both.parent.send_signal(signal.SIGTERM)
    _, err = both.finish()
    assert both.noted("got") == ["got SIGINT"]
    assert "Still stopping" in err


def test_a_terminal_that_closes_is_an_interrupt(pair: Callable[..., Pair]) -> None:
    """The engine knows no SIGHUP: it would die of it at once, and leave its lock."""
    leader, follower = os.openpty()
    both = pair("stop", DISPLAY_ON=os.ttyname(follower))  # the parent leads a session, so it becomes its terminal
    os.close(follower)
    os.close(leader)
    out, _ = both.parent.communicate(timeout=PATIENCE)
    assert both.noted("got") == ["got SIGINT"]
    assert both.noted("finished")
    assert out.strip() == "7 SIGHUP"


def test_with_nohup_a_terminal_may_close(pair: Callable[..., Pair]) -> None:
    both = pair("stop", NOHUP="1")
    both.parent.send_signal(signal.SIGHUP)
    out, _ = both.finish()
    assert not both.noted("got")
    assert out.strip() == "7 None"


def test_a_reader_that_leaves_does_not_end_the_child(pair: Callable[..., Pair]) -> None:
    both = pair("", TALKER)
    assert both.parent.stderr
    assert both.parent.stderr.readline().startswith("line")
    both.parent.stderr.close()
    assert both.parent.stdout
    assert both.parent.stdout.read().strip() == "7 None"
    assert both.noted("finished")


def test_a_full_disk_does_not_end_the_child(pair: Callable[..., Pair]) -> None:
    both = pair("", TALKER, DISPLAY_ON="/dev/full")
    out, _ = both.parent.communicate(timeout=PATIENCE)
    assert out.strip() == "7 None"
    assert both.noted("finished")


def test_a_reader_that_does_not_read_is_not_waited_for_and_misses_nothing(pair: Callable[..., Pair]) -> None:
    both = pair("", TALKER)
    until(lambda: both.noted("finished"), "the child ended although its output is not read")
    out, err = both.parent.communicate(timeout=PATIENCE)
    assert out.strip() == "7 None"
    assert sorted(err.splitlines()) == sorted(f"line {number}" for number in range(20000))


def test_a_signal_after_the_end_does_not_wait_for_a_reader(pair: Callable[..., Pair]) -> None:
    both = pair("", TALKER)
    until(lambda: both.noted("finished") and not children(both.parent.pid), "the child has ended")
    both.parent.send_signal(signal.SIGINT)
    assert both.parent.stdout
    assert both.parent.stdout.read().strip() == "7 None"


def children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()


def test_a_child_is_started_without_forking_this_process() -> None:
    """A fork takes along the threads of libraries in name only: gRPC's then write on the child's stderr."""
    script = (
        "import os, pathlib, sys; from release_lane.command.adapters.process import run_child; "
        "os.register_at_fork(before=lambda: print('forked')); "
        "run_child(['true'], cwd=pathlib.Path('/'), env=os.environ, display=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_a_terminals_ctrl_c_does_not_reach_the_child_a_second_time(pair: Callable[..., Pair]) -> None:
    both = pair("stop")
    os.killpg(both.parent.pid, signal.SIGINT)
    both.parent.communicate(timeout=PATIENCE)
    assert both.noted("got") == ["got SIGINT"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux: prctl(PR_SET_PDEATHSIG)")
def test_a_killed_parent_leaves_no_child(pair: Callable[..., Pair]) -> None:
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


def test_what_must_not_be_stopped_half_way_is_interrupted_afterwards(tmp_path: Path) -> None:
    def work() -> None:
        with undisturbed():
            os.kill(os.getpid(), signal.SIGTERM)
            (tmp_path / "done").touch()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert (tmp_path / "done").exists()


def test_handlers_are_as_before_afterwards(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with (tmp_path / "display").open("w") as display:
        run_child(["true"], cwd=tmp_path, env=os.environ, display=display)
    assert signal.getsignal(signal.SIGTERM) is before
