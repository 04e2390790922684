"""What `decide` refuses, in words: what, why, and a way out that exists. Pure."""

from __future__ import annotations

from release.digest import short
from release.errors import CheckFailed, CloudError, Refused
from release.journal import End
from release.placement import Colour, Weights
from release.records import Recorded
from release.whereabouts import Drift, percent

AFRESH = "give imageDigest together with onDrift=restore: it is released on the colour that serves nobody."


# ---- What was asked for


def not_in_registry(digest: str) -> Refused:
    """There is no such image."""
    return Refused(
        f"{digest} is not in the registry.",
        why="no image with this digest was pushed there, or it was deleted since",
        next_step="build it (`release build`), or take a digest that `release status` knows.",
    )


def never_proven(digest: str, source: str, proven: int) -> Refused:
    """The environment before this one did not prove it; `proven` is how many it did prove."""
    return Refused(
        f"{short(digest)} was never proven on {source}.",
        why=f"an image gets here only after it passed every gate of {source} ({proven} have)",
        next_step=f"release it there first: `release deploy {source} --digest {digest}`.",
    )


def silent_rollback(past: str, live: str, said: str | None) -> Refused:
    """Going back from `live` to `past` was not asked for; `said` is what rollbackFrom says."""
    words = f"rollbackFrom says {short(said)}" if said else "nothing says so"
    return Refused(
        f"{short(past)} was live here before: going back to it is a rollback, and {words}.",
        why=f"live now is {short(live)}; a stale file or an old job must never roll back by itself",
        next_step=f"if it is meant: `release rollback`, or give rollbackFrom={live} as well.",
    )


def serves(target: Colour, weights: Weights) -> Refused:
    """Both colours serve, so neither can be deployed to."""
    return Refused(
        f"{target} would be deployed to while it serves users ({percent(weights)}).",
        why="a colour that serves is never changed, and now both serve",
        next_step=f"move all weight off {target} in the load balancer, then run again with onDrift=restore.",
    )


# ---- Interrupted switches


def third_release(to: End, weights: Weights, *, recorded: bool) -> Refused:
    """Another release than those of the interrupted switch."""
    return Refused(
        f"A switch to {short(to.digest)} was interrupted; users are {percent(weights)}.",
        why="before another release all users have to be on one side, and that recorded",
        next_step="run the update without imageDigest to finish it"
        + (", or with the recorded digest to undo it." if recorded else f"; or {AFRESH}"),
    )


def unfinishable(to: End, *, recorded: bool) -> CheckFailed:
    """The receiving colour is not what it should be."""
    return CheckFailed(
        f"The interrupted switch to {short(to.digest)} cannot be finished: {to.colour} is not whole.",
        next_step="undo it: run the update with imageDigest set to the recorded digest, or with onDrift=restore."
        if recorded
        else AFRESH,
    )


def changed_meanwhile(end: End, *, recorded: bool) -> Refused:
    """Users are at an end of the interrupted switch, but it is no longer what the journal says."""
    return Refused(
        f"{end.colour} should run {short(end.digest)}, to which a switch was interrupted, but runs something else.",
        why="somebody changed the service after the switch was interrupted",
        next_step="run with imageDigest set to the recorded digest to undo the switch." if recorded else AFRESH,
    )


# ---- Drift


def unexplained(drift: Drift, recorded: Recorded | None) -> Refused:
    """Nobody said what to do about it."""
    ways = "with onDrift=restore to go back to what was recorded, or with onDrift=adopt to record what is."
    return Refused(
        f"Drift: {drift.what}.",
        why="nothing that this program did explains it",
        next_step="find out who did it; then " + (f"run {ways}" if recorded else AFRESH),
    )


def one_thing_at_a_time(drift: Drift) -> Refused:
    """onDrift together with another digest."""
    return Refused(
        f"Drift: {drift.what}. It has to be dealt with before another release.",
        why="both in one update could report a success without what was asked for",
        next_step="run the update with onDrift but without imageDigest first.",
    )


def not_adoptable(drift: Drift) -> Refused:
    """There is no one release to adopt."""
    return Refused(
        f"Drift: {drift.what}. It cannot be adopted.",
        why="users are not all on one colour that runs one release, whole and healthy",
        next_step="go back with onDrift=restore.",
    )


def unknown_here(digest: str) -> Refused:
    """What would be adopted never passed."""
    return Refused(
        f"{short(digest)} cannot be adopted: it never passed the gates here.",
        next_step="go back with onDrift=restore, then release it the ordinary way.",
    )


def no_record() -> Refused:
    """onDrift=restore before the first release, without a digest."""
    return Refused("There is no record to restore: nothing was released here yet.", next_step=AFRESH)


def nothing_found(recorded: Recorded) -> CloudError:
    """A record, but no load balancer."""
    return CloudError(
        "Nothing of this environment is found in the cloud, although a release is recorded.",
        why=f"recorded is {short(recorded.live.digest)} on {recorded.live_colour}; the load balancer or its "
        "listener is missing, or region or account are not those of the last update",
        next_step="check region, account and credentials; if it was deleted: `pulumi refresh`, then update with "
        "onDrift=restore.",
    )
