"""What one update does: `decide(recorded, observed, requested, proof) -> Decision`. Pure; reads no clock, no cloud.

The decision is a closed union. Everything that changes the cloud for users follows from it alone, so each rule
of docs/guarantees.md about *what* may happen is a line here and a row in tests/decide/test_decision.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from release_lane.decide.choice import (
    Decision,
    Deploy,
    Finish,
    Heal,
    Keep,
    OnAlarm,
    OnDrift,
    Prepare,
    Refuse,
    Requested,
    TrafficOnly,
    Verdict,
    goes_back,
)
from release_lane.decide.conditions import check_conditions
from release_lane.decide.difference import settings_apart
from release_lane.decide.foundations import Foundations
from release_lane.decide.idle import need_of_idle
from release_lane.decide.lineage import Order
from release_lane.decide.rebuilding import check_foundations, check_parts, check_state, rebuilds, rebuilt
from release_lane.decide.refusals import (
    changed_meanwhile,
    never_proven,
    no_rebuild,
    no_record,
    not_adoptable,
    not_in_registry,
    nothing_found,
    older_commit,
    one_thing_at_a_time,
    serves,
    silent_rollback,
    third_release,
    unexplained,
    unfinishable,
    unknown_here,
)
from release_lane.decide.whereabouts import Drift, Interrupted, found_interrupted, locate
from release_lane.errors import ReleaseError
from release_lane.record.adoption import unseen
from release_lane.record.digest import short
from release_lane.record.evidence import Proof, proof_of
from release_lane.record.journal import End
from release_lane.record.placement import Colour, Release, whole
from release_lane.record.records import Observed, Recorded

__all__ = [
    "Decision",
    "Deploy",
    "Finish",
    "Heal",
    "Keep",
    "OnAlarm",
    "OnDrift",
    "Prepare",
    "Refuse",
    "Requested",
    "TrafficOnly",
    "Verdict",
    "advance",
    "decide",
    "goes_back",
]


def decide(
    recorded: Recorded | None,
    observed: Observed,
    requested: Requested,
    evidence: Iterable[Proof] = (),
    stands_on: Foundations | None = None,
) -> Verdict:
    """Choose what this update does.

    `recorded`: the stack's own outputs, None before its first release. `observed`: read live, just now.
    `evidence`: what `requested.promotes_from` recorded. `stands_on`: what the state holds of the environment (None
    where nobody looked). Never raises: what must not happen is a `Refuse`.
    """
    case = Case(
        recorded=recorded, observed=observed, requested=requested, evidence=tuple(evidence), stands_on=stands_on
    )
    try:
        verdict = _decide(case)
        check_foundations(verdict.decision, observed, stands_on)
        lost = check_parts(verdict.decision, observed, stands_on)
        notes = check_conditions(verdict.decision, verdict.standing, observed, requested)
        return replace(verdict, notes=(*verdict.notes, *lost, *notes), unchecked=_unchecked(case, verdict))
    except ReleaseError as error:
        return Verdict(decision=Refuse(error=error), standing=recorded)


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that a decision is made from; the arguments of `decide`."""

    recorded: Recorded | None
    observed: Observed
    requested: Requested
    evidence: tuple[Proof, ...]
    stands_on: Foundations | None = None

    @property
    def restoring(self) -> bool:
        """This run says: go back to what was recorded."""
        return self.requested.on_drift is OnDrift.RESTORE

    def asks_only_for(self, digest: str) -> bool:
        """Nothing was asked for, or this digest."""
        return self.requested.digest in (None, digest)


def _decide(case: Case) -> Verdict:
    check_state(case.observed, case.stands_on)
    anew = rebuilds(case.recorded, case.observed, case.requested, case.stands_on)
    if case.recorded and not case.observed.listener and not case.restoring:
        raise nothing_found(case.recorded)
    match locate(case.recorded, case.observed):
        case None:
            return Verdict(decision=_first(case), standing=None)
        case Recorded() as standing:
            decision = _ordinary(case, standing)
            return Verdict(decision=rebuilt(standing, case.observed, decision) if anew else decision, standing=standing)
        case _ if anew:
            raise no_rebuild()
        case Interrupted() as found:
            return replace(_interrupted(case, found), notes=(found_interrupted(found, case.observed),))
        case Drift() as drift:
            return replace(_drifted(case, drift), notes=(f"drift: {drift.what}",))


