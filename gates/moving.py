"""Moving users: check, journal, move, check again; the new record. Any breach after the move puts the weights back.

Before anybody is moved, the smoke gate's pass of this very run is demanded, weights have to be what the decision was
made from, and the receiving colour still what passed. Then the journal is written. After moving, the live URL is
checked and the truth read again.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from gates import warm
from gates.gate import pass_input
from gates.kit import Cancelled, Context, Props, readable
from gates.passes import Pass, demand
from gates.reality import as_outputs, live_url, words
from gates.smoke import until_passed
from release.aws.cloud import Balancer, Cloud
from release.aws.patience import insisting
from release.aws.session import credentials_last
from release.decision import advance
from release.errors import CheckFailed, CloudError, Interrupted, Refused
from release.evidence import Proof, with_proof
from release.journal import End, Journal, Phase
from release.placement import Colour, Release, Weights, all_on, whole
from release.records import Recorded
from release.rollout import Outcome, Passed, Reading, Waiting, Wanted, judge
from release.smoking import Expected, Report

Seen = TypeVar("Seen")

CREDENTIALS_MARGIN = 300.0
"""Seconds that credentials must outlive the longest switch."""


SETTLES_WITHIN = 10.0
"""Seconds for which AWS may still answer with weights from before a write; only then are wrong ones a breach."""

LOOKS_AGAIN_FOR = 3.0
"""Seconds for which a colour may look less than whole, in an answer that is too old, before it is a breach."""

PAUSE = 0.3
"""Seconds between two such looks."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """One switch to be made: users go from `expected` weights to all on `live`, which runs `release`."""

    live: Colour
    release: Release
    expected: Weights | None
    standing: Recorded | None
    passed: Pass
    smoke_deadline: float

    @staticmethod
    def of(inputs: Props) -> Move:
        """Read the inputs; `Refused` without a pass of this run."""
        release = Release.from_dict(inputs["release"])
        live = Colour(inputs["live"])
        expected = inputs.get("expected") or None
        return Move(
            live=live,
            release=release,
            expected={Colour(c): int(w) for c, w in expected.items()} if expected else None,
            standing=Recorded.from_outputs(inputs.get("standing") or {}),
            passed=demand(pass_input(inputs), gate="The smoke gate", digest=release.digest, colour=live),
            smoke_deadline=float(inputs["smokeDeadlineSeconds"]),
        )

    def journal(self, phase: Phase) -> Journal:
        """What the rule's tags say of this switch."""
        source = self.standing and End(self.standing.live_colour, self.standing.live.digest, self.standing.live.id)
        return Journal(source=source or None, to=End(self.live, self.release.digest, self.release.id), phase=phase)


def perform(ctx: Context, cloud: Cloud, move: Move) -> Props:
    """Check, journal, move, check again; the new record. Any breach after the move puts the weights back."""
    warm.prepare()  # for the live URL
    balancer = cloud.balancer()
    if not balancer.listener:
        raise CloudError(
            f"The users' listener (port {cloud.names.users_port}) of {cloud.names.load_balancer} does not exist.",
            next_step="run the whole update, without --target; it creates the listener first.",
        )
    _unmoved(balancer, move)
    _still_passed(ctx, cloud, balancer, move)
    credentials_last(cloud.names.access, CREDENTIALS_MARGIN + move.smoke_deadline)
    if ctx.cancelled.is_set():
        raise Cancelled("The switch was interrupted before it moved anybody.")
    _begin(cloud, balancer, move)
    ctx.say(f"moving users to {move.live}")
    try:
        _set(cloud, balancer, move)
        report = _confirm(ctx, cloud, move)
    except Exception as breach:
        _put_back(ctx, cloud, balancer, move, breach)
        raise _undone(move, breach) from breach
    return _record(cloud, balancer, move, report)


def _unmoved(balancer: Balancer, move: Move) -> None:
    """Weights are still those that the decision was made from."""
    weights = balancer.rule.weights if balancer.rule else None
    if weights != move.expected:
        raise Refused(
            f"The users' weights were moved meanwhile: now {words(weights)}, "
            f"but {words(move.expected)} when this update began. Nothing was changed.",
            next_step="find out who moved them, then run the update again.",
        )


def _still_passed(ctx: Context, cloud: Cloud, balancer: Balancer, move: Move) -> None:
    """The receiving colour is exactly what passed the gates: same deployment, whole and healthy."""

    def look() -> Outcome:
        reading = cloud.read(move.live, balancer.target_groups.get(move.live))
        return judge(reading, _as_passed(reading, move))

    outcome = _again(ctx, look, lambda found: not isinstance(found, Waiting), LOOKS_AGAIN_FOR)
    if outcome != Passed(move.passed.deployment):
        raise CheckFailed(
            f"{move.live} is no longer what passed the gates: {outcome}. Users were not touched.",
            next_step="run the update again; it gates what it finds.",
        )


