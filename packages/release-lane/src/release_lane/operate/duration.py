"""Durations: `90`, `90s`, `5m`, `1h30m` on the command line, and the same in words."""

from __future__ import annotations

import re

from release_lane.errors import UsageError

_PARTS = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_duration(text: str) -> float:
    """Seconds. A bare number is seconds; units are h, m and s, the largest first. `UsageError` for anything else."""
    found = _PARTS.fullmatch(text.strip().lower())
    if not text.strip() or found is None:
        raise UsageError(f"{text!r} is not a duration.", next_step="write it like 90s, 5m or 1h30m.")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def spoken(seconds: float) -> str:
    """`42 s`, `5 min`, `1 h 30 min`: rounded, at most two units."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min" + (f" {rest} s" if rest else "")
