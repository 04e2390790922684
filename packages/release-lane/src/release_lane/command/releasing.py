"""The story that deploy, promote, rollback and heal share: look, ask, update, heal what failed, report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from release_lane.command.adapters.engine import Run
from release_lane.command.telling import tell, tell_failure
from release_lane.command.tools import Tools
from release_lane.decide import whereabouts
from release_lane.decide.choice import TRAFFIC_ONLY
from release_lane.decide.difference import settings_apart
from release_lane.engine.locks import Holder, lock_holders, locked
from release_lane.engine.outcome import failure
from release_lane.engine.state import StackState
from release_lane.errors import CloudError, Interrupted, Refused, ReleaseError, UsageError, Users
from release_lane.operate.duration import parse_duration
from release_lane.operate.notices import Event
from release_lane.operate.review import Planned, planned_in
from release_lane.record.digest import Digest, parse_digest, short
from release_lane.record.placement import Release
from release_lane.record.records import Recorded

MOVES = ("deploy", TRAFFIC_ONLY, "finish")
"""Decisions after which users are where they were not, or were not recorded to be."""

POLL = 2.0
"""Seconds between two looks at the lock while another update holds it."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One update that somebody asked for: `config` is given to the stack for this run only."""

    verb: str
    environment: str
    digest: Digest | None = None
    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """For the stack's history."""
        return " ".join(filter(None, ["release", self.verb, self.environment, self.digest]))


def add_digest(parser: argparse.ArgumentParser, default: str) -> None:
    """`--digest`, read strictly."""
    parser.add_argument("--digest", metavar="sha256:…", type=str, help=f"the image to release (default: {default})")


def add_environment(parser: argparse.ArgumentParser) -> None:
    """The one positional argument."""
    parser.add_argument("environment", metavar="ENVIRONMENT", help="the stack's name, such as staging")


def add_options(parser: argparse.ArgumentParser, *, heals: bool = True) -> None:
    """Options of every verb that updates an environment."""
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask; else it asks where promotesFrom is set")
    add_lock_wait(parser)
    parser.add_argument(
        "--on-alarm",
        choices=("proceed",),
        help="proceed: move users although an alarm is firing; this release is the cure",
    )
    add_allow_replace(parser)
    if heals:
        parser.add_argument(
            "--no-heal",
            action="store_true",
            help="after a failed release leave the idle colour as it is, to look at it (`release heal` mends it later);"
            " after one that went well do not reduce it (idle.afterWatch)",
        )


def add_allow_older(parser: argparse.ArgumentParser) -> None:
    """`--allow-older`, of every verb that brings a new image somewhere."""
    parser.add_argument(
        "--allow-older",
        action="store_true",
        help="replace what is live although its commit contains the one that is released (refused otherwise)",
    )


def older_allowed(arguments: argparse.Namespace, before: StackState) -> dict[str, str]:
    """`allowOlder` for this run: what is live now, so that nothing that comes meanwhile is replaced by it."""
    live = before.recorded.live.digest if before.recorded else None
    return {"allowOlder": live} if arguments.allow_older and live else {}


def add_allow_replace(parser: argparse.ArgumentParser) -> None:
    """`--allow-replace`, of every verb that updates an environment, and of the review."""
    parser.add_argument(
        "--allow-replace",
        action="store_true",
        help="build everything anew where the stack file wants another network; users get nothing meanwhile",
    )


def replace_allowed(arguments: argparse.Namespace) -> dict[str, str]:
    """`allowReplace` for this run."""
    return {"allowReplace": "true"} if arguments.allow_replace else {}


def add_lock_wait(parser: argparse.ArgumentParser) -> None:
    """`--lock-wait`, of every verb that takes the lock."""
    parser.add_argument(
        "--lock-wait",
        type=parse_duration,
        default=0.0,
        metavar="DURATION",
        help="how long to wait while another update holds the stack's lock, like 90s or 10m (default: refuse at once)",
    )


def digest_given(arguments: argparse.Namespace) -> Digest | None:
    """`--digest`, if it was given; a `UsageError` for anything but a digest."""
    return parse_digest(arguments.digest) if arguments.digest is not None else None


