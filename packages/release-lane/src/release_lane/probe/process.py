"""`Probe`: the prober as a context manager, in a process of its own so that nothing here slows it down."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Self

from release_lane.errors import CloudError
from release_lane.probe.settings import Settings
from release_lane.probe.tally import Report, report_from


class Probe:
    """Asks one URL at a steady rate and counts what came back.

        with Probe(url, 500) as probe:
            probe.mark("switch")
            ...
            probe.mark("after")
            report = probe.stop()
        report.step("switch").failed

    `environ`: its environment variables, by default this process's (one says which authorities it trusts). Further
    keyword arguments are those of `engine.Settings`. Thread-safe. CloudError when its process died.
    """

    def __init__(
        self, url: str, rate_per_second: float, *, environ: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        self.settings = Settings(url=url, rate=rate_per_second, **options)
        self._environ = environ
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._report: Report | None = None

    def start(self) -> Self:
        command = [sys.executable, "-m", "release_lane.probe.worker"]
        self._process = subprocess.Popen(
            command, env=self._environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._write(asdict(self.settings))
        return self

    @property
    def pid(self) -> int:
        """Of the prober's process; 0 before it was started."""
        return self._process.pid if self._process else 0

    def wait_until_ready(self, seconds: float) -> bool:
        """True once requests are being counted (with `wait_ready`: after the first good answer)."""
        return bool(self._ask({"do": "await-ready", "timeout": seconds})["ready"])

    def mark(self, name: str) -> None:
        """Begin a step: requests sent after this returns belong to it, those before to the one before."""
        self._ask({"do": "mark", "name": name})

    def snapshot(self) -> Report:
        """What is known now; requests under way are in `in_flight`. After `stop`: the final report."""
        return self._report or report_from(self._ask({"do": "snapshot"}))

    def stop(self) -> Report:
        """Stop sending, wait for what is under way (at most the timeout), end the process. May be repeated."""
        if self._report is None:
            self._report = report_from(self._ask({"do": "stop"}))
            self._end()
        return self._report

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self._end()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._write(command)
            process = self._running()
            answer = process.stdout.readline() if process.stdout else ""
        if not answer:
            raise CloudError("The probe ended by itself.", why="its error is shown above")
        return dict(json.loads(answer))

    def _write(self, line: dict[str, Any]) -> None:
        try:
            print(json.dumps(line), file=self._running().stdin, flush=True)
        except BrokenPipeError:
            raise CloudError("The probe ended by itself.", why="its error is shown above") from None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise CloudError("The probe is not running.", why="it was not started, or has ended")
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(BrokenPipeError):  # what a dead one did not read is flushed once more
                process.__exit__(None, None, None)  # closes its stdin, which ends it, and waits
