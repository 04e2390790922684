"""One child process that is never left behind: signals reach it once, and it is waited for.

The child gets a process group of its own, so a terminal's Ctrl-C does not reach it besides: the engine takes a
second signal as "stop at once", which loses the record of what it was doing.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How it ended. `signal` is the one that was forwarded to it, None if none came."""

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
    """Run it with its stdout and stderr on `display` (which must be a real file); stderr is kept as well.

    `started` is called with its process id, once it runs.
    """
    display.flush()
    with _forwarding(display) as forwarding:
        child = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=display.fileno(),
            stderr=subprocess.PIPE,
            pass_fds=tuple(pass_fds),
            process_group=0,
            preexec_fn=_end_with(os.getpid()),
        )
        forwarding.to(child)
        if started:
            started(child.pid)
        assert child.stderr is not None
        with child.stderr:
            kept = b"".join(_tee(child, child.stderr.fileno(), display.fileno()))
        code = child.wait()
    return Ended(code=code, stderr=kept.decode(errors="replace"), signal=forwarding.got)


def _tee(child: subprocess.Popen[bytes], source: int, display: int) -> Iterator[bytes]:
    """Show what comes, and hand it on, until the end of the pipe or of the child.

    Without a thread: Linux sends the signal of `_end_with` once for each thread of a parent that dies, and the
    engine takes the second as "stop at once". A grandchild may keep the pipe open, hence the look at the child.
    """
    while True:
        ended = child.poll() is not None
        ready, _, _ = select.select([source], [], [], 0 if ended else 0.5)
        data = os.read(source, 65536) if ready else b""
        if data:
            os.write(display, data)
            yield data
        elif ready or ended:
            return


def _end_with(parent: int) -> Callable[[], None] | None:
    """On Linux: the child is interrupted when this process dies, even by SIGKILL, which no handler sees."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    prctl, pr_set_pdeathsig = libc.prctl, 1

    def arrange() -> None:
        prctl(pr_set_pdeathsig, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(130)

    return arrange


class _Forwarding:
    """Hands the first signal on to the child; tells about the others."""

    def __init__(self, display: TextIO) -> None:
        self._display = display
        self._child: subprocess.Popen[bytes] | None = None
        self.got: signal.Signals | None = None

    def to(self, child: subprocess.Popen[bytes]) -> None:
        """From now on there is a child; a signal that came before it reaches it now."""
        self._child = child
        if self.got is not None:
            child.send_signal(self.got)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        del frame
        if self.got is not None:
            self._say("Still stopping: the engine finishes the step it is in.")
            return
        self.got = signal.Signals(number)
        self._say(f"{self.got.name}: stopping the engine; it finishes the step it is in.")
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)

    def _say(self, text: str) -> None:
        os.write(self._display.fileno(), f"{text}\n".encode())


@contextmanager
def _forwarding(display: TextIO) -> Iterator[_Forwarding]:
    forwarding = _Forwarding(display)
    before = {number: signal.signal(number, forwarding.handle) for number in FORWARDED}
    try:
        yield forwarding
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