def _again(ctx: Context, look: Callable[[], Seen], enough: Callable[[Seen], bool], seconds: float) -> Seen:
    """Look until it is enough, at most for some seconds: an answer of AWS may be older than what was just done."""
    until = time.monotonic() + seconds
    while not enough(seen := look()) and time.monotonic() < until:
        ctx.wait(PAUSE, "looking again")
    return seen


def _as_passed(reading: Reading, move: Move) -> Wanted:
    manifests = frozenset(task.digest for task in reading.running if task.digest)
    return Wanted(tasks=reading.wanted, task_definition=move.passed.taskDefinition, manifests=manifests)


def _begin(cloud: Cloud, balancer: Balancer, move: Move) -> None:
    """Journal first. It may say "moving" although the write failed: then the next update sees that nobody was moved."""
    if balancer.rule is None:
        return
    try:
        cloud.tag_rule(balancer.rule.arn, move.journal(Phase.MOVING).as_tags())
    except CloudError as error:
        raise CloudError(
            f"The journal could not be written. Users were not touched. {error.what}",
            why=error.why,
            next_step=error.next_step,
        ) from error


def _set(cloud: Cloud, balancer: Balancer, move: Move) -> None:
    """One call that moves everybody (at the first release it makes the rule, with the journal)."""
    if balancer.rule is None:
        tags = move.journal(Phase.MOVING).as_tags()
        cloud.create_rule(balancer.listener, balancer.target_groups, all_on(move.live), tags)
        return
    cloud.set_weights(balancer.rule.arn, balancer.target_groups, all_on(move.live))


def _confirm(ctx: Context, cloud: Cloud, move: Move) -> Report:
    """Users really get the release: smoke the live URL, then read weights and colour again, then journal it."""
    expected = Expected(digest=move.release.digest, colour=move.live, commit=move.release.commit)
    report = until_passed(ctx, live_url(cloud, cloud.balancer()), expected, move.smoke_deadline)
    balancer = _again(ctx, cloud.balancer, lambda found: _has(found, all_on(move.live)), SETTLES_WITHIN)
    if balancer.rule is None or not _has(balancer, all_on(move.live)):
        found = balancer.rule.weights if balancer.rule else None
        raise CheckFailed(f"The weights did not become what was set: {words(found)}")
    _still_passed(ctx, cloud, balancer, move)
    cloud.tag_rule(balancer.rule.arn, move.journal(Phase.MOVED).as_tags())
    return report


def _has(balancer: Balancer, weights: Weights) -> bool:
    return balancer.rule is not None and balancer.rule.weights == weights


def _put_back(ctx: Context, cloud: Cloud, before: Balancer, move: Move, breach: Exception) -> None:
    """Undo the move. If even that fails, say so at the top of everything."""
    ctx.warn(f"putting the weights back: {breach}")
    try:
        with insisting():
            _restore(cloud, before, move)
    except Exception as second:
        raise CloudError(
            f"THE WEIGHTS COULD NOT BE PUT BACK after a failed switch to {move.live}: {second}",
            why=f"the switch itself failed with: {breach}",
            next_step=f"look at the listener rule of {cloud.names.load_balancer} now; the next update finishes or "
            "undoes the switch.",
        ) from second


def _restore(cloud: Cloud, before: Balancer, move: Move) -> None:
    if before.rule is None:
        if now := cloud.balancer().rule:
            cloud.delete_rule(now.arn)
        return
    cloud.set_weights(before.rule.arn, before.target_groups, before.rule.weights)
    cloud.tag_rule(before.rule.arn, _journal_of_before(before, move).as_tags())


def _journal_of_before(before: Balancer, move: Move) -> Journal:
    """What explains users where they were found: this switch, put back; or (after a failed finish) the one before."""
    home = move.standing.live_colour if move.standing else None
    found = Journal.from_tags(before.rule.tags) if before.rule else None
    at_home = home is not None and before.rule is not None and whole(before.rule.weights) is home
    return move.journal(Phase.RESTORED) if at_home or found is None else found


def _undone(move: Move, breach: Exception) -> Exception:
    """What to tell after users were moved and put back; a check that failed meanwhile did not know of the move."""
    back = f"Users were on {move.live} for a moment, and were put back to where they were before"
    match breach:
        case Cancelled() | Interrupted():
            return Cancelled(f"The switch was interrupted. {back}.")
        case CheckFailed() | CloudError() | Refused():
            what = breach.what.replace(" Users were not touched.", "")
            return type(breach)(f"{back}: {what}", why=breach.why, next_step=breach.next_step)
        case _ if refused := readable(breach):
            return CloudError(f"{back}: {refused}")
    return breach


def _record(cloud: Cloud, balancer: Balancer, move: Move, report: Report) -> Props:
    recorded = advance(move.standing, move.live, move.release)
    proof = Proof(
        digest=move.release.digest,
        commit=move.release.commit,
        release_id=move.release.id,
        at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        smoke=f"{report.checks} checks passed",
    )
    evidence = [each.as_dict() for each in with_proof(recorded.evidence, proof)]
    return {**as_outputs(recorded), "evidence": evidence, "url": live_url(cloud, balancer)}