# ---- A settled stack --------------------------------------------------------------------------------------


def _first(case: Case) -> Decision:
    if case.requested.digest is None:
        return Prepare()
    return _deploy(case, _new_release(case), Colour.BLUE, "the first release of this environment")


def _ordinary(case: Case, standing: Recorded) -> Decision:
    """The record is true. Also reached after an interrupted switch was counted as done."""
    live, requested = standing.live, case.requested
    digest = requested.digest
    if case.restoring and case.asks_only_for(live.digest) and not case.observed.sides[standing.live_colour].holds(live):
        return _back_to(case, standing, f"restore the recorded release: {standing.live_colour} is not whole")
    if digest is None or (digest == live.digest and requested.service == live.service):
        return _keep_or_heal(case, standing)
    if digest == live.digest:
        release = replace(live, service=requested.service)
        changed = settings_apart(release.service, live.service)
        return _to_idle(case, release, standing, f"same image, new configuration ({changed})")
    past = standing.was_live(digest)
    if past:
        if requested.rollback_from != live.digest:
            raise silent_rollback(past.digest, live.digest, requested.rollback_from)
        return _to_idle(case, past, standing, f"rollback from {short(live.digest)}", rollback=True)
    if proof_of(digest, standing.evidence) and requested.rollback_from != live.digest:
        # Live here so long ago that the history forgot it; the evidence has not.
        raise silent_rollback(digest, live.digest, requested.rollback_from)
    release = _new_release(case)
    return _to_idle(case, release, standing, _in_order(case, release, standing.live))


def _keep_or_heal(case: Case, standing: Recorded) -> Decision:
    heal = need_of_idle(standing, case.observed, case.requested.idle_tasks)
    if heal:
        return heal
    pending = settings_apart(case.requested.service, standing.live.service)
    return Keep(
        live=standing.live_colour,
        reason="the recorded release stays"
        + (
            f"; its configuration in the stack file differs ({pending}) and waits for the next release "
            f"(to release it now: imageDigest={standing.live.digest})"
            if pending
            else ""
        ),
    )


def _new_release(case: Case) -> Release:
    """The release asked for, if the registry has it and it was proven where it has to be."""
    requested, evidence = case.requested, case.evidence
    digest = requested.digest
    assert digest is not None
    if not requested.in_registry:
        raise not_in_registry(digest)
    source = requested.promotes_from
    if source and proof_of(digest, evidence) is None:
        raise never_proven(digest, source, len(evidence))
    return Release(digest=digest, service=requested.service, commit=requested.commit, adopted=requested.adopted)


def _in_order(case: Case, release: Release, live: Release) -> str:
    """Why a new image is released, with how its commit stands to the live one; an older one is refused unasked."""
    match case.requested.relation_to(live.commit).order:
        case Order.OLDER if case.requested.allow_older != live.digest:
            raise older_commit(release, live, case.requested.allow_older)
        case Order.OLDER:
            return f"a new image of an older commit, as allowOlder says: live {live.commit[:7]} contains it"
        case Order.APART:
            return f"a new image; its commit does not contain {live.commit[:7]}, which is live"
        case Order.UNKNOWN:
            return "a new image; the order of commits is not known"
    return "a new image"


def _unchecked(case: Case, verdict: Verdict) -> tuple[str, ...]:
    """What the gates cannot see of the release that users are moved to, and of its place among the commits."""
    decision, standing, requested = verdict.decision, verdict.standing, case.requested
    if not isinstance(decision, Deploy | TrafficOnly | Finish):
        return ()
    release = decision.release
    about = unseen(release.commit, release.adopted)
    placed = standing and not goes_back(decision, standing) and standing.live.digest != release.digest
    if standing is None or not placed or requested.digest != release.digest or not release.commit:
        return about
    live, relation = standing.live, requested.relation_to(standing.live.commit)
    match relation.order:
        case Order.OLDER:
            return (*about, f"an older commit than {live.commit[:12]}, which it replaces (allowOlder)")
        case Order.UNKNOWN:
            return (*about, f"the order of commits is not known: {relation.why}")
    return about


