"""`freeze`: windows in which releases wait, by the clock of a time zone."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from release_lane.decide.freeze import Freeze, Window
from release_lane.record.times import DAY, DAYS, WEEK, minute_of, zone_known
from release_lane.settings import ledger
from release_lane.settings.section import Section, sound

_WEEKLY = re.compile(r"(?P<day>[A-Z][a-z]{2})(?: (?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d))?")
_DATED = re.compile(r"(?P<day>2\d{3}-\d{2}-\d{2})(?P<time> (?:[01]\d|2[0-3]):[0-5]\d)?")
_AS_A_TIME = " 00:00:00 +0000 UTC"
"""What the engine adds to a date that is not in quotes (settings/reading.py)."""

SHOULD = "should be a day of the week (Fri, Fri 16:00) or a date (2026-12-24, 2026-12-24 16:00)"


def _text(value: Any) -> Any:
    """A date that is not in quotes comes with a time of day."""
    return value.removesuffix(_AS_A_TIME) if isinstance(value, str) else value


def _point(text: str) -> str:
    return "" if _minute(text, end=False) is not None else f"{SHOULD}, not {text!r}"


def _minute(text: str, *, end: bool) -> int | None:
    """A minute of the week or of the calendar. A day without a time counts whole, so as an end it is the next day."""
    if weekly := _WEEKLY.fullmatch(text):
        if weekly["day"] not in DAYS:
            return None
        whole = weekly["hour"] is None
        return DAYS.index(weekly["day"]) * DAY + (
            (DAY if end else 0) if whole else int(weekly["hour"]) * 60 + int(weekly["minute"])
        )
    dated = _DATED.fullmatch(text)
    minute = minute_of(text) if dated else None
    return minute + DAY if dated and minute is not None and end and not dated["time"] else minute


Point = Annotated[str, BeforeValidator(_text), sound(_point)]


def _zone(name: str) -> str:
    if zone_known(name):
        return ""
    return f"this machine knows no time zone {name!r}; names are those of the IANA database (Europe/Berlin, UTC)"


class WindowSettings(Section):
    """One window: every week, or once. A day without a time counts whole."""

    begins: Point = Field(alias="from")
    ends: Point = Field(alias="to")
    reason: Annotated[str, sound(ledger.reason)] = ""

    @property
    def weekly(self) -> bool:
        """Is it there every week?"""
        return bool(_WEEKLY.fullmatch(self.begins))

    def window(self) -> Window:
        """As the decision takes it."""
        begins, ends = _minute(self.begins, end=False), _minute(self.ends, end=True)
        assert begins is not None
        assert ends is not None
        words = f"{self.begins} to {self.ends}"
        return Window(begins=begins, ends=ends, weekly=self.weekly, words=words, reason=self.reason)


class FreezeSettings(Section):
    """`freeze`: in these windows nothing goes forward; going back is always possible."""

    time_zone: Annotated[str, sound(_zone)] = "UTC"
    windows: tuple[WindowSettings, ...] = Field(default=(), max_length=100, strict=False)

    def freeze(self) -> Freeze:
        """As the decision takes it."""
        return Freeze(zone=self.time_zone, windows=tuple(each.window() for each in self.windows))


def freeze_problems(freeze: FreezeSettings) -> list[str]:
    """What is wrong with both ends of a window, and with all windows together."""
    found = ((f"freeze.windows.{number}", _ends(each)) for number, each in enumerate(freeze.windows))
    problems = [f"{at}: {problem}" for at, problem in found if problem]
    if not problems and _whole_week([each.window() for each in freeze.windows if each.weekly]):
        return ["freeze.windows: leave no minute of the week for a release"]
    return problems


def _ends(given: WindowSettings) -> str:
    """What is wrong with the two ends, "" if nothing is."""
    window = given.window()
    if given.weekly != bool(_WEEKLY.fullmatch(given.ends)):
        return "both ends should be days of the week, or both dates"
    if given.weekly and (window.ends - window.begins) % WEEK == 0:
        return f"{window.words} leaves no minute of the week for a release, or has none itself"
    return "" if given.weekly or window.begins < window.ends else f"{window.words} ends before it begins"


def _whole_week(windows: list[Window]) -> bool:
    """Is there no minute between them?"""
    taken = {minute % WEEK for window in windows for begins, ends in [window.once] for minute in range(begins, ends)}
    return len(taken) == WEEK
