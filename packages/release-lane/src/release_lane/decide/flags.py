"""May flags be changed so? Turning off always may; turning on goes forward, as a release does. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from release_lane.decide.forward import said_of_freeze
from release_lane.decide.freeze import Freeze, frozen_at
from release_lane.errors import Refused
from release_lane.record.flags import Asked, FlagRecord, Turned
from release_lane.record.halts import why
from release_lane.record.ledger import Entry
from release_lane.record.times import in_zone

LARGEST = 4096
"""Bytes in a parameter of the standard tier
(AWS/systems-manager/latest/userguide/parameter-store-advanced-parameters.html)."""

DECLARES_NONE = "it declares none"
NOTHING_LIVE = "nothing is live"


@dataclass(frozen=True, kw_only=True)
class FlagPlan:
    """A change of flags, from one record to the next."""

    before: FlagRecord
    after: FlagRecord

    @property
    def turned(self) -> tuple[Turned, ...]:
        """What it does to each flag; nothing where they are so already."""
        return self.before.turned(self.after)

    @property
    def raised(self) -> tuple[Turned, ...]:
        """Those that go forward."""
        return tuple(each for each in self.turned if each.raises)

    @property
    def words(self) -> str:
        """`new_checkout on -> off, other new -> 25%`."""
        return ", ".join(map(str, self.turned))


@dataclass(frozen=True, kw_only=True)
class FlagCase:
    """What counts when flags are turned on. `declared`: the flags of the live image, None where they are not known,
    for the reason `unknown`; `stopped`: the entry that stopped the line of `environment`; `now`: epoch seconds."""

    environment: str
    declared: Collection[str] | None = None
    unknown: str = DECLARES_NONE
    freeze: Freeze = field(default_factory=Freeze)
    now: float = 0.0
    through_freeze: str = ""
    stopped: Entry | None = None


def plan_flags(record: FlagRecord, asked: Asked, *, undo: bool) -> FlagPlan:
    """What was asked for, or the last change undone; `Refused` where there is nothing to undo."""
    after = record.undone() if undo else record.changed(asked)
    if after is None:
        raise Refused(
            "There is no change of flags to undo.",
            why="no change was recorded, or all of them were undone",
            next_step="say what each flag shall be: `release flag ENVIRONMENT NAME=off --reason …`.",
        )
    return FlagPlan(before=record, after=after)


def check_flags(plan: FlagPlan, case: FlagCase) -> tuple[str, ...]:
    """What nothing checked, and exceptions that were made; `Refused` where the change must not be.

    What only turns off is refused for a name alone: a misspelled one would turn nothing off.
    """
    if unknown := undeclared(plan, case.declared):
        raise _undeclared(unknown, case)
    if len(plan.after.as_parameter().encode()) > LARGEST:
        raise _too_large(plan)
    unchecked = (_not_known(case.unknown),) if case.declared is None and names_matter(plan) else ()
    if not plan.raised:
        return unchecked
    if case.stopped:
        raise _stopped(plan, case.environment, case.stopped)
    return (*unchecked, *_through_freeze(plan, case))


def names_matter(plan: FlagPlan) -> bool:
    """Is there a name that the live image has to know? To turn off what is there needs no answer of the registry."""
    return bool(undeclared(plan, ()))


def undeclared(plan: FlagPlan, declared: Collection[str] | None) -> tuple[str, ...]:
    """Names that the live image does not know; None says nothing against any.

    A flag of an earlier image is still there after the image that knew it: it may be turned off and removed.
    """
    if declared is None:
        return ()
    held = plan.before.flags
    return tuple(
        each.name for each in plan.turned if each.name not in declared and (each.raises or each.name not in held)
    )


def _not_known(why: str) -> str:
    return f"whether the live image knows these flags ({why})"


def _through_freeze(plan: FlagPlan, case: FlagCase) -> tuple[str, ...]:
    closed = frozen_at(case.freeze, case.now)
    if closed is None:
        return ()
    if case.through_freeze:
        return (said_of_freeze(closed, case.through_freeze),)
    raise Refused(
        f"{_names(plan.raised)} is not turned on now: a freeze window of {case.environment} holds until "
        f"{in_zone(closed.zone, closed.until)}.",
        why=f"`freeze` in the stack file: {closed.words}; turning a flag on goes forward",
        next_step="wait until then. Turning off is possible. If this cannot wait: `--through-freeze REASON` (by hand: "
        "throughFreeze=REASON); the reason is recorded.",
    )


def _stopped(plan: FlagPlan, environment: str, entry: Entry) -> Refused:
    return Refused(
        f"{_names(plan.raised)} is not turned on: the line of {environment} is stopped.",
        why=why(entry),
        next_step=f"turning off is possible. Once the reason is gone: `release resume {environment} --reason …`.",
    )


def _undeclared(names: Collection[str], case: FlagCase) -> Refused:
    known = ", ".join(sorted(case.declared or ())) or "none"
    return Refused(
        f"No live image of {case.environment} declares {', '.join(names)}.",
        why=f"a flag that the service does not read would change nothing; it declares {known}",
        next_step="correct the name, or release the image that declares it first. Nothing was changed.",
    )


def _too_large(plan: FlagPlan) -> Refused:
    size = len(plan.after.as_parameter().encode())
    return Refused(
        f"The flags would have {size} bytes, but an SSM parameter takes {LARGEST}.",
        next_step=f"remove flags that no image reads any more: `release flag ENVIRONMENT NAME=removed --reason …` "
        f"({len(plan.after.flags)} are there). Nothing was changed.",
    )


def _names(turned: Collection[Turned]) -> str:
    return ", ".join(each.name for each in turned)