def _to_idle(case: Case, release: Release, standing: Recorded, reason: str, rollback: bool = False) -> Decision:
    """TrafficOnly if the idle colour already holds the release, on tasks enough for all users; else deploy to it."""
    idle = standing.live_colour.other
    side, live = case.observed.sides[idle], case.observed.sides[standing.live_colour]
    if side.holds(release) and side.wanted >= min(live.running, live.wanted):
        return TrafficOnly(target=idle, release=release, reason=reason, rollback=rollback)
    return _deploy(case, release, idle, reason, rollback)


def _deploy(case: Case, release: Release, target: Colour, reason: str, rollback: bool = False) -> Decision:
    """Deploy to a colour that serves nobody; the one place where a `Deploy` is made."""
    observed, weights = case.observed, case.observed.weights or {}
    if weights.get(target):
        raise serves(target, weights)
    if release.digest == case.requested.digest and not case.requested.in_registry:
        raise not_in_registry(release.digest)
    live = target.other if weights.get(target.other) else None
    running = observed.sides[live].running if live else 0
    return Deploy(
        target=target,
        release=release,
        tasks=max(release.service.desired_count, running),
        live=live,
        reason=reason,
        rollback=rollback,
        retry_of=observed.sides[target].tried(release),
    )


# ---- An interrupted switch ----------------------------------------------------------------------------------


def _interrupted(case: Case, found: Interrupted) -> Verdict:
    """Undo it, finish it, or (another digest is asked for) count it as done and go on."""
    recorded, end = case.recorded, found.end
    if recorded and _undoes(case, recorded, found):
        return Verdict(decision=_back_to(case, recorded, "undo the interrupted switch"), standing=recorded)
    if end is None:
        standing = _came_from(case, found)
        return Verdict(decision=_divided(case, found, standing), standing=standing)
    release = _release_at(end, case)
    if release is None:
        return Verdict(decision=_afresh(case), standing=None)
    if not case.asks_only_for(end.digest):
        standing = advance(recorded, end.colour, release)
        return Verdict(decision=_ordinary(case, standing), standing=standing)
    if recorded is None and case.restoring and not case.observed.sides[end.colour].holds(release):
        standing = advance(None, end.colour, release)
        return Verdict(decision=_back_to(case, standing, f"{end.colour} is not whole"), standing=standing)
    decision = Finish(target=end.colour, release=release, reason="finish the interrupted switch")
    return Verdict(decision=decision, standing=recorded)


def _undoes(case: Case, recorded: Recorded, found: Interrupted) -> bool:
    """Does this run ask for what is recorded, rather than for what the switch was going to?"""
    requested, to, live = case.requested, found.journal.to, recorded.live
    if not case.asks_only_for(live.digest):
        return False
    if found.end is None and to.release_id == live.id:
        return True  # an undo was interrupted itself
    if requested.digest is None and not case.restoring:
        return False
    if found.end and found.end.release_id == live.id:
        return not case.observed.sides[found.end.colour].holds(live)
    same_image = to.digest == live.digest and to.release_id != live.id
    return case.restoring or not same_image or requested.service == live.service


def _came_from(case: Case, found: Interrupted) -> Recorded | None:
    """The record, or (if nobody recorded the release that users come from) what it would have become."""
    source, recorded = found.journal.source, case.recorded
    if source is None or (recorded and source.release_id == recorded.live.id):
        return recorded
    release = case.observed.sides[source.colour].release
    return advance(recorded, source.colour, release) if release and release.id == source.release_id else recorded


def _divided(case: Case, found: Interrupted, standing: Recorded | None) -> Decision:
    """Users are on neither end alone: only a release of these ends may be asked for now."""
    to, back_to = found.journal.to, standing.live.digest if standing else ""
    if standing and standing.live.digest != to.digest and _unrecorded_source(case, standing):
        reason = "put users back on the release that the interrupted switch came from"
        return TrafficOnly(target=standing.live_colour, release=standing.live, reason=reason)
    side, asked = case.observed.sides[to.colour], case.asks_only_for(to.digest)
    release = side.release if side.release_id == to.release_id else None
    if asked and release and side.holds(release):
        return TrafficOnly(target=to.colour, release=release, reason="finish the interrupted switch")
    if case.recorded is None and case.restoring:
        return _afresh(case)
    if not asked:
        raise third_release(to, case.observed.weights or {}, back_to=back_to)
    raise unfinishable(to, back_to=back_to)


