"""What one update does: `decide(recorded, observed, requested, proof) -> Verdict`. Pure: reads no clock and no cloud.

The decision is a closed union. Everything that changes the cloud for users follows from it alone, so each rule
of docs/guarantees.md about *what* may happen is a line in this room and a row in tests/decide/test_decision.py:
`settled` (users are where the record says), `interrupted` (a switch did not end), `drifted` (neither explains it).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from release_lane.decide.advance import HISTORY, advance
from release_lane.decide.case import Case
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
    order_matters,
    takes_up_nothing,
)
from release_lane.decide.conditions import check_conditions
from release_lane.decide.contract import check_contract
from release_lane.decide.drifted import drifted
from release_lane.decide.forward import check_forward, going_forward, released
from release_lane.decide.foundations import Foundations
from release_lane.decide.interrupted import interrupted
from release_lane.decide.lineage import said_of_order
from release_lane.decide.migration import rule_on_schema
from release_lane.decide.parity import check_parity
from release_lane.decide.rebuilding import (
    check_domain,
    check_foundations,
    check_parts,
    check_state,
    check_stores,
    rebuilds,
    rebuilt,
)
from release_lane.decide.refusals import hold_stands, no_rebuild, nothing_found, unfit_certificate
from release_lane.decide.sealed import check_sealed
from release_lane.decide.settled import first, ordinary
from release_lane.decide.whereabouts import Drift, Interrupted, found_interrupted, locate
from release_lane.errors import ReleaseError
from release_lane.record.adoption import unseen
from release_lane.record.container import unpinned
from release_lane.record.evidence import Proof
from release_lane.record.hold import Hold
from release_lane.record.placement import Release
from release_lane.record.records import Observed, Recorded

__all__ = [
    "HISTORY",
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
    where the state was not read). Never raises: what must not happen is a `Refuse`.
    """
    case = Case(
        recorded=recorded, observed=observed, requested=requested, evidence=tuple(evidence), stands_on=stands_on
    )
    try:
        interrupted_stores = check_stores(recorded, observed, requested, stands_on)
        verdict = _decide(case)
        stays = takes_up_nothing(verdict.decision, verdict.standing, follows=requested.as_it_stands)
        if observed.certificate_problem and (observed.secured or not stays):  # no way back opens HTTPS
            raise unfit_certificate(observed.certificate_problem)
        named = check_domain(observed, requested, stands_on)
        check_foundations(verdict.decision, observed, stands_on, requested.environment)
        exceptions = check_forward(case, verdict)
        # A drill moves between two releases that were approved here, and so does the end of a hold.
        forward = not requested.drill and not requested.hold_end and going_forward(case, verdict)
        check_sealed(verdict, observed, requested, forward=forward)
        check_parity(released(case, verdict) if forward else None, requested.parity)
        undeclared = check_contract(case, verdict)
        schema = rule_on_schema(case, verdict)
        lost = check_parts(verdict.decision, observed, stands_on)
        notes = check_conditions(verdict.decision, verdict.standing, observed, requested)
        unchecked = (*_unchecked(case, verdict), *undeclared, *schema.unchecked, *exceptions)
        if stays:
            interrupted_stores = ()
        notes = (*verdict.notes, *named, *interrupted_stores, *lost, *notes, *schema.notes)
        return replace(verdict, notes=notes, unchecked=unchecked, migration=schema.migration)
    except ReleaseError as error:
        return Verdict(decision=Refuse(error=error), standing=recorded)


def _decide(case: Case) -> Verdict:
    check_state(case.observed, case.stands_on)
    anew = rebuilds(case.recorded, case.observed, case.requested, case.stands_on)
    if case.recorded and not case.observed.listener and not case.restoring:
        raise nothing_found(case.recorded)
    match locate(case.recorded, case.observed):
        case None:
            return Verdict(decision=first(case), standing=None)
        case Recorded(hold=Hold() as hold) if anew:
            raise hold_stands(hold, case.requested.environment)
        case Recorded() as standing:
            decision = ordinary(case, standing)
            return Verdict(decision=rebuilt(standing, case.observed, decision) if anew else decision, standing=standing)
        case _ if anew:
            raise no_rebuild()
        case Interrupted() as found:
            return replace(interrupted(case, found), notes=(found_interrupted(found, case.observed),))
        case Drift() as drift:
            return replace(drifted(case, drift), notes=(f"drift: {drift.what}",))


def _unchecked(case: Case, verdict: Verdict) -> tuple[str, ...]:
    """What the gates cannot see of the release that users are moved to, and of its place among the commits."""
    decision, standing, requested = verdict.decision, verdict.standing, case.requested
    if not isinstance(decision, Deploy | TrafficOnly | Finish):
        return ()
    release = decision.release
    about = (*unseen(release.commit, release.adopted), *_of_secrets(release))
    asked_for = requested.digest == release.digest and release.commit
    if standing is None or not asked_for or not order_matters(standing, release.digest):
        return about
    live = standing.live.commit
    return (*about, *said_of_order(requested.relation_to(live), live))


def _of_secrets(release: Release) -> tuple[str, ...]:
    """A task that starts tomorrow may get another value than those that passed the gates."""
    names = ", ".join(unpinned(release.service))
    return (f"secrets without a version in the ARN may change under this release: {names}",) if names else ()
