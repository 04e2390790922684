"""Moving users: check, journal, move in steps, watch after each; the new record. Any breach puts the weights back.

Before anybody is moved, the smoke gate's pass of this very run is demanded, weights have to be what the decision was
made from, the receiving colour still what passed, and the alarms quiet. Then the journal is written. After each step
the live URL is checked and the release watched (`gates.watching`); at the end the truth is read again. Where users
are put back to is in `release_lane.gates.undoing`.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from provider_kit import Cancelled, Context, Props

from release_lane.aws.cloud import Balancer, Cloud
from release_lane.aws.session import credentials_last
from release_lane.decide.decision import advance
from release_lane.decide.refusals import alarms_firing, unwatchable
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused
from release_lane.gates.move import Move
from release_lane.gates.passes import together
from release_lane.gates.probing import Place
from release_lane.gates.reality import as_outputs, live_url, test_url, words
from release_lane.gates.rollout import manifests_of
from release_lane.gates.undoing import UNTOUCHED, Timeline, put_back
from release_lane.gates.watching import Senses, Stage, Watch
from release_lane.record.alarms import Alarm, Watched, forbidding, no_sign, without_data
from release_lane.record.evidence import Proof, with_proof
from release_lane.record.journal import ABORT, Abort, Journal, Phase
from release_lane.record.placement import Weights, all_on, shared
from release_lane.smoke import warm
from release_lane.smoke.checks import Report
from release_lane.watch.judge import Bake
from release_lane.watch.remembered import RollCall
from release_lane.watch.rollout import Failed, Outcome, Passed, Reading, Waiting, Wanted, judge, with_own_words

Seen = TypeVar("Seen")

CREDENTIALS_MARGIN = 300.0
"""Seconds that credentials must outlive the longest switch."""

SETTLES_WITHIN = 10.0
"""Seconds for which AWS may still answer with weights from before a write; only then are wrong ones a breach."""

LOOKS_AGAIN_FOR = 3.0
"""Seconds for which a colour may look less than whole, in an answer that is too old, before it is a breach."""

PAUSE = 0.3
"""Seconds between two such looks."""


def perform(
    ctx: Context, cloud: Cloud, move: Move, senses_of: Callable[[Cloud, Balancer, Watched, float], Senses] = Senses.of
) -> Props:
    """Check, journal, move, watch; the new record. Any breach after that puts the weights back."""
    warm.prepare()  # for the live URL
    before = _found(cloud)
    senses = senses_of(cloud, before, move.watched, move.period)
    _unmoved(before, move)
    _heed_before(ctx, cloud, before, move, senses)
    _still_passed(ctx, cloud, before, move)
    alarms = _heard(ctx, before, move, senses)
    bake = move.bake(alarms, senses.clock.now())
    credentials_last(cloud.names.access, CREDENTIALS_MARGIN + move.longest(bake))
    if ctx.cancelled.is_set():
        raise Cancelled("The switch was interrupted before it moved anybody.")
    switch = Switching.of(ctx, cloud, move, before, senses, bake, RollCall([alarm.name for alarm in alarms]))
    if move.course.steps:
        _begin(cloud, before, move)
    try:
        report = switch.all_steps()
    except Exception as breach:
        raise put_back(ctx, cloud, move, before, breach, switch.timeline) from breach
    finally:
        switch.end()
    return _record(cloud, before, move, report)


# ---- Before anybody is moved


def _found(cloud: Cloud) -> Balancer:
    balancer = cloud.balancer()
    if not balancer.listener:
        raise CloudError(
            f"The production listener (port {cloud.names.users_port}) of {cloud.names.load_balancer} does not exist.",
            next_step="run the whole update, without --target; it creates the listener first.",
        )
    return balancer


def _unmoved(balancer: Balancer, move: Move) -> None:
    """Weights are still those that the decision was made from."""
    weights = balancer.rule.weights if balancer.rule else None
    if weights != move.expected:
        raise Refused(
            f"The users' weights were moved meanwhile: now {words(weights)}, "
            f"but {words(move.expected)} when this update began. Nothing was changed.",
            next_step="find out who moved them, then run the update again.",
        )


def _heed_before(ctx: Context, cloud: Cloud, before: Balancer, move: Move, senses: Senses) -> None:
    """A wish to abort that is there already: heeded if the switch that it names did not end, else old and removed.

    It came while this update was at its gates, or the switch was killed before it saw it. Users are put back either
    way; `Interrupted`.
    """
    rule = before.rule
    wish = Abort.from_tags(rule.tags) if rule else None
    if rule is None or ABORT not in rule.tags:
        return
    if wish and wish.stands(Journal.from_tags(rule.tags), move.release.id):
        breach = Interrupted(wish.words())
        raise put_back(ctx, cloud, move, before, breach, Timeline(senses.clock.now, ctx.info))
    with _untouched("The old wish to abort could not be removed"):
        cloud.untag_rule(rule.arn, [ABORT])


def _still_passed(ctx: Context, cloud: Cloud, balancer: Balancer, move: Move) -> None:
    """The receiving colour is exactly what passed the gates: same deployment, whole and healthy."""

    def look() -> tuple[Outcome, Reading]:
        reading = cloud.read(move.live, balancer.target_groups.get(move.live))
        if not reading.wanted:
            return Waiting("no task is wanted there"), reading
        return judge(reading, _as_passed(cloud, reading, move)), reading

    outcome, reading = _again(ctx, look, lambda found: not isinstance(found[0], Waiting), LOOKS_AGAIN_FOR)
    if outcome != Passed(move.passed.deployment):
        raise CheckFailed(
            f"{move.live} is no longer what passed the gates: {_in_words(outcome, reading)}. Users were not touched.",
            next_step="run the update again; it gates what it finds.",
        )


def _in_words(outcome: Outcome, reading: Reading) -> str:
    match outcome:
        case Passed(deployment):
            return f"its tasks are of another deployment ({deployment})"
        case Waiting(progress):
            return with_own_words(progress, reading)
        case Failed(reason):
            return reason


def _again(ctx: Context, look: Callable[[], Seen], enough: Callable[[Seen], bool], seconds: float) -> Seen:
    """Look until it is enough, at most for some seconds: an answer of AWS may be older than what was just done."""
    until = time.monotonic() + seconds
    while not enough(seen := look()) and time.monotonic() < until:
        ctx.wait(PAUSE, "looking again")
    return seen


def _as_passed(cloud: Cloud, reading: Reading, move: Move) -> Wanted:
    """By ECS's own word every task runs the image of the release, or one of its platforms'."""
    digest = move.release.digest
    plain = all(task.digest == digest for task in reading.running)
    manifests = frozenset({digest}) if plain else manifests_of(cloud, digest, starts=False)
    return Wanted(tasks=reading.wanted, task_definition=move.passed.taskDefinition, manifests=manifests)


def _heard(ctx: Context, before: Balancer, move: Move, senses: Senses) -> tuple[Alarm, ...]:
    """The alarms, which have to be there and quiet; and CloudWatch must answer before anybody depends on it."""
    lenient = move.course.goes_back or move.proceeds
    alarms = _again(ctx, senses.alarms, lambda found: lenient or not move.watched.unseen(found), LOOKS_AGAIN_FOR)
    if unseen := move.watched.unseen(alarms):
        refusal = unwatchable(unseen)
        if not lenient:
            raise refusal
        ctx.warn(f"{refusal.what.replace(UNTOUCHED, '')} That does not stop this switch.")
    if not move.watches and (silent := without_data(alarms)):
        ctx.info(no_sign(silent))
    weights = before.rule.weights if before.rule else {}
    firing = forbidding(alarms, [colour for colour, weight in weights.items() if weight])
    moves_on = bool(move.course.steps) and not lenient
    if firing and moves_on:
        raise alarms_firing(firing)
    for alarm in firing:
        counts = move.course.bake and not move.excuses(alarm)
        then = "it counts against the release" if counts else "only alarms that begin to fire from now on count"
        ctx.info(f"{alarm.words()} already; {then}")
    if move.course.bake:
        now = senses.clock.now()
        senses.traffic(now - move.period, now)
    return alarms


def _begin(cloud: Cloud, before: Balancer, move: Move) -> None:
    """Journal first. It may say "moving" although the write failed: then the next update sees that nobody was moved."""
    if before.rule is None:
        return
    with _untouched("The journal could not be written"):
        cloud.tag_rule(before.rule.arn, move.journal(Phase.MOVING).as_tags())


@contextlib.contextmanager
def _untouched(what: str) -> Iterator[None]:
    """A write before users are moved; if AWS does not take it, say so."""
    try:
        yield
    except CloudError as error:
        raise CloudError(
            f"{what}. Users were not touched. {error.what}", why=error.why, next_step=error.next_step
        ) from error


# ---- Step by step


@dataclass
class Switching:
    """One switch under way."""

    ctx: Context
    cloud: Cloud
    move: Move
    before: Balancer
    senses: Senses
    watch: Watch
    timeline: Timeline

    @staticmethod
    def of(
        ctx: Context, cloud: Cloud, move: Move, before: Balancer, senses: Senses, bake: Bake, roll: RollCall
    ) -> Switching:
        """Before its first step."""
        timeline = Timeline(senses.clock.now, ctx.info if move.watches else lambda _: None)
        watch = Watch(
            ctx=ctx,
            cloud=cloud,
            balancer=before,
            release_id=move.release.id,
            bake=bake,
            senses=senses,
            roll=roll,
            note=timeline.noted,
        )
        return Switching(ctx, cloud, move, before, senses, watch, timeline)

    def all_steps(self) -> Report:
        """Everybody is on the receiving colour, and it did well; what the last checks found."""
        stages = self.move.stages
        for number, share in enumerate(stages, start=1):
            report = self._step(number, share)
        balancer = self._settled(all_on(self.move.live))
        _still_passed(self.ctx, self.cloud, self.before, self.move)
        assert balancer.rule is not None
        self.cloud.tag_rule(balancer.rule.arn, self.move.journal(Phase.MOVED).as_tags())
        return report

    def end(self) -> None:
        """No more probes."""
        if self.watch.prober:
            self.watch.prober.stop()

    def _step(self, number: int, share: int) -> Report:
        move, weights = self.move, shared(self.move.live, share)
        if number > 1:
            _still_passed(self.ctx, self.cloud, self.before, move)
        if move.course.steps:
            self._set(weights, f"step {number} of {len(move.stages)}" if len(move.stages) > 1 else "all at once")
        report = self._checked(weights)
        if move.course.bake or number < len(move.stages):
            self._settled(weights)
            self._start_probes()
            # From now on: the checks' own requests must not count as traffic of users.
            began = self.senses.clock.now()
            self.watch.until_calm(Stage(number=number, of=len(move.stages), weights=weights, began=began))
        return report

    def _set(self, weights: Weights, why: str) -> None:
        """One call that moves users (at the first release it makes the rule, with the journal)."""
        self.ctx.say(f"moving users to {self.move.live}")
        self.timeline.moved(weights, why)
        before = self.before
        if before.rule is None:
            tags = self.move.journal(Phase.MOVING).as_tags()
            self.cloud.create_rule(before.listener, before.target_groups, weights, tags)
            return
        self.cloud.set_weights(before.rule.arn, before.target_groups, weights)

    def _checked(self, weights: Weights) -> Report:
        """The live URL answers as it should; while two releases share it, the new one is asked by itself, too."""
        move, senses = self.move, self.senses
        meant, deadline = move.meant(), move.smoke_deadline
        live = live_url(self.cloud, self.before)
        if weights == all_on(move.live):
            return senses.checks(self.ctx, live, meant, deadline)
        if move.asked_alike:
            senses.checks(self.ctx, live, replace(meant, beside=move.beside()), deadline)
        return senses.checks(self.ctx, test_url(self.cloud, self.before, move.live), meant, deadline)

    def _settled(self, weights: Weights) -> Balancer:
        """The weights became what was set, and nobody asked to abort."""
        balancer = _again(self.ctx, self.cloud.balancer, lambda found: _has(found, weights), SETTLES_WITHIN)
        self.watch.heed(balancer.rule)
        if not _has(balancer, weights):
            found = balancer.rule.weights if balancer.rule else None
            raise CheckFailed(f"The weights did not become what was set: {words(found)}")
        return balancer

    def _start_probes(self) -> None:
        if self.watch.prober or not self.move.course.bake:
            return
        meant, beside, live = self.move.meant(), self.move.beside(), self.move.live
        users = Place(
            name="the live URL", url=live_url(self.cloud, self.before), known=tuple(filter(None, (meant, beside)))
        )
        alone = Place(
            name=f"{live}'s test listener", url=test_url(self.cloud, self.before, live), known=(meant,), colour=live
        )
        # Probes that nobody can attribute would be taken for users by whoever reads CloudWatch's counts of a colour.
        self.watch.prober = self.senses.probes([users, alone] if self.move.tells_apart else [alone])


def _has(balancer: Balancer, weights: Weights) -> bool:
    return balancer.rule is not None and balancer.rule.weights == weights


def _record(cloud: Cloud, balancer: Balancer, move: Move, report: Report) -> Props:
    recorded = advance(move.standing, move.live, move.release)
    proof = Proof(
        digest=move.release.digest,
        commit=move.release.commit,
        release_id=move.release.id,
        at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        smoke=f"{report.checks} checks passed",
        unchecked=together(move.unchecked(), report.unchecked),
    )
    evidence = [each.as_dict() for each in with_proof(recorded.evidence, proof)]
    return {**as_outputs(recorded), "evidence": evidence, "url": live_url(cloud, balancer)}
