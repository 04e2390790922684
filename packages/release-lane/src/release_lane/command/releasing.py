"""What deploy, promote, rollback and heal share: look, confirm, update, heal after a failure, report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from release_lane.command.adapters.engine import Run
from release_lane.command.halting import Quarantine, live_in_quarantine
from release_lane.command.options import alarm_accepted, excused, named_in_ledger, replace_allowed
from release_lane.command.reporting import named, report
from release_lane.command.reviewing import Given, approver_of, held_to_parity, seal_problem, unsealed
from release_lane.command.telling import tell, tell_failure
from release_lane.command.tools import Tools
from release_lane.decide import whereabouts
from release_lane.decide.refusals import no_hold
from release_lane.engine.locks import Holder, lock_holders, locked
from release_lane.engine.outcome import failure
from release_lane.engine.state import StackState
from release_lane.errors import CloudError, Interrupted, Refused, ReleaseError, Users
from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import Digest, short
from release_lane.record.hold import Winner
from release_lane.record.records import Recorded
from release_lane.settings.notify import Event

First = TypeVar("First")
Second = TypeVar("Second")

POLL = 2.0
"""Seconds between two looks at the lock while another update holds it."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One requested update: `config` is given to the stack for this run only."""

    verb: str
    environment: str
    digest: Digest | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    keeps_idle: bool = False
    """The idle colour is not reduced afterwards: the next update needs it as it is."""
    leaves: Digest | None = None
    fault: str = ""
    """Why what a rollback leaves goes into quarantine, "" for not at all."""
    unattended: str = ""
    """`withoutLedger` where what is left cannot be put into quarantine: no person is there to say it."""
    again: bool = False
    """Does a rollback go forward again, to a release that users were rolled back from?"""
    digest_only: bool = False
    """Does a rollback take the image alone, with the configuration of now?"""
    seal: str | None = None
    """None: no seal was given. An empty one is a mistake: the job that should have handed it on has lost it."""
    approver: str = ""
    says: str = ""
    """What is to be confirmed, where that is neither a digest nor the verb."""

    @property
    def ends_hold(self) -> bool:
        """Does it end a hold?"""
        return "holdEnd" in self.config

    @property
    def excused(self) -> Mapping[str, str]:
        """What an update that follows on this one by itself is given as well: the ledger is away for both, and after a
        way back nothing new of the stack file is taken up."""
        kept = {key: given for key, given in self.config.items() if key == "withoutLedger"}
        back = "rollbackFrom" in self.config or self.config.get("holdEnd") == Winner.OLD
        return {**kept, **({"asItStands": "true"} if back else {})}

    @property
    def message(self) -> str:
        """For the stack's history."""
        approved = f"(approved by {self.approver})" if self.approver else ""
        return " ".join(filter(None, ["release", self.verb, self.environment, self.digest, approved]))


def side_by_side(first: Callable[[], First], second: Callable[[], Second]) -> tuple[First, Second]:
    """Both answers; each starts an engine of its own, which takes its time. If both fail, the first one's error."""
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.submit(first), pool.submit(second)
        return one.result(), other.result()


def carry_out(tools: Tools, change: Change, arguments: argparse.Namespace, before: StackState) -> int:
    """Hold it to its seal, confirm, update, report. A refusal or failure of the engine is raised, after healing the
    idle colour."""
    named_in_ledger(arguments, change.digest)
    config = {**change.config, **alarm_accepted(arguments), **replace_allowed(arguments), **excused(arguments)}
    change = replace(change, config=config, seal=getattr(arguments, "seal", None))
    if _goes_forward(change):
        held_to_parity(tools, change.environment)
    change = _approved(tools, change, before)
    if change.approver:
        tools = tools.acting(replace(tools.actor, approver=change.approver))
    held = _held_to_seal(tools, change, before)
    confirm(tools, change, before.recorded, yes=arguments.yes)
    heals = not getattr(arguments, "no_heal", True)

    def waited() -> None:
        """Another update may have come and gone: the seal is looked at again."""
        _confirm_anew(tools, change, before.recorded, yes=arguments.yes)
        _held_to_seal(tools, change, tools.existing(change.environment))

    tools.terminal.emit(*carried_out(tools, held, before, wait=arguments.lock_wait, heals=heals, waited=waited))
    return 0


