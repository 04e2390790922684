"""The record after a switch. Pure."""

from __future__ import annotations

from dataclasses import replace

from release_lane.record.course import Course
from release_lane.record.evidence import Drill
from release_lane.record.hold import Hold
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Recorded

HISTORY = 20
"""How many past releases a stack remembers. Releasing a digest older than that is a promotion, not a rollback."""


def advance(recorded: Recorded | None, colour: Colour, release: Release, drill: Drill | None = None) -> Recorded:
    """The record after users were moved to `release` on `colour`; unchanged if that is where they were.

    A drill leaves the history as it was: what was live before is worth more than how often its way back was tried.
    """
    if recorded is None:
        return Recorded(live_colour=colour, live=release, history=(release,))
    if recorded.hold:
        return _ended(recorded, recorded.hold, colour, release, drill)
    if recorded.live.id == release.id and recorded.live_colour is colour:
        return recorded
    same = recorded.live.id == release.id
    before = recorded.history[:-1]
    if drill is Drill.FORWARD and before and before[-1].id == release.id:
        return replace(recorded, live_colour=colour, live=release, previous=recorded.live, history=before)
    return replace(
        recorded,
        live_colour=colour,
        live=release,
        previous=recorded.previous if same else recorded.live,
        history=recorded.history if same else (*recorded.history, release)[-HISTORY:],
    )


def _ended(recorded: Recorded, hold: Hold, colour: Colour, release: Release, drill: Drill | None) -> Recorded:
    """The held release was live as well, so users who are on another one now came back from it."""
    before = replace(recorded, hold=None)
    if (colour, release.id) != (hold.colour, hold.release.id):
        before = advance(before, hold.colour, hold.release)
    return advance(before, colour, release, drill)


def after(
    recorded: Recorded | None, colour: Colour, release: Release, course: Course, drill: Drill | None, *, at: str
) -> Recorded:
    """The record after a switch that took this course and ended `at` (ISO 8601). While a hold stands, what was live
    stays so, next to the new release."""
    if recorded and course.hold:
        return replace(recorded, hold=Hold(percent=course.hold, colour=colour, release=release, since=at))
    return advance(recorded, colour, release, drill)
