"""What an update does about drift: refuse, unless this run adopts what is live or restores the record. Pure."""

from __future__ import annotations

from release_lane.decide.case import Case, afresh, back_to
from release_lane.decide.choice import Decision, Finish, OnDrift, Verdict
from release_lane.decide.refusals import not_adoptable, one_thing_at_a_time, unexplained, unknown_here
from release_lane.decide.settled import ordinary
from release_lane.decide.whereabouts import Drift
from release_lane.record.evidence import proof_of
from release_lane.record.records import Recorded


def drifted(case: Case, drift: Drift) -> Verdict:
    """Refuse, unless this run says what to do about it."""
    recorded = case.recorded
    if case.requested.hold_end:
        raise unexplained(drift, recorded, case.requested.environment)
    match case.requested.on_drift:
        case OnDrift.ADOPT if recorded:
            return Verdict(decision=_adopt(case, recorded, drift), standing=recorded)
        case OnDrift.RESTORE if recorded is None:
            return Verdict(decision=afresh(case), standing=None)
        case OnDrift.RESTORE if recorded and case.asks_only_for(recorded.live.digest):
            return Verdict(decision=back_to(case, recorded, "restore what was recorded"), standing=recorded)
        case OnDrift.RESTORE if recorded and drift.at is recorded.live_colour:
            return Verdict(decision=ordinary(case, recorded), standing=recorded)
        case OnDrift.RESTORE:
            raise one_thing_at_a_time(drift, case.requested.environment)
    raise unexplained(drift, recorded, case.requested.environment)


def _adopt(case: Case, recorded: Recorded, drift: Drift) -> Decision:
    """Record what is live, if it is one fully healthy release which passed the gates here before."""
    release = case.observed.sides[drift.at].release if drift.at else None
    if not (drift.at and release and case.observed.sides[drift.at].holds(release)):
        raise not_adoptable(drift, case.requested.environment)
    if not case.asks_only_for(release.digest):
        raise one_thing_at_a_time(drift, case.requested.environment)
    if not recorded.was_live(release.digest) and proof_of(release.digest, recorded.evidence) is None:
        raise unknown_here(release.digest, case.requested.environment)
    return Finish(target=drift.at, release=release, reason=f"adopt: {drift.what}")