def _unrecorded_source(case: Case, standing: Recorded) -> bool:
    """Does this run ask for the release that users come from, which nobody recorded, and does it run?"""
    asked = standing != case.recorded and case.requested.digest == standing.live.digest
    return asked and case.observed.sides[standing.live_colour].holds(standing.live)


def _release_at(end: End, case: Case) -> Release | None:
    """The release at an end; None if it is another one and this run gives a way out (no record, restoring)."""
    release = case.observed.sides[end.colour].release
    if release and release.id == end.release_id:
        return release
    if case.recorded is None and case.restoring:
        return None
    raise changed_meanwhile(end, release, recorded=case.recorded is not None)


# ---- Drift, and ways back -----------------------------------------------------------------------------------


def _drifted(case: Case, drift: Drift) -> Verdict:
    """Refuse, unless this run says what to do about it."""
    recorded = case.recorded
    match case.requested.on_drift:
        case OnDrift.ADOPT if recorded:
            return Verdict(decision=_adopt(case, recorded, drift), standing=recorded)
        case OnDrift.RESTORE if recorded is None:
            return Verdict(decision=_afresh(case), standing=None)
        case OnDrift.RESTORE if recorded and case.asks_only_for(recorded.live.digest):
            return Verdict(decision=_back_to(case, recorded, "restore what was recorded"), standing=recorded)
        case OnDrift.RESTORE if recorded and drift.at is recorded.live_colour:
            return Verdict(decision=_ordinary(case, recorded), standing=recorded)
        case OnDrift.RESTORE:
            raise one_thing_at_a_time(drift)
    raise unexplained(drift, recorded)


def _adopt(case: Case, recorded: Recorded, drift: Drift) -> Decision:
    """Record what is, if that is one whole release which passed the gates here before."""
    release = case.observed.sides[drift.at].release if drift.at else None
    if not (drift.at and release and case.observed.sides[drift.at].holds(release)):
        raise not_adoptable(drift)
    if not case.asks_only_for(release.digest):
        raise one_thing_at_a_time(drift)
    if not recorded.was_live(release.digest) and proof_of(release.digest, recorded.evidence) is None:
        raise unknown_here(release.digest)
    return Finish(target=drift.at, release=release, reason=f"adopt: {drift.what}")


def _back_to(case: Case, recorded: Recorded, reason: str) -> Decision:
    """Users go (back) to the recorded release: by weights alone where a colour holds it, else by a deployment."""
    live, home = recorded.live, recorded.live_colour
    sides, weights = case.observed.sides, case.observed.weights or {}
    for colour in (home, home.other):
        if sides[colour].holds(live):
            there = whole(weights) is colour
            return (Finish if there else TrafficOnly)(target=colour, release=live, reason=reason)
    return _deploy(case, live, home.other if weights.get(home) else home, reason)


def _afresh(case: Case) -> Decision:
    """Nothing is recorded and what serves is unknown: the digest asked for becomes the first release beside it."""
    if case.requested.digest is None:
        raise no_record()
    blue = (case.observed.weights or {}).get(Colour.BLUE)
    target = Colour.GREEN if blue else Colour.BLUE
    return _deploy(case, _new_release(case), target, "the first release, in place of what nobody recorded")


# ---- The record afterwards ----------------------------------------------------------------------------------


HISTORY = 20
"""How many past releases a stack remembers; a digest older than that is no rollback but a promotion."""


def advance(recorded: Recorded | None, colour: Colour, release: Release) -> Recorded:
    """The record after users were moved to `release` on `colour`; unchanged if that is where they were."""
    if recorded is None:
        return Recorded(live_colour=colour, live=release, history=(release,))
    if recorded.live.id == release.id and recorded.live_colour is colour:
        return recorded
    same = recorded.live.id == release.id
    return replace(
        recorded,
        live_colour=colour,
        live=release,
        previous=recorded.previous if same else recorded.live,
        history=recorded.history if same else (*recorded.history, release)[-HISTORY:],
    )
