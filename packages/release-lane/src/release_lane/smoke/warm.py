"""A Python process that has loaded pytest and waits for its arguments: loading takes longer than most smoke checks.

`prepare` starts one while something else is waited for; `start` uses it. An unused process ends by itself, because
its standard input ends with this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

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
_waiting: list[tuple[str, subprocess.Popen[str]]] = []
"""Each with the working directory that it was started in."""


def prepare(count: int = 1) -> None:
    """Have `count` processes ready for the next calls of `start`."""
    with _lock:
        _waiting[:] = [(where, process) for where, process in _waiting if process.poll() is None]
        while len(_waiting) < count:
            _waiting.append((os.getcwd(), _spawn([sys.executable, "-c", _WAITER], subprocess.PIPE)))


def start(
    command: Sequence[str], root: Path | None = None, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Run `command`, which is `python -m pytest …` with this Python, in a process group of its own.

    `smoke/` is looked for in `root`. What it prints comes on `stdout`. A prepared process has this process's own
    working directory and environment, so with `root` or `environ` a new one is started.
    """
    fits = root is None and environ is None and list(command[:3]) == [sys.executable, "-m", "pytest"]
    process = _taken() if fits else None
    if process is not None:
        try:
            _tell(process, command[3:])
        except OSError:  # it has ended in the meantime
            process.wait()
        else:
            return process
    return _spawn(command, subprocess.DEVNULL, root, environ)


def _taken() -> subprocess.Popen[str] | None:
    """One that looks for `smoke/` where this process would do so now."""
    with _lock:
        for waiting in _waiting:
            if waiting[0] == os.getcwd():
                _waiting.remove(waiting)
                return waiting[1]
    return None


def _tell(process: subprocess.Popen[str], arguments: Sequence[str]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(list(arguments)) + "\n")
    process.stdin.close()
    process.stdin = None  # else `communicate` would want to close it again


def _spawn(
    command: Sequence[str], stdin: int, root: Path | None = None, environ: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=root,
        env={**(os.environ if environ is None else environ), **ENVIRONMENT},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
