"""What an update does while a hold stands: two releases serve, and nothing else is released until one wins. Pure.

Users go back at once, whatever the state of the new release; they go forward only to a colour that can take them all.
"""

from __future__ import annotations

from release_lane.decide.case import Case, back_to
from release_lane.decide.choice import Decision, Keep, TrafficOnly
from release_lane.decide.refusals import another_hold, hold_stands, no_hold, too_few_to_win
from release_lane.record.hold import Hold, Winner
from release_lane.record.records import Recorded


def during_hold(case: Case, standing: Recorded, hold: Hold) -> Decision:
    """End it, keep it, or refuse what would release something else."""
    requested = case.requested
    match _winner(case, standing, hold):
        case Winner.OLD:
            reason = f"end the hold: all users go back from {hold.words()}"
            return TrafficOnly(target=standing.live_colour, release=standing.live, reason=reason, rollback=True)
        case Winner.NEW:
            _check_size(case, hold)
            return TrafficOnly(
                target=hold.colour, release=hold.release, reason=f"end the hold: {hold.words()}, and wins"
            )
    if case.restoring and not case.observed.sides[standing.live_colour].holds(standing.live):
        return back_to(case, standing, f"restore the recorded release: {standing.live_colour} is not fully healthy")
    asks_for_it = requested.digest == hold.release.digest and requested.service == hold.release.service
    if (requested.digest is None or asks_for_it) and not requested.drill:
        return Keep(live=standing.live_colour, reason=f"a hold stands: {hold.words()}")
    raise hold_stands(hold, requested.environment)


def _winner(case: Case, standing: Recorded, hold: Hold) -> Winner | None:
    """A rollback from the held release is the old one's win."""
    requested = case.requested
    back = requested.rollback_from == hold.release.digest and requested.digest == standing.live.digest
    return Winner.OLD if back else requested.hold_end


def _check_size(case: Case, hold: Hold) -> None:
    """A release never gives the traffic to fewer tasks than serve it now."""
    receiving, live = case.observed.sides[hold.colour], case.observed.sides[hold.colour.other]
    needed = min(live.running, live.wanted)
    if receiving.wanted < needed:
        raise too_few_to_win(hold, receiving.wanted, needed, case.requested.environment)


def check_hold_end(case: Case, hold: Hold | None, *, gone_to: str = "") -> None:
    """Raises `Refused` where a hold is to be ended that does not stand, is of another release than was decided about,
    or cannot end for this winner any more. Users go back from every held release.

    `gone_to`: the id of the release that all users are on already, "" where that is not so.
    """
    winner = case.requested.hold_end
    if winner is None:
        return
    lost = hold is not None and gone_to not in ("", hold.release.id)
    if hold is None or (winner is Winner.NEW and lost):
        raise no_hold(case.requested.environment)
    if winner is Winner.NEW and case.requested.hold_of not in (None, hold.release.digest):
        raise another_hold(hold, case.requested.environment)
