"""Is what this update does the one that was reviewed and approved? Pure.

The command compares everything that a review showed before it starts the update. This compares the decision itself
again, under the lock: between the two, weights may have moved, or another update may have come and gone.
"""

from __future__ import annotations

from release_lane.decide.choice import Deploy, Finish, Heal, Keep, Requested, TrafficOnly, Verdict
from release_lane.errors import Refused
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Observed
from release_lane.record.seal import bound


def check_sealed(verdict: Verdict, observed: Observed, requested: Requested, *, forward: bool) -> None:
    """Raises `Refused` where the decision is not the sealed one, or where it goes `forward` without a seal although the
    stack demands one.
    """
    if requested.sealed:
        if _bound(verdict, observed) != requested.sealed:
            raise _of_seal(
                "This update is no longer the one that was reviewed. Nothing was changed.",
                why=f"it would now {_words(verdict)}",
                next_step="review it again, have it approved, and give the new seal.",
            )
    elif requested.needs_seal and forward:
        raise _of_seal(
            "This environment takes a release only with the seal of its review. Nothing was changed.",
            why="`approval.required` in its stack file; a rollback needs none",
            next_step=f"`release review {requested.environment}`, have it approved, then `release promote` (or "
            "`deploy`) with --seal.",
        )


def _of_seal(what: str, *, why: str, next_step: str) -> Refused:
    error = Refused(what, why=why, next_step=next_step)
    error.of_seal = True
    return error


def _bound(verdict: Verdict, observed: Observed) -> str:
    decision, standing = verdict.decision, verdict.standing
    live, release = _end(verdict)
    weights = None if isinstance(decision, Deploy) and decision.rebuilds else observed.weights
    return bound(decision.kind, live, release.id if release else "", weights, standing)


def _end(verdict: Verdict) -> tuple[Colour | None, Release | None]:
    """The live colour and release after the update."""
    match verdict.decision:
        case Deploy(target=target, release=release) | TrafficOnly(target=target, release=release):
            return target, release
        case Finish(target=target, release=release):
            return target, release
        case Keep() | Heal() if verdict.standing:
            return verdict.standing.live_colour, verdict.standing.live
    return None, None


def _words(verdict: Verdict) -> str:
    live, release = _end(verdict)
    to = f" {release.digest} to {live}" if release else ""
    return f"{verdict.decision.kind}{to} ({getattr(verdict.decision, 'reason', '')})"
