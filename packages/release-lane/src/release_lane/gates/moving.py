"""Moving users: check, journal, move in steps, watch after each; the new record. Any breach rolls back the traffic.

Before any traffic moves, the smoke gate's pass of this very run is demanded, weights have to be what the decision was
made from, the receiving colour still what passed, and the alarms OK. Then the journal is written. After each step
the live URL is checked and the release watched (`gates.watching`); at the end the truth is read again. Where the
traffic is rolled back to is in `release_lane.gates.undoing`.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from provider_kit import Cancelled, Context, Props

from release_lane.aws.cloud import Balancer, Cloud, ahead, starting_with, submit
from release_lane.aws.patience import SPARED_WITHIN, at_most
from release_lane.aws.session import credentials_last
from release_lane.decide.conditions import start_of_live
from release_lane.decide.refusals import alarms_firing, line_stopped, quarantined, unwatchable
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, Users
from release_lane.gates.faults import fault_of
from release_lane.gates.move import Move
from release_lane.gates.passes import together
from release_lane.gates.reality import where, words
from release_lane.gates.recording import RECORDING, Recording
from release_lane.gates.rollout import manifests_of
from release_lane.gates.timing import TIMING, Timing
from release_lane.gates.undoing import Timeline, reason_of, roll_back
from release_lane.gates.watching import Senses, Stage, Watch
from release_lane.probe.sampling import Place
from release_lane.record.alarms import Alarm, Watched, forbidding, no_sign, without_data
from release_lane.record.endpoint import of_colour, production
from release_lane.record.evidence import NAMED, Proof, with_proof
from release_lane.record.intended import MOVED_AT
from release_lane.record.journal import ABORT, Abort, Journal, Phase
from release_lane.record.placement import Weights, all_on, shared, whole
from release_lane.record.times import iso
from release_lane.smoke.checks import Report
from release_lane.watch.judge import Bake
from release_lane.watch.remembered import RollCall
from release_lane.watch.rollout import Failed, Outcome, Passed, Reading, Waiting, Wanted, judge, with_own_words

Seen = TypeVar("Seen")

SensesOf = Callable[[Cloud, Balancer, Watched, float], Senses]


def perform(
    ctx: Context,
    cloud: Cloud,
    move: Move,
    senses_of: SensesOf = Senses.of,
    timing: Timing = TIMING,
    recording: Recording = RECORDING,
) -> Props:
    """Check, journal, move, watch; the new record. Any breach after that rolls back the traffic."""
    place = where(cloud, move.located)
    senses = senses_of(cloud, place, move.watched, move.period)
    # Side by side; judged one after the other.
    colour = ahead(partial(_look_at, cloud, place, move))
    with at_most(SPARED_WITHIN) if move.course.goes_back else contextlib.nullcontext():
        alarms_now = ahead(senses.alarms)
    before = _found(cloud, place, move)
    _unmoved(before, move)
    _honour_abort(ctx, cloud, before, move, senses)
    _still_passed(ctx, move, colour, timing)
    alarms = _heard(ctx, before, move, replace(senses, alarms=alarms_now), timing)
    had_users = bool(before.rule and before.rule.weights.get(move.live))
    bake = move.bake(alarms, senses.clock.now(), had_users=had_users)
    credentials_last(cloud.names.access, timing.credentials_margin + move.longest(bake))
    if ctx.cancelled.is_set():
        raise Cancelled("The switch was interrupted before it moved any traffic.")
    roll = RollCall([alarm.name for alarm in alarms])
    switch = Switching.of(ctx, cloud, move, before, senses, bake, roll, timing)
    if move.course.steps:
        _not_halted(before, move, recording)
        _begin(cloud, before, move)
    try:
        report = switch.all_steps()
    except Exception as breach:
        ended = roll_back(ctx, cloud, move, before, breach, switch.timeline)
        recording.fault(fault_of(breach, ended, move))
        raise ended from breach
    finally:
        switch.end()
        recording.note(timeline=switch.timeline.lines(), probes=switch.probes(), **_met(switch.timeline))
    return _record(cloud, before, move, report)


def _met(timeline: Timeline) -> dict[str, str]:
    """When the first users met the release, if any did."""
    return {} if timeline.began is None else {MOVED_AT: iso(timeline.began)}


# ---- Before any traffic moves


def _found(cloud: Cloud, place: Balancer, move: Move) -> Balancer:
    balancer = cloud.balancer(move.located) if move.located.complete else place
    if not balancer.listener:
        raise CloudError(
            f"The production listener (port {cloud.names.users_port}) of {cloud.names.load_balancer} does not exist.",
            next_step="run the whole update, without --target; it creates the listener first.",
            users=Users.UNTOUCHED,
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
            users=Users.UNTOUCHED,
        )


def _not_halted(before: Balancer, move: Move, recording: Recording) -> None:
    """Neither was the line stopped since the decision, nor the digest put into quarantine. Ways back and the end of an
    interrupted switch pass: one that died before it moved any traffic left nothing to end."""
    journal = Journal.from_tags(before.rule.tags) if before.rule else None
    divided = before.rule is not None and whole(before.rule.weights) is None
    begun = journal and journal.phase is Phase.MOVING and journal.to.release_id == move.release.id
    if (divided and begun) or not move.goes_forward:
        return
    halts = recording.halts()
    if said := halts.quarantined or halts.stopped:
        quarantine = quarantined(move.release.digest, said)
        error = quarantine if halts.quarantined else line_stopped(said, move.standing)
        error.users = Users.UNTOUCHED
        raise error


def _honour_abort(ctx: Context, cloud: Cloud, before: Balancer, move: Move, senses: Senses) -> None:
    """An abort request that is there already: honoured if the switch that it names did not end, else old and removed.

    It came while this update was at its gates, or the switch was killed before it saw it. The traffic is rolled back
    either way; `Interrupted`.
    """
    rule = before.rule
    request = Abort.from_tags(rule.tags) if rule else None
    if rule is None or ABORT not in rule.tags:
        return
    if request and request.stands(Journal.from_tags(rule.tags), move.release.id):
        breach = Interrupted(request.words())
        raise roll_back(ctx, cloud, move, before, breach, Timeline(senses.clock.now, ctx.info))
    with _untouched("The old abort request could not be removed"):
        cloud.untag_rule(rule.arn, [ABORT])


Judged = tuple[Outcome, Reading]
"""The receiving colour, as it was read."""


def _look_at(cloud: Cloud, balancer: Balancer, move: Move) -> Judged:
    """Is the receiving colour what passed the gates?"""
    reading = cloud.read(move.live, balancer.target_groups.get(move.live), move.passed.known)
    if not reading.wanted:
        return Waiting("no task is wanted there"), reading
    return judge(reading, _as_passed(cloud, reading, move)), reading


def _still_passed(ctx: Context, move: Move, look: Callable[[], Judged], timing: Timing) -> None:
    """The receiving colour is exactly what passed the gates: same deployment, fully healthy."""
    outcome, reading = _again(
        ctx, look, lambda found: not isinstance(found[0], Waiting), timing.looks_again_for, timing
    )
    if outcome != Passed(move.passed.deployment):
        changed = CheckFailed(
            f"{move.live} is no longer what passed the gates: {_in_words(outcome, reading)}.",
            next_step="run the update again; it gates what it finds.",
            users=Users.UNTOUCHED,
        )
        changed.foreign = reading.primary is not None and reading.primary.id != move.passed.deployment
        raise changed


def _in_words(outcome: Outcome, reading: Reading) -> str:
    match outcome:
        case Passed(deployment):
            return f"its tasks are of another deployment ({deployment})"
        case Waiting(progress):
            return with_own_words(progress, reading)
        case Failed(reason):
            return reason


def _again(
    ctx: Context, look: Callable[[], Seen], enough: Callable[[Seen], bool], seconds: float, timing: Timing
) -> Seen:
    """Look until it is enough, at most for some seconds: an answer of AWS may be older than what was just done."""
    until = time.monotonic() + seconds
    while not enough(seen := look()) and time.monotonic() < until:
        ctx.wait(timing.between_looks, "looking again")
    return seen


def _as_passed(cloud: Cloud, reading: Reading, move: Move) -> Wanted:
    """By ECS's own word every task runs the image of the release, or one of its platforms'."""
    sure = move.passed.manifests | {move.release.digest}
    passed = {task.digest for task in reading.running} <= sure
    manifests = sure if passed else manifests_of(cloud, move.release.digest)
    return Wanted(tasks=reading.wanted, task_definition=move.passed.taskDefinition, manifests=manifests)


def _heard(ctx: Context, before: Balancer, move: Move, senses: Senses, timing: Timing) -> tuple[Alarm, ...]:
    """The alarms, which have to be there and OK; and CloudWatch must answer before the switch depends on it."""
    lenient = move.course.goes_back or move.proceeds

    def enough(found: tuple[Alarm, ...]) -> bool:
        return lenient or not move.watched.unseen(found)

    from botocore.exceptions import ClientError

    try:
        alarms = _again(ctx, senses.alarms, enough, timing.looks_again_for, timing)
    except (CloudError, ClientError) as away:
        if not move.course.goes_back:
            raise
        ctx.warn(f"The alarms were not read, which no way back waits for: {reason_of(away)}")
        return ()
    if unseen := move.watched.unseen(alarms):
        refusal = unwatchable(unseen)
        if not lenient:
            raise refusal
        ctx.warn(f"{refusal.what} That does not stop this switch.")
    if not move.watches and (silent := without_data(alarms)):
        ctx.info(no_sign(silent))
    weights = before.rule.weights if before.rule else {}
    firing = forbidding(alarms, [colour for colour, weight in weights.items() if weight])
    moves_on = bool(move.course.steps) and not lenient
    if firing and moves_on:
        raise alarms_firing(firing, start_of_live(move.standing, move.alarm_memory))
    for alarm in firing:
        counts = move.course.bake and not move.excuses(alarm)
        then = "it counts against the release" if counts else "only alarms that begin to fire from now on count"
        ctx.info(f"{alarm.words()} already; {then}")
    if move.course.bake:
        now = senses.clock.now()
        senses.traffic(now - move.period, now)
    return alarms


def _begin(cloud: Cloud, before: Balancer, move: Move) -> None:
    """Journal first. It may say "moving" although the write failed; the next update then sees unmoved weights."""
    if before.rule is None:
        return
    with _untouched("The journal could not be written"):
        cloud.tag_rule(before.rule.arn, move.journal(Phase.MOVING).as_tags())


@contextlib.contextmanager
def _untouched(what: str) -> Iterator[None]:
    """A write before any traffic moves; if AWS does not take it, say so."""
    try:
        yield
    except CloudError as error:
        raise CloudError(
            f"{what}. {error.what}", why=error.why, next_step=error.next_step, users=Users.UNTOUCHED
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
    timing: Timing

    @staticmethod
    def of(
        ctx: Context,
        cloud: Cloud,
        move: Move,
        before: Balancer,
        senses: Senses,
        bake: Bake,
        roll: RollCall,
        timing: Timing,
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
        return Switching(ctx, cloud, move, before, senses, watch, timeline, timing)

    def all_steps(self) -> Report:
        """All users (of a hold: its share of them) are on the receiving colour, which is healthy; what the last checks
        found."""
        stages = self.move.stages
        for number, share in enumerate(stages, start=1):
            report = self._step(number, share)
        colour: list[Future[Judged]] = []

        def both() -> Balancer:
            colour[:] = [submit(self._look)]
            return self._look_at_rule()

        balancer = self._settled(self.move.ends_at, both)
        _still_passed(self.ctx, self.move, starting_with(colour[0], self._look), self.timing)
        assert balancer.rule is not None
        end = Phase.HELD if self.move.course.hold else Phase.MOVED
        self.cloud.tag_rule(balancer.rule.arn, self.move.journal(end).as_tags())
        return report

    def _look(self) -> Judged:
        return _look_at(self.cloud, self.before, self.move)

    def _look_at_rule(self) -> Balancer:
        return self.cloud.balancer(self.before.located)

    def probes(self) -> list[dict[str, Any]]:
        """What came of the probes of the last step, for the ledger."""
        tallies = self.watch.prober.tallies() if self.watch.prober else ()
        return [{"place": each.place, "sent": each.sent, "failed": each.failed} for each in tallies]

    def end(self) -> None:
        """No more probes."""
        if self.watch.prober:
            self.watch.prober.stop()

    def _step(self, number: int, share: int) -> Report:
        move, weights = self.move, shared(self.move.live, share)
        if number > 1:
            _still_passed(self.ctx, move, self._look, self.timing)
        if move.course.steps:
            at_once = len(move.stages) == 1 and share == 100
            self._set(weights, "all at once" if at_once else f"step {number} of {len(move.stages)}")
        report = self._checked(weights)
        if move.course.bake or number < len(move.stages):
            self._settled(weights, self._look_at_rule)
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
        """The live URL answers as it should; while two releases share it, the new one is also asked by itself."""
        move, senses = self.move, self.senses
        meant, deadline = move.meant(), move.smoke_deadline
        live = production(self.cloud.names, self.before.dns_name)
        if weights == all_on(move.live):
            return senses.checks(self.ctx, live, meant, deadline)
        if move.asked_alike:
            senses.checks(self.ctx, live, replace(meant, next_to=move.next_to()), deadline)
        alone = of_colour(self.cloud.names, self.before.dns_name, move.live)
        return senses.checks(self.ctx, alone, meant, deadline)

    def _settled(self, weights: Weights, look: Callable[[], Balancer]) -> Balancer:
        """The weights became what was set, and there is no abort request."""
        timing = self.timing
        balancer = _again(self.ctx, look, lambda found: _has(found, weights), timing.settles_within, timing)
        self.watch.honour(balancer.rule)
        if not _has(balancer, weights):
            found = balancer.rule.weights if balancer.rule else None
            changed = CheckFailed(f"The weights did not become what was set: {words(found)}")
            changed.foreign = True
            raise changed
        return balancer

    def _start_probes(self) -> None:
        if self.watch.prober or not self.move.course.bake:
            return
        meant, other, live = self.move.meant(), self.move.next_to(), self.move.live
        names, load_balancer = self.cloud.names, self.before.dns_name
        users = Place(
            name="the live URL",
            endpoint=production(names, load_balancer),
            known=tuple(filter(None, (meant, other))),
        )
        alone = Place(
            name=f"{live}'s test listener",
            endpoint=of_colour(names, load_balancer, live),
            known=(meant,),
            colour=live,
        )
        # Probes that cannot be attributed would be taken for users in CloudWatch's counts of a colour.
        self.watch.prober = self.senses.probes([users, alone] if self.move.tells_apart else [alone])


def _has(balancer: Balancer, weights: Weights) -> bool:
    return balancer.rule is not None and balancer.rule.weights == weights


def _record(cloud: Cloud, balancer: Balancer, move: Move, report: Report) -> Props:
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    recorded = move.after(at)
    proof = Proof(
        digest=move.release.digest,
        commit=move.release.commit,
        release_id=move.release.id,
        at=at,
        smoke=f"{report.checks} checks passed",
        unchecked=together(move.unchecked(), report.unchecked),
        checks=report.names[:NAMED],
        tables=(*move.passed.tables, *report.tables),
        migrated=move.passed.migrated,
    )
    left = move.standing.live.digest if move.standing else ""
    recorded = replace(recorded, evidence=with_proof(recorded.evidence, proof, move.drill, left))
    return {**recorded.as_outputs(), "url": production(cloud.names, balancer.dns_name).url}
