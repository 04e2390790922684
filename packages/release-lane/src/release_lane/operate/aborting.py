"""A wish to abort a switch, from the side of whoever has it: is there a switch, and what became of it? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from release_lane.engine.locks import Holder
from release_lane.errors import Refused
from release_lane.record.digest import short
from release_lane.record.journal import Abort, End, Journal, Phase
from release_lane.record.placement import Colour, Weights, whole


@dataclass(frozen=True, kw_only=True)
class UsersRule:
    """What the production rule says now: weights, the journal, and a wish to abort that is still there."""

    weights: Weights
    journal: Journal | None = None
    abort: Abort | None = None

    @property
    def moving(self) -> Journal | None:
        """The journal of a switch that began and did not end."""
        return self.journal if self.journal and self.journal.phase is Phase.MOVING else None


def under_way(stack: str, rule: UsersRule | None, holders: Sequence[Holder] | None) -> Journal:
    """The switch that can be aborted. `Refused` where there is none, saying what there is instead.

    `holders` are those of the lock that may be alive; None where the backend does not say.
    """
    running = holders is None or bool(holders)
    moving = rule.moving if rule else None
    if moving and running:
        return moving
    if moving:
        raise Refused(
            f"There is no switch to abort in {stack}: one to {_named(moving.to)} was interrupted, no update runs.",
            next_step=f"`release recover {stack} --undo` puts users back, `--finish` finishes it.",
        )
    if holders:
        raise Refused(
            f"There is no switch to abort in {stack}: {'; '.join(map(str, holders))} is at work, "
            "but nobody was moved yet.",
            next_step="stop that update by Ctrl-C where it runs; users stay where they are.",
        )
    where = _served(rule.weights) if rule else "nobody is served"
    raise Refused(
        f"There is no switch to abort in {stack}: {where}, and no update moves anybody.",
        next_step=f"to go back to the release before: `release rollback {stack}`.",
    )


# ---- What became of it


@dataclass(frozen=True)
class Waiting:
    """The switch has not answered yet."""


@dataclass(frozen=True)
class Back:
    """Users are back on this colour; None: nobody is served, as before the first release."""

    colour: Colour | None


@dataclass(frozen=True)
class TooLate:
    """The switch was done before it saw the wish."""


@dataclass(frozen=True)
class Unheard:
    """The update ended, and users are not back."""

    where: str


Outcome = Waiting | Back | TooLate | Unheard


def outcome(switch: Journal, rule: UsersRule | None, *, running: bool) -> Outcome:
    """What became of a wish to abort this switch, by the rule now. `running`: an update still holds the lock.

    Its journal ends with "restored", or is the one from before it; the rule of a first release goes away.
    """
    if rule is None:
        return Back(None)
    journal = rule.journal
    if journal and journal.to == switch.to and journal.phase is Phase.MOVED:
        return TooLate()
    at, home = whole(rule.weights), switch.source.colour if switch.source else None
    restored = bool(journal and journal.phase is Phase.RESTORED)
    if at is not None and at is home and (restored or not running):
        return Back(at)
    if running and not restored:
        return Waiting()
    return Unheard(_served(rule.weights))


def _served(weights: Weights) -> str:
    at = whole(weights)
    return (
        f"users are on {at}" if at else "users are divided: " + ", ".join(f"{c} {weights.get(c, 0)}%" for c in Colour)
    )


def _named(end: End) -> str:
    return f"{end.colour} ({short(end.digest)})"


def described(switch: Journal, rule: UsersRule) -> str:
    """The switch under way, in words."""
    source = f" from {_named(switch.source)}" if switch.source else ""
    return f"A switch{source} to {_named(switch.to)} is under way; {_served(rule.weights)}."
