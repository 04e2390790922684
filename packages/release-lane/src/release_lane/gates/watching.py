"""Watches a release while its first users are on it, until the bake of a step is over or a signal fails.

release_lane.watch judges; here the signals are read. A person may abort the switch by a tag on the production rule
(`record.journal.Abort`), which is read in the same look.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Protocol

from provider_kit import Context, Progress

from release_lane.aws import signals
from release_lane.aws.cloud import Balancer, Cloud, Rule, submit
from release_lane.errors import CheckFailed, Interrupted
from release_lane.gates.smoke import until_passed
from release_lane.probe.sampling import Place, Prober, Probing
from release_lane.record.alarms import Alarm, Watched
from release_lane.record.endpoint import Endpoint
from release_lane.record.journal import Abort
from release_lane.record.placement import Colour, Weights
from release_lane.smoke.checks import Expected, Report
from release_lane.watch.judge import Bake, Breach, Calm, Signals, Waiting, judge, progress
from release_lane.watch.looking import Looking, Reading, Traffic
from release_lane.watch.remembered import RollCall

LOOK = 2.0
"""Seconds between two looks at targets, rule and alarms."""

METRICS_EVERY = 10.0
"""Seconds between two reads of CloudWatch's metrics, or a period if that is shorter: they change by the minute."""

ODD_LOOKS = 3
"""Looks in a row that have to find other weights than were set: one answer of AWS may be stale."""

_DIGITS = re.compile(r"\d+")


class Clock(Protocol):
    """Time, which a test replaces."""

    def now(self) -> float:
        """Epoch seconds."""

    def wait(self, ctx: Context, seconds: float) -> None:
        """Sleep; `Cancelled` as soon as the update is interrupted."""


class RealClock:
    """The machine's."""

    def now(self) -> float:
        """Epoch seconds, as in datapoints."""
        return time.time()

    def wait(self, ctx: Context, seconds: float) -> None:
        """Sleep, or end with the update."""
        ctx.wait(seconds, "watching the switch")


@dataclass(frozen=True, kw_only=True)
class Senses:
    """Everything but the environment itself: time, checks, probes, and CloudWatch."""

    clock: Clock
    alarms: Callable[[], tuple[Alarm, ...]]
    traffic: Callable[[float, float], Traffic]
    """Of both colours, from one epoch second to another."""
    probes: Callable[[Sequence[Place]], Prober]
    checks: Callable[[Context, Endpoint, Expected, float], Report]

    @staticmethod
    def of(cloud: Cloud, balancer: Balancer, watched: Watched, period: float) -> Senses:
        """The real ones."""
        return Senses(
            clock=RealClock(),
            alarms=lambda: signals.alarms(cloud, watched),
            traffic=lambda since, until: signals.traffic(cloud, balancer, since=since, until=until, period=period),
            probes=Probing,
            checks=until_passed,
        )


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One step under way: which of how many, the weights that were set, and since when (epoch seconds)."""

    number: int
    of: int
    weights: Weights
    began: float


@dataclass
class Watch:
    """Watches one switch, step by step."""

    ctx: Context
    cloud: Cloud
    balancer: Balancer
    release_id: str
    bake: Bake
    senses: Senses
    roll: RollCall
    note: Callable[[str], None]
    """Adds a line to the timeline."""
    prober: Prober | None = None
    _odd: int = 0

    @cached_property
    def _looking(self) -> Looking:
        """What is remembered over all steps."""
        return Looking(
            bake=self.bake,
            roll=self.roll,
            clock=self.senses.clock.now,
            note=self.note,
            began=self.bake.began,
            metrics_every=METRICS_EVERY,
        )

    def until_calm(self, stage: Stage) -> None:
        """Until the bake of this step is over. `CheckFailed` at a breach, `Interrupted` at an abort, `Cancelled`."""
        if self.prober:
            self.prober.fresh()
            self._looking.afresh()
        reporter = Progress(self.ctx, self.senses.clock.now)

        def go_on(waiting: Waiting, signals: Signals) -> None:
            share = stage.weights[self.bake.receiving]
            reporter.say(
                f"step {stage.number} of {stage.of}: {self.bake.receiving} {share} %, {waiting.why}; "
                f"{progress(signals, self.bake)}",
                meaning=_DIGITS.sub("", waiting.why),
            )
            self.senses.clock.wait(self.ctx, LOOK)

        found, _ = self._looking.until_decided(stage.began, partial(self._read, stage), self._judged, go_on)
        if isinstance(found, Breach):
            raise CheckFailed(found.reason)

    def _judged(self, reading: Reading, signals: Signals) -> Calm | Breach | Waiting:
        del reading
        return judge(signals, self.bake)

    def honour(self, rule: Rule | None) -> None:
        """`Interrupted` if there is a request to abort this switch."""
        request = Abort.from_tags(rule.tags) if rule else None
        if request and request.release_id == self.release_id:
            raise Interrupted(request.words())

    def _read(self, stage: Stage, now: float, traffic_due: bool) -> Reading:
        at = self.balancer.located
        health, alarms = submit(partial(self.cloud.health, at.target_groups)), submit(self.senses.alarms)
        rule = self.cloud.rule(at.listener, at.target_groups, at.rule)
        self.honour(rule)
        self._as_set(rule, stage)
        return Reading(
            health=health.result(),
            alarms=alarms.result(),
            tallies=self.prober.tallies() if self.prober else (),
            own={colour: self.prober.own(colour) for colour in Colour} if self.prober else {},
            traffic=self.senses.traffic(self.bake.began, now) if traffic_due and self.bake.seconds else None,
        )

    def _as_set(self, rule: Rule | None, stage: Stage) -> None:
        """No other writer changes the weights at the same time."""
        self._odd = 0 if rule and rule.weights == stage.weights else self._odd + 1
        if self._odd >= ODD_LOOKS:
            changed = CheckFailed(
                "somebody else changed the weights, or deleted the production rule, during this switch"
            )
            changed.foreign = True
            raise changed
