"""Commands of the shell, run side by side on this machine. Neither they nor what they left in the background outlive
the call, unless it began a session of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO

from release_lane.command.adapters.process import undisturbed
from release_lane.operate.checks import Checked

AT_MOST = 0.5
"""Seconds that a wait lasts: an interrupt that arrives just before one begins is seen after it."""
MOMENT = 1.0
"""Seconds that what a command left running may take to end by itself, as a `tee` that still writes."""
GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL. CI systems that end a job wait little longer."""
TICK = 0.02
"""Seconds between two looks at whether a group is gone."""


def run_side_by_side(
    commands: Mapping[str, str],
    folder: Path,
    ended: Callable[[Checked], None],
    *,
    moment: float = MOMENT,
    grace: float = GRACE,
) -> list[Checked]:
    """Run each in `folder`, with no input; `ended` is called as they end, with stdout and stderr in one. In the order
    of `commands`. If this process is interrupted, so are they."""
    running: list[subprocess.Popen[bytes]] = []
    waiting: list[Future[Checked]] = []
    pool = ThreadPoolExecutor(max_workers=max(1, len(commands)))
    try:
        for name, command in commands.items():
            with undisturbed():  # else one might run that this function knows nothing of
                running.append(_start(command, folder))
                waiting.append(pool.submit(_wait, name, running[-1], moment, grace))
        left = {*waiting}
        while left:
            done, left = wait(left, AT_MOST, FIRST_COMPLETED)
            for one in done:
                ended(one.result())
        return [one.result() for one in waiting]
    finally:
        with undisturbed():  # it ends within seconds
            _stop([process for process in running if process.poll() is None], grace)
            pool.shutdown()


def _start(command: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", "-c", command], cwd=folder, process_group=0,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _wait(name: str, process: subprocess.Popen[bytes], moment: float, grace: float) -> Checked:
    """Until the command itself has ended: what it left running may hold its output open for ever."""
    begin = time.monotonic()
    said: list[bytes] = []
    reader = threading.Thread(target=_read, args=(process.stdout, said), daemon=True)
    reader.start()
    code = process.wait()
    seconds = time.monotonic() - begin
    _end_group(process.pid, moment, grace)
    reader.join(grace)
    return Checked(name=name, code=code, seconds=seconds, output=_text(said))


def _read(output: IO[bytes], said: list[bytes]) -> None:
    with output:
        while chunk := os.read(output.fileno(), 65_536):
            said.append(chunk)


def _text(said: list[bytes]) -> str:
    return b"".join(said).decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def _stop(processes: list[subprocess.Popen[bytes]], grace: float) -> None:
    """End those that run, at the same time; what they leave is ended by who waits for them."""
    for process in processes:
        _signal(process.pid, signal.SIGTERM)
    until = time.monotonic() + grace
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal(process.pid, signal.SIGKILL)
            process.wait()


def _end_group(group: int, moment: float, grace: float) -> None:
    """End what a command left running in its group."""
    for sent, within in ((0, moment), (signal.SIGTERM, grace), (signal.SIGKILL, moment)):
        until = time.monotonic() + within
        there = _signal(group, sent)
        while there and time.monotonic() < until:
            time.sleep(TICK)
            there = _signal(group, 0)
        if not there:
            return


def _signal(group: int, number: int) -> bool:
    """Send it (0: only ask); False where none is left that could be sent one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
