"""Commands of the shell, run side by side on this machine; none outlives the call."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from release_lane.command.adapters.process import undisturbed
from release_lane.operate.checks import Checked

AT_MOST = 0.5
"""Seconds that a wait lasts: an interrupt that arrives just before one begins is seen after it."""


def run_side_by_side(commands: Mapping[str, str], folder: Path, ended: Callable[[Checked], None]) -> list[Checked]:
    """Run each in `folder`, with no input; `ended` is called as they end, with stdout and stderr in one. In the order
    of `commands`. If this process is interrupted, so are they."""
    running: list[subprocess.Popen[str]] = []
    pool = ThreadPoolExecutor(max_workers=max(1, len(commands)))
    try:
        for command in commands.values():
            with undisturbed():  # else one might run that this function knows nothing of
                running.append(_start(command, folder))
        waiting = [pool.submit(_wait, name, each) for name, each in zip(commands, running, strict=True)]
        left = {*waiting}
        while left:
            done, left = wait(left, AT_MOST, FIRST_COMPLETED)
            for one in done:
                ended(one.result())
        return [one.result() for one in waiting]
    finally:
        for process in running:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
        pool.shutdown()
        for process in running:
            process.wait()  # one that no thread waited for yet


def _start(command: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-c", command], cwd=folder, text=True, errors="replace", process_group=0,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _wait(name: str, process: subprocess.Popen[str]) -> Checked:
    begin = time.monotonic()
    output, _ = process.communicate()
    return Checked(name=name, code=process.returncode, seconds=time.monotonic() - begin, output=output)
