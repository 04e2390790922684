"""What an update says to the ledger: what it is about to do, before it registers anything; and why the program ended.

The provider writes both (`release_lane.gates.recording`). A preview says nothing, and neither does an update that
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from release_lane.errors import CloudError, Refused, ReleaseError
from release_lane.program.plan import Environment, Plan
from release_lane.program.recall import call, without_ledger
from release_lane.record.decisions import DecisionKind
from release_lane.record.hold import Winner
from release_lane.record.intended import GOES_BACK, HOLD, HOLD_END, OVERRIDES, VOID_SEAL, Intended, Standing
from release_lane.record.records import Recorded
from release_lane.settings.model import EnvironmentSettings


@dataclass(frozen=True, kw_only=True)
class Intent:
    """`intended` is None where no ledger is to be written, `begins` false where nothing begins."""

    intended: Intended | None
    begins: bool = False

    @staticmethod
    def of_plan(environment: Environment, plan: Plan | None, standing: Recorded | None) -> Intent:
        """Of an update that goes on. Prepare has no plan; Keep changes nothing."""
        settings, begins = environment.settings, plan is not None and plan.kind is not DecisionKind.KEEP
        if settings.ledger is None or settings.without_ledger or pulumi.runtime.is_dry_run():
            return Intent(intended=None)
        release = plan.release if plan else None
        asked = {HOLD_END: str(settings.hold_end)} if settings.hold_end else {}
        details = {**asked, **(_details(plan, standing) if plan and begins else {}), **_overridden(settings)}
        return Intent(
            intended=Intended(
                ledger=settings.ledger,
                access=environment.names.access,
                environment=pulumi.get_stack(),
                release=release if begins else None,
                digest=settings.image_digest or "",
                standing=Standing.of(environment.recorded, environment.observed.journal),
                details=details,
            ),
            begins=begins,
        )

    @staticmethod
    def of_refusal(environment: Environment) -> Intent:
        """Of an update that ends with its decision."""
        return Intent.of_plan(environment, None, None)

    def begin(self) -> None:
        """Have the intent written. `CloudError` if the ledger is away: nothing was registered yet."""
        if self.intended is None or not self.begins:
            return
        try:
            entry = call("release:index:begin", self.intended.as_dict())
        except CloudError as away:
            raise without_ledger(away) from away
        pulumi.log.info(f"Ledger: entry {int(entry['sequence'])}.")

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """A `ReleaseError` that ends the program is written as well."""
        try:
            yield
        except ReleaseError as error:
            if self.intended:
                _refused(self.intended, error)
            raise


def missing_in_ledger(settings: EnvironmentSettings) -> tuple[str, ...]:
    """What the evidence says of a release that begins without the ledger."""
    if settings.ledger is None or settings.without_ledger is None:
        return ()
    return (f"the ledger does not have this release ({settings.without_ledger})",)


def _refused(intended: Intended, error: ReleaseError) -> None:
    """The error is more important than a ledger that is away."""
    of_seal = {VOID_SEAL: True} if isinstance(error, Refused) and error.of_seal else {}
    intended = replace(intended, details={**intended.details, **of_seal})
    try:
        call("release:index:refuse", {**intended.as_dict(), "error": str(error)})
    except ReleaseError as away:
        pulumi.log.warn(f"The ledger does not say that this update was refused: {away.what_and_why}")


def _details(plan: Plan, standing: Recorded | None) -> dict[str, Any]:
    live = {"colour": str(standing.live_colour), "digest": standing.live.digest} if standing else None
    held = {"colour": str(plan.target), "digest": plan.release.digest if plan.release else ""}
    back = {GOES_BACK: True} if plan.course.goes_back else {}
    hold: dict[str, Any] = {HOLD: plan.course.hold} if plan.course.hold else {}
    if standing and standing.hold and plan.moves and plan.release:
        won = plan.release.id == standing.hold.release.id
        hold = {HOLD_END: str(Winner.NEW if won else Winner.OLD)}
    return {
        "decision": str(plan.kind),
        "because": plan.reason,
        "from": live,
        "to": held,
        "course": plan.course.words(),
        **back,
        **hold,
    }


def _overridden(settings: EnvironmentSettings) -> dict[str, Any]:
    """The rules that this update was asked to override, by their keys."""
    given = {
        "onAlarm": settings.on_alarm,
        "allowOlder": settings.allow_older,
        "allowReplace": "true" if settings.allow_replace else None,
        "throughFreeze": settings.through_freeze,
    }
    found = {name: str(value) for name, value in given.items() if value}
    return {OVERRIDES: found} if found else {}
