"""How users are moved: in which steps, watched for how long, and where they are put back to. Pure.

Going back is always one step without a bake, and so is the first release: a rollback has to be quick, and where
nobody is served there is nobody to spare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.decide.decision import Deploy, Finish, TrafficOnly, goes_back
from release_lane.record.journal import Phase
from release_lane.record.placement import Colour, Weights
from release_lane.record.records import Observed, Recorded

Moving = Deploy | TrafficOnly | Finish


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How a stack wants its users moved: percents of the receiving colour, rising to 100; seconds after each."""

    steps: tuple[int, ...] = (100,)
    bake: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Course:
    """What one switch does: the weights of the receiving colour still to be set, and the seconds after each.

    No step is left where users already are on the receiving colour; a `bake` is then of the last one, which was
    begun by an update that did not end. `home` is the colour that holds the recorded release, to which users are put
    back (None: to where they were found). `goes_back`: to a release that was live before; alarms do not stop that.
    """

    steps: tuple[int, ...] = (100,)
    bake: float = 0.0
    home: Colour | None = None
    goes_back: bool = False

    @property
    def least(self) -> float:
        """Seconds that the bakes take at least."""
        return self.bake * max(1, len(self.steps))

    def words(self) -> str:
        """What the switch will do, in one line."""
        bake = f", {self.bake:.0f} s of watching" if self.bake else ""
        if not self.steps:
            return f"users are there already{bake}"
        if len(self.steps) == 1:
            return f"all at once{bake}"
        shares = ", ".join(f"{step} %" for step in self.steps)
        after = f", {self.bake:.0f} s of watching after each ({self.least:.0f} s at least)" if self.bake else ""
        return f"in {len(self.steps)} steps: {shares}{after}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value, as the switch gets it; the inverse is `from_dict`."""
        return {
            "steps": list(self.steps),
            "bakeSeconds": self.bake,
            "atLeastSeconds": self.least,
            "home": str(self.home) if self.home else "",
            "goesBack": self.goes_back,
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Course:
        """Read what `as_dict` wrote."""
        return Course(
            steps=tuple(int(step) for step in value["steps"]),
            bake=float(value["bakeSeconds"]),
            home=Colour(value["home"]) if value.get("home") else None,
            goes_back=bool(value.get("goesBack")),
        )


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
            unwatched = standing is not None and not back and journal.phase is Phase.MOVING
            return Course(steps=(), bake=shift.bake if unwatched else 0.0, home=home, goes_back=back)
        case Deploy(target=target) | TrafficOnly(target=target):
            if back or standing is None or not weights.get(target.other):
                return Course(home=home, goes_back=back)
            # Only between two releases that are known can one tell in the middle whose answer is right.
            known = observed.sides[target.other].release_id == standing.live.id
            steps = _left(shift.steps, weights.get(target, 0)) if known else (100,)
            return Course(steps=steps, bake=shift.bake, home=home)


def _home(decision: Moving, standing: Recorded | None, observed: Observed) -> Colour | None:
    """The recorded colour, if it holds the recorded release (or is about to)."""
    if standing is None:
        return None
    there = (
        decision.release if decision.target is standing.live_colour else observed.sides[standing.live_colour].release
    )
    return standing.live_colour if there and there.id == standing.live.id else None


def _left(steps: tuple[int, ...], reached: int) -> tuple[int, ...]:
    """The steps above what was reached."""
    return tuple(step for step in steps if step > reached)


# ---- Putting users back


@dataclass(frozen=True)
class Home:
    """To the recorded release: everybody on this colour."""

    colour: Colour


@dataclass(frozen=True)
class AsFound:
    """To the weights, and the journal, from before this switch.

    `on`: everybody on this colour instead, because they were divided and the other one has no healthy target now.
    """

    on: Colour | None = None


@dataclass(frozen=True)
class Stay:
    """Nobody can be put back: what they came from has no healthy target. Everybody on the receiving colour."""

    colour: Colour


@dataclass(frozen=True)
class Nowhere:
    """Nobody was served before: no rule, and 503."""


Back = Home | AsFound | Stay | Nowhere


def way_back(receiving: Colour, found: Weights | None, home: Colour | None, healthy: Mapping[Colour, int]) -> Back:
    """Where users go after a breach.

    `home`: the colour of the recorded release, None if it does not hold that any more; `healthy`: targets of each.
    """
    if found is None:
        return Nowhere()
    other = receiving.other
    if home is receiving:
        # An undo: users are on the recorded release now, and stay, unless only the other colour could serve them.
        lost = not healthy[home] and healthy[other] and found.get(other)
        return _as_found(receiving, found, healthy) if lost else Home(home)
    if healthy[receiving] and not healthy[other] and (home or found.get(other)):
        return Stay(receiving)
    return Home(home) if home else _as_found(receiving, found, healthy)


def _as_found(receiving: Colour, found: Weights, healthy: Mapping[Colour, int]) -> AsFound:
    """Nobody is sent to a receiving colour that died, if the other one has some of the users and lives."""
    other = receiving.other
    dead = found.get(receiving) and not healthy[receiving]
    return AsFound(on=other if dead and found.get(other) and healthy[other] else None)
