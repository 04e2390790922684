"""`release recover`: report and clear what a killed update left behind."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from release_lane.command.options import add_lock_wait, add_without_ledger, excused
from release_lane.command.releasing import Change, failed, update
from release_lane.command.reporting import report
from release_lane.command.telling import tell, tell_failure
from release_lane.command.tools import Tools
from release_lane.engine.locks import Holder, Owner
from release_lane.engine.plugins import outlived
from release_lane.engine.state import StackState
from release_lane.errors import CloudError, Refused, ReleaseError, UsageError
from release_lane.operate.recovery import (
    CLUSTER,
    SERVICE,
    Adopt,
    Blocked,
    End,
    Existing,
    Forget,
    Found,
    Operation,
    Remedy,
    Remove,
    Unlock,
    findings,
    fixed,
    has,
    in_words,
    next_step,
    nothing_left,
    operations_in,
    remedies,
    to_reread,
)
from release_lane.record.placement import Colour
from release_lane.settings.notify import Event

ORDER = 130
NAME = "recover"
IN_LEDGER = True
HELP = "After a kill or a crash: report what was left behind, and clear it."
DETAILS = """\
It looks for a lock whose owner is dead, plugins that outlived their engine on this machine,
operations whose end is not recorded, a half-created service, and an interrupted switch. It shows
what it found and what it will do, asks, does it, looks again, and says what to do next. It never
touches the live colour.

It only reports an interrupted switch, unless --finish or --undo is given: then the ordinary
update follows, with all its gates. (The next update does that as well.)

  release recover production
  release recover production --yes --lock-owner-is-dead --undo
"""

DRAINED_WITHIN = 600.0
"""Seconds within which the tasks of a deleted service should have drained and stopped."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument(
        "environment", metavar="STACK", help="the stack's name, such as staging (or artifacts, staging-flags)"
    )
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask for a confirmation")
    parser.add_argument(
        "--lock-owner-is-dead",
        action="store_true",
        help="you made sure that the process which holds the lock has ended (it runs on another machine)",
    )
    switch = parser.add_mutually_exclusive_group()
    switch.add_argument("--finish", action="store_true", help="finish an interrupted switch, through the gates")
    switch.add_argument("--undo", action="store_true", help="undo an interrupted switch: go back to the record")
    add_lock_wait(parser)
    add_without_ledger(parser)