def carry_out(tools: Tools, change: Change, arguments: argparse.Namespace, before: StackState) -> int:
    """Ask, update, report. Whatever the engine refused or failed with is raised, after healing the idle colour."""
    confirm(tools, change, before.recorded, yes=arguments.yes)
    config = {
        **change.config,
        **({"onAlarm": arguments.on_alarm} if arguments.on_alarm else {}),
        **replace_allowed(arguments),
    }
    heals = not getattr(arguments, "no_heal", True)
    change = replace(change, config=config)

    def waited() -> None:
        _confirm_anew(tools, change, before.recorded, yes=arguments.yes)

    tools.terminal.emit(*carried_out(tools, change, before, wait=arguments.lock_wait, heals=heals, waited=waited))
    return 0


def carried_out(
    tools: Tools,
    change: Change,
    before: StackState,
    *,
    wait: float,
    heals: bool,
    waited: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], str]:
    """Update, and tell whoever wants to know; the report, as data and in words. Raises what it failed with."""
    run = update(tools, change.environment, change.config, change.message, wait=wait, waited=waited)
    if run.signal is not None or run.exit_code != 0:
        error = failed(tools, change, run, heal=heals)
        tell_failure(tools, change.environment, error, change.digest or "")
        raise error
    data, text = report(tools, change, before, run)
    if change.verb == "rollback" and data["decision"] in MOVES:
        tell(tools, change.environment, Event.ROLLBACK, text, change.digest or "")
    reduced = _reduced(tools, change, str(data["decision"]), wanted=heals)
    return {**data, **({"idle": reduced} if reduced else {})}, "\n".join(filter(None, (text, reduced)))


# ---- Asking ---------------------------------------------------------------------------------------------------


def confirm(tools: Tools, change: Change, before: Recorded | None, *, yes: bool) -> None:
    """A production-like environment wants a yes: from a person, or given as --yes."""
    if yes or not tools.project.route.guarded(change.environment):
        return
    if not tools.terminal.interactive:
        raise UsageError(
            f"{change.environment} wants a confirmation, and there is no terminal to ask on. Nothing was changed.",
            why="it promotes from another environment, so it is taken for a production-like one",
            next_step=f"give --yes, if `release {change.verb} {change.environment}` is what you want.",
        )
    if not tools.terminal.ask(f"{_intent(change, before)} Now {_standing(before)}. Go on?"):
        raise Interrupted("Not confirmed. Nothing was changed.")


def _confirm_anew(tools: Tools, change: Change, before: Recorded | None, *, yes: bool) -> None:
    """After the lock was waited for: what was asked for was asked of what was live then, so say what is live now."""
    now = tools.existing(change.environment).recorded
    if (now and (now.live_colour, now.live)) == (before and (before.live_colour, before.live)):
        return
    tools.terminal.say(f"{change.environment} changed while this waited: now {_standing(now)}.")
    confirm(tools, change, now, yes=yes)


def _intent(change: Change, before: Recorded | None) -> str:
    digest = f" {short(change.digest)}" if change.digest else ""
    same = (
        " It is the image that is live: only changed settings would be released."
        if (before and change.digest == before.live.digest)
        else ""
    )
    return f"{change.verb.capitalize()}{digest} in {change.environment}.{same}"


def _standing(recorded: Recorded | None) -> str:
    if recorded is None:
        return "nobody is served there"
    return f"users are on {recorded.live_colour}, {_named(recorded.live)}"


def _named(release: Release) -> str:
    return short(release.digest) + (f" (commit {release.commit[:7]})" if release.commit else "")


# ---- Updating -------------------------------------------------------------------------------------------------


def update(
    tools: Tools,
    stack: str,
    config: Mapping[str, str],
    message: str,
    *,
    wait: float = 0.0,
    waited: Callable[[], None] = lambda: None,
) -> Run:
    """Run the engine; while another update holds the lock, wait and try again. `Refused` after `wait` seconds.

    `waited` is called each time that the lock was waited for, before the engine is started again.
    """
    end = tools.machine.now() + wait
    told: frozenset[tuple[str, int]] = frozenset()
    while True:
        run = tools.engine.update(stack, config, message)
        holders = lock_holders(run.stderr) if run.exit_code and run.signal is None else ()
        if not holders:
            return run
        told = _wait(tools, stack, tools.backend.explained(stack, holders), end, told)
        waited()


