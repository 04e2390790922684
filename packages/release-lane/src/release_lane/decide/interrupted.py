"""What an update does where it finds a switch that was interrupted: undo it, finish it, or count it as done. Pure."""

from __future__ import annotations

from release_lane.decide.advance import advance
from release_lane.decide.case import Case, afresh, back_to
from release_lane.decide.choice import Decision, Finish, TrafficOnly, Verdict
from release_lane.decide.held import check_hold_end
from release_lane.decide.refusals import changed_meanwhile, third_release, unfinishable
from release_lane.decide.settled import ordinary
from release_lane.decide.whereabouts import Interrupted
from release_lane.record.hold import Winner
from release_lane.record.journal import End
from release_lane.record.placement import Release
from release_lane.record.records import Recorded


def interrupted(case: Case, found: Interrupted) -> Verdict:
    """Undo it, finish it, or (where another digest is asked for) count it as done and go on."""
    recorded, end = case.recorded, found.end
    check_hold_end(case, recorded.hold if recorded else None, gone_to=end.release_id if end else "")
    if recorded and _undoes(case, recorded, found):
        return Verdict(decision=back_to(case, recorded, "undo the interrupted switch"), standing=recorded)
    if end is None:
        standing = _came_from(case, found)
        return Verdict(decision=_divided(case, found, standing), standing=standing)
    release = _release_at(end, case)
    if release is None:
        return Verdict(decision=afresh(case), standing=None)
    if not case.asks_only_for(end.digest):
        standing = advance(recorded, end.colour, release)
        return Verdict(decision=ordinary(case, standing), standing=standing)
    if recorded is None and case.restoring and not case.observed.sides[end.colour].holds(release):
        standing = advance(None, end.colour, release)
        return Verdict(decision=back_to(case, standing, f"{end.colour} is not fully healthy"), standing=standing)
    decision = Finish(target=end.colour, release=release, reason="finish the interrupted switch")
    return Verdict(decision=decision, standing=recorded)


def _undoes(case: Case, recorded: Recorded, found: Interrupted) -> bool:
    """Does this run ask for the recorded release, and not for the one that the switch was going to?"""
    requested, to, live = case.requested, found.journal.to, recorded.live
    if requested.hold_end is Winner.OLD:
        return True
    if not case.asks_only_for(live.digest):
        return False
    if found.end is None and to.release_id == live.id:
        return True  # the interrupted switch was an undo itself
    if requested.digest is None and not case.restoring:
        return False
    if found.end and found.end.release_id == live.id:
        return not case.observed.sides[found.end.colour].holds(live)
    same_image = to.digest == live.digest and to.release_id != live.id
    return case.restoring or not same_image or requested.service == live.service


def _came_from(case: Case, found: Interrupted) -> Recorded | None:
    """The record; where the release that users come from was never recorded, what the record would have become."""
    source, recorded = found.journal.source, case.recorded
    if source is None or (recorded and source.release_id == recorded.live.id):
        return recorded
    release = case.observed.sides[source.colour].release
    return advance(recorded, source.colour, release) if release and release.id == source.release_id else recorded


def _divided(case: Case, found: Interrupted, standing: Recorded | None) -> Decision:
    """Traffic is divided between both ends: only the release of one of them may be asked for now."""
    to, back = found.journal.to, standing.live.digest if standing else ""
    if standing and standing.live.digest != to.digest and _unrecorded_source(case, standing):
        reason = "roll the traffic back to the release that the interrupted switch came from"
        return TrafficOnly(target=standing.live_colour, release=standing.live, reason=reason)
    side, asked = case.observed.sides[to.colour], case.asks_only_for(to.digest)
    release = side.release if side.release_id == to.release_id else None
    if asked and release and side.holds(release):
        return TrafficOnly(target=to.colour, release=release, reason="finish the interrupted switch")
    if case.recorded is None and case.restoring:
        return afresh(case)
    if not asked:
        raise third_release(to, case.observed.weights or {}, back_to=back)
    raise unfinishable(to, back_to=back)


def _unrecorded_source(case: Case, standing: Recorded) -> bool:
    """Does this run ask for the release that users come from, which was never recorded, and does it run?"""
    asked = standing != case.recorded and case.requested.digest == standing.live.digest
    return asked and case.observed.sides[standing.live_colour].holds(standing.live)


def _release_at(end: End, case: Case) -> Release | None:
    """The release at an end; None if another one runs there and this run gives a way out (no record, restoring)."""
    release = case.observed.sides[end.colour].release
    if release and release.id == end.release_id:
        return release
    if case.recorded is None and case.restoring:
        return None
    raise changed_meanwhile(end, release, recorded=case.recorded is not None, environment=case.requested.environment)
