"""The smoke checks of the project, as the command runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

from release_lane.errors import Interrupted
from release_lane.record.endpoint import Endpoint
from release_lane.smoke.checks import Expected, Report
from release_lane.smoke.run import run


class Smoke(Protocol):
    """Runs the checks."""

    def run(self, endpoint: Endpoint, expected: Expected) -> Report:
        """One run. Raises `CloudError` where the checks themselves could not be run."""


@dataclass(frozen=True, kw_only=True)
class PytestSmoke:
    """`python -m pytest smoke` in the project's root; pytest's own output goes to `display`."""

    root: Path
    display: TextIO
    environ: Mapping[str, str]

    def run(self, endpoint: Endpoint, expected: Expected) -> Report:
        """One run, until it ends or is interrupted."""
        try:
            return run(endpoint, expected, root=self.root, environ=self.environ, show=self._show)
        except KeyboardInterrupt:
            raise Interrupted("The smoke checks were interrupted. They change nothing.") from None

    def _show(self, output: str) -> None:
        self.display.write(output)
        self.display.flush()


@dataclass
class FakeSmoke:
    """Answers with `report`; remembers what it was asked."""

    report: Report = field(default_factory=lambda: Report(checks=3))
    asked: list[tuple[Endpoint, Expected]] = field(default_factory=list)

    def run(self, endpoint: Endpoint, expected: Expected) -> Report:
        """As given."""
        self.asked.append((endpoint, expected))
        return self.report
