"""Times as texts and as epoch seconds. Pure: the calendar alone, no clock is read."""

from __future__ import annotations

from datetime import UTC, datetime


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


def day(second: float) -> str:
    """An epoch second's day: `2026-01-31`, in UTC."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d")
