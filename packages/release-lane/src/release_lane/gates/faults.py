"""Was a release rolled back from for a fault of its own? Then it goes into quarantine."""

from __future__ import annotations

from release_lane.errors import CheckFailed, ReleaseError, Users
from release_lane.gates.move import Move
from release_lane.gates.undoing import reason_of


def fault_of(breach: Exception, ended: Exception, move: Move) -> str:
    """What the watch or a check said of the image, "" where it is no fault of it. `ended`: what the update fails with.

    None is: an abort, an interruption, AWS that failed, another writer of the weights or of the service; settings of
    the live image; and a way back, for practice as well, which users have to be able to take once more.
    """
    rolled_back = isinstance(ended, ReleaseError) and ended.users is Users.RESTORED
    live = move.standing.live.digest if move.standing else ""
    if not rolled_back or not isinstance(breach, CheckFailed) or breach.foreign:
        return ""
    forward = move.goes_forward and move.drill is None
    return reason_of(breach) if forward and move.release.digest != live else ""
