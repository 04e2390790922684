"""One child process that is never left behind: signals reach it once, it is waited for, and it does not depend on a
reader of its output.

The child gets a process group of its own, so a terminal's Ctrl-C does not reach it a second time: the engine takes a
second signal as "stop at once", which loses the record of what it was doing.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import TextIO

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TICK = 0.03
"""Seconds between two looks at what the child says."""
CHUNK = 4096
"""Bytes that a pipe which is ready takes without making us wait (PIPE_BUF)."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How it ended. `signal` is the first one that came meanwhile, None if none did."""

    code: int
    stderr: str
    signal: signal.Signals | None = None


def run_child(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    display: TextIO,
    pass_fds: Sequence[int] = (),
    started: Callable[[int], None] | None = None,
) -> Ended:
    """Run it and show its stdout and stderr on `display` (which must have a descriptor); stderr is kept as well.

    `started` is called with its process id, once it runs.
    """
    display.flush()
    relay = _Relay(display.fileno())
    with _forwarding(relay) as forwarding, TemporaryFile() as stdout, TemporaryFile() as stderr:
        child = subprocess.Popen(
            [*_ending_with_us(), *command],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=tuple(pass_fds),
            process_group=0,
        )
        forwarding.to(child)
        if started:
            started(child.pid)
        code = relay.carry(child, [stdout.fileno(), stderr.fileno()])
        stderr.seek(0)
        return Ended(code=code, stderr=stderr.read().decode(errors="replace"), signal=forwarding.got)


class _Relay:
    """Shows what a child writes for as long as there is a reader.

    The child writes to files without a name, not to the display: so it never waits for a slow reader, and never dies of
    a reader that has left, not even of this process. No thread: Linux sends the signal of `_ENDING_WITH_US` once for
    each thread of a parent that dies, and the engine takes the second as "stop at once".
    """

    def __init__(self, display: int) -> None:
        self._display = display
        self._waiting = bytearray()
        self._lost = self._hurried = False

    def say(self, text: str) -> None:
        """Show a line of our own; signal handlers may call it."""
        self._waiting += f"{text}\n".encode()

    def hurry(self) -> None:
        """Wait for no reader any more, once the child has ended."""
        self._hurried = True

    def carry(self, child: subprocess.Popen[bytes], sources: Sequence[int]) -> int:
        """Until the child has ended, and all that it wrote to these files is shown; its exit code."""
        shown = dict.fromkeys(sources, 0)
        while not self._lost:
            ended = child.poll() is not None
            for source in sources:
                data = _lines(os.pread(source, 65536, shown[source]), unfinished=ended)
                shown[source] += len(data)
                self._waiting += data
            if ended and (self._hurried or not self._waiting):
                break
            while self._show() and len(self._waiting) > CHUNK:
                pass
        while (code := child.poll()) is None:  # no wait without a limit: a signal that comes just before it ends none
            time.sleep(TICK)
        return code

    def _show(self) -> bool:
        """Show what the display takes now, waiting for a tick at most; whether it took something."""
        _, free, _ = select.select([], [self._display] if self._waiting else [], [], TICK)
        if not free:
            return False
        try:
            done = os.write(self._display, self._waiting[:CHUNK])
        except BlockingIOError:
            return False
        except OSError:  # the reader left, the terminal was closed, the disk is full: the child's work goes on
            self._lost = True
            return False
        del self._waiting[:done]
        return True


def _lines(data: bytes, *, unfinished: bool) -> bytes:
    """Whole lines: there are two files, and a line of one must not get into a line of the other."""
    return data if unfinished else data[: data.rfind(b"\n") + 1]


_ENDING_WITH_US = """
import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback
import ctypes, os, sys
parent, command = int(sys.argv[1]), sys.argv[2:]
ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG
if os.getppid() != parent:
    sys.exit(130)
try:
    os.execvp(command[0], command)
except OSError as error:
    sys.exit(f"{command[0]}: {error.strerror}")
"""


def _ending_with_us() -> list[str]:
    """What to put before a command, on Linux: it is interrupted when this process dies, even by SIGKILL, which no
    handler sees.

    A program, and no `preexec_fn`: that one forks this process with all the threads of its libraries (gRPC's complain
    of it on the child's stderr); without it Python starts children in a way that runs nothing of ours in between.
    """
    if not sys.platform.startswith("linux"):
        return []
    return [sys.executable, "-I", "-S", "-c", _ENDING_WITH_US, str(os.getpid())]


class _Forwarding:
    """Forwards the first signal to the child; reports the others.

    CI systems send several (GitHub: SIGINT, after 7.5 s SIGTERM, after 2.5 s more SIGKILL). The engine gets one.
    """

    def __init__(self, relay: _Relay) -> None:
        self._relay = relay
        self._child: subprocess.Popen[bytes] | None = None
        self.got: signal.Signals | None = None

    def to(self, child: subprocess.Popen[bytes]) -> None:
        """From now on there is a child; a signal that came earlier reaches it now."""
        self._child = child
        if self.got is not None:
            self._hand_on(self.got)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        del frame
        if self._child is not None and self._child.returncode is not None:
            self._relay.hurry()
        elif self.got is not None:
            self._relay.say("Still stopping: the engine finishes its current step.")
        else:
            self.got = signal.Signals(number)
            self._hand_on(self.got)
            self._relay.say(f"{self.got.name}: stopping the engine; it finishes its current step.")

    def _hand_on(self, got: signal.Signals) -> None:
        """A closed terminal is an interrupt: the engine would die of SIGHUP at once, and leave its lock."""
        if self._child is not None:
            self._child.send_signal(signal.SIGINT if got is signal.SIGHUP else got)


@contextmanager
def _forwarding(relay: _Relay) -> Iterator[_Forwarding]:
    forwarding = _Forwarding(relay)
    with _handled_by(forwarding.handle):
        yield forwarding


@contextmanager
def undisturbed() -> Iterator[None]:
    """For a short command that must not be stopped half way: a signal that comes meanwhile interrupts afterwards."""
    got: list[int] = []
    with _handled_by(lambda number, _: got.append(number)):
        yield
    if got:
        raise KeyboardInterrupt


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """SIGHUP stays ignored where it was (`nohup`)."""
    nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    handled = [number for number in FORWARDED if not (nohup and number is signal.SIGHUP)]
    before = {number: signal.signal(number, handler) for number in handled}
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