def _goes_forward(change: Change) -> bool:
    """Is a release asked for that is no way back? A rollback has to be quick, and is not held to everything."""
    return change.digest is not None and (change.verb != "rollback" or change.again or change.digest_only)


def _held_to_seal(tools: Tools, change: Change, before: StackState) -> Change:
    """The same with what its seal binds the program to; without a seal the same."""
    if change.seal is None:
        return change
    given = Given(environment=change.environment, config=change.config, before=before)
    return replace(change, config={**change.config, "sealed": unsealed(tools, given, change.seal)})


def _approved(tools: Tools, change: Change, before: StackState) -> Change:
    """The same with who approved it, as the CI says. A rollback needs no approval: it has to be quick."""
    wanted = tools.project.stacks[change.environment].approval
    asked = change.seal is not None or wanted.required or tools.project.route.guarded(change.environment)
    if not asked or change.digest is None or not _goes_forward(change):
        return change
    sealed = change.seal is not None
    try:
        approver = approver_of(tools, change.environment, change.digest, before, wanted, sealed=sealed)
    except Refused as unapproved:
        # Both at once: an approval that is asked for anew is of a new review.
        if stale := seal_problem(tools, change.environment, change.digest, change.seal):
            unapproved.add_note(f"Its seal would be refused as well: {stale}")
        raise
    return replace(change, approver=approver)


def carried_out(
    tools: Tools,
    change: Change,
    before: StackState,
    *,
    wait: float,
    heals: bool,
    waited: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Any], str]:
    """Update and notify; the report, as data and in words. Raises what it failed with."""
    quarantine = change.fault and change.leaves and Quarantine(tools, change.environment, change.leaves, change.fault)
    if quarantine:
        quarantine.check(change.digest or Digest(""), before.recorded)
        quarantine.say()
        if change.unattended and not quarantine.said:
            change = replace(change, config={**change.config, "withoutLedger": change.unattended})
    try:
        run = update(tools, change.environment, change.config, change.message, wait=wait, waited=waited)
    except BaseException as ended:
        if quarantine:
            ended.add_note(quarantine.after_a_failure(left=False if isinstance(ended, ReleaseError) else None))
        raise
    if quarantine:
        quarantine.say()
    if run.signal is not None or run.exit_code != 0:
        error = failed(tools, change, run, heal=heals)
        if quarantine:
            error.add_note(quarantine.after_a_failure(left=_left(run, error)))
        tell_failure(tools, change.environment, error, change.digest or "")
        raise error
    data, text = report(tools, change.environment, before, run)
    if not DecisionKind(data["decision"]).moves_users and (spoiled := _live_spoiled(tools, change, run, before)):
        data, text = {**data, "liveInQuarantine": spoiled}, f"{text}\nCAREFUL: {spoiled}."
    if quarantine:
        data, text = {**data, "quarantine": quarantine.data}, f"{text}\n{quarantine.words}"
    text = "\n".join(filter(None, (text, _way_forward(tools, change, data))))
    if change.verb == "rollback" and DecisionKind(data["decision"]).moves_users:
        tell(tools, change.environment, Event.ROLLBACK, text, change.digest or "")
    wanted = heals and not change.keeps_idle and not data.get("hold")
    reduced = _reduced(tools, change, str(data["decision"]), wanted=wanted)
    return {**data, **({"idle": reduced} if reduced else {})}, "\n".join(filter(None, (text, reduced)))


def _live_spoiled(tools: Tools, change: Change, run: Run, before: StackState) -> str:
    """What users stay on may be in quarantine: nothing of this update says so."""
    recorded = Recorded.from_outputs(run.log.outputs) if run.log.outputs is not None else before.recorded
    return live_in_quarantine(tools, change.environment, recorded)


def _left(run: Run, error: ReleaseError) -> bool | None:
    """Have users left the release, although its rollback failed? None where that is not known."""
    if run.exit_code == 0:
        return True
    if error.users in (Users.UNTOUCHED, Users.RESTORED) or not run.log.touched:
        return False
    return None


def _way_forward(tools: Tools, change: Change, data: Mapping[str, Any]) -> str:
    """After a rollback: how to go forward again, in so many words."""
    if change.verb != "rollback" or change.again or not data["replaced"]:
        return ""
    verb = "promote" if tools.project.route.source_of(change.environment) else "deploy"
    again = f"`release {verb} {change.environment} --digest {data['replaced']} --again`"
    if change.fault:
        return f"Going forward to it again needs `release pardon {data['replaced']} --reason …` first, then {again}."
    return f"To go forward again later: {again}."


