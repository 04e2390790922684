"""Freeze windows: when releases wait, and until when. Pure: the time is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from release_lane.record.times import WEEK, instants, minute_in


@dataclass(frozen=True, kw_only=True)
class Window:
    """From `begins` to before `ends`: minutes of the week where it is `weekly`, else of the calendar.

    `words` is what the stack file says, `reason` why (or "").
    """

    begins: int
    ends: int
    weekly: bool
    words: str
    reason: str = ""

    @property
    def once(self) -> tuple[int, int]:
        """Its ends; of a weekly one those of the week that begins with minute 0."""
        return self.begins, self.begins + (self.ends - self.begins) % WEEK if self.weekly else self.ends

    def around(self, minute: int) -> Iterator[tuple[int, int]]:
        """Where it may be open near this minute of the calendar, in such minutes."""
        begins, ends = self.once
        monday = minute - minute % WEEK
        for week in (monday - WEEK, monday, monday + WEEK) if self.weekly else (0,):
            yield week + begins, week + ends


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """All windows of an environment, by the clock of one time zone. The weekly ones leave a part of the week."""

    zone: str = "UTC"
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """The window that holds now, and the epoch second at which it ends, with all that follow on it without a gap."""

    window: Window
    zone: str
    until: float

    @property
    def words(self) -> str:
        """For people: `Fri 16:00 to Mon 08:00 Europe/Berlin (no one is here)`."""
        return f"{self.window.words} {self.zone}" + (f" ({self.window.reason})" if self.window.reason else "")


def frozen_at(freeze: Freeze, now: float) -> Frozen | None:
    """The window that holds at this epoch second, None where releases may go."""
    found = _holding(freeze, now)
    if found is None:
        return None
    window, until = found
    while following := _holding(freeze, until):
        until = following[1]
    return Frozen(window=window, zone=freeze.zone, until=until)


def _holding(freeze: Freeze, now: float) -> tuple[Window, float] | None:
    """Of the windows that hold now the one that ends last.

    Where the clocks are changed at one of its ends, a window is the longer one that this may mean.
    """
    minute = minute_in(freeze.zone, now)
    holding = []
    for window in freeze.windows:
        for begins, ends in window.around(minute):
            until = instants(freeze.zone, ends)[1]
            if instants(freeze.zone, begins)[0] <= now < until:
                holding.append((window, until))
    return max(holding, key=lambda each: each[1], default=None)
