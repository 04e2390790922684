"""How traffic is moved: in which steps, watched for how long, and where it is rolled back to. Pure.

Going back is always one step without a bake, because a rollback has to be quick. So is the first release, because
there are no users to protect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from release_lane.decide.decision import Deploy, Finish, TrafficOnly, goes_back
from release_lane.record.course import Course as Course
from release_lane.record.journal import Phase
from release_lane.record.placement import Colour, Weights
from release_lane.record.records import Observed, Recorded

Moving = Deploy | TrafficOnly | Finish


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How a stack wants its traffic moved: percents of the receiving colour, up to 100; seconds of bake after each.

    `hold`: at this percent a release that goes forward is kept next to the live one.
    """

    steps: tuple[int, ...] = (100,)
    bake: float = 0.0
    hold: int | None = None


def course(decision: Moving, standing: Recorded | None, observed: Observed, shift: Shift) -> Course:
    """The steps from the weights found. `standing` is the record that the decision starts from."""
    home = _home(decision, standing, observed)
    back = goes_back(decision, standing)
    weights = observed.weights or {}
    match decision:
        case Finish(target=target, release=release):
            journal = observed.journal
            if journal is None or (journal.to.colour, journal.to.release_id) != (target, release.id):
                return Course(steps=(), goes_back=True)  # adopted, or restored with nothing to move
            if back:  # users stay where it brought them: what it left is no home
                return Course(steps=(), home=home if home is target else None, goes_back=True)
            unwatched = standing is not None and journal.phase is Phase.MOVING
            return Course(steps=(), bake=shift.bake if unwatched else 0.0, home=home)
        case Deploy(target=target) | TrafficOnly(target=target):
            if back or standing is None or not weights.get(target.other):
                return Course(home=home, goes_back=back)
            # In the middle of a switch an answer can be judged only where both releases are known.
            live = observed.sides[target.other]
            known, reached = live.release_id == standing.live.id, weights.get(target, 0)
            # No user is kept on a colour that cannot serve.
            if known and live.healthy and shift.hold and standing.hold is None:
                return _held(shift, max(shift.hold, reached), reached, observed, home)
            steps = _left(shift.steps, reached) if known else (100,)
            return Course(steps=steps, bake=shift.bake, home=home)


def _held(shift: Shift, hold: int, reached: int, observed: Observed, home: Colour | None) -> Course:
    """Up to the hold, and no further. An interrupted switch that came as far is watched again, unless it was to the
    end."""
    steps = () if reached == hold else (*(step for step in _left(shift.steps, reached) if step < hold), hold)
    watched = not steps and observed.journal is not None and observed.journal.phase is Phase.HELD
    return Course(steps=steps, bake=0.0 if watched else shift.bake, home=home, hold=hold)


def _home(decision: Moving, standing: Recorded | None, observed: Observed) -> Colour | None:
    """The recorded colour, if it runs the recorded release (or will, after this update)."""
    if standing is None:
        return None
    there = (
        decision.release if decision.target is standing.live_colour else observed.sides[standing.live_colour].release
    )
    return standing.live_colour if there and there.id == standing.live.id else None


def _left(steps: tuple[int, ...], reached: int) -> tuple[int, ...]:
    """The steps above what was reached."""
    return tuple(step for step in steps if step > reached)


# ---- Rolling traffic back


@dataclass(frozen=True)
class Home:
    """To the recorded release: all traffic to this colour."""

    colour: Colour


@dataclass(frozen=True)
class AsFound:
    """To the weights, and the journal, from before this switch.

    `on`: all traffic to this colour instead, because it was divided and the other colour has no healthy target now.
    """

    on: Colour | None = None


@dataclass(frozen=True)
class Stay:
    """Traffic cannot be rolled back: the colour it came from has no healthy target. All to the receiving colour."""

    colour: Colour


@dataclass(frozen=True)
class Nowhere:
    """There was no traffic before: no rule, and 503."""


Back = Home | AsFound | Stay | Nowhere


def way_back(receiving: Colour, found: Weights | None, home: Colour | None, healthy: Mapping[Colour, int]) -> Back:
    """Where traffic goes after a breach.

    `home`: the colour of the recorded release, None if it no longer runs it; `healthy`: healthy targets of each colour.
    """
    if found is None:
        return Nowhere()
    other = receiving.other
    if home is receiving:
        # An undo: users are on the recorded release now, and stay there unless only the other colour can serve them.
        lost = not healthy[home] and healthy[other] and found.get(other)
        return _as_found(receiving, found, healthy) if lost else Home(home)
    if healthy[receiving] and not healthy[other] and (home or found.get(other)):
        return Stay(receiving)
    return Home(home) if home else _as_found(receiving, found, healthy)


def _as_found(receiving: Colour, found: Weights, healthy: Mapping[Colour, int]) -> AsFound:
    """No traffic to a receiving colour without healthy targets, if the other one has traffic and healthy targets."""
    other = receiving.other
    dead = found.get(receiving) and not healthy[receiving]
    return AsFound(on=other if dead and found.get(other) and healthy[other] else None)