# ---- Asking ---------------------------------------------------------------------------------------------------


def confirm(tools: Tools, change: Change, before: Recorded | None, *, yes: bool) -> None:
    """A production-like environment needs a yes: from a person, or given as --yes."""
    tools.terminal.confirm(
        f"{_intent(change, before)} Now {_standing(before)}. Go on?",
        yes=yes or not tools.project.route.guarded(change.environment),
        what=change.environment,
        why="it promotes from another environment, so it counts as production",
        next_step=f"give --yes, if `release {change.verb} {change.environment}` is what you want.",
    )


def _confirm_anew(tools: Tools, change: Change, before: Recorded | None, *, yes: bool) -> None:
    """After waiting for the lock another release may be live than the one that was confirmed: confirm again."""
    now = tools.existing(change.environment).recorded
    if change.config.get("holdEnd") == Winner.NEW and (now and now.hold) != (before and before.hold):
        raise no_hold(change.environment)
    if (now and (now.live_colour, now.live)) == (before and (before.live_colour, before.live)):
        return
    tools.terminal.say(f"{change.environment} changed while this command waited: now {_standing(now)}.")
    confirm(tools, change, now, yes=yes)


def _intent(change: Change, before: Recorded | None) -> str:
    if change.says:
        return change.says
    digest = f" {short(change.digest)}" if change.digest else ""
    if change.digest_only:
        return f"Roll back only the image of {change.environment}, to{digest}, with the configuration of now."
    if change.again:
        return f"This is no rollback: {change.environment} was rolled back from{digest}. Going forward to it again."
    same = (
        " That image is already live: only changed settings are released."
        if (before and change.digest == before.live.digest)
        else ""
    )
    return f"{change.verb.capitalize()}{digest} in {change.environment}.{same}"


