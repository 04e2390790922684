"""Times as texts, as epoch seconds, and as minutes of a time zone's calendar. Pure: no clock is read.

A minute of the calendar is counted from 0001-01-01 00:00, a Monday, as a clock on the wall shows it: without any
change of the clocks. So `minute % WEEK` is the minute of the week.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

DAY, WEEK = 1_440, 10_080
"""In minutes."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def epoch(text: str) -> float | None:
    """A time in ISO 8601 as epoch seconds, UTC unless it says otherwise; None for any other text."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def iso(second: float) -> str:
    """An epoch second as ISO 8601, UTC: `2026-01-31T23:59:59+00:00`."""
    return datetime.fromtimestamp(second, UTC).isoformat(timespec="seconds")


def in_words(second: float) -> str:
    """An epoch second for people: `2026-01-31 23:59:59 UTC`."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def to_the_minute(text: str) -> str:
    """A time in ISO 8601 for people, to the minute: `2026-01-31 23:59 UTC`; any other text as it is."""
    second = epoch(text)
    return text if second is None else datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M UTC")


def day(second: float) -> str:
    """An epoch second's day: `2026-01-31`, in UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d")


# ---- The calendar of a time zone


def _table(zone: str) -> tzinfo:
    """UTC needs none: a small container may have no tables."""
    return UTC if zone == "UTC" else ZoneInfo(zone)


def zone_known(zone: str) -> bool:
    """Has this machine the time zone's table? By the names of the IANA database, such as Europe/Berlin."""
    try:
        _table(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def minute_of(text: str) -> int | None:
    """`2026-12-24` or `2026-12-24 16:00` as a minute of the calendar; None for any other text."""
    try:
        return (datetime.fromisoformat(text) - datetime.min) // timedelta(minutes=1)
    except (ValueError, TypeError):
        return None


def minute_in(zone: str, second: float) -> int:
    """What the clock on the wall shows at an epoch second."""
    local = datetime.fromtimestamp(second, _table(zone)).replace(tzinfo=None)
    return (local - datetime.min) // timedelta(minutes=1)


def instants(zone: str, minute: int) -> tuple[float, float]:
    """The first and the last epoch second that a minute of the calendar may mean.

    They differ where the clocks are changed: the minute comes twice, or it is left out, and then it may mean the minute
    by the offset of before or of after.
    """
    local = datetime.min + timedelta(minutes=minute)
    both = [local.replace(tzinfo=_table(zone), fold=fold).timestamp() for fold in (0, 1)]
    return min(both), max(both)


def in_zone(zone: str, second: float) -> str:
    """An epoch second for people who live by the zone's clock: `Mon 2026-01-31 23:59 Europe/Berlin`."""
    local = datetime.fromtimestamp(second, _table(zone))
    return f"{DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M} {zone}"
