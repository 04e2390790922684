"""The smoke checks of `smoke/`, run once against a URL: plain pytest in a process of its own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

from release_lane.command.adapters.process import run_child
from release_lane.errors import CloudError, Interrupted
from release_lane.smoke.checks import ENVIRONMENT, Expected, Report, command, read_report, unexplained


class Smoke(Protocol):
    """Runs the checks."""

    def run(self, url: str, expected: Expected) -> Report:
        """One run. Raises `CloudError` where the checks themselves could not be run."""


@dataclass(frozen=True, kw_only=True)
class PytestSmoke:
    """`python -m pytest smoke` in the project's root; its own words go to `display`."""

    root: Path
    display: TextIO
    environ: Mapping[str, str]

    def run(self, url: str, expected: Expected) -> Report:
        """Run pytest, read its report."""
        with tempfile.TemporaryDirectory(prefix="smoke-") as folder:
            junit = Path(folder, "report.xml")
            ended = run_child(
                command(sys.executable, url, expected, str(junit)),
                cwd=self.root,
                env={**self.environ, **ENVIRONMENT},
                display=self.display,
            )
            if ended.signal:
                raise Interrupted("The smoke checks were interrupted. They change nothing.")
            if ended.code not in (0, 1) or not junit.exists() or unexplained(ended.code, junit.read_text("utf-8")):
                raise CloudError(
                    f"The smoke checks could not be run (pytest ended with {ended.code}).",
                    next_step="see pytest's own words above.",
                )
            return read_report(junit.read_text(encoding="utf-8"), expected.asked)


@dataclass
class FakeSmoke:
    """Answers with `report`; remembers what it was asked."""

    report: Report = field(default_factory=lambda: Report(checks=3))
    asked: list[tuple[str, Expected]] = field(default_factory=list)

    def run(self, url: str, expected: Expected) -> Report:
        """As given."""
        self.asked.append((url, expected))
        return self.report
