"""What a watch remembers from look to look, because a single look does not show it. Pure: times come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from release_lane.record.alarms import Alarm, without_data
from release_lane.record.placement import Colour
from release_lane.watch.judge import LIMITS, Health, Tally


@dataclass
class Shortages:
    """Remembers since when a colour has had too few healthy targets, and how many it had before."""

    _since: dict[tuple[Colour, bool], float] = field(default_factory=dict)
    """By colour, and whether AWS scales it out."""
    _had: dict[Colour, int] = field(default_factory=dict)

    def seen(self, colour: Colour, health: Health, now: float) -> Health:
        """This look at a colour, with what earlier looks showed. `now` in epoch seconds."""
        if health.healthy >= health.wanted:
            self._forget(colour, True, False)
            self._had[colour] = health.wanted
            return health
        short = replace(health, had=self._had.get(colour, 0))
        if short.grows:
            self._forget(colour, False)  # the targets that it lost were replaced
        return replace(short, short_for=now - self._since.setdefault((colour, short.grows), now))

    def _forget(self, colour: Colour, *growing: bool) -> None:
        for each in growing:
            self._since.pop((colour, each), None)


@dataclass
class Lately:
    """Remembers sums of probes, so that one look knows how many of the last `seconds` failed."""

    seconds: float = LIMITS.probes_lately
    _sums: dict[str, deque[tuple[float, int, int]]] = field(default_factory=dict)
    """By URL, oldest first: time of the look (epoch seconds), sent, failed."""

    def seen(self, tally: Tally, now: float) -> Tally:
        """This look at a URL, with the sums of the last `seconds`."""
        sums = self._sums.setdefault(tally.place, deque([(float("-inf"), 0, 0)]))
        sums.append((now, tally.sent, tally.failed))
        while sums[1][0] <= now - self.seconds:
            sums.popleft()
        _, sent, failed = sums[0]
        return replace(tally, lately=(max(0, tally.sent - sent), max(0, tally.failed - failed)))


@dataclass
class RollCall:
    """Remembers which of the alarms called `names` were not found, and which had no data."""

    names: Collection[str] = ()
    _missed: dict[str, int] = field(default_factory=dict)
    _silent: tuple[str, ...] = ()

    def unseen(self, alarms: Collection[Alarm]) -> Mapping[str, int]:
        """Those that were not found, and in how many looks in a row: one answer of AWS may be stale."""
        there = {alarm.name for alarm in alarms}
        self._missed = {name: self._missed.get(name, 0) + 1 for name in self.names if name not in there}
        return dict(self._missed)

    def newly_without_data(self, alarms: Collection[Alarm]) -> tuple[str, ...]:
        """All that have no data, if one of them had some at the previous look."""
        before, self._silent = self._silent, without_data(alarms)
        return self._silent if set(self._silent) - set(before) else ()
