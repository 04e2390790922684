"""What `decide` refuses, in words: what, why, and a way out that exists. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from release_lane.decide.foundations import Foundations, Moved
from release_lane.decide.whereabouts import Drift, percent
from release_lane.errors import CheckFailed, CloudError, Refused
from release_lane.record.alarms import Alarm, alarms_named
from release_lane.record.digest import short
from release_lane.record.journal import End
from release_lane.record.placement import Colour, Release, Weights
from release_lane.record.records import Recorded

AFRESH = "give imageDigest together with onDrift=restore: it is released on the colour that serves nobody."


# ---- What was asked for


def not_in_registry(digest: str) -> Refused:
    """There is no such image."""
    return Refused(
        f"{digest} is not in the registry.",
        why="no image with this digest was pushed there, or it was deleted since",
        next_step="`release build`, `release adopt`, or take a digest that `release status` knows.",
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


def older_commit(asked: Release, live: Release, said: str | None) -> Refused:
    """The live commit contains the one asked for; `said` is what allowOlder says."""
    words = f"allowOlder says {short(said)}" if said else "nothing says that this is meant"
    return Refused(
        f"{short(asked.digest)} is of an older commit than what is live: {live.commit[:12]} (live) contains "
        f"{asked.commit[:12]}, and {words}.",
        why=f"live now is {short(live.digest)}; an older commit's job that runs last must not take a newer one back",
        next_step="nothing, if this is an old job. If it is meant: --allow-older with `release deploy` or "
        f"`release promote`, or give allowOlder={live.digest} as well.",
    )


def serves(target: Colour, weights: Weights) -> Refused:
    """Both colours serve, so neither can be deployed to."""
    return Refused(
        f"{target} would be deployed to while it serves users ({percent(weights)}).",
        why="a colour that serves is never changed, and now both serve",
        next_step=f"move all weight off {target} in the load balancer, then run again with onDrift=restore.",
    )


# ---- What users stand on


def would_replace(changes: Sequence[Moved]) -> Refused:
    """Settings that want another network under users."""
    settings = ", ".join(change.setting for change in changes)
    return Refused(
        f"This would replace what live users stand on: {'; '.join(map(str, changes))}.",
        why="a load balancer, its target groups and services cannot be moved to another network; they would be deleted "
        "under their users",
        next_step=f"put {settings} back. To move: make a new environment beside this one (copy the stack file, `pulumi "
        "stack init`), release there, and move the DNS name. If nobody uses this one: `--allow-replace`, or "
        "`pulumi up --ignore-protect -c allowReplace=true`, builds it anew, with an outage.",
    )


def would_delete(parts: Sequence[str]) -> Refused:
    """The program no longer registers what its users stand on."""
    return Refused(
        f"This would delete what live users stand on: {', '.join(parts)}. No colour was changed.",
        why="the state has it, and the program does not register it under this name any more",
        next_step="register it again; one that only got another name needs an alias (pulumi.Alias) for the old one. "
        "One that is really to go: `pulumi state delete --force URN`, then delete it in AWS.",
    )


def no_rebuild() -> Refused:
    """allowReplace while users are not where the record says."""
    return Refused(
        "The environment cannot be built anew while its users are not where they are recorded to be.",
        why="what is recorded is what would be released on the new foundations",
        next_step="run the update without the changed settings and without allowReplace first; it says what it found.",
    )


def torn(stands_on: Foundations) -> Refused:
    """A network that was replaced under its load balancer; only an earlier version let that happen."""
    left = ", ".join(sorted({stands_on.balancer_vpc, *stands_on.group_vpcs} - {stands_on.vpc, ""}))
    return Refused(
        f"Nothing can be released here: the network is {stands_on.vpc}, but load balancer or target groups are still "
        f"in {left}.",
        why="the network was replaced under them; they and the services cannot follow, and cannot be deleted while "
        "users are on them",
        next_step="build the environment anew in a third range: change network.cidr (putting it back will do) and run "
        "`release heal … --allow-replace`, or `pulumi up --ignore-protect -c allowReplace=true`. Users get nothing "
        "meanwhile.",
    )


MAKE_ANEW = "`pulumi refresh` takes it out of the state, and the next update makes it anew."


def lost_parts(parts: Sequence[str]) -> CloudError:
    """Deleted in the cloud, though the state has it."""
    what = " and ".join(f"the {part}" for part in parts)
    return CloudError(
        f"T{what[1:]} {'does' if len(parts) == 1 else 'do'} not exist any more. Nothing was changed.",
        why="it was deleted, and not by this program; this update needs it",
        next_step=MAKE_ANEW,
    )


def serves_unknown(digests: Mapping[Colour, str], load_balancer: str) -> Refused:
    """The cloud serves users under this stack's names, of which its state knows nothing."""
    named = {colour: short(digest) if digest else "no running task" for colour, digest in digests.items()}
    what = ", ".join(f"{colour} ({runs})" for colour, runs in named.items())
    return Refused(
        f"The load balancer {load_balancer or 'of this name'} serves users, from {what}, but this stack's state does "
        "not know it. Nothing was changed.",
        why="the state is another one than that of the update which made it: another backend (PULUMI_BACKEND_URL, "
        "`pulumi login`), another checkout's stack of the same name, or a lost state",
        next_step="use the backend that knows it, or put the lost state back (`pulumi stack import`, see "
        "docs/guides/recovery.md). For an environment of your own choose another stack name.",
    )


