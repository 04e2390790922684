"""The stack of an environment's flags: one SSM parameter, which the service reads.

It is a stack of its own because of its lock: while an update of the environment watches a bake for an hour, a flag can
be turned off. It reads the environment's stack file, so it belongs to the same account, ledger and freeze windows.
"""

from __future__ import annotations

import time
from typing import Any

import pulumi
from pulumi_aws import ssm

from release_lane.decide.flags import (
    DECLARES_NONE,
    NOTHING_LIVE,
    FlagCase,
    FlagPlan,
    check_flags,
    names_matter,
    plan_flags,
)
from release_lane.errors import CloudError
from release_lane.program.intent import Intent
from release_lane.program.recall import access, called, labels_of_live, line_of, need_no_environment
from release_lane.record.contract import Contract
from release_lane.record.digest import short
from release_lane.record.flags import FlagRecord, environment_of
from release_lane.record.intended import OVERRIDES, Intended
from release_lane.record.names import Names
from release_lane.settings.flags import FlagsSettings


def build_flags(settings: FlagsSettings) -> None:
    """The parameter; outputs flags, before (`FlagRecord.as_outputs`) and parameter, once AWS has it."""
    environment = environment_of(pulumi.get_stack())
    own = need_no_environment()
    with Intent(intended=_intended(settings, environment)).recorded():
        plan = plan_flags(FlagRecord.from_outputs(own), settings.asked, undo=settings.undo_flags)
        unchecked = (*check_flags(plan, _case(settings, environment, plan)), *_missing(settings))
        pulumi.log.info(f"Flags of {environment}: {plan.words or 'they stay as they are'}.")
        for sentence in unchecked:
            pulumi.log.warn(f"Not checked: {sentence}.")
        began = _begin(settings, environment, plan, unchecked)
    name = Names.of_stack(pulumi.get_project(), environment, access=access(settings.account)).flags
    parameter = ssm.Parameter(
        "flags",
        name=name,
        type="String",
        insecure_value=plan.after.as_parameter(),
        description=f"Flags of {environment}: percent of requests. Changed by `release flag`.",
    )
    written = parameter.arn.apply(lambda arn: _done(arn, began=began))
    pulumi.export("parameter", written.apply(lambda _: name))
    for key, value in plan.after.as_outputs().items():
        pulumi.export(key, pulumi.Output.all(written, value).apply(lambda known: known[1]))


def _case(settings: FlagsSettings, environment: str, plan: FlagPlan) -> FlagCase:
    """The ledger is asked only for what it can refuse: turning off waits for nothing."""
    asked = settings.ledger if plan.raised and not settings.without_ledger else None
    stopped = line_of(environment, asked or "", access(settings.account)).stopped
    declared, unknown = _declared(settings, environment) if names_matter(plan) else (None, "")
    return FlagCase(
        environment=environment,
        declared=declared,
        unknown=unknown,
        freeze=settings.freeze.freeze(),
        now=time.time(),
        through_freeze=settings.through_freeze,
        stopped=stopped,
    )


def _declared(settings: FlagsSettings, environment: str) -> tuple[tuple[str, ...] | None, str]:
    """The flags that the live image declares (or one of two, while a hold stands); None, and why, where they are not
    known."""
    live = labels_of_live(environment, settings.artifacts, access(settings.account))
    if not live:
        return None, NOTHING_LIVE
    declared: set[str] = set()
    for digest, labels in live.items():
        flags = None if labels.unread else Contract.of(labels.found, short(digest)).flags
        if flags is None:
            return None, labels.unread or DECLARES_NONE
        declared |= {*flags}
    return tuple(sorted(declared)), ""


def _missing(settings: FlagsSettings) -> tuple[str, ...]:
    reason = settings.without_ledger if settings.ledger else None
    return (f"the ledger does not have this change ({reason})",) if reason else ()


def _intended(settings: FlagsSettings, environment: str, **details: Any) -> Intended | None:
    """For the ledger, under the stack's own name: an update of the environment may have an open intent under its.

    None where no ledger is to be written.
    """
    if settings.ledger is None or settings.without_ledger or pulumi.runtime.is_dry_run():
        return None
    given = {OVERRIDES: {"throughFreeze": settings.through_freeze}} if settings.through_freeze else {}
    return Intended(
        ledger=settings.ledger,
        access=access(settings.account),
        environment=pulumi.get_stack(),
        details={"flagsOf": environment, **details, **given},
    )


def _begin(settings: FlagsSettings, environment: str, plan: FlagPlan, unchecked: tuple[str, ...]) -> bool:
    """Write the intent; was it written? A ledger that is away does not keep a flag on."""
    turned = {each.name: {"from": each.before, "to": each.after} for each in plan.turned}
    details = {"turned": turned, "because": plan.words, "unchecked": list(unchecked)}
    intended = _intended(settings, environment, **details) if turned else None
    try:
        Intent(intended=intended, begins=True).begin()
    except CloudError as away:
        if plan.raised:
            raise
        pulumi.log.warn(f"The ledger does not have this change: {away.what_and_why}")
        return False
    return intended is not None


async def _done(arn: str, *, began: bool) -> str:
    """The outcome, once AWS has taken the value."""
    if began:
        await called("release:index:done", {})
    return arn
