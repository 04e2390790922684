"""`release drill`: traffic back to the previous release and forward again, while what users get is counted."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from release_lane.command.adapters.prober import Counting
from release_lane.command.options import add_environment, add_lock_wait, add_reason, add_without_ledger, excused
from release_lane.command.releasing import Change, carried_out
from release_lane.command.tools import Tools
from release_lane.command.verbs.rollback import goal
from release_lane.decide.whereabouts import percent
from release_lane.engine.state import StackState
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, UsageError, Users
from release_lane.operate.duration import spoken
from release_lane.probe.options import in_short, unchecked
from release_lane.probe.settings import Settings
from release_lane.probe.tally import Report
from release_lane.record.digest import short
from release_lane.record.endpoint import recorded_endpoint
from release_lane.record.evidence import Drill
from release_lane.record.intended import result_of, why_of
from release_lane.record.ledger import EntryKind, Result
from release_lane.record.placement import Weights, whole
from release_lane.record.records import Recorded

ORDER = 55
NAME = "drill"
IN_LEDGER = True
HELP = "Move the traffic back to the previous release and forward again, and count what users get meanwhile."
DETAILS = """\
It shows that a rollback would work: both moves are updates that start no task, with all gates,
timed, while requests are sent to the live URL. If none failed, that is recorded as evidence of
the live release; with requireDrill the next environment asks for it. Otherwise exit code 1.

Refused where a rollback would be a deployment, after a rollback, and while an alarm is firing. If
it ends halfway, users are on the previous release; the next drill goes forward first.

  release drill staging
  release drill production --yes
