"""One run of the smoke checks: pytest in a process of its own, with a time limit. Used by gate, switch and command."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from release_lane.errors import CheckFailed, CloudError
from release_lane.record.endpoint import Endpoint
from release_lane.smoke.checks import ENVIRONMENT, Expected, Report, command, read_report, unexplained

LEAST_LIMIT = 60.0
"""Seconds that a gate gives to one run at least, however short its deadline: there may be many checks."""

LOOK = 0.2
"""Seconds between two looks at whether the caller still wants the result."""


def _goes_on() -> None:
    """Nothing stops it."""


def run(
    endpoint: Endpoint,
    expected: Expected,
    *,
    limit: float | None = None,
    root: Path | None = None,
    environ: Mapping[str, str] | None = None,
    keep_going: Callable[[], None] = _goes_on,
    show: Callable[[str], None] = lambda _: None,
) -> Report:
    """Run `smoke/` of `root` (default: the working directory) against `endpoint` once.

    It may take `limit` seconds (None: as long as it takes). `keep_going` is called several times a second; what it
    raises ends the checks. `show` gets pytest's own output. Raises `CloudError` where pytest could not run the checks,
    `CheckFailed` where they do not end.
    """
    with tempfile.TemporaryDirectory(prefix="smoke-") as folder:
        junit = Path(folder, "report.xml")
        process = _started(command(sys.executable, endpoint, expected, str(junit)), root, environ)
        try:
            output = _output(process, limit, keep_going)
        except BaseException:
            _end(process)
            raise
        show(output)
        report = junit.read_text(encoding="utf-8") if junit.exists() else ""
    code = process.returncode
    if code not in (0, 1) or not report or unexplained(code, report):
        raise CloudError(
            f"The smoke checks could not be run (pytest ended with {code}).",
            why="\n".join(output.splitlines()[-15:]),
            next_step=f"run them by hand: pytest smoke {shlex.join(endpoint.options())}",
        )
    return read_report(report, expected.asked)


def _started(command: Sequence[str], root: Path | None, environ: Mapping[str, str] | None) -> subprocess.Popen[str]:
    """In a process group of its own. What it prints comes on `stdout`."""
    return subprocess.Popen(
        command,
        cwd=root,
        env={**(os.environ if environ is None else environ), **ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _output(process: subprocess.Popen[str], limit: float | None, keep_going: Callable[[], None]) -> str:
    begun = time.monotonic()
    while True:
        try:
            return process.communicate(timeout=LOOK)[0]
        except subprocess.TimeoutExpired:
            keep_going()
            if limit is not None and time.monotonic() - begun > limit:
                raise CheckFailed(
                    f"The smoke checks did not end within {limit:.0f} s.",
                    next_step="give every request in smoke/ a timeout.",
                ) from None


def _end(process: subprocess.Popen[str]) -> None:
    """The whole process group: checks may have started processes of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()
