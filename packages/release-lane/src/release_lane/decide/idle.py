"""What the idle colour should run: the previous release, on enough tasks for all users or as the stack wants. Pure.

One that cannot live with the database's schema is not started there: traffic cannot go back to it, and its tasks would
work on the database that users stand on.
"""

from __future__ import annotations

from release_lane.decide.choice import Heal
from release_lane.decide.difference import image_named, settings_apart
from release_lane.record.digest import short
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Observed, Recorded, Side
from release_lane.record.revisions import Schema


def need_of_idle(
    standing: Recorded, observed: Observed, tasks: int | None, schema: Schema | None = None
) -> Heal | None:
    """What restores the idle colour; None if it is as it should be.

    `tasks` is how many the stack keeps there (None: as many as the live colour, so that a rollback moves only traffic).
    While the live colour is not fully healthy, no task is stopped. While a hold stands, no colour is idle.
    """
    if standing.hold:
        return None
    idle = standing.live_colour.other
    side, live, previous = observed.sides[idle], observed.sides[standing.live_colour], standing.previous
    reduces = tasks is not None and not side.scaling
    if reduces and not live.holds(standing.live) and side.wanted >= (tasks or 0):
        return None
    if previous is None or (reduces and tasks == 0):
        return None if side.empty else Heal(target=idle, release=None, tasks=0, reason=_emptied(idle, previous))
    if missed := unfit(standing, schema):
        kept = side.empty or side.runs(previous)
        reason = f"{idle} should run nothing: {missed}"
        return None if kept else Heal(target=idle, release=None, tasks=0, reason=reason)
    wanted = tasks if reduces and tasks else max(previous.service.desired_count, live.running)
    if side.runs(previous) and _sized(side, wanted, exact=reduces):
        return None
    reason = _reason(idle, side, previous, wanted)
    if reduces and side.runs(previous) and side.wanted > wanted:
        return Heal(target=idle, release=previous, tasks=wanted, reason=reason, scales_in=True)
    return Heal(target=idle, release=previous, tasks=wanted, reason=reason, retry_of=side.tried(previous))


def unfit(standing: Recorded, schema: Schema | None) -> str:
    """Why the previous release is not to be started again, "" if it may be."""
    previous = standing.previous
    missed = schema.missed_by(previous.revisions) if schema and previous else ()
    if previous is None or not missed:
        return ""
    return f"the previous release {short(previous.digest)} cannot live with the database's schema {' or '.join(missed)}"


def _sized(side: Side, wanted: int, *, exact: bool) -> bool:
    """Has it enough tasks? Where Application Auto Scaling scales the service, it decides how many."""
    if side.scaling:
        return side.wanted >= side.scaling.least
    return side.wanted == wanted if exact else side.wanted >= wanted


def _emptied(idle: Colour, previous: Release | None) -> str:
    return f"{idle} should run nothing" + (" after the watch (idle.afterWatch)" if previous else "")


def _reason(idle: Colour, side: Side, previous: Release, wanted: int) -> str:
    if side.runs(previous):
        return f"{idle} runs {short(side.digest)} on {side.wanted} tasks; it should run on {wanted}"
    previously = f"the previous release {short(previous.digest)}"
    if not side.digest:
        return f"{idle} is not fully healthy; it should run {previously}"
    if side.digest != previous.digest:
        return f"{idle} runs {image_named(side.digest)}; it should run {previously}"
    if side.release is None:
        return f"{idle} runs the image of {previously}, but from a task definition that this program did not write"
    if settings := settings_apart(side.release.service, previous.service):
        return f"{idle} runs the image of {previously}, but with other settings: {settings}"
    return f"{idle} runs {previously}, but only {side.healthy} of {side.wanted} wanted tasks are healthy"
