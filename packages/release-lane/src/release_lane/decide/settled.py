"""What an update does where users are where the record says. Pure."""

from __future__ import annotations

from dataclasses import replace

from release_lane.decide.case import Case, back_to, deploy, new_release, to_idle
from release_lane.decide.choice import Decision, Keep, Prepare
from release_lane.decide.difference import settings_apart
from release_lane.decide.held import check_hold_end, during_hold
from release_lane.decide.idle import need_of_idle, unfit
from release_lane.decide.lineage import Order
from release_lane.decide.refusals import older_commit, silent_return, silent_rollback
from release_lane.record.digest import short
from release_lane.record.evidence import proof_of
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Recorded


def first(case: Case) -> Decision:
    """Nothing was ever released here."""
    check_hold_end(case, None)
    if case.requested.digest is None:
        return Prepare()
    return deploy(case, new_release(case), Colour.BLUE, "the first release of this environment")


def ordinary(case: Case, standing: Recorded) -> Decision:
    """The record is true. Also reached where an interrupted switch was counted as done."""
    live, requested = standing.live, case.requested
    digest = requested.digest
    check_hold_end(case, standing.hold)
    if standing.hold:
        return during_hold(case, standing, standing.hold)
    if case.restoring and case.asks_only_for(live.digest) and not case.observed.sides[standing.live_colour].holds(live):
        reason = f"restore the recorded release: {standing.live_colour} is not fully healthy"
        return back_to(case, standing, reason)
    if digest is None or (digest == live.digest and requested.service == live.service):
        return _keep_or_heal(case, standing)
    if digest == live.digest:
        release = replace(live, service=requested.service)
        changed = settings_apart(release.service, live.service)
        return to_idle(case, release, standing, f"same image, new configuration ({changed})")
    past = standing.was_live(digest)
    if past and requested.redeploy_from == live.digest:
        return _redeployed(case, past, standing)
    if past:
        # Going forward again, asked for as that, is watched like any release: it is what users were rolled back from.
        again = standing.left_by_rollback(digest) and requested.forward_from == live.digest
        return to_idle(case, past, standing, _return(case, past, standing), rollback=not again)
    if proof_of(digest, standing.evidence) and live.digest not in (requested.rollback_from, requested.redeploy_from):
        # Live here so long ago that the history forgot it; the evidence has not.
        raise silent_rollback(digest, live.digest, requested.rollback_from, requested.redeploy_from)
    release = new_release(case)
    return to_idle(case, release, standing, _reason(case, release, standing.live))


def _redeployed(case: Case, past: Release, standing: Recorded) -> Decision:
    """An image that was live before, with the configuration of now: a release like any other, since the two never ran
    together. Where that is the configuration that it had, it is the past release, and going there is going back."""
    release, live = replace(past, service=case.requested.service), standing.live.digest
    if release.id == past.id:
        reason = f"back from {short(live)}; the configuration of now is the one that this image had"
        return to_idle(case, past, standing, reason, rollback=not standing.left_by_rollback(past.digest))
    changed = settings_apart(release.service, past.service)
    return to_idle(case, release, standing, f"an earlier image with the configuration of now ({changed})")


def _return(case: Case, past: Release, standing: Recorded) -> str:
    """Why a release that was live before is live again; it has to be asked for in so many words."""
    live, requested = standing.live.digest, case.requested
    if standing.left_by_rollback(past.digest):
        if live not in (requested.forward_from, requested.rollback_from):
            raise silent_return(past.digest, live, requested.forward_from, requested.environment)
        why = "drill: forward again" if requested.drill else "going forward again"
        return f"{why} from {short(live)}"
    if requested.rollback_from != live:
        raise silent_rollback(past.digest, live, requested.rollback_from, requested.redeploy_from)
    return f"{'drill: back' if requested.drill else 'rollback'} from {short(live)}"


def _keep_or_heal(case: Case, standing: Recorded) -> Decision:
    requested = case.requested
    heal = need_of_idle(standing, case.observed, requested.idle_tasks, requested.schema)
    if heal:
        return heal
    missed = unfit(standing, requested.schema)
    pending = settings_apart(case.requested.service, standing.live.service)
    return Keep(
        live=standing.live_colour,
        reason="the recorded release stays"
        + (f"; {missed}, so it is not started again" if missed else "")
        + (
            f"; its configuration in the stack file differs ({pending}) and waits for the next release "
            f"(to release it now: imageDigest={standing.live.digest})"
            if pending
            else ""
        ),
    )


def _reason(case: Case, release: Release, live: Release) -> str:
    """Why a new image is released, and how its commit stands to the live one.

    An older commit is refused unless that was asked for. An unknown order is a warning of its own (`unchecked`).
    """
    match case.requested.relation_to(live.commit).order:
        case Order.OLDER if case.requested.allow_older != live.digest:
            raise older_commit(release, live, case.requested.allow_older)
        case Order.OLDER:
            return f"a new image of an older commit, as allowOlder says: live {live.commit[:7]} contains it"
        case Order.APART:
            return f"a new image; its commit does not contain {live.commit[:7]}, which is live"
    return "a new image"
