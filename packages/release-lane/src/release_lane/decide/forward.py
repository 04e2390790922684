"""May a release go forward now? Not in a freeze window. Going back, finishing and healing always may. Pure."""

from __future__ import annotations

from release_lane.decide.case import Case
from release_lane.decide.choice import Deploy, TrafficOnly, Verdict, goes_back
from release_lane.decide.freeze import Frozen, frozen_at
from release_lane.decide.lineage import is_about_order
from release_lane.decide.refusals import frozen
from release_lane.decide.whereabouts import Interrupted, locate
from release_lane.record.placement import Release

THROUGH = "released in the freeze window"


def check_forward(case: Case, verdict: Verdict) -> tuple[str, ...]:
    """What evidence keeps of an exception that was made; `Refused` where none was."""
    release = going_forward(case, verdict)
    closed = frozen_at(case.requested.freeze, case.requested.now) if release else None
    if release is None or closed is None:
        return ()
    if not case.requested.through_freeze:
        raise frozen(release, closed)
    return (said_of_freeze(closed, case.requested.through_freeze),)


def going_forward(case: Case, verdict: Verdict) -> Release | None:
    """The release that users are moved to, if that is neither a way back nor the end of an interrupted switch."""
    decision, standing = verdict.decision, verdict.standing
    match decision:
        case Deploy(release=release) | TrafficOnly(release=release):
            passes = goes_back(decision, standing) or _finishes(case, decision)
            return None if passes else release
    return None


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
