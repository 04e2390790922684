"""Watching a release while its first users are on it, until the bake of a step is over or something speaks against it.

What speaks against it is said by `release.watch`; here is what it is fed with. A person may abort the switch by a tag
on the production rule (`release.journal.Abort`), which is read in the same look.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from provider_kit import Context, Progress

from release_lane.aws import signals
from release_lane.aws.cloud import Balancer, Cloud, Rule
from release_lane.errors import CheckFailed, Interrupted
from release_lane.gates.probing import Place, Prober, Probing
from release_lane.gates.smoke import until_passed
from release_lane.record.alarms import Alarm, Watched, no_sign
from release_lane.record.journal import Abort
from release_lane.record.placement import Colour, Weights
from release_lane.smoke.checks import Expected, Report
from release_lane.watch.judge import Bake, Breach, Calm, Datapoint, Signals, Waiting, judge, of_users, progress
from release_lane.watch.remembered import Lately, RollCall, Shortages

LOOK = 2.0
"""Seconds between two looks at targets, rule and alarms."""

METRICS_EVERY = 10.0
"""Seconds between two looks at CloudWatch's metrics, or a period if that is shorter: they change by the minute."""

ODD_LOOKS = 3
"""So many looks in a row have to find other weights than were set: one answer of AWS may be old."""

Traffic = Mapping[Colour, tuple[Datapoint, ...]]

_DIGITS = re.compile(r"\d+")


class Clock(Protocol):
    """Time, so that a test need not wait for it."""

    def now(self) -> float:
        """Epoch seconds."""

    def wait(self, ctx: Context, seconds: float) -> None:
        """Let them pass; `Cancelled` as soon as the update is interrupted."""


class RealClock:
    """The machine's."""

    def now(self) -> float:
        """Epoch seconds: datapoints carry them, too."""
        return time.time()

    def wait(self, ctx: Context, seconds: float) -> None:
        """Until the update is interrupted at most."""
        ctx.wait(seconds, "watching the switch")


@dataclass(frozen=True, kw_only=True)
class Senses:
    """Everything that is not the environment itself: time, checks, probes, and what CloudWatch says."""

    clock: Clock
    alarms: Callable[[], tuple[Alarm, ...]]
    traffic: Callable[[float, float], Traffic]
    """Of both colours, from one epoch second to another."""
    probes: Callable[[Sequence[Place]], Prober]
    checks: Callable[[Context, str, Expected, float], Report]

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
    """Looks at one switch again and again, and remembers what a single look does not tell."""

    ctx: Context
    cloud: Cloud
    balancer: Balancer
    release_id: str
    bake: Bake
    senses: Senses
    roll: RollCall
    note: Callable[[str], None]
    """What belongs into the timeline."""
    prober: Prober | None = None
    _shortages: Shortages = field(default_factory=Shortages)
    _lately: Lately = field(default_factory=Lately)
    _odd: int = 0
    _traffic: Traffic = field(default_factory=dict)
    _read_at: float = float("-inf")

    def until_calm(self, stage: Stage) -> None:
        """Until the bake of this step is over. `CheckFailed` at a breach, `Interrupted` at an abort, `Cancelled`."""
        if self.prober:
            self.prober.fresh()
            self._lately = Lately()
        told = Progress(self.ctx, self.senses.clock.now)
        while True:
            seen = self._look(stage)
            match judge(seen, self.bake):
                case Calm():
                    return
                case Breach(reason):
                    raise CheckFailed(reason)
                case Waiting(why):
                    share = stage.weights[self.bake.receiving]
                    told.say(
                        f"step {stage.number} of {stage.of}: {self.bake.receiving} {share} %, {why}; "
                        f"{progress(seen, self.bake)}",
                        meaning=_DIGITS.sub("", why),
                    )
            self.senses.clock.wait(self.ctx, LOOK)

    def heed(self, rule: Rule | None) -> None:
        """`Interrupted` if somebody asks to abort this very switch."""
        wish = Abort.from_tags(rule.tags) if rule else None
        if wish and wish.release_id == self.release_id:
            raise Interrupted(wish.words())

    def _look(self, stage: Stage) -> Signals:
        rule = self.cloud.rule(self.balancer.listener, self.balancer.target_groups)
        self.heed(rule)
        self._as_set(rule, stage)
        health = self.cloud.health(self.balancer.target_groups)
        now = self.senses.clock.now()
        alarms = self.senses.alarms()
        if silent := self.roll.newly_without_data(alarms):
            self.note(no_sign(silent))
        return Signals(
            now=now,
            step_began=stage.began,
            health={colour: self._shortages.seen(colour, seen, now) for colour, seen in health.items()},
            alarms=alarms,
            unseen=self.roll.unseen(alarms),
            probes=tuple(self._lately.seen(tally, now) for tally in self.prober.tallies()) if self.prober else (),
            traffic=self._users(now),
        )

    def _as_set(self, rule: Rule | None, stage: Stage) -> None:
        """Nobody else moves users meanwhile."""
        self._odd = 0 if rule and rule.weights == stage.weights else self._odd + 1
        if self._odd >= ODD_LOOKS:
            raise CheckFailed("somebody else moved the users' weights, or deleted the rule, while this switch watched")

    def _users(self, now: float) -> Traffic:
        """What CloudWatch counts in whole periods of this switch, without our own probes; only if there is a bake.

        In the period in which it began, the smoke gate's requests are counted, too.
        """
        if not self.bake.seconds:
            return {}
        if now - self._read_at >= min(METRICS_EVERY, self.bake.period):
            self._traffic, self._read_at = self.senses.traffic(self.bake.began, now), now
        own = {colour: self.prober.own(colour) if self.prober else {} for colour in Colour}
        return {
            colour: of_users((point for point in points if point.at >= self.bake.began), own[colour], self.bake.period)
            for colour, points in self._traffic.items()
        }
