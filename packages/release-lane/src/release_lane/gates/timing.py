"""How long the switch waits, and how often it looks. A test hands in shorter ones."""

from __future__ import annotations

from dataclasses import dataclass

from release_lane.watch.judge import LIMITS


@dataclass(frozen=True, kw_only=True)
class Timing:
    """All in seconds."""

    credentials_margin: float = 300.0
    """What credentials must outlive the longest switch by."""

    settles_within: float = 10.0
    """For so long AWS may still answer with weights from before a write; only then are wrong ones a breach."""

    looks_again_for: float = 3.0
    """For so long a stale read may show too few healthy tasks before it is a breach."""

    between_looks: float = 0.3
    """Between two such looks."""

    grows_for: float = LIMITS.grows_for
    """For so long a live colour that AWS scales out may have fewer tasks than it is to have."""

    at_least: float = 1.0
    at_most: float = 5.0
    """Between two looks at such a colour (each is a dozen calls)."""


TIMING = Timing()
