"""What a decision is made from, and the ways to bring users to a release: each makes one decision or refuses. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from release_lane.decide.choice import Decision, Deploy, Finish, OnDrift, Requested, TrafficOnly
from release_lane.decide.foundations import Foundations
from release_lane.decide.refusals import never_drilled, never_proven, no_record, not_in_registry, serves
from release_lane.record.evidence import Proof, proof_of
from release_lane.record.placement import Colour, Release, whole
from release_lane.record.records import Observed, Recorded


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that a decision is made from: the arguments of `decide`."""

    recorded: Recorded | None
    observed: Observed
    requested: Requested
    evidence: tuple[Proof, ...]
    stands_on: Foundations | None = None

    @property
    def restoring(self) -> bool:
        """This run asks to go back to what was recorded."""
        return self.requested.on_drift is OnDrift.RESTORE

    def asks_only_for(self, digest: str) -> bool:
        """This run asks for no digest, or for this one."""
        return self.requested.digest in (None, digest)


def new_release(case: Case) -> Release:
    """The release that is asked for; it must be in the registry and proven where it is promoted from.

    The first release of an environment needs no drill: there is no way back that it could show.
    """
    requested, evidence = case.requested, case.evidence
    digest = requested.digest
    assert digest is not None
    if not requested.in_registry:
        raise not_in_registry(digest)
    source, proof = requested.promotes_from, proof_of(digest, evidence)
    if source and proof is None:
        raise never_proven(digest, source, len(evidence))
    if source and proof and requested.requires_drill and case.recorded and not proof.drilled:
        raise never_drilled(digest, source)
    return Release(
        digest=digest,
        service=requested.service,
        commit=requested.commit,
        adopted=requested.adopted,
        revisions=requested.revisions,
    )


def to_idle(case: Case, release: Release, standing: Recorded, reason: str, rollback: bool = False) -> Decision:
    """Move only traffic if the idle colour holds the release on enough tasks for all users; else deploy to it."""
    idle = standing.live_colour.other
    side, live = case.observed.sides[idle], case.observed.sides[standing.live_colour]
    if side.holds(release) and side.wanted >= min(live.running, live.wanted):
        return TrafficOnly(target=idle, release=release, reason=reason, rollback=rollback)
    return deploy(case, release, idle, reason, rollback)


def deploy(case: Case, release: Release, target: Colour, reason: str, rollback: bool = False) -> Decision:
    """Deploy to a colour that gets no traffic; the one place where an ordinary `Deploy` is made."""
    observed, weights = case.observed, case.observed.weights or {}
    if weights.get(target):
        raise serves(target, weights, case.requested.environment)
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


def back_to(case: Case, recorded: Recorded, reason: str) -> Decision:
    """Bring users to the recorded release: move only traffic where a colour holds it, else deploy it."""
    live, home = recorded.live, recorded.live_colour
    sides, weights = case.observed.sides, case.observed.weights or {}
    for colour in (home, home.other):
        if sides[colour].holds(live):
            there = whole(weights) is colour
            return (Finish if there else TrafficOnly)(target=colour, release=live, reason=reason)
    return deploy(case, live, home.other if weights.get(home) else home, reason)


def afresh(case: Case) -> Decision:
    """There is no record, and what serves is unknown: the requested digest becomes the first release, on the colour
    that gets no traffic."""
    if case.requested.digest is None:
        raise no_record()
    blue = (case.observed.weights or {}).get(Colour.BLUE)
    target = Colour.GREEN if blue else Colour.BLUE
    return deploy(case, new_release(case), target, "the first release; it replaces one that was never recorded")