def _wait(
    tools: Tools, stack: str, holders: tuple[Holder, ...], end: float, told: frozenset[tuple[str, int]]
) -> frozenset[tuple[str, int]]:
    """Until the lock is free, or may be (where the backend does not say); which processes the person was told about."""
    while holders:
        gone = all(tools.machine.owner(holder).dead for holder in holders)
        left = end - tools.machine.now()
        if gone or left <= 0:
            raise locked(stack, holders, gone=gone)
        processes = frozenset((holder.host, holder.pid) for holder in holders)
        if not processes <= told:
            tools.terminal.say(f"{stack} is being updated by {'; '.join(map(str, holders))}; waiting for it.")
            told |= processes
        # Not always the same pause: two that wait would try at the same moments, and both fail.
        tools.machine.sleep(min(POLL * (0.75 + tools.machine.chance() / 2), left))
        try:
            holders = tools.backend.holders(stack) or ()
        except CloudError:  # the engine will say it, if it stays so
            holders = ()
    return told


def failed(tools: Tools, change: Change, run: Run, *, heal: bool) -> ReleaseError:
    """The error to end with; the idle colour is healed first, where a refused release was left there."""
    error = failure(run.log, run.stderr)
    if run.signal is not None:
        interrupted = _interrupted(change, run)
        interrupted.users = error.users
        if run.exit_code == 0 or error.users is not Users.UNSURE:
            return interrupted
        error.add_note(interrupted.what)
    if change.digest is None or not run.log.touched:
        return error
    if error.users is Users.UNSURE:
        error.add_note("The idle colour was not healed: first a person must look at the users' weights.")
    elif run.log.broke_off:
        error.add_note(f"The idle colour was not healed: first `release recover {change.environment}`.")
    elif not heal:
        error.add_note(f"The idle colour was left as it is (--no-heal); `release heal {change.environment}` mends it.")
    else:
        error.add_note(_healed(tools, change))
    return error


def _healed(tools: Tools, change: Change) -> str:
    """Heal the idle colour by one more update, without a digest; what came of it, in words.

    Not while a switch is unfinished: such an update would finish it, with the very release that was refused just now.
    """
    if against := _against_healing(tools, change.environment):
        return f"The idle colour of {change.environment} was not healed: {against}"
    tools.terminal.say(f"Healing the idle colour of {change.environment}: an update without a digest.")
    run = tools.engine.update(change.environment, {}, f"release heal {change.environment} after a refused release")
    if run.exit_code == 0:
        return f"The idle colour of {change.environment} was healed."
    why = _why(tools, change.environment, run)
    return f"The idle colour could NOT be healed ({why}). Next: `release heal {change.environment}`."


def _why(tools: Tools, stack: str, run: Run) -> str:
    """Why an update that followed by itself did not come about, in a few words."""
    if run.signal is not None:
        return "interrupted"
    if holders := lock_holders(run.stderr):
        return f"by now {stack} is being updated by {'; '.join(map(str, tools.backend.explained(stack, holders)))}"
    error = failure(run.log, run.stderr)
    return error.what if error.told else " ".join(filter(None, (error.what, error.why)))


def _against_healing(tools: Tools, environment: str) -> str:
    """Why an update without a digest might do more than heal; "" if it does not."""
    try:
        observed = tools.cloud.observed(tools.project.names(environment))
        state = tools.engine.state(environment)
    except ReleaseError as error:  # it must not hide why the release failed
        return f"where users are cannot be seen ({error.what}) Next: `release heal {environment}`."
    found = whereabouts.locate(state.recorded if state else None, observed)
    if not isinstance(found, whereabouts.Interrupted):
        return ""
    what = whereabouts.found_interrupted(found, observed)
    return f"{what}. Next: `release recover {environment}`, with --undo or --finish."


def _reduced(tools: Tools, change: Change, decision: str, *, wanted: bool) -> str:
    """Users are on the new release: the idle colour keeps what the stack file wants of the old one; in words, or "".

    It is one more update, without a digest. The release is done, whatever becomes of this one.
    """
    tasks = tools.project.stacks[change.environment].idle_tasks
    if tasks is None or not wanted or decision not in MOVES:
        return ""
    keeps = f"{tasks} {'task' if tasks == 1 else 'tasks'} of the previous release (idle.afterWatch)"
    tools.terminal.say(f"Leaving the idle colour of {change.environment} {keeps}: an update without a digest.")
    run = tools.engine.update(change.environment, {}, f"release {change.verb} {change.environment}: the idle colour")
    if run.exit_code == 0:
        return f"The idle colour keeps {keeps}: going back may take a deployment, see `release status`."
    why = _why(tools, change.environment, run)
    return f"The idle colour could NOT be reduced ({why}). The next update does it."


