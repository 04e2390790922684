"""A Python that has loaded pytest, and waits for its arguments: loading takes longer than most smoke checks.

`prepare` begins one while something else is waited for; `start` uses it. A process that nobody used ends by itself,
because its standard input ends with this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

from release_lane.smoke.checks import ENVIRONMENT

_WAITER = """
import json, sys
import pytest
try:
    import requests
except ImportError:
    pass
given = sys.stdin.readline()
sys.exit(pytest.main(json.loads(given)) if given else 0)
"""

_lock = threading.Lock()
_waiting: list[subprocess.Popen[str]] = []


def prepare(count: int = 1) -> None:
    """Have so many ready for the next calls of `start`; nothing to do if there are."""
    with _lock:
        _waiting[:] = [process for process in _waiting if process.poll() is None]
        while len(_waiting) < count:
            _waiting.append(_spawn([sys.executable, "-c", _WAITER], subprocess.PIPE))


def start(command: Sequence[str]) -> subprocess.Popen[str]:
    """Run `command`, which is `python -m pytest …` with this Python, in a group of its own.

    `smoke/` is looked for in the working directory.

    What it prints comes on `stdout`.
    """
    process = _taken() if list(command[:3]) == [sys.executable, "-m", "pytest"] else None
    if process is not None:
        try:
            _tell(process, command[3:])
        except OSError:  # it has ended meanwhile
            process.wait()
        else:
            return process
    return _spawn(command, subprocess.DEVNULL)


def _taken() -> subprocess.Popen[str] | None:
    with _lock:
        return _waiting.pop(0) if _waiting else None


def _tell(process: subprocess.Popen[str], arguments: Sequence[str]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(list(arguments)) + "\n")
    process.stdin.close()
    process.stdin = None  # else `communicate` would want to close it again


def _spawn(command: Sequence[str], stdin: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env={**os.environ, **ENVIRONMENT},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