# ---- Conditions


def alarms_firing(alarms: Sequence[Alarm]) -> Refused:
    """Alarms about what users get now."""
    return Refused(
        f"Users are not moved while {'; '.join(alarm.words() for alarm in alarms)}.",
        why="an alarm that rings already could not tell whether the new release does harm",
        next_step="wait until it is quiet. If this release is the cure: give onAlarm=proceed; then only alarms that "
        "begin to ring afterwards count. To go back: `release rollback`, which alarms do not stop.",
    )


def no_such_alarms(names: Sequence[str]) -> Refused:
    """The adopter's alarms that do not exist: a misspelt one would never ring."""
    return Refused(
        f"There is no CloudWatch alarm {', '.join(names)} in this account and region.",
        why="alarms.names of the stack file counts on it",
        next_step="correct alarms.names, or create the alarm.",
    )


def unwatchable(names: Sequence[str]) -> Refused:
    """Alarms that were there when the update was decided, or should have been made by it."""
    return Refused(
        f"T{alarms_named(names)[1:]} cannot be watched: deleted, or never made. Users were not touched.",
        why="the stack file counts on it, and silence of what is not there is no good news",
        next_step="one of the stack's own: `pulumi refresh`, then update again, which makes it anew. One of yours: "
        "create it, or take it out of alarms.names. To do without: give onAlarm=proceed.",
    )


def unscaled(target: Colour) -> Refused:
    """Application Auto Scaling looks after the live service only."""
    return Refused(
        f"The live service is scaled automatically, but nobody would scale {target} after the switch.",
        why="each colour is a service of its own, and needs a scalable target of its own",
        next_step=f"register a scalable target (and its policies) for {target}, too, or remove the live one.",
    )


def scaled_too_small(target: Colour, most: int, tasks: int) -> Refused:
    """It would be made smaller again at once."""
    return Refused(
        f"{target} needs {tasks} tasks, but its scalable target allows {most} at most.",
        why="Application Auto Scaling would take the others away while users are on them",
        next_step=f"raise the maximum capacity of {target}'s scalable target.",
    )


# ---- Interrupted switches


def third_release(to: End, weights: Weights, *, back_to: str) -> Refused:
    """Another release than those of the interrupted switch; `back_to` is the digest that undoes it ("" if none)."""
    return Refused(
        f"A switch to {short(to.digest)} was interrupted; users are {percent(weights)}.",
        why="before another release all users have to be on one side, and that recorded",
        next_step="run the update without imageDigest to finish it"
        + (f", or with {_undoing(to, back_to)} to undo it." if back_to else f"; or {AFRESH}"),
    )


def unfinishable(to: End, *, back_to: str) -> CheckFailed:
    """The receiving colour is not what it should be."""
    return CheckFailed(
        f"The interrupted switch to {short(to.digest)} cannot be finished: {to.colour} is not whole.",
        next_step=f"undo it: run the update with {_undoing(to, back_to)}." if back_to else AFRESH,
    )


def _undoing(to: End, back_to: str) -> str:
    """The same image means that the switch is to be finished: only its configuration was to change."""
    return "onDrift=restore" if back_to == to.digest else f"imageDigest={back_to}"


def changed_meanwhile(end: End, found: Release | None, *, recorded: bool) -> Refused:
    """Users are at an end of the interrupted switch, but it is no longer what the journal says."""
    runs = "a task definition that this program did not write"
    if found:
        same = found.digest == end.digest
        runs = f"it with other settings (release {found.id}, not {end.release_id})" if same else short(found.digest)
    return Refused(
        f"{end.colour} should run {short(end.digest)}, to which a switch was interrupted, but runs {runs}.",
        why="somebody changed the service after the switch was interrupted",
        next_step="undo the switch: run with onDrift=restore, without another imageDigest." if recorded else AFRESH,
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