@dataclass
class Recovery:
    """The first findings, and what was done about them, in words."""

    before: Found
    done: list[str] = field(default_factory=list)

    def in_words(self, stack: str) -> str:
        """One sentence without its end, and without the stack's name, with which an update's own report begins."""
        return "; ".join(each.removeprefix(f"{stack}: ").removesuffix(".") for each in self.done)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Look, ask, clear, look again."""
    stack = _stack(tools, arguments.environment)
    tools.engine.ready()
    found = look(tools, stack)
    _show(tools, found)
    _owners_are_dead(tools, found, sure=arguments.lock_owner_is_dead)
    if strangers := [each for each in found.plugins if not each.known]:
        raise outlived(stack, strangers)
    recovery = Recovery(found)
    todo = remedies(found)
    if todo:
        _confirm(tools, todo, yes=arguments.yes)
    try:
        todo = _alone(tools, stack, todo, recovery, yes=arguments.yes)
        if todo:
            _clear(tools, stack, todo, recovery)
        if recovery.done:
            found = look(tools, stack)
        updated = _switch(tools, stack, found, arguments, recovery)
    except (ReleaseError, KeyboardInterrupt):
        for each in recovery.done:
            tools.terminal.say(f"Done before that: {each}.")
        raise
    if recovery.done:
        tell(tools, stack, Event.RECOVERED, f"{stack}: {recovery.in_words(stack)}.")
    _report(tools, recovery, look(tools, stack) if updated else found, updated)
    return 0


def _stack(tools: Tools, name: str) -> str:
    if not tools.project.knows(name):
        tools.project.route.check(name)
    return name


# ---- Looking ------------------------------------------------------------------------------------------------


def look(tools: Tools, stack: str) -> Found:
    """Read everything now. Changes nothing, takes no lock."""
    plugins = tools.machine.left_over(tools.project.name, stack)  # first: what they do meanwhile is seen below
    state = tools.existing(stack)
    holders = tools.backend.holders(stack)
    operations = operations_in(state.exported)
    is_environment = stack in tools.project.stacks and not tools.project.stacks[stack].builds
    names = tools.project.names(stack)
    observed = tools.cloud.observed(names) if is_environment else None
    exists = {colour for colour in Colour if observed and observed.sides[colour].exists}
    return Found(
        stack=stack,
        locks=None if holders is None else tuple((each, tools.machine.owner(each)) for each in holders),
        plugins=plugins,
        operations=operations,
        existing=_existing(tools, stack, operations),
        services=names.services if is_environment else {},
        strays=frozenset(colour for colour in exists if _stray(state, names.cluster, names.services[colour])),
        recorded=state.recorded,
        observed=observed,
        idle_tasks=tools.project.file_of(stack).idle_tasks,
        schema=state.schema,
    )


def _existing(tools: Tools, stack: str, operations: Sequence[Operation]) -> dict[str, Existing | None]:
    """What AWS has of each resource that was being created."""
    found: dict[str, Existing | None] = {}
    for each in operations:
        if each.doing == "creating":
            try:
                found[each.urn] = tools.cloud.existing(tools.project.names(stack), each.type, each.inputs)
            except KeyError:
                continue  # a type that can be created twice, or without a name to look for
    return found


def _stray(state: StackState, cluster: str, service: str) -> bool:
    """A service that is missing in this state, although the state has its cluster."""
    return has(state.exported, CLUSTER, cluster) and not has(state.exported, SERVICE, service)


def _show(tools: Tools, found: Found) -> None:
    lines = findings(found)
    width = max((len(heading) for heading, _ in lines), default=0)
    if lines:
        tools.terminal.say(f"Found in {found.stack}:")
    for heading, text in lines:
        tools.terminal.say(f"  {heading.ljust(width)}  {text}")


# ---- Asking -------------------------------------------------------------------------------------------------


def _owners_are_dead(tools: Tools, found: Found, *, sure: bool) -> None:
    """`Refused` unless every process that holds the lock is dead: seen from here, or confirmed by a person."""
    locks = found.locks or ()
    alive = [holder for holder, owner in locks if owner is Owner.RUNS]
    if alive:
        raise Refused(
            f"{found.stack} is being updated by {_all(alive)}. Nothing was changed.",
            why="that process still runs, so there is nothing to recover from",
            next_step=f"wait for it, or stop it by Ctrl-C where it runs; `release abort {found.stack}` rolls the "
            "traffic back while a switch is under way.",
        )
    unknown = [holder for holder, owner in locks if not owner.dead]
    if not unknown or sure:
        return
    if tools.terminal.interactive and tools.terminal.ask(
        f"Did you make sure that this update no longer runs: {_all(unknown)}?"
    ):
        return
    raise Refused(
        f"{found.stack} is locked by {_all(unknown)}. Nothing was changed.",
        why="this machine cannot see whether that process still runs, and two updates must never run at once",
        next_step="look at that machine or CI run; if the process has ended, pass --lock-owner-is-dead.",
    )


def _all(holders: Sequence[Holder]) -> str:
    return "; ".join(map(str, holders))


def _confirm(tools: Tools, todo: Sequence[Remedy], *, yes: bool) -> None:
    tools.terminal.say("Will do:")
    for each in todo:
        tools.terminal.say(f"  {in_words(each)}")
    tools.terminal.confirm("Go on?", yes=yes, next_step="give --yes, if that is what you want.")


# ---- Doing --------------------------------------------------------------------------------------------------


def _alone(tools: Tools, stack: str, todo: tuple[Remedy, ...], recovery: Recovery, *, yes: bool) -> tuple[Remedy, ...]:
    """End the plugins first, and look again: until then each could change what was seen. What is to be done now."""
    match todo:
        case (End() as end, *others):
            _end(tools, stack, end)
            recovery.done.append(in_words(end))
            found = look(tools, stack)
            now = remedies(found)
            if now and now != tuple(others):
                tools.terminal.say("Meanwhile they had gone on.")
                _show(tools, found)
                _confirm(tools, now, yes=yes)
            return now
        case _:
            return todo


def _end(tools: Tools, stack: str, remedy: End) -> None:
    """`CloudError` if one stays: nothing is done next to it."""
    stay = [plugin for plugin in remedy.plugins if not tools.machine.end(plugin)]
    if stay:
        raise CloudError(
            f"What an update of {stack} had started cannot be ended: {'; '.join(map(str, stay))}.",
            why="the system does not end it as long as it waits for a device",
            next_step=f"`release recover {stack}` again once it is gone; a restart of the machine ends it for sure.",
        )


def _clear(tools: Tools, stack: str, todo: Sequence[Remedy], recovery: Recovery) -> None:
    """The lock first: the engine writes no state while there is one. Then a `Blocked` stops everything else."""
    for each in todo:
        if isinstance(each, Unlock):
            _unlock(tools, stack, each)
            recovery.done.append(in_words(each))
    if blocked := [each for each in todo if isinstance(each, Blocked)]:
        raise Refused(
            "; ".join(f"{each.what} was left alone: {each.why}" for each in blocked) + ".",
            next_step='import a state that has it; see "The state does not know the service that serves" in '
            "docs/guides/recovery.md.",
        )
    _fix(tools, stack, [each for each in todo if isinstance(each, Forget | Adopt)], recovery)
    for each in todo:
        if isinstance(each, Remove):
            _remove(tools, stack, each)
            recovery.done.append(in_words(each))


def _unlock(tools: Tools, stack: str, remedy: Unlock) -> None:
    """By the engine's `cancel`, which removes every lock: they must still be the ones that were shown."""
    if set(tools.backend.holders(stack) or ()) != set(remedy.holders):
        raise Refused(
            f"The lock of {stack} is no longer the one that was shown. Nothing was changed.",
            next_step=f"run `release recover {stack}` again.",
        )
    tools.engine.unlock(stack)
    for holder in remedy.holders:
        if holder.note:
            tools.backend.withdraw(stack, holder.note)


