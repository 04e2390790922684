"""`release flag`: turn something on or off for users, in seconds and without a release."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from release_lane.command.halting import reason
from release_lane.command.options import (
    add_environment,
    add_lock_wait,
    add_through_freeze,
    add_without_ledger,
    excused,
    through_freeze,
)
from release_lane.command.recording import recorded
from release_lane.command.releasing import update
from release_lane.command.terminal import table
from release_lane.command.tools import Tools
from release_lane.decide.flags import FlagPlan, plan_flags
from release_lane.engine.outcome import failure
from release_lane.engine.state import StackState
from release_lane.errors import Interrupted, Refused, UsageError
from release_lane.record.flags import FlagRecord, in_words, share_in, stack_of
from release_lane.settings.flags import asked_in

ORDER = 52
NAME = "flag"
HELP = "Turn a flag of the environment on or off, for a share of requests; without one, list them."
DETAILS = """\
Flags are in a stack of their own (`production-flags`), so the lock of a long update does not stand
in the way, and in one SSM parameter, which the service reads. Turning off is always possible.
Turning on goes forward: it is refused while the line is stopped or a freeze window holds. So is a
flag that the live image does not declare. --undo goes back to the values before the last change
that was not undone.

  release flag production
  release flag production new_checkout=off --reason "orders are lost"
  release flag production new_checkout=25% --reason "a quarter of the users" --yes
  release flag production old_one=removed --reason "no image reads it any more"
  release flag production --undo --reason "it was not the checkout"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument("flags", metavar="NAME=SHARE", nargs="*", help="what shall be: on, off, 25%% or removed")
    parser.add_argument("--undo", action="store_true", help="go back to the values before the last change")
    parser.add_argument("--reason", metavar="TEXT", type=reason, help="why, for the ledger; every change needs it")
    parser.add_argument(
        "--yes", "-y", action="store_true", help="do not ask before something is turned on where promotesFrom is set"
    )
    add_through_freeze(parser)
    add_lock_wait(parser)
    add_without_ledger(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """List them, or change them: only that is for the ledger."""
    environment = tools.project.route.check(arguments.environment)
    asked = _asked(arguments.flags)
    if not asked and not arguments.undo:
        return _listed(tools, environment)
    if asked and arguments.undo:
        raise UsageError("--undo goes back to earlier values; give either it or flags. Nothing was changed.")
    if not arguments.reason:
        raise UsageError("--reason is missing. Nothing was changed.", why="the ledger says why a flag was changed")
    return recorded(tools, NAME, arguments, lambda acting: _changed(acting, environment, asked, arguments))


def _asked(pairs: list[str]) -> dict[str, str]:
    """Names and shares, in words; `UsageError` for a pair that is none."""
    split = [pair.partition("=") for pair in pairs]
    found = {name: share for name, _, share in split}
    if len(found) < len(split):
        raise UsageError("A flag is given twice. Nothing was changed.")
    try:
        return asked_in(found)
    except ValueError as wrong:
        raise UsageError(f"{wrong}. Nothing was changed.", next_step="see `release flag --help`.") from wrong


def _record(state: StackState | None) -> FlagRecord:
    return FlagRecord.from_outputs(state.outputs if state else {})


def _listed(tools: Tools, environment: str) -> int:
    record = _record(tools.engine.state(stack_of(environment)))
    rows = [(name, in_words(share)) for name, share in sorted(record.flags.items())]
    text = table(("FLAG", "IS"), rows) if rows else f"No flag of {environment} was set."
    tools.terminal.emit(_data(tools, environment, record), text)
    return 0


def _changed(tools: Tools, environment: str, asked: Mapping[str, str], arguments: argparse.Namespace) -> int:
    stack = stack_of(environment)
    tools.engine.ready()
    state = tools.engine.state(stack)
    shares = {name: share_in(share) for name, share in asked.items()}
    plan = plan_flags(_record(state), shares, undo=arguments.undo)
    _confirm(tools, environment, plan, yes=arguments.yes)
    if state is None:
        tools.engine.create(stack)
    _free_of_the_dead(tools, stack)
    _update(tools, environment, plan, asked, arguments)
    now = _record(tools.engine.state(stack)) if tools.terminal.json else plan.after  # to ask takes its time
    words = f"{environment}: {plan.words or 'they were recorded so already, and are so now'}."
    turned = {each.name: {"from": each.before, "to": each.after} for each in plan.turned}
    tools.terminal.emit({**_data(tools, environment, now), "turned": turned}, words)
    return 0


def _confirm(tools: Tools, environment: str, plan: FlagPlan, *, yes: bool) -> None:
    """Turning off asks nothing."""
    tools.terminal.confirm(
        f"Flags of {environment}: {plan.words}. Go on?",
        yes=yes or not plan.raised or not tools.project.route.guarded(environment),
        what=environment,
        why="it promotes from another environment, so it counts as production, and a flag is turned on",
        next_step="give --yes, if that is what you want.",
    )


def _free_of_the_dead(tools: Tools, stack: str) -> None:
    """A lock that a killed change left would keep a flag on."""
    holders = tools.backend.holders(stack) or ()
    if holders and all(tools.machine.owner(each).dead for each in holders):
        tools.terminal.say(f"Removing the lock of {stack} that a killed process left: {'; '.join(map(str, holders))}.")
        tools.engine.unlock(stack)


def _update(
    tools: Tools, environment: str, plan: FlagPlan, asked: Mapping[str, str], arguments: argparse.Namespace
) -> None:
    stack = stack_of(environment)

    def waited() -> None:
        """Another change came in between: what was asked for may mean something else now."""
        if _record(tools.engine.state(stack)) != plan.before:
            raise Refused(
                f"Flags of {environment} were changed while this command waited. Nothing was changed by it.",
                next_step=f"`release flag {environment}` lists them; then run it again.",
            )

    config = {"role": "flags", **_config(asked, undo=arguments.undo), **through_freeze(arguments), **excused(arguments)}
    message = f"release flag {environment}: {plan.words or 'as recorded'}"
    done = update(tools, stack, config, message, wait=arguments.lock_wait, waited=waited)
    if done.signal is not None:
        raise Interrupted(
            f"The change was stopped by {done.signal.name}.", next_step=f"`release flag {environment}` says what is."
        )
    if done.exit_code != 0:
        raise failure(done.log, done.stderr)


def _config(asked: Mapping[str, str], *, undo: bool) -> dict[str, str]:
    return {"undoFlags": "true"} if undo else {"flags": json.dumps(asked)}


def _data(tools: Tools, environment: str, record: FlagRecord) -> dict[str, Any]:
    """Shares in percent; `undoable`: so many changes can be undone."""
    return {
        "environment": environment,
        "parameter": tools.project.names(environment).flags,
        "flags": dict(record.flags),
        "undoable": len(record.before),
    }
