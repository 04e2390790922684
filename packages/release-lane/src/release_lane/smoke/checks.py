"""The smoke checks as a command line, and their report: shared by the smoke gate and `release smoke`. Pure."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from release_lane.record.asking import Asked
from release_lane.record.endpoint import Endpoint
from release_lane.record.table import Table

TABLE = "release-lane:table"
"""The property of a check's report (`record_property`) whose value is a table to keep: JSON with title, head, rows."""

COMPARING = "release_lane.smoke.comparing"
"""The plugin that compares the answers to recorded requests."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What answers must name: digest, colour, commit; "" leaves one open. `asked`: how the service is asked.

    The second last is a release that may answer instead, during a stepped switch: each answer from one of the two.
    `against`: where the live release answers by itself, if answers to recorded requests are compared (None: they are
    not); its URL is "" where nothing is live.
    """

    digest: str = ""
    colour: str = ""
    commit: str = ""
    asked: Asked = field(default_factory=Asked)
    next_to: Expected | None = None
    against: Endpoint | None = None

    def options(self) -> list[str]:
        """As options of `pytest smoke`."""
        compared = [] if self.against is None else ["-p", COMPARING, "--against", self.against.url]
        next_to = self.next_to._options("beside") if self.next_to else []
        return [*self.asked.options(), *self._options("expect"), *next_to, *compared]

    def _options(self, word: str) -> list[str]:
        given = {"digest": self.digest, "colour": self.colour, "commit": self.commit}
        return [part for name, value in given.items() if value for part in (f"--{word}-{name}", value)]


@dataclass(frozen=True, kw_only=True)
class Report:
    """One run of the checks: how many there were, a line for each that failed, and what they could not see.

    `names` are those of all that ran, each once; `tables` are what checks reported, to be shown and kept.
    """

    checks: int
    failures: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


ENVIRONMENT: Mapping[str, str] = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Set for the checks: plugins of this project's own test suite are none of their business, and slow to load."""


def command(python: str, endpoint: Endpoint, expected: Expected, junit: str) -> list[str]:
    """The checks against `endpoint`, run in the repository's root; the report goes to the file `junit`."""
    return [
        *(python, "-m", "pytest", "smoke", "-q", "-c", "/dev/null", "--rootdir", "smoke", "--confcutdir", "smoke"),
        *("-p", "no:cacheprovider"),
        *(*endpoint.options(), *expected.options(), f"--junitxml={junit}"),
    ]


def read_report(text: str, asked: Asked | None = None) -> Report:
    """Read pytest's JUnit XML. A skipped check is named, and not counted; a run without a single one is a failure.

    `asked`: how the service was asked, which says what no check could see.
    """
    found = list(ElementTree.fromstring(text).iter("testcase"))
    cases = [case for case in found if case.find("skipped") is None]
    failures = [line for case in cases if (line := _failure(case))]
    if not cases:
        failures.append("smoke: not a single check was run")
    skipped = [_skipped(case) for case in found if case not in cases]
    tables = [table for case in found for table in _tables(case)]
    unread = [table for table in tables if isinstance(table, str)]
    return Report(
        checks=len(cases),
        failures=tuple(failures),
        unchecked=tuple(dict.fromkeys([*(asked.unchecked if asked else ()), *skipped, *unread])),
        names=tuple(dict.fromkeys(str(case.get("name")) for case in cases)),
        tables=tuple(table for table in tables if isinstance(table, Table))[:MOST_TABLES],
    )


MOST_TABLES = 3
"""Tables that are kept of one run."""


def _tables(case: ElementTree.Element) -> Iterator[Table | str]:
    """Those that a check reported; a sentence for one that cannot be read."""
    for each in case.iter("property"):
        if each.get("name") == TABLE:
            try:
                yield Table.from_dict(json.loads(each.get("value") or ""))
            except (AttributeError, ValueError) as error:
                yield f"{case.get('name')}: its table cannot be read ({error})"


def _skipped(case: ElementTree.Element) -> str:
    skipped = case.find("skipped")
    reason = (skipped.get("message") or "").strip() if skipped is not None else ""
    return f"{case.get('name')}: {reason or 'skipped'}"


def unexplained(code: int, text: str) -> bool:
    """Did pytest end with a failure of which its report names none? Then something else than a check said no."""
    return code == 1 and not read_report(text).failures


def _failure(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            lines = (found.get("message") or "").strip().splitlines() or ["failed"]
            return f"{case.get('name')}: {lines[0]}"
    return ""
