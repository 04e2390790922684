"""Every call of the gates times every fault, made from a recorded run: what `test_matrix.py` goes through. Pure."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.proxy import ALWAYS, Fault
from tests.faults.record import recorded
from tests.faults.stories import SMALL, STORIES

SOAK_VARIABLE = "RELEASE_LANE_SOAK"
"""`all`: all cases; `tenth`: a tenth of them; else a few."""


def how_many(cases: Sequence[object], few: int) -> int:
    """How many of these cases this run goes through."""
    match os.environ.get(SOAK_VARIABLE):
        case "all":
            return len(cases)
        case "tenth":
            return max(few, len(cases) // 10)
    return few


DOOR = Path(__file__).resolve().parents[2] / "packages/release-lane/src/release_lane/aws"
COMMANDS_OWN = {"existing.py", "registry.py"}
"""Files of it that no update of an environment uses: the command's, to recover; the artifacts stack's, to adopt."""

SERVICES = {"elb": "elasticloadbalancing", "elbv2": "elasticloadbalancing", "cloudwatch": "monitoring"}
"""Clients by their name in the code; the services' names as IAM writes them, where that is another one."""

CLIENTS = {"ecs", "elb", "ecr", "logs"}
"""Attributes of `Cloud` that are clients."""

SLOW = frozenset({Fault.NO_ANSWER, Fault.DONE_BUT_LATE})
"""Faults that cost a time-out each."""


@dataclass(frozen=True)
class Case:
    """A fault in one call of a story: `times` times, after `skip` good ones."""

    story: str
    call: str
    fault: Fault
    times: int
    skip: int = 0

    @property
    def passes(self) -> bool:
        """Is it over within the budget, so that the update has to succeed?"""
        return self.times < ALWAYS and self.fault not in (Fault.EXPIRED, Fault.STALE)

    def __str__(self) -> str:
        often = "always" if self.times == ALWAYS else f"{self.times}x"
        after = f" after {self.skip}" if self.skip else ""
        return f"{self.story} {self.call} {self.fault.value} {often}{after}"


def calls() -> dict[str, str]:
    """Each recorded call, and the first story that makes it."""
    known = recorded()
    return {
        call: next(name for name in STORIES if call in known.get(name, {}))
        for call in sorted(set().union(*known.values()))
    }


def every_call() -> list[Case]:
    """Every call times every fault, once for a moment and once for good."""
    cases = []
    for call, story in calls().items():
        for fault in Fault:
            cases.append(Case(story, call, fault, times=1 if fault in SLOW or fault is Fault.EXPIRED else 2))
            if fault not in (Fault.EXPIRED, Fault.STALE):
                cases.append(Case(story, call, fault, times=ALWAYS))
    return cases


def every_place(story: str = "traffic_only") -> list[Case]:
    """Every single call of a story, also a repeated one, as the last that was answered well; or answered stale."""
    return [
        Case(story, call, fault, times, skip)
        for call, times_seen in sorted(recorded()[story].items())
        for skip in range(times_seen)
        for fault, times in ((Fault.SERVER_ERROR, ALWAYS), (Fault.EXPIRED, 1), (Fault.STALE, 1))
    ]


def sampled(cases: list[Case], number: int) -> list[Case]:
    """All of them in the soak; else some, always the same: the faults in turn, each in another call."""
    if (number := how_many(cases, number)) == len(cases):
        return cases
    by_fault = [[case for case in cases if case.fault is fault] for fault in Fault]
    groups = [group for group in by_fault if group]
    chosen = (groups[turn % len(groups)] for turn in range(number))
    return [group[(turn * 11 + 5) % len(group)] for turn, group in enumerate(chosen)]


def quick(cases: list[Case]) -> list[Case]:
    """Those that need no whole engine."""
    return [case for case in cases if case.story in SMALL]


def whole(cases: list[Case]) -> list[Case]:
    """Those that do."""
    return [case for case in cases if case.story not in SMALL]


def calls_in_source(source: str) -> Iterator[str]:
    """Every call to AWS in a file of `aws/`: of `cloud.ecs`, of `client(…, "cloudwatch")`, of a paginator."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="get_paginator", value=made), args=[ast.Constant(value=str(name))]):
                if service := _service(made):
                    yield f"{service}:{_camel(name)}"
            case ast.Call(func=ast.Attribute(attr=name, value=made)) if name not in ("get_paginator", "get_waiter"):
                if service := _service(made):
                    yield f"{service}:{_camel(name)}"


def _service(made: ast.expr) -> str:
    """The service of an expression that is a client; "" for any other one."""
    match made:
        case ast.Attribute(attr=name) if name in CLIENTS:
            return SERVICES.get(name, name)
        case ast.Call(func=ast.Name(id="client"), args=[*_, ast.Constant(value=str(name))]):
            return SERVICES.get(name, name)
    return ""


def _camel(name: str) -> str:
    return "".join(part.title() for part in name.split("_"))


def missing(known: Mapping[str, Mapping[str, int]]) -> set[str]:
    """Calls in the source that no story was seen to make."""
    seen = set().union(*known.values())
    files = [path for path in sorted(DOOR.glob("*.py")) if path.name not in COMMANDS_OWN]
    return {call for path in files for call in calls_in_source(path.read_text())} - seen