def _interrupted(change: Change, run: Run) -> Interrupted:
    name = run.signal.name if run.signal else "a signal"
    if run.exit_code == 0:
        return Interrupted(
            f"{name} came after the update of {change.environment} was already done.",
            next_step=f"`release status {change.environment}` shows what is live.",
        )
    touched = "the idle colour may hold half a release" if run.log.touched else "nothing was changed"
    heal = f"; `release heal {change.environment}` mends the idle colour." if run.log.touched else "."
    return Interrupted(
        f"The update of {change.environment} was stopped by {name}.",
        why=f"{touched}; a switch that had begun was finished or undone by the engine, or is by the next update",
        next_step=f"`release status {change.environment}` shows what is live{heal}",
    )


# ---- Reporting ------------------------------------------------------------------------------------------------


def report(tools: Tools, change: Change, before: StackState, run: Run) -> tuple[dict[str, Any], str]:
    """What an update that went well came to: as data, and in words.

    What it replaced is told by the update itself, which read it under the lock: `before` was read earlier.
    """
    after = _recorded_now(tools, change.environment)
    recorded = after.recorded if after else None
    planned = planned_in(run.log)
    replaced = planned.standing or before.recorded
    outputs = after.outputs if after else {}
    return (
        _as_data(change, planned, replaced, recorded, outputs),
        _as_text(change, planned, replaced, recorded, outputs),
    )


def _recorded_now(tools: Tools, environment: str) -> StackState | None:
    try:
        return tools.engine.state(environment)
    except CloudError as error:
        raise CloudError(
            f"The update of {environment} went well, but what it recorded cannot be read.",
            why=" ".join(filter(None, (error.what, error.why))),
            next_step=f"`release status {environment}`, once the backend answers.",
        ) from error


def _as_data(
    change: Change, planned: Planned, before: Recorded | None, after: Recorded | None, outputs: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "environment": change.environment,
        "decision": planned.decision,
        "reason": planned.reason,
        "liveColour": str(after.live_colour) if after else None,
        "digest": after.live.digest if after else None,
        "commit": after.live.commit if after else None,
        "releaseId": after.live.id if after else None,
        "replaced": before.live.digest if before and after and before.live.id != after.live.id else None,
        "previousDigest": after.previous.digest if after and after.previous else None,
        "url": outputs.get("url"),
    }


def _as_text(
    change: Change, planned: Planned, before: Recorded | None, after: Recorded | None, outputs: Mapping[str, Any]
) -> str:
    if after is None:
        return f"{change.environment}: built; no release yet, users get 503."
    now = f"users are on {after.live_colour}, {_named(after.live)}"
    where = f" at {outputs['url']}" if outputs.get("url") else ""
    if before and before.live == after.live and before.live_colour is after.live_colour:
        done = {"keep": "nothing to do", "heal": f"the idle colour {after.live_colour.other} is in order again"}
        return f"{change.environment}: {done.get(planned.decision, 'recorded as it was')}; {now}{where}."
    until = f" Until now: {_until_now(before, after)}." if before else " It is the first release here."
    return f"{change.environment}: {now}{where}.{until}"


def _until_now(before: Recorded, after: Recorded) -> str:
    """What was live; where that is the same image, with what was other about it."""
    same = before.live.digest == after.live.digest
    settings = settings_apart(before.live.service, after.live.service) if same else ""
    return f"{before.live_colour}, {_named(before.live)}" + (f" with other settings: {settings}" if settings else "")


def refuse_same(digest: Digest, recorded: Recorded, environment: str) -> None:
    """A rollback to what is live already has nothing to do; saying so beats a silent success."""
    if digest == recorded.live.digest:
        raise Refused(
            f"{short(digest)} is what is live in {environment} already.",
            next_step="`release status` lists what was live before; give one of those with --to.",
        )
