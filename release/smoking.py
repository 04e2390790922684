"""The smoke checks as a command line, and their report: shared by the smoke gate and `release smoke`. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the answers must name: digest, colour, commit; "" leaves it open.

    `beside` is another release that may answer instead, each answer wholly from one of them: in the middle of a
    stepped switch.
    """

    digest: str = ""
    colour: str = ""
    commit: str = ""
    beside: Expected | None = None

    def options(self) -> list[str]:
        """As options of `pytest smoke`."""
        return self._options("expect") + (self.beside._options("beside") if self.beside else [])

    def _options(self, word: str) -> list[str]:
        given = {"digest": self.digest, "colour": self.colour, "commit": self.commit}
        return [part for name, value in given.items() if value for part in (f"--{word}-{name}", value)]


@dataclass(frozen=True, kw_only=True)
class Report:
    """One run of the checks: how many there were, a line for each that failed, and what they could not see."""

    checks: int
    failures: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


ENVIRONMENT: Mapping[str, str] = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Set for the checks: plugins of this project's own test suite are none of their business, and slow to load."""


def command(python: str, url: str, expected: Expected, junit: str) -> list[str]:
    """The checks against `url`, run in the repository's root; the report goes to the file `junit`."""
    return [
        *(python, "-m", "pytest", "smoke", "-q", "-c", "/dev/null", "--rootdir", "smoke", "-p", "no:cacheprovider"),
        *("--url", url, *expected.options(), f"--junitxml={junit}"),
    ]


def read_report(text: str) -> Report:
    """Read pytest's JUnit XML. Skipped checks do not count; a run without a single check is a failure."""
    cases = [case for case in ElementTree.fromstring(text).iter("testcase") if case.find("skipped") is None]
    failures = [line for case in cases if (line := _failure(case))]
    if not cases:
        failures.append("smoke: not a single check was run")
    return Report(checks=len(cases), failures=tuple(failures))


def _failure(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            lines = (found.get("message") or "").strip().splitlines() or ["failed"]
            return f"{case.get('name')}: {lines[0]}"
    return ""
