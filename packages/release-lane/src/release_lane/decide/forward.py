"""May a release go forward now? Not in a freeze window, and not while the line is stopped; and what is in quarantine is
not released at all. Going back, finishing and healing always may. Pure."""

from __future__ import annotations

from release_lane.decide.case import Case
from release_lane.decide.choice import Deploy, TrafficOnly, Verdict, goes_back
from release_lane.decide.freeze import Frozen, frozen_at
from release_lane.decide.lineage import is_about_order
from release_lane.decide.refusals import frozen, line_stopped, quarantined
from release_lane.decide.whereabouts import Interrupted, locate
from release_lane.record.evidence import Drill
from release_lane.record.placement import Release
from release_lane.record.records import Recorded

THROUGH = "released in the freeze window"


def check_forward(case: Case, verdict: Verdict) -> tuple[str, ...]:
    """What evidence keeps of an exception that was made; `Refused` where none was."""
    requested, release = case.requested, released(case, verdict)
    if release is None:
        return ()
    halts = requested.halts
    if halts.quarantined and (release.digest == requested.digest or requested.hold_end):
        back = not going_forward(case, verdict)
        raise quarantined(release.digest, halts.quarantined, back=back, environment=requested.environment)
    if not going_forward(case, verdict):
        return ()
    if halts.stopped:
        raise line_stopped(halts.stopped, verdict.standing)
    closed = frozen_at(requested.freeze, requested.now)
    if closed and not requested.through_freeze:
        raise frozen(release, closed, verdict.standing, requested.environment)
    return (said_of_freeze(closed, requested.through_freeze),) if closed else ()


def released(case: Case, verdict: Verdict) -> Release | None:
    """The release that users are moved to, if it neither is the recorded one nor ends an interrupted switch."""
    decision, standing = verdict.decision, verdict.standing
    match decision:
        case Deploy(release=release) | TrafficOnly(release=release):
            stays = standing is not None and release.id == standing.live.id
            return None if stays or _finishes(case, decision) else release
    return None


def going_forward(case: Case, verdict: Verdict) -> bool:
    """Is a release moved to that is no way back?"""
    release, standing = released(case, verdict), verdict.standing
    back = goes_back(verdict.decision, standing)
    return release is not None and leads_forward(release.digest, standing, case.requested.drill, back=back)


def leads_forward(digest: str, standing: Recorded | None, drill: Drill | None, *, back: bool) -> bool:
    """Is a move to this image no way back? `back`: to a release that was live before.

    Going forward again after a rollback is no way back. A drill does not begin where nothing goes forward; once it
    began, users are not left on the previous release.
    """
    if drill:
        return drill is Drill.BACK
    again = standing is not None and standing.left_by_rollback(digest)
    return again or not back


def _finishes(case: Case, decision: Deploy | TrafficOnly) -> bool:
    """Was a switch to this release interrupted, which this update completes?"""
    found = locate(case.recorded, case.observed)
    return isinstance(found, Interrupted) and found.journal.to.release_id == decision.release.id


# ---- What evidence keeps of it


def said_of_freeze(closed: Frozen, reason: str) -> str:
    """The sentence about a release that went in a freeze window."""
    return f"{THROUGH} {closed.words}: {reason}"


def of_one_switch(sentence: str) -> bool:
    """Is it true of one switch only, and not of the image that was switched to?"""
    return is_about_order(sentence) or sentence.startswith(THROUGH)
