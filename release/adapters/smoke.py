"""The smoke checks of `smoke/`, run once against a URL: plain pytest in a process of its own."""

from __future__ import annotations

import os
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TextIO

from release.adapters.process import run_child
from release.errors import CloudError, Interrupted


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the answers must name; "" leaves it open."""

    digest: str = ""
    colour: str = ""
    commit: str = ""

    def options(self) -> list[str]:
        """As options of `pytest smoke`."""
        given = {"--expect-digest": self.digest, "--expect-colour": self.colour, "--expect-commit": self.commit}
        return [part for option, value in given.items() if value for part in (option, value)]


@dataclass(frozen=True, kw_only=True)
class Report:
    """One run: how many checks there were, and a line for each that failed."""

    checks: int
    failures: tuple[str, ...] = ()


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
            command = [sys.executable, "-m", "pytest", "smoke", "-c", os.devnull, "--rootdir", "smoke"]
            command += ["-p", "no:cacheprovider", "-q", "--url", url, *expected.options(), f"--junitxml={junit}"]
            ended = run_child(command, cwd=self.root, env=self.environ, display=self.display)
            if ended.signal:
                raise Interrupted("The smoke checks were interrupted. They change nothing.")
            if ended.code not in (0, 1) or not junit.exists():
                raise CloudError(
                    f"The smoke checks could not be run (pytest ended with {ended.code}).",
                    next_step="see pytest's own words above.",
                )
            return read_report(junit.read_text(encoding="utf-8"))


def read_report(junit: str) -> Report:
    """Read a JUnit XML report (the shape that pytest writes)."""
    cases = list(ElementTree.fromstring(junit).iter("testcase"))
    return Report(checks=len(cases), failures=tuple(line for case in cases if (line := _failure(case))))


def _failure(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            message = (found.get("message") or kind).splitlines() or [kind]
            return f"{case.get('name')}: {message[0]}"
    return ""


@dataclass
class FakeSmoke:
    """Answers with `report`; remembers what it was asked."""

    report: Report = Report(checks=3)
    asked: list[tuple[str, Expected]] = field(default_factory=list)

    def run(self, url: str, expected: Expected) -> Report:
        """As given."""
        self.asked.append((url, expected))
        return self.report