def _fix(tools: Tools, stack: str, todo: Sequence[Forget | Adopt], recovery: Recovery) -> None:
    """Edit the state once for all of them, then refresh."""
    if not todo:
        return
    tools.engine.put_state(stack, fixed(tools.existing(stack).exported, todo))
    recovery.done += map(in_words, todo)
    known = {each["urn"] for each in tools.existing(stack).exported["deployment"].get("resources") or ()}
    urns = [urn for urn in to_reread(todo) if urn in known]
    if urns:
        done = tools.engine.refresh(stack, urns)
        if done.exit_code != 0:
            raise failed(tools, Change(verb=NAME, environment=stack), done, heal=False)


def _remove(tools: Tools, stack: str, remedy: Remove) -> None:
    """Delete the service, and wait until its name is free again."""
    names = tools.project.names(stack)
    tools.cloud.delete_service(names, remedy.colour)
    end = tools.machine.now() + DRAINED_WITHIN
    while tools.cloud.existing(names, SERVICE, {"cluster": names.cluster, "name": remedy.service}):
        if tools.machine.now() > end:
            raise CloudError(
                f"The service {remedy.service} is still being deleted.",
                why="its tasks drain first, then they stop",
                next_step=f"run `release recover {stack}` again when it is gone.",
            )
        tools.machine.sleep(1.0)


# ---- The switch ---------------------------------------------------------------------------------------------


def _switch(
    tools: Tools, stack: str, found: Found, arguments: argparse.Namespace, recovery: Recovery
) -> dict[str, Any] | None:
    """Finish or undo the switch, if requested; the update's own report."""
    choice = _choice(tools, found, arguments)
    if not choice:
        return None
    before = tools.existing(stack)
    config = {**({"onDrift": "restore"} if choice == "undo" else {}), **excused(arguments)}
    change = Change(verb=f"recover --{choice}", environment=stack, config=config)
    done = update(tools, stack, config, change.message, wait=arguments.lock_wait)
    if done.signal is not None or done.exit_code != 0:
        error = failed(tools, change, done, heal=False)
        tell_failure(tools, stack, error)
        raise error
    data, text = report(tools, change.environment, before, done)
    recovery.done.append(text)
    return data


def _choice(tools: Tools, found: Found, arguments: argparse.Namespace) -> str:
    """What to do about the switch: finish, undo, or "" to leave it."""
    choice = "finish" if arguments.finish else "undo" if arguments.undo else ""
    if found.switch is None:
        if choice:
            tools.terminal.say(f"There is no interrupted switch in {found.stack} to {choice}.")
        return ""
    if choice == "undo" and found.recorded is None:
        raise UsageError(
            "This switch cannot be undone: no release was ever recorded as live here.",
            next_step=f"`release recover {found.stack} --finish`.",
        )
    if choice or not tools.terminal.interactive or arguments.yes:
        return choice
    options = ["finish", "undo", "leave"] if found.recorded else ["finish", "leave"]
    chosen = tools.terminal.choose("Finish or undo the interrupted switch?", options)
    return "" if chosen == "leave" else chosen


# ---- Reporting ----------------------------------------------------------------------------------------------


def _report(tools: Tools, recovery: Recovery, after: Found, updated: dict[str, Any] | None) -> None:
    stack = after.stack
    data = {
        "stack": stack,
        "found": [{"what": heading, "text": text} for heading, text in findings(recovery.before)],
        "locks": [{**holder.as_dict(), "owner": str(owner)} for holder, owner in recovery.before.locks or ()],
        "plugins": [{"process": each.pid, "name": each.name, "since": each.since} for each in recovery.before.plugins],
        "done": recovery.done,
        "left": [{"what": heading, "text": text} for heading, text in findings(after)],
        "update": updated,
        "next": next_step(after),
    }
    nothing = "there was nothing to recover" if nothing_left(after) else "nothing was changed"
    summary = f"{stack}, done: {recovery.in_words(stack)}" if recovery.done else f"{stack}: {nothing}"
    tools.terminal.emit(data, f"{summary}.\nNext: {next_step(after)}")