def _standing(recorded: Recorded | None) -> str:
    if recorded is None:
        return "no users are served there"
    if recorded.hold:
        return f"a hold stands: {recorded.hold.words()}, all others are on {named(recorded.live)}"
    return f"users are on {recorded.live_colour}, {named(recorded.live)}"


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

    `waited` is called after each wait for the lock, before the engine is started again.
    """
    end = tools.machine.now() + wait
    reported: frozenset[tuple[str, int]] = frozenset()
    while True:
        run = tools.engine.update(stack, config, message)
        holders = lock_holders(run.stderr) if run.exit_code and run.signal is None else ()
        if not holders:
            return run
        reported = _wait(tools, stack, tools.backend.explained(stack, holders), end, reported)
        waited()


def _wait(
    tools: Tools, stack: str, holders: tuple[Holder, ...], end: float, reported: frozenset[tuple[str, int]]
) -> frozenset[tuple[str, int]]:
    """Until the lock is free, or may be (where the backend does not say); the processes that were reported so far."""
    while holders:
        gone = all(tools.machine.owner(holder).dead for holder in holders)
        left = end - tools.machine.now()
        if gone or left <= 0:
            raise locked(stack, holders, gone=gone)
        processes = frozenset((holder.host, holder.pid) for holder in holders)
        if not processes <= reported:
            tools.terminal.say(f"{stack} is being updated by {'; '.join(map(str, holders))}; waiting for it.")
            reported |= processes
        # A random pause: two waiting commands would otherwise try at the same moments, and both fail.
        tools.machine.sleep(min(POLL * (0.75 + tools.machine.chance() / 2), left))
        try:
            holders = tools.backend.holders(stack) or ()
        except CloudError:  # the engine reports it, if it persists
            holders = ()
    return reported


def failed(tools: Tools, change: Change, run: Run, *, heal: bool) -> ReleaseError:
    """The error to end with; first the idle colour is healed, where a refused release was left there."""
    error = failure(run.log, run.stderr)
    if run.signal is not None:
        interrupted = _interrupted(change, run)
        interrupted.users = error.users
        if run.exit_code == 0 or error.users is not Users.UNSURE:
            return interrupted
        error.add_note(interrupted.what)
    if change.ends_hold:
        if error.users is Users.RESTORED:
            recorded = f"`release heal {change.environment}` (or the next update) records that"
            error.add_note(f"The hold is over: all users are on the release from before it. {recorded}.")
        return error
    if change.digest is None or not run.log.touched:
        return error
    if error.users is Users.UNSURE:
        error.add_note("The idle colour was not healed: a person must look at the weights first.")
    elif run.log.broke_off:
        error.add_note(f"The idle colour was not healed: run `release recover {change.environment}` first.")
    elif not heal:
        error.add_note(
            f"The idle colour was left as it is (--no-heal); `release heal {change.environment}` restores the standby."
        )
    else:
        error.add_note(_healed(tools, change))
    return error


def _healed(tools: Tools, change: Change) -> str:
    """Heal the idle colour by one more update, without a digest; the result, in words.

    Not while a switch is unfinished: such an update would finish it, with the release that was refused.
    """
    if against := _against_healing(tools, change.environment):
        return f"The idle colour of {change.environment} was not healed: {against}"
    tools.terminal.say(f"Healing the idle colour of {change.environment}: an update without a digest.")
    healing = tools.acting(replace(tools.actor, verb="heal", reason="after a refused release"))
    run = healing.engine.update(
        change.environment, change.excused, f"release heal {change.environment} after a refused release"
    )
    if run.exit_code == 0:
        return f"The idle colour of {change.environment} was healed."
    why = _why(tools, change.environment, run)
    return f"The idle colour could NOT be healed ({why}). Next: `release heal {change.environment}`."


def _why(tools: Tools, stack: str, run: Run) -> str:
    """Why an automatic update failed, in a few words."""
    if run.signal is not None:
        return "interrupted"
    if holders := lock_holders(run.stderr):
        return f"{stack} is now being updated by {'; '.join(map(str, tools.backend.explained(stack, holders)))}"
    error = failure(run.log, run.stderr)
    return error.what if error.shown else error.what_and_why


def _against_healing(tools: Tools, environment: str) -> str:
    """Why an update without a digest could do more than heal; "" if it does not."""
    try:
        observed = tools.cloud.observed(tools.project.names(environment))
        state = tools.engine.state(environment)
    except ReleaseError as error:  # must not hide why the release failed
        return f"the weights cannot be read ({error.what}) Next: `release heal {environment}`."
    found = whereabouts.locate(state.recorded if state else None, observed)
    if not isinstance(found, whereabouts.Interrupted):
        return ""
    what = whereabouts.found_interrupted(found, observed)
    return f"{what}. Next: `release recover {environment}`, with --undo or --finish."


def _reduced(tools: Tools, change: Change, decision: str, *, wanted: bool) -> str:
    """After a release: reduce the idle colour to what the stack file asks for; the result in words, or "".

    It is one more update, without a digest. The release is done, even if this one fails.
    """
    tasks = tools.project.stacks[change.environment].idle_tasks
    if tasks is None or not wanted or not DecisionKind(decision).moves_users:
        return ""
    keeps = f"{tasks} {'task' if tasks == 1 else 'tasks'} of the previous release (idle.afterWatch)"
    tools.terminal.say(f"Reducing the idle colour of {change.environment} to {keeps}: an update without a digest.")
    healing = tools.acting(replace(tools.actor, verb="heal", reason="the idle colour keeps less (idle.afterWatch)"))
    message = f"release {change.verb} {change.environment}: the idle colour"
    run = healing.engine.update(change.environment, change.excused, message)
    if run.exit_code == 0:
        return f"The idle colour keeps {keeps}: a rollback may be a deployment, see `release status`."
    why = _why(tools, change.environment, run)
    return f"The idle colour could NOT be reduced ({why}). The next update does that."


def _interrupted(change: Change, run: Run) -> Interrupted:
    name = run.signal.name if run.signal else "a signal"
    if run.exit_code == 0:
        return Interrupted(
            f"{name} came after the update of {change.environment} was already done.",
            next_step=f"`release status {change.environment}` shows what is live.",
        )
    touched = "the idle colour may have an incomplete release" if run.log.touched else "nothing was changed"
    heal = f"; `release heal {change.environment}` restores the standby." if run.log.touched else "."
    return Interrupted(
        f"The update of {change.environment} was stopped by {name}.",
        why=f"{touched}; the engine finished or undid a switch that had begun, or the next update does",
        next_step=f"`release status {change.environment}` shows what is live{heal}",
    )
