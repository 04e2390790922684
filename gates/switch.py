"""The traffic switch: sole owner of the users' listener rule. It alone creates, tags, weights and deletes it.

Before it moves anybody it demands the smoke gate's pass of this very run, looks whether weights are what the
decision was made from and whether the receiving colour still is what passed, and writes the journal. After
moving it checks the live URL and reads the truth again; any breach puts the weights back and fails the update.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gates.gate import cloud_of, pass_input, told
from gates.kit import UNKNOWN, Cancelled, Change, Context, Props, Resource, State, readable
from gates.passes import Pass, demand
from gates.smoke import until_passed
from release.aws.cloud import Balancer, Cloud
from release.aws.patience import insisting
from release.aws.session import credentials_last
from release.decision import advance
from release.digest import short
from release.errors import CheckFailed, CloudError, Interrupted, Refused
from release.evidence import Proof, with_proof
from release.journal import End, Journal, Phase
from release.placement import Colour, Release, Weights, all_on, whole
from release.records import OUTPUTS, Recorded
from release.rollout import Outcome, Passed, Reading, Waiting, Wanted, judge
from release.smoking import Expected, Report

Seen = TypeVar("Seen")

SHOWN = ("decision", "reason", "live", "weights", "release")
"""Inputs whose change an approver should see in the diff."""

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


class TrafficSwitch(Resource):
    """Inputs: active, decision, reason, live, weights, release, expected, standing, passOfBefore, environment, …"""

    token = "release:index:TrafficSwitch"
    computed = frozenset(OUTPUTS)

    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        """While active always a change; otherwise reality decides: it must be what was recorded."""
        del ignore
        if inputs.get("active"):
            changed = [path for key in SHOWN for path in _changed(key, old.inputs.get(key), inputs.get(key))]
            return [Change(path) for path in changed] or [Change("active")]
        problem = told(lambda: deviation(cloud_of(inputs), old.outputs))
        if problem is None:
            return []
        ctx.warn(f"Reality is not what was recorded: {problem}")
        return [Change("weights")]

    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        """What will be recorded; evidence (it carries a time) only after the update."""
        if not inputs.get("active"):
            return super().preview(ctx, inputs, old)
        if isinstance(pass_input(inputs), Mapping):
            # The gates' outputs are known in a preview only if they will not run in the update.
            told(lambda: Move.of(inputs))
        recorded = advance(
            Recorded.from_outputs(inputs.get("standing") or {}),
            Colour(inputs["live"]),
            Release.from_dict(inputs["release"]),
        )
        kept = {"url": old.outputs.get("url", UNKNOWN) if old else UNKNOWN}
        return {**inputs, **kept, **as_outputs(recorded), "evidence": UNKNOWN}

    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        """Move users for the first time (or take up a record that the state had lost)."""
        return ctx.name, told(lambda: self._apply(ctx, inputs, {}))

    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        """Move users, or (inactive) fail because reality is not what was recorded."""
        return told(lambda: self._apply(ctx, inputs, old.outputs))

    def read(self, ctx: Context, id: str, props: Props, inputs: Props) -> tuple[Props, Props] | None:
        """The record stays the record: drift is told by the next update, not swallowed by a refresh."""
        del ctx, id
        return (props, inputs) if props else None

    def delete(self, ctx: Context, state: State) -> None:
        """Delete the rule: the users' listener answers 503 again."""
        del ctx

        def remove() -> None:
            cloud = cloud_of(state.inputs)
            rule = cloud.balancer().rule
            if rule:
                cloud.delete_rule(rule.arn)

        told(remove)

    def _apply(self, ctx: Context, inputs: Props, old: Mapping[str, Any]) -> Props:
        cloud = cloud_of(inputs)
        if inputs.get("active"):
            return perform(ctx, cloud, Move.of(inputs))
        kept = {key: old[key] for key in self.computed if key in old} or _taken_up(cloud, inputs)
        problem = deviation(cloud, kept)
        if problem:
            raise CheckFailed(
                f"Nothing was asked for, but reality is not what was recorded: {problem}.",
                next_step="if it does not recover by itself, run the update with onDrift=restore, or roll back.",
            )
        return kept


def _taken_up(cloud: Cloud, inputs: Props) -> Props:
    standing = Recorded.from_outputs(inputs.get("standing") or {})
    if standing is None:
        raise CloudError("There is no record of a release here, and none was asked for.")
    return {**as_outputs(standing), "url": live_url(cloud, cloud.balancer())}


def _changed(path: str, old: Any, new: Any) -> list[str]:
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [each for key in sorted({*old, *new}) for each in _changed(f"{path}.{key}", old.get(key), new.get(key))]
    return [path]


# ---- Moving users -----------------------------------------------------------------------------------------


def perform(ctx: Context, cloud: Cloud, move: Move) -> Props:
    """Check, journal, move, check again; the new record. Any breach after the move puts the weights back."""
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
            f"The users' weights were moved meanwhile: now {_words(weights)}, "
            f"but {_words(move.expected)} when this update began. Nothing was changed.",
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
        raise CheckFailed(f"The weights did not become what was set: {_words(found)}")
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


# ---- The record and reality ---------------------------------------------------------------------------------


def as_outputs(recorded: Recorded) -> Props:
    """The record as outputs; `release.records.Recorded.from_outputs` reads them."""
    previous = recorded.previous
    return {
        "liveColour": str(recorded.live_colour),
        "imageDigest": recorded.live.digest,
        "commit": recorded.live.commit,
        "releaseId": recorded.live.id,
        "liveRelease": recorded.live.as_dict(),
        "previousDigest": previous.digest if previous else "",
        "previousRelease": previous.as_dict() if previous else {},
        "liveHistory": [past.as_dict() for past in recorded.history],
        "evidence": [proof.as_dict() for proof in recorded.evidence],
    }


def deviation(cloud: Cloud, outputs: Mapping[str, Any]) -> str | None:
    """How reality differs from the record, in words; None if it does not."""
    recorded = Recorded.from_outputs(outputs)
    if recorded is None:
        return "nothing is recorded"
    balancer = cloud.balancer()
    weights = balancer.rule.weights if balancer.rule else None
    if weights is None or whole(weights) is not recorded.live_colour:
        return f"users are served {_words(weights)}, recorded is {recorded.live_colour}"
    reading = cloud.read(recorded.live_colour, balancer.target_groups.get(recorded.live_colour))
    return _sick(cloud, reading, recorded)


def _sick(cloud: Cloud, reading: Reading, recorded: Recorded) -> str | None:
    running, healthy = len(reading.running), reading.healthy
    if not (running == healthy == reading.wanted > 0):
        return f"{recorded.live_colour} has {healthy} healthy of {reading.wanted} wanted tasks"
    if {target.ip for target in reading.targets if target.state != "draining"} != {task.ip for task in reading.running}:
        return f"{recorded.live_colour} has targets in rotation that are none of its tasks"
    digests = {task.digest for task in reading.running}
    if digests != {recorded.live.digest}:
        image = cloud.image(digest=recorded.live.digest)
        if not image or not digests <= image.manifests:
            return f"{recorded.live_colour} runs {', '.join(map(short, digests))}, not {short(recorded.live.digest)}"
    return None


def live_url(cloud: Cloud, balancer: Balancer) -> str:
    """Where users are served."""
    port = cloud.names.users_port
    return f"http://{balancer.dns_name}" + ("" if port == 80 else f":{port}")


def _words(weights: Mapping[Colour, int] | None) -> str:
    if weights is None:
        return "by no rule at all (503)"
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)
