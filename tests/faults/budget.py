"""What an update costs in calls to AWS: how many, and how many of them one after the other. Pure.

Only calls of the lane itself count (gates, program, command), by their User-Agent; those of the AWS provider are its
own. On AWS a call takes 50 to 200 ms, so the calls in sequence are what a person waits for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.wire import Call

LATENCY = 0.4
"""Seconds a call: longer than it takes to begin those that are made side by side, on a busy machine as well."""


@dataclass(frozen=True)
class Timed:
    """One call, from its arrival to its answer; seconds of a monotonic clock."""

    call: Call
    begun: float
    ended: float


@dataclass(frozen=True)
class Budget:
    """At most so many calls, and so many in sequence."""

    calls: int
    in_sequence: int


def chain(calls: Sequence[Timed]) -> list[str]:
    """The names of the longest chain of calls of which each began after the one before was answered."""
    longest: dict[int, list[int]] = {}
    order = sorted(range(len(calls)), key=lambda number: calls[number].begun)
    for number in order:
        before = [longest[other] for other in longest if calls[other].ended <= calls[number].begun]
        longest[number] = [*max(before, key=len, default=[]), number]
    return [calls[number].call.name for number in max(longest.values(), key=len, default=[])]


def besides_polls(calls: Sequence[Timed]) -> list[Timed]:
    """Without the looks that the rollout gate makes while it waits: of several in a row only the last one counts."""
    counted: list[Timed] = []
    for looks, several in itertools.groupby(moments(calls), key=_only_looks):
        row = list(several)
        whole = [number for number, moment in enumerate(row) if any(map(_lists_stopped, moment))]
        polls = range(whole[0], whole[-1]) if looks and whole else ()
        counted += [call for number, moment in enumerate(row) if number not in polls for call in moment]
    return counted


LOOK = {
    *("ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks"),
    *("elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth"),
}
"""Target groups are looked for only where this update made them."""


def _only_looks(moment: Sequence[Timed]) -> bool:
    return {each.call.name for each in moment} <= LOOK


def _lists_stopped(timed: Timed) -> bool:
    """Only a whole look at one colour asks for tasks that stopped."""
    return timed.call.name == "ecs:ListTasks" and b"STOPPED" in timed.call.body


def moments(calls: Sequence[Timed]) -> Iterator[list[Timed]]:
    """The calls in groups: between two groups none is under way."""
    group: list[Timed] = []
    for call in sorted(calls, key=lambda each: each.begun):
        if group and call.begun >= max(each.ended for each in group):
            yield group
            group = []
        group.append(call)
    if group:
        yield group
