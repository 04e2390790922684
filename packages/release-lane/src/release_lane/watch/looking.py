"""The loop that watches a release: read, judge, wait, until something is decided. Shared by switch and `release watch`.

Reading, waiting and reporting are the caller's; here is what is remembered from one reading to the next. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from release_lane.record.alarms import Alarm, no_sign
from release_lane.record.placement import Colour
from release_lane.watch.judge import NOTHING, Bake, Datapoint, Health, Signals, Tally, Waiting, complete, of_users
from release_lane.watch.remembered import Lately, RollCall, Shortages

Probes = Mapping[int, tuple[int, int]]
"""Epoch second to (probes sent, answered with 5xx): CloudWatch counts them among the users' requests."""

Raw = TypeVar("Raw", bound="Reading")
Decided = TypeVar("Decided")


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What CloudWatch counted; `unanswered` and `before` as in `Signals`."""

    colours: Mapping[Colour, tuple[Datapoint, ...]] = field(default_factory=dict)
    unanswered: Mapping[float, float] = field(default_factory=dict)
    before: Datapoint = NOTHING


@dataclass(frozen=True, kw_only=True)
class Reading:
    """All signals at one moment, as AWS and the probes report them. `traffic` is None where it was not read.

    `tallies` of the probes since the step began, `own` all probes that each colour answered.
    """

    health: Mapping[Colour, Health]
    alarms: tuple[Alarm, ...] = ()
    tallies: tuple[Tally, ...] = ()
    own: Mapping[Colour, Probes] = field(default_factory=dict)
    traffic: Traffic | None = None


@dataclass(kw_only=True)
class Looking:
    """One watch. Metrics are read every `metrics_every` seconds, or every period if that is shorter: they are slow.

    `began` (epoch seconds): traffic counts from there. `note` gets what happened to the alarms themselves.
    """

    bake: Bake
    roll: RollCall
    clock: Callable[[], float]
    note: Callable[[str], None]
    began: float
    metrics_every: float
    _shortages: Shortages = field(default_factory=Shortages)
    _lately: Lately = field(default_factory=Lately)
    _traffic: Traffic = field(default_factory=Traffic)
    _read_at: float = float("-inf")
    _failed_earlier: int = 0
    _failed: int = 0

    def until_decided(
        self,
        step_began: float,
        read: Callable[[float, bool], Raw],
        decide: Callable[[Raw, Signals], Decided | Waiting],
        go_on: Callable[[Waiting, Signals], None],
    ) -> tuple[Decided, Signals]:
        """Look until `decide` no longer waits; what it decided, and by which signals. Errors of the callers end it.

        `read` gets the time (epoch seconds), and whether traffic is due. `go_on` reports progress, and lets time pass.
        """
        while True:
            now = self.clock()
            if due := self._due(now, step_began):
                self._read_at = now
            reading = read(now, due)
            signals = self._signals(reading, now, step_began)
            found = decide(reading, signals)
            if not isinstance(found, Waiting):
                return found, signals
            go_on(found, signals)

    def _due(self, now: float, step_began: float) -> bool:
        """Is traffic to be read now? Once more when a step has waited for it as long as it may, so that a datapoint
        that came since the last reading is seen."""
        last = self.bake.ends_at_last(step_began)
        return now - self._read_at >= min(self.metrics_every, self.bake.period) or self._read_at < last <= now

    def afresh(self) -> None:
        """Another step begins, and with it another count of probes."""
        self._lately = Lately()
        self._failed_earlier, self._failed = self._failed_earlier + self._failed, 0

    def _signals(self, reading: Reading, now: float, step_began: float) -> Signals:
        if reading.traffic is not None:
            colours = {c: complete(points, now, self.bake.period) for c, points in reading.traffic.colours.items()}
            self._traffic = replace(reading.traffic, colours=colours)
        self._failed = sum(tally.failed for tally in reading.tallies)
        if silent := self.roll.newly_without_data(reading.alarms):
            self.note(no_sign(silent))
        return Signals(
            now=now,
            step_began=step_began,
            health={colour: self._shortages.seen(colour, seen, now) for colour, seen in reading.health.items()},
            alarms=reading.alarms,
            unseen=self.roll.unseen(reading.alarms),
            probes=tuple(self._lately.seen(tally, now) for tally in reading.tallies),
            traffic={
                colour: self._of_users(colour, points, reading) for colour, points in self._traffic.colours.items()
            },
            unanswered=self._traffic.unanswered,
            before=self._traffic.before,
            probes_failed=self._failed_earlier + self._failed,
        )

    def _of_users(self, colour: Colour, points: Iterable[Datapoint], reading: Reading) -> tuple[Datapoint, ...]:
        """What CloudWatch counts in whole periods of this watch, without our own probes.

        Whole when it was read: own probes are known up to now, and a reading is as old as `metrics_every`.
        """
        since = (point for point in points if point.at >= self.began)
        final = self._read_at - self.bake.lateness
        return of_users(since, reading.own.get(colour, {}), self.bake.period, final)