"""

READY_WITHIN = 30.0
"""Seconds for the first good answer of the live URL."""
AFTERWARDS = 2.0
"""Seconds for which requests are counted after the last move: the load balancer drains what it left."""


@dataclass(frozen=True, kw_only=True)
class Drilled:
    """A drill of what `recorded` has live, which ended where it began. `back` and `forward` are seconds."""

    environment: str
    recorded: Recorded
    back: float
    forward: float
    report: Report

    @property
    def well(self) -> bool:
        """Did no request fail, and was any counted?"""
        return self.report.flawless

    def as_dict(self) -> dict[str, Any]:
        """For --json and the ledger."""
        recorded, total = self.recorded, self.report.total
        return {
            "environment": self.environment,
            "drilled": self.well,
            "digest": recorded.live.digest,
            "releaseId": recorded.live.id,
            "previousDigest": recorded.previous.digest if recorded.previous else None,
            "liveColour": str(recorded.live_colour),
            "backSeconds": round(self.back, 1),
            "forwardSeconds": round(self.forward, 1),
            "requests": {
                "url": self.report.url,
                **{key: getattr(total, key) for key in ("sent", "ok", "failed", "late", "mixed")},
                "reasons": dict(total.reasons),
                "steps": {step.name: {"sent": step.sent, "failed": step.failed} for step in self.report.steps},
            },
            "unchecked": list(unchecked(self.report)),
        }

    def text(self) -> str:
        """For people."""
        recorded, total = self.recorded, self.report.total
        previous = short(recorded.previous.digest) if recorded.previous else "?"
        counted = f"{total.sent} requests: {in_short(total)}"
        result = (
            f"Drilled: a rollback from {short(recorded.live.digest)} works, and the record says so."
            if self.well
            else "NOT drilled: users would have noticed it. Nothing was recorded."
        )
        lines = [
            f"{self.environment}: back to {previous} in {spoken(self.back)}, forward again in {spoken(self.forward)}; "
            f"{counted}.",
            *(f"  failed {count} times: {reason}" for reason, count in total.reasons.items()),
            *(f"  not checked: {sentence}" for sentence in unchecked(self.report)),
            f"{result} Users are on {recorded.live_colour}, as before.",
        ]
        return "\n".join(lines)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument("--rate", type=float, default=50.0, metavar="N", help="requests a second (default %(default)g)")
    parser.add_argument(
        "--timeout", type=float, default=5.0, metavar="SECONDS", help="a request has failed after this (default 5)"
    )
    parser.add_argument(
        "--yes", "-y", action="store_true", help="do not ask for a confirmation (asked where promotesFrom is set)"
    )
    add_lock_wait(parser)
    add_reason(parser)
    add_without_ledger(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Back, forward, and record the result; 1 if a request failed."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    before = tools.existing(environment)
    recorded = _drillable(before.recorded, environment)
    settings = _counted(before, recorded, environment, arguments)
    _confirm(tools, environment, recorded, yes=arguments.yes)
    moves = Moves(tools=tools, environment=environment, wait=arguments.lock_wait, given=excused(arguments))
    with tools.prober.counting(settings) as counting, _saying_where_it_stands(moves, recorded):
        drilled = _there_and_back(moves, counting)
        if drilled.well:
            moves.move(Drill.PASSED)
    result = Result.DONE if drilled.well else Result.FAILED
    _write(moves, drilled.recorded, result, drilled.as_dict())
    tools.terminal.emit(drilled.as_dict(), drilled.text())
    return 0 if drilled.well else CheckFailed.exit_code


def _drillable(recorded: Recorded | None, environment: str) -> Recorded:
    """The record, if there is a previous image to go back to."""
    if recorded and recorded.left_by_drill:
        return recorded
    previous = recorded.previous if recorded else None
    if recorded and (previous is None or previous.digest == recorded.live.digest):
        of = "it has had only one release" if previous is None else "the previous release has the same image"
        raise Refused(
            f"There is nothing to drill in {environment}: {of}.",
            why="a drill moves traffic back to another image, and forward again",
            next_step="drill after the next release of another image.",
        )
    return goal(None, recorded, environment)[1]


def _confirm(tools: Tools, environment: str, recorded: Recorded, *, yes: bool) -> None:
    previous = short(recorded.previous.digest) if recorded.previous else ""
    tools.terminal.confirm(
        f"Drill in {environment}: users go from {short(recorded.live.digest)} to {previous} and back. Go on?",
        yes=yes or not tools.project.route.guarded(environment),
        what=environment,
        why="it promotes from another environment, so it counts as production",
        next_step=f"give --yes, if `release drill {environment}` is what you want.",
    )


def _counted(before: StackState, recorded: Recorded, environment: str, arguments: argparse.Namespace) -> Settings:
    """What is asked for: one request that both releases understand."""
    assert recorded.previous is not None
    asked, other = recorded.live.service.asked, recorded.previous.service.asked
    at = recorded_endpoint(before.outputs)
    if asked == other:
        how, path, well = str(asked.identify), asked.path, bool(asked.status_path)
    elif asked.health_path == other.health_path:
        how, path, well = "", asked.health_path, False
    else:
        raise Refused(
            f"A drill in {environment} could not be counted: the two releases answer on different paths.",
            why=f"health paths are {asked.health_path} (live) and {other.health_path} (previous)",
            next_step="drill after the next release with these settings.",
        )
    try:
        return Settings(
            url=at.url + path,
            connect_to=at.connect_to,
            rate=arguments.rate,
            timeout=arguments.timeout,
            identify=how,
            well=well,
            wait_ready=True,
        )
    except ValueError as error:
        raise UsageError(
            f"{str(error)[:1].upper()}{str(error)[1:]}.", next_step="see `release drill --help`."
        ) from error


@dataclass(frozen=True, kw_only=True)
class Moves:
    """The updates of one drill; `given` is configuration for all of them, `wait` how long for the lock (seconds)."""

    tools: Tools
    environment: str
    wait: float
    given: Mapping[str, str]

    def move(self, drill: Drill) -> float:
        """One update; its seconds. Each half goes to the release that was live before."""
        before = self.tools.existing(self.environment)
        config, digest, recorded = {**self.given, "drill": str(drill)}, None, before.recorded
        if drill is not Drill.PASSED and recorded and recorded.previous:
            digest = recorded.previous.digest
            config |= {"imageDigest": digest, "rollbackFrom": recorded.live.digest}
        change = Change(verb=NAME, environment=self.environment, digest=digest, config=config, keeps_idle=True)
        began = self.tools.machine.now()
        carried_out(self.tools, change, before, wait=self.wait, heals=True)
        return self.tools.machine.now() - began


def _there_and_back(moves: Moves, counting: Counting) -> Drilled:
    tools, environment = moves.tools, moves.environment
    if not counting.wait_until_ready(READY_WITHIN):
        report = counting.stop()
        raise CloudError(
            f"No good answer came from {report.url} within {READY_WITHIN:.0f} s, so a drill could not be counted. "
            "Nothing was changed.",
            why=report.unready,
            next_step=f"`release smoke {environment}`; drill from a machine that reaches the live URL.",
        )
    recorded = _recorded(tools, environment)
    if recorded.left_by_drill:
        tools.terminal.say(f"An earlier drill in {environment} ended halfway: going forward again first.")
        moves.move(Drill.FORWARD)
        recorded = _recorded(tools, environment)
    counting.mark(Drill.BACK)
    back = moves.move(Drill.BACK)
    counting.mark(Drill.FORWARD)
    forward = moves.move(Drill.FORWARD)
    tools.machine.sleep(AFTERWARDS)
    return Drilled(environment=environment, recorded=recorded, back=back, forward=forward, report=counting.stop())


@contextmanager
def _saying_where_it_stands(moves: Moves, recorded: Recorded) -> Iterator[None]:
    """An error says in addition on which colour users are, and how to go on; so does the ledger."""
    try:
        yield
    except ReleaseError as error:
        where, halfway = _standing(moves, sure=error.users is not Users.UNSURE, refused=isinstance(error, Refused))
        error.add_note(where)
        result = Result.FAILED if halfway else result_of(error)
        _write(moves, recorded, result, {"why": why_of(error), "standing": where})
        raise
    except KeyboardInterrupt as stopped:
        where, _ = _standing(moves, sure=True, refused=False)
        interrupted = Interrupted(f"The drill of {moves.environment} was stopped.", next_step=where)
        _write(moves, recorded, result_of(interrupted), {"why": "Stopped.", "standing": where})
        raise interrupted from stopped


def _standing(moves: Moves, *, sure: bool, refused: bool) -> tuple[str, bool]:
    """Where users are and how to go on; and whether the drill ended halfway."""
    tools, environment = moves.tools, moves.environment
    try:
        rule = tools.cloud.production_rule(tools.project.names(environment))
        recorded, weights = _recorded(tools, environment), rule.weights if rule else None
        where = _where_it_stands(environment, recorded, weights, sure=sure, refused=refused)
        return where, recorded.left_by_drill is not None
    except ReleaseError as unread:  # must not hide why the drill failed
        return f"Where users are cannot be read now ({unread.what}). Next: `release recover {environment}`.", False


def _write(moves: Moves, recorded: Recorded, result: Result, details: Mapping[str, Any]) -> None:
    """One entry in the ledger for the whole drill, next to those of its updates. It is done, even if that fails."""
    tools = moves.tools
    if moves.given:
        return
    draft, live = tools.draft(EntryKind.DRILL, moves.environment), recorded.live
    of = replace(draft, digest=live.digest, commit=live.commit, release=live.id, result=result)
    try:
        if store := tools.ledger(moves.environment):
            store.append(replace(of, details={**draft.details, **details}))
    except ReleaseError as away:
        tools.terminal.say(f"The ledger does not have this drill as a whole: {away.what_and_why}")


def _recorded(tools: Tools, environment: str) -> Recorded:
    recorded = tools.existing(environment).recorded
    if recorded is None:
        raise Refused(f"Nothing is live in {environment}.", next_step=f"`release deploy {environment}` first.")
    return recorded


def _where_it_stands(
    environment: str, recorded: Recorded, weights: Weights | None, *, sure: bool, refused: bool
) -> str:
    """After a drill that did not come to its end: where users are, and how to go on. A refusal says the latter."""
    at = whole(weights or {})
    on = f"Users are on {at}" if at else f"Users are served {percent(weights)}" if weights else "Users get 503"
    if refused and sure and at is not recorded.live_colour:
        return f"{on}, and {recorded.live_colour} is recorded."
    if not sure or at is not recorded.live_colour:
        return f"{on}, and {recorded.live_colour} is recorded. Next: `release recover {environment}`."
    if (left := recorded.left_by_drill) is None:
        return f"{on}, {short(recorded.live.digest)}, which the record says is live: no move is left half done."
    return (
        f"{on}, {short(recorded.live.digest)}: the previous release, where the drill of {short(left.digest)} led them. "
        f"To go on: `release drill {environment}` goes forward first; `release deploy` (or `promote`) with that digest "
        "and --again goes there without a drill."
    )
