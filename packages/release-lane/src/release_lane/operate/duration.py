"""Durations: `90`, `90s`, `5m`, `1h30m` on the command line, and the same in words."""

from __future__ import annotations

import re

from release_lane.errors import UsageError
from release_lane.record.times import epoch

_PARTS = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_duration(text: str) -> float:
    """Seconds. A bare number is seconds; units are h, m and s, the largest first. `UsageError` for anything else."""
    found = _PARTS.fullmatch(text.strip().lower())
    if not text.strip() or found is None:
        raise UsageError(f"{text!r} is not a duration.", next_step="write it like 90s, 5m or 1h30m.")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def parse_since(text: str, now: float) -> float:
    """An epoch second: a day such as 2026-01-31 (UTC), or so long before `now`: 90d, 12w, and what a duration is."""
    if _DAY.fullmatch(text) and (day := epoch(text)) is not None:
        return day
    if found := _LONG.fullmatch(text.strip().lower()):
        return now - int(found[1]) * {"d": 86_400, "w": 604_800}[found[2]]
    try:
        return now - parse_duration(text)
    except UsageError as error:
        raise UsageError(f"{text!r} is no day and no duration.", next_step=SINCE) from error


SINCE = "write it like 2026-01-31, 90d or 12w."
_DAY, _LONG = re.compile(r"\d{4}-\d{2}-\d{2}"), re.compile(r"(\d{1,4})([dw])")


def spoken(seconds: float) -> str:
    """`42 s`, `5 min`, `1 h 30 min`: rounded, at most two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min" + (f" {rest} s" if rest else "")
