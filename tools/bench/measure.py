"""The measurements. Each is a median of several runs in this very run of the benchmark, in seconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from release_lane.probe import Probe

from tools.lane import Lane, Result, Stack

Say = Callable[[str], None]

RATE = 2000.0
"""Requests a second that users send while promotion, refusal and rollback go on."""

SMOKE_DEADLINE = 3

UNIT, ROLLBACK = "no-change update (the unit)", "rollback, weights only"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the benchmark.

    `seconds` are all runs; `units` is their median over the unit's; `aim` is the most that is aimed at (None:
    only measured), in the same terms as `units`. `away` are runs with AWS farther away (`tools.bench.slow`).
    """

    name: str
    seconds: tuple[float, ...]
    units: float
    aim: float | None = None
    away: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        """In seconds."""
        return statistics.median(self.seconds)

    @property
    def met(self) -> bool | None:
        """Is the aim reached? None where there is none."""
        return None if self.aim is None else self.units <= self.aim


@dataclass(frozen=True, kw_only=True)
class Users:
    """What users got while something went on."""

    during: str
    sent: int
    failed: int
    late: int
    behind_ms: float
    reasons: dict[str, int]


def ran(result: Result, *, ok: bool = True) -> float:
    """Seconds of a run that ended as it had to; a benchmark of something that failed is worth nothing."""
    if result.ok is not ok:
        raise RuntimeError(f"a measured update ended with exit code {result.code}:\n{result.text}")
    return result.seconds


def no_change(stack: Stack, runs: int, say: Say) -> tuple[float, ...]:
    """The unit: `pulumi up` of an environment that has nothing to do."""
    say(f"no change, {runs} times")
    return tuple(ran(stack.up("--expect-no-changes")) for _ in range(runs))


def rollbacks(stack: Stack, runs: int, say: Say) -> tuple[float, ...]:
    """Back to the previous release, and back again: each moves weights only."""
    say(f"rollback by weights, {runs} times")
    times = []
    for _ in range(runs):
        outputs = stack.outputs
        back = stack.up(imageDigest=outputs["previousDigest"], rollbackFrom=outputs["imageDigest"])
        times.append(ran(back))
    return tuple(times)


def promotions(stack: Stack, digests: list[str], say: Say) -> tuple[float, ...]:
    """An image that is in the registry, to two tasks, through all gates."""
    say(f"promotion, {len(digests)} times")
    return tuple(ran(stack.up(imageDigest=digest)) for digest in digests)


def refusals(stack: Stack, digest: str, runs: int, say: Say, what: str) -> tuple[float, ...]:
    """A bad image: seconds until the update has failed. The standby is restored in between."""
    say(f"refusal of an image {what}, {runs} times")
    times = []
    for _ in range(runs):
        times.append(ran(stack.up(imageDigest=digest), ok=False))
        ran(stack.up())
    return tuple(times)


def under_load(stack: Stack, good: str, bad: str, say: Say) -> list[Users]:
    """Users at a high rate through promotion, refusal and rollback.

    The engine runs with less priority: on AWS it does not share processors with the tasks.
    """
    stack = replace(stack, lane=replace(stack.lane, niceness=10))
    say(f"users at {RATE:.0f} requests a second through promotion, refusal and rollback")
    with Probe(f"{stack.url}/health", RATE) as probe:
        probe.mark("promotion")
        ran(stack.up(imageDigest=good))
        probe.mark("refusal")
        ran(stack.up(imageDigest=bad), ok=False)
        probe.mark("heal")
        ran(stack.up())
        probe.mark("rollback")
        outputs = stack.outputs
        ran(stack.up(imageDigest=outputs["previousDigest"], rollbackFrom=outputs["imageDigest"]))
        time.sleep(0.5)
        report = probe.stop()
    return [
        Users(
            during=each.name,
            sent=each.sent,
            failed=each.failed,
            late=each.late,
            behind_ms=report.behind_ms,
            reasons=dict(each.reasons),
        )
        for each in report.steps
        if each.sent
    ]


def environment(lane: Lane, name: str, **settings: Any) -> Stack:
    """An environment for measuring, like staging, with a short smoke deadline."""
    return lane.environment(name, smoke={"deadlineSeconds": SMOKE_DEADLINE}, **settings)
