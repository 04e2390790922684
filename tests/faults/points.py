"""The boundaries of an update, read from the engine's event log: where a crash can find it. Pure.

Before and after each resource that is changed, and each step that a gate announces. Nothing here knows the gates: a
new one is in the list as soon as an update with it was recorded (`python -m tests.faults.record`).

Source: `EngineEvent` of the Pulumi SDK (sdk/go/common/apitype/events.go), one JSON object a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.engine.events import UNCHANGED

GATES = "release:index:"
_VARYING = (
    (re.compile(r"<\{%.*?%\}>"), ""),
    (re.compile(r"; nothing listens on \d+"), ""),  # said of a container that takes its time to start
    (re.compile(r"sha256:[0-9a-f]+"), "<digest>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<commit>"),
    (re.compile(r"\b(blue|green)\b"), "<colour>"),
    (re.compile(r"https?://\S+"), "<url>"),
    (re.compile(r"\d+(\.\d+)?"), "#"),
)


@dataclass(frozen=True, order=True)
class Point:
    """`when` is begin, before, after, step or end; `what` names the resource; `words` are a step's own.

    Or asked or done: a write to AWS, before it takes effect and after that; `what` names the call, `words` counts it.
    """

    when: str
    what: str = ""
    words: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.when, self.what, self.words)))


def point_of(event: dict[str, Any]) -> Point | None:
    """The boundary that this event tells of, if it is one."""
    match event:
        case {"preludeEvent": _}:
            return Point("begin")
        case {"resourcePreEvent": {"metadata": {"op": op, "urn": urn}}} if op not in UNCHANGED:
            return Point("before", _named(urn))
        case {"resOutputsEvent": {"metadata": {"op": op, "urn": urn}}} if op not in UNCHANGED:
            return Point("after", _named(urn))
        case {"diagnosticEvent": {"urn": urn, "message": words, "severity": severity}}:
            if GATES in urn and severity.startswith(("info", "warning")):
                return Point("step", _named(urn), _plain(words))
        case {"summaryEvent": _}:
            return Point("end")
    return None


def points(lines: Iterable[str]) -> Iterator[Point]:
    """Boundaries in their order, each time they occur; a line that was cut off by a kill is left out."""
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if (point := point_of(event)) is not None:
            yield point


READS = ("Describe", "Get", "List", "Batch")


def writes(calls: Mapping[str, int]) -> Iterator[Point]:
    """Both sides of every call that is no read, each time it is made."""
    for call, times in sorted(calls.items()):
        if not call.rpartition(":")[2].startswith((*READS, "AssumeRole")):
            for number in range(times):
                yield from (Point(when, call, f"{number + 1}") for when in ("asked", "done"))


def distinct(found: Iterable[Point]) -> list[Point]:
    """Each of them once, in the order of their first time."""
    return list(dict.fromkeys(found))


def _named(urn: str) -> str:
    """Type and logical name, without what differs between projects, stacks and colours."""
    start, project, types, name = urn.split("::", 3)
    stack, kind = start.rpartition(":")[2], types.rpartition("$")[2].rpartition(":")[2]
    return f"{kind} {_plain(name.replace(f'{project}-{stack}', '*'))}"


def _plain(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    for pattern, instead in _VARYING:
        line = pattern.sub(instead, line)
    return line.strip()[:80]
