"""Aborting a switch, as the person sees it: is one under way, and what became of the abort request? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from release_lane.engine.locks import Holder
from release_lane.errors import Refused
from release_lane.record.digest import short
from release_lane.record.journal import Abort, End, Journal, Phase
from release_lane.record.placement import Colour, Weights, whole


@dataclass(frozen=True, kw_only=True)
class ProductionRule:
    """What the production rule says now: weights, the journal, and an abort request that is still there."""

    weights: Weights
    journal: Journal | None = None
    abort: Abort | None = None

    @property
    def moving(self) -> Journal | None:
        """The journal of a switch that began and did not end."""
        return self.journal if self.journal and self.journal.phase is Phase.MOVING else None


def under_way(stack: str, rule: ProductionRule | None, holders: Sequence[Holder] | None) -> Journal:
    """The switch that can be aborted. `Refused` where there is none; the error says what the state is instead.

    `holders` of the lock are those that may still run; None where the backend does not report them.
    """
    running = holders is None or bool(holders)
    moving = rule.moving if rule else None
    if moving and running:
        return moving
    if moving:
        raise Refused(
            f"There is no switch to abort in {stack}: the one to {_named(moving.to)} was interrupted, "
            "and no update runs.",
            next_step=f"`release recover {stack} --undo` rolls the traffic back; `--finish` finishes the switch.",
        )
    if holders:
        raise Refused(
            f"There is no switch to abort in {stack}: {'; '.join(map(str, holders))} is running, "
            "but it has not moved any traffic yet.",
            next_step="stop that update with Ctrl-C where it runs; the traffic stays where it is.",
        )
    where = _served(rule.weights) if rule else "the environment serves no users"
    raise Refused(
        f"There is no switch to abort in {stack}: {where}, and no update is running.",
        next_step=f"to go back to the previous release: `release rollback {stack}`.",
    )


# ---- What became of it


@dataclass(frozen=True)
class Waiting:
    """The switch has not answered yet."""


@dataclass(frozen=True)
class Back:
    """The traffic is back on this colour; None: no users are served, as before the first release."""

    colour: Colour | None


@dataclass(frozen=True)
class TooLate:
    """The switch ended before it saw the request."""


@dataclass(frozen=True)
class NotBack:
    """The update ended, and the traffic is not back."""

    where: str


Outcome = Waiting | Back | TooLate | NotBack


def outcome(switch: Journal, rule: ProductionRule | None, *, running: bool) -> Outcome:
    """What became of the request to abort this switch, by the rule now. `running`: an update still holds the lock.

    Its journal ends with "restored", or is the one from before it; the rule of a first release is deleted.
    """
    if rule is None:
        return Back(None)
    journal = rule.journal
    if journal and journal.to == switch.to and journal.phase in (Phase.MOVED, Phase.HELD):
        return TooLate()
    at, home = whole(rule.weights), switch.source.colour if switch.source else None
    restored = bool(journal and journal.phase is Phase.RESTORED)
    if at is not None and at is home and (restored or not running):
        return Back(at)
    if running and not restored:
        return Waiting()
    return NotBack(_served(rule.weights))


def _served(weights: Weights) -> str:
    at = whole(weights)
    return (
        f"users are on {at}" if at else "users are divided: " + ", ".join(f"{c} {weights.get(c, 0)}%" for c in Colour)
    )


def _named(end: End) -> str:
    return f"{end.colour} ({short(end.digest)})"


def described(switch: Journal, rule: ProductionRule) -> str:
    """The switch under way, in words."""
    source = f" from {_named(switch.source)}" if switch.source else ""
    return f"A switch{source} to {_named(switch.to)} is under way; {_served(rule.weights)}."
