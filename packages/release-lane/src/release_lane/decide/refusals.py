"""Why `decide` refuses, one function for each refusal: what happened, why, and a next step that works. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from release_lane.decide.foundations import Foundations, Moved
from release_lane.decide.freeze import Frozen
from release_lane.decide.stores import Change, Kind
from release_lane.decide.whereabouts import Drift, percent
from release_lane.errors import CheckFailed, CloudError, Refused, Users
from release_lane.record.alarms import Alarm, Start, alarms_named
from release_lane.record.digest import short
from release_lane.record.halts import why
from release_lane.record.hold import Hold, how_to_end
from release_lane.record.journal import End
from release_lane.record.ledger import Entry
from release_lane.record.placement import Colour, Release, Weights
from release_lane.record.records import GroupCheck, Recorded
from release_lane.record.revisions import NEEDS, PROVIDES
from release_lane.record.times import in_words, in_zone

HERE = "…"
"""An environment that is not known."""


def _restored(environment: str) -> str:
    return f"`release heal {environment} --on-drift restore` (by hand: onDrift=restore)"


def _adopted(environment: str) -> str:
    return f"`release heal {environment} --on-drift adopt` (by hand: onDrift=adopt)"


AFRESH = "give imageDigest together with onDrift=restore: it is deployed to the idle colour."


# ---- The database's schema


def contradicts(release: Release, to: str, needs: Sequence[str]) -> Refused:
    """An image whose own migration leads to what it cannot live with."""
    return Refused(
        f"{short(release.digest)} cannot be released: by its labels it cannot live with the schema that its own "
        "migration leads to.",
        why=f"{PROVIDES} is {to}, and {NEEDS} names {', '.join(needs)}",
        next_step=f"correct the labels of the image: {NEEDS} has to name {to} as well.",
    )


def outlived(release: Release, to: str, live: Release, needs: Sequence[str]) -> Refused:
    """A migration that the live release cannot live with."""
    return Refused(
        f"{short(release.digest)} is not released: its migration leads to schema {to}, and the live release "
        f"{short(live.digest)} cannot live with that.",
        why=f"both serve at once while traffic moves, and a rollback goes to {short(live.digest)}; its label {NEEDS} "
        f"names {', '.join(needs)}",
        next_step=f"release an image first that can live with both (it names {to} in that label), then this one; or "
        "split the migration, so that it only adds, and remove the old part with a later release.",
    )


def behind_schema(release: Release, to: str, now: Sequence[str]) -> Refused:
    """An image of before a migration that took place."""
    return Refused(
        f"{short(release.digest)} is not released: its migration leads to schema {to}, which the database has left.",
        why=f"the schema is at {' or '.join(now)} by now; its label {NEEDS} does not name that",
        next_step="build the image from a commit that has the later migrations as well, and release that.",
    )


def no_way_back_to(release: Release, lacking: Sequence[str], instead: Sequence[Release]) -> Refused:
    """A release that cannot live with the schema as it is now; `instead` are those of the history that can."""
    fits = ", ".join(f"{each.digest} (commit {each.commit[:7] or 'unknown'})" for each in instead[:3])
    return Refused(
        f"No traffic goes to {short(release.digest)}: it cannot live with the database's schema "
        f"{' or '.join(lacking)}.",
        why=f"its label {NEEDS} does not name that, and a rollback takes no migration back",
        next_step=f"go back to one that can: {fits}."
        if fits
        else "no earlier release of the history can: fix what is live, and release that.",
    )


# ---- What was asked for


def not_in_registry(digest: str) -> Refused:
    """The registry has no such image."""
    return Refused(
        f"{digest} is not in the registry.",
        why="no image with this digest was pushed there, or it was deleted",
        next_step="push it with `release build` or `release adopt`, or take a digest that `release status` lists.",
    )


def never_proven(digest: str, source: str, proven: int) -> Refused:
    """It did not pass the gates of the environment before this one; `proven` is how many did."""
    return Refused(
        f"{short(digest)} was never proven on {source}.",
        why=f"only an image that passed every gate of {source} may be released here ({proven} have)",
        next_step=f"release it there first: `release deploy {source} --digest {digest}`.",
    )


def never_drilled(digest: str, source: str) -> Refused:
    """It passed the gates of the environment before this one, but the way back from it was not tried there."""
    return Refused(
        f"{short(digest)} had no drill on {source}.",
        why="requireDrill: an image is released here once traffic went back from it and forward again there",
        next_step=f"while it is live there: `release drill {source}`.",
    )


def no_way_back(decision: str, standing: Recorded | None) -> Refused:
    """A drill whose way back is no traffic-only rollback; `decision` is what this update would do."""
    previous = standing.previous if standing else None
    idle = standing.live_colour.other if standing else None
    held = f"the way back to {short(previous.digest)} would be: {decision}" if previous else "nothing was live before"
    return Refused(
        "There is nothing to drill: no traffic-only rollback is at hand.",
        why=f"{held}; a drill moves traffic to the release that {idle} already runs, and starts no task",
        next_step="`release heal` restores the standby (idle.afterWatch of the stack file must keep enough of it); "
        "then drill again.",
    )


def no_proof_to_add_to(live: str) -> Refused:
    """A drill of a release of which the record has no proof that could say so."""
    return Refused(
        f"There is nothing to drill: the record has no proof of {short(live)}, which is live.",
        why="the drill would be recorded in the proof that the gates of a release leave",
        next_step="drill after the next release.",
    )


def no_rollback_to_drill(left: str, live: str) -> Refused:
    """A drill whose way back would lead users to what they were rolled back from."""
    return Refused(
        f"There is nothing to drill: users were rolled back from the previous release {short(left)}.",
        why=f"going there from {short(live)} is no rollback but going forward again, and not for practice",
        next_step="drill after the next release.",
    )


def no_way_forward(decision: str) -> Refused:
    """The second half of a drill that is no traffic-only switch to where the first half came from."""
    return Refused(
        f"The drill cannot go forward again: this update would be: {decision}.",
        why="it goes back to the release that the drill came from, which the idle colour must still run, fully healthy",
        next_step="`release deploy` (or `promote`) with its digest and --again goes there without a drill, by a "
        "deployment if need be; until then users stay where they are.",
    )


def no_drill_to_pass(decision: str) -> Refused:
    """A result for a drill that did not take place, or after which something is amiss."""
    return Refused(
        f"There is no drill that could have passed: this update would be: {decision}.",
        why="a drill is recorded once traffic went back and forward again and both colours are as recorded",
        next_step="`release drill` does all of it.",
    )


def alarms_stop_drill(alarms: Sequence[Alarm]) -> Refused:
    """Alarms about what users get now."""
    return Refused(
        f"No drill while {'; '.join(alarm.words() for alarm in alarms)}.",
        why="a drill moves users for practice, so they have to be well",
        next_step="drill again once it is OK. To go back in earnest: `release rollback`, which alarms do not stop.",
    )


def silent_rollback(past: str, live: str, said: str | None, redeploys: str | None = None) -> Refused:
    """Releasing `past` again is a rollback from `live`, which was not asked for; `said` is what rollbackFrom says,
    `redeploys` what redeployFrom does."""
    key, named = ("redeployFrom", redeploys) if redeploys else ("rollbackFrom", said)
    words = f"{key} says {short(named)}" if named else "rollbackFrom is not given"
    return Refused(
        f"{short(past)} was live here before, so releasing it is a rollback from {short(live)}; but {words}.",
        why="a stale file or an old job must never roll back by itself",
        next_step=f"if you mean it: `release rollback`, or give {key}={live} as well.",
    )


def silent_return(left: str, live: str, said: str | None, environment: str = HERE) -> Refused:
    """Users were rolled back from `left` to `live`; going forward to it again was not asked for (forwardFrom)."""
    words = f"forwardFrom says {short(said)}" if said else "forwardFrom is not given"
    return Refused(
        f"{short(left)} was live here before users were rolled back to {short(live)}, so releasing it is going forward "
        f"again; but {words}.",
        why="a stale file or an old job must never bring back what users were rolled back from",
        next_step=f"if you mean it: `release review {environment} --again`; once that is approved, `release promote` "
        f"(or `deploy`) with its seal and --again. By hand: give forwardFrom={live} as well.",
    )


def quarantined(digest: str, entry: Entry, *, back: bool = False, environment: str = HERE) -> Refused:
    """A fault was found in it: in some environment, or by a person (`release quarantine`)."""
    seen = f"a fault was found in it in {entry.environment}: " if entry.environment else ""
    instead = "release another image"
    if back:
        instead = (
            f"go back to another release: `release rollback {environment} --to DIGEST`; `release status {environment}` "
            "lists those that were live, and marks those in quarantine"
        )
    return Refused(
        f"{short(digest)} is in quarantine: no environment releases it.",
        why=f"{seen}{why(entry)}",
        next_step=f"{instead}. If the fault was not its own: `release pardon {digest} --reason …`, then this again.",
    )


def line_stopped(entry: Entry, standing: Recorded | None) -> Refused:
    """Somebody stopped the line of this environment; `standing` is the record."""
    return Refused(
        f"The line of {entry.environment} is stopped: nothing goes forward there.",
        why=why(entry),
        next_step=f"{_way_back(standing)}once the reason is gone: `release resume {entry.environment} --reason …`.",
    )


def _way_back(standing: Recorded | None) -> str:
    """What is possible while nothing goes forward: a rollback, where the record has a release to go back to."""
    return "going back is possible: `release rollback`; " if standing and standing.earlier else ""


def older_commit(asked: Release, live: Release, said: str | None) -> Refused:
    """The live commit contains the one asked for; `said` is what allowOlder says."""
    words = f"allowOlder says {short(said)}" if said else "allowOlder is not given"
    return Refused(
        f"{short(asked.digest)} is of an older commit than what is live: {live.commit[:12]} (live) contains "
        f"{asked.commit[:12]}; and {words}.",
        why=f"live is {short(live.digest)}; the job of an older commit that runs last must not undo a newer release",
        next_step="nothing, if an old job ran late. If you mean it: --allow-older with `release deploy` or "
        f"`release promote`, or give allowOlder={live.digest} as well.",
    )


def frozen(release: Release, closed: Frozen, standing: Recorded | None, environment: str = HERE) -> Refused:
    """A freeze window holds; `standing` is the record."""
    utc = "" if closed.zone == "UTC" else f" ({in_words(closed.until)})"
    return Refused(
        f"{short(release.digest)} is not released now: a freeze window holds until "
        f"{in_zone(closed.zone, closed.until)}{utc}.",
        why=f"`freeze` in the stack file: {closed.words}; until then nothing goes forward here",
        next_step=f"wait until then; {_way_back(standing)}if this cannot wait: `release review {environment} "
        "--through-freeze REASON`; once that is approved, `release promote` (or `deploy`) with its seal and the same "
        "`--through-freeze REASON` (by hand: throughFreeze=REASON). The reason is recorded.",
    )


def hold_stands(hold: Hold, environment: str = HERE) -> Refused:
    """Another release, while two of them serve."""
    return Refused(
        f"Nothing is released while a hold stands: {hold.words()}.",
        why="both colours serve users, so there is none to deploy to",
        next_step=f"end it first: {how_to_end(environment)}. `old` (or `release rollback {environment}`) takes no "
        "steps.",
    )


def no_hold(environment: str = HERE) -> Refused:
    """A hold is to be ended, and the record or the traffic says that none stands."""
    return Refused(
        "There is no hold that could end for this winner. Nothing was changed.",
        why="none is recorded, or traffic went to the other release already",
        next_step=f"`release status {environment}` says what is live; `release recover {environment}` finishes or "
        "undoes an interrupted switch.",
    )


def another_hold(hold: Hold, environment: str = HERE) -> Refused:
    """A release is to win that is not the held one."""
    return Refused(
        f"Another release is held than the one that is to win (holdOf). {hold.words()}. Nothing was changed.",
        why="since it was looked at, that hold ended and another one began, or holdOf is of another environment",
        next_step=f"`release status {environment}` says what is held; decide again: {how_to_end(environment)}.",
    )


def too_few_to_win(hold: Hold, tasks: int, needed: int, environment: str = HERE) -> Refused:
    """The held release has fewer tasks than the live one, which serves most users."""
    return Refused(
        f"{hold.colour} cannot take all users: it has {tasks} tasks, and {needed} serve on {hold.colour.other}.",
        why="a release never gets the traffic on fewer tasks than serve it now, and both colours serve, so neither is "
        "written",
        next_step=f"raise the number of tasks of the service of {hold.colour} in ECS (where it is scaled, the least of "
        f"its scalable target), then this again; or go back: `release rollback {environment}`.",
    )


def serves(target: Colour, weights: Weights, environment: str = HERE) -> Refused:
    """Both colours get traffic, so neither can be deployed to."""
    return Refused(
        f"{target} cannot be deployed to: it serves users ({percent(weights)}).",
        why="a colour that serves users is never changed, and now both do",
        next_step=f"set the weight of {target} to 0 in the load balancer, then {_restored(environment)}.",
    )


# ---- What users stand on


def would_replace(changes: Sequence[Moved]) -> Refused:
    """Settings that would replace the network under users."""
    settings = ", ".join(change.setting for change in changes)
    return Refused(
        f"This would replace what live users stand on: {'; '.join(map(str, changes))}.",
        why="a load balancer, its target groups and services cannot be moved to another network; they would be deleted "
        "under their users",
        next_step=f"set {settings} back to what it was. To move: make a new environment next to this one (copy the "
        "stack file, `pulumi stack init`), release there, and move the DNS name. If this one has no users: "
        "`--allow-replace`, or `pulumi up --ignore-protect -c allowReplace=true`, builds it anew, with an outage.",
    )


def would_move_registry(changes: Sequence[Moved]) -> Refused:
    """Settings of the artifacts stack that would replace its repository."""
    return Refused(
        f"This would replace the repository that environments have their images from: {'; '.join(map(str, changes))}. "
        "Nothing was changed.",
        why="a repository can be neither renamed nor moved; the images of live tasks, and of those that users may be "
        "rolled back to, are in this one, and AWS deletes none that has images",
        next_step=f"set {', '.join(each.setting for each in changes)} back to what it was. To move: a new artifacts "
        'stack, into which `release adopt` copies the images (docs/guides/by-hand.md, "Another repository").',
        users=Users.UNTOUCHED,
    )


def would_delete(parts: Sequence[str]) -> Refused:
    """The program no longer registers what its users stand on."""
    return Refused(
        f"This would delete what live users stand on: {', '.join(parts)}. No colour was changed.",
        why="the state has it, but the program no longer registers it under this name",
        next_step="register it again; if it was only renamed, give it an alias (pulumi.Alias) for the old name. To "
        "delete it on purpose: `pulumi state delete --force URN`, then delete it in AWS.",
    )


def overlooked(group: str, found: GroupCheck, wanted: GroupCheck) -> Refused:
    """The state has a health check that AWS does not have, so the AWS provider would leave it as it is."""
    return Refused(
        f"The health check of {group} is not the one in the stack file: AWS has {found}; wanted is {wanted}. Nothing "
        "was changed.",
        why="the state has the wanted one, so an update would not write it: AWS refused it in an earlier update, or it "
        "was changed by hand",
        next_step="`pulumi refresh`, then run the update again, which writes it.",
    )


def would_unsecure() -> Refused:
    """Plain HTTP for users who come by HTTPS."""
    return Refused(
        "This would take HTTPS from live users: they come by port 443, and insecure: true would close it.",
        why="links to https:// would get no answer, and a browser that remembers to come by HTTPS only (hstsSeconds) "
        "does not come by plain HTTP",
        next_step="restore https in the stack file. To serve plain HTTP, make a new environment next to this one.",
    )


def would_misname(now: str, wanted: str) -> Refused:
    """Another domain, with a certificate that is not of the name that users come by."""
    return Refused(
        f"This would give live users a certificate error: they come by https://{now}, https.domain says {wanted}, and "
        f"the certificate would not be of {now}. Nothing was changed.",
        why="the listeners have one certificate, which is changed in place, and no gate asks by the old name",
        next_step="give https.certificateArn (in place of https.hostedZone) a certificate of both names: `aws acm "
        f"request-certificate --domain-name {now} --subject-alternative-names {wanted} --validation-method DNS`. Once "
        f"no user comes by {now}, any certificate of {wanted} will do. If none does already: `--allow-replace`, or "
        "`pulumi up -c allowReplace=true`.",
        users=Users.UNTOUCHED,
    )


def unfit_certificate(problem: str) -> Refused:
    """The certificate that the stack file names."""
    return Refused(
        f"https.certificateArn cannot be used: {problem}. Nothing was changed.",
        why="a browser refuses such a certificate, so no user would get an answer",
        next_step="correct https.certificateArn (or https.domain) in the stack file; or leave it out and give "
        "https.hostedZone, then a certificate of the domain is requested.",
    )


def kept_balancer(load_balancer: str) -> Refused:
    """AWS would not delete the load balancer (its name or DNS name), so nothing else may go before."""
    return Refused(
        f"The load balancer {load_balancer} is protected from deletion. Nothing was deleted.",
        why="deletionProtection, which is on where promotesFrom is set; AWS refuses to delete a load balancer with it",
        next_step="set deletionProtection: false in the stack file and run an update (`release heal`, `pulumi up`); "
        "then do this again.",
    )


def drops_store(kind: Kind, *, kept: bool) -> Refused:
    """The stack file has no such section any more."""
    again = f"write the section `{kind}` into the stack file again. To take it away on purpose: docs/guides/database.md"
    first = "; AWS would refuse as well, for its deletionProtection" if kept else ""
    return Refused(
        f"This would delete the {kind} of this environment, with what is in it. Nothing was changed.",
        why=f"the state has it, but the stack file does not name it{first}",
        next_step=f'{again} ("Taking it away").',
    )


def moves_store(kinds: Sequence[Kind], changes: Sequence[Moved]) -> Refused:
    """Another network: what is in a database does not move with it."""
    what = " and ".join(kinds)
    return Refused(
        f"This would delete the {what} of this environment: {'; '.join(map(str, changes))}. Nothing was changed.",
        why="they stand in its network, and cannot be moved to another one with what is in them",
        next_step=f"set {', '.join(each.setting for each in changes)} back to what it was. To move: make a new "
        "environment next to this one, and restore a snapshot there (docs/guides/database.md).",
    )


def shrinks_store(changes: Sequence[Change]) -> Refused:
    """What AWS can only make larger or newer."""
    return Refused(
        f"This cannot be done: {'; '.join(map(str, changes))}. Nothing was changed.",
        why="storage and version of a database or cache only grow; to have less of it, AWS makes a new, empty one",
        next_step="set it back to what it was.",
    )


def grows_too_little(change: Change) -> Refused:
    """Storage, by less than AWS adds at once."""
    return Refused(
        f"This cannot be done: {change}. Nothing was changed.",
        why="RDS adds a tenth of what is there at least",
        next_step=f"set {change.setting} to {change.least} or more, or back to {change.now}.",
    )


def kept_database(name: str) -> Refused:
    """AWS would not delete the database, so nothing else may go before."""
    return Refused(
        f"The database {name} is protected from deletion. Nothing was deleted.",
        why="database.deletionProtection, which is by default as the load balancer's; AWS refuses to delete it",
        next_step="set database.deletionProtection: false in the stack file and run an update (`release heal`, `pulumi "
        "up`); then do this again. What is in it stays as a snapshot (docs/guides/database.md).",
    )


def no_rebuild() -> Refused:
    """allowReplace while users are not where the record says."""
    return Refused(
        "The environment cannot be built anew: its users are not where the record says.",
        why="the recorded release is the one that would be deployed to the new environment",
        next_step="first run the update without the changed settings and without allowReplace; it says what it found.",
    )


def torn(stands_on: Foundations, environment: str = HERE) -> Refused:
    """A network that was replaced under its load balancer, which only an earlier version let happen."""
    left = ", ".join(sorted({stands_on.balancer_vpc, *stands_on.group_vpcs} - {stands_on.vpc, ""}))
    return Refused(
        f"Nothing can be released here: the network is {stands_on.vpc}, but load balancer or target groups are still "
        f"in {left}.",
        why="the network was replaced under them; they and the services cannot move to another VPC, and cannot be "
        "deleted while they serve users",
        next_step="build the environment anew, with an outage: change network.cidr (the old range will do) and run "
        f"`release heal {environment} --allow-replace`, or `pulumi up --ignore-protect -c allowReplace=true`.",
    )


MAKE_ANEW = "run `pulumi refresh`, which removes it from the state; the next update creates it again."


def lost_parts(parts: Sequence[str]) -> CloudError:
    """The state has it, but it was deleted in AWS."""
    what = " and ".join(f"the {part}" for part in parts)
    return CloudError(
        f"T{what[1:]} no longer {'exists' if len(parts) == 1 else 'exist'}. Nothing was changed.",
        why="it was deleted outside of this program, and this update needs it",
        next_step=MAKE_ANEW,
    )


def serves_unknown(digests: Mapping[Colour, str], load_balancer: str) -> Refused:
    """A load balancer with this stack's names serves users, but the stack's state does not have it."""
    named = {colour: short(digest) if digest else "no running task" for colour, digest in digests.items()}
    what = ", ".join(f"{colour} ({runs})" for colour, runs in named.items())
    return Refused(
        f"The load balancer {load_balancer or 'of this name'} serves users, from {what}, but this stack's state does "
        "not know it. Nothing was changed.",
        why="it was created with another state: on another backend (PULUMI_BACKEND_URL, `pulumi login`), for another "
        "checkout's stack of the same name, or the state was lost",
        next_step="use the backend that knows it, or import the lost state (`pulumi stack import`, see "
        "docs/guides/recovery.md). For an environment of your own choose another stack name.",
    )


# ---- Conditions


def alarms_firing(alarms: Sequence[Alarm], start: Start | None) -> Refused:
    """Alarms about what users get now are firing; `start`: of the live release, where it is known."""
    firing = "; ".join(f"{alarm.words()}, since {in_words(alarm.since)}" for alarm in alarms)
    about_start, wait = "", "wait until it is OK"
    if start and all(start.explains(alarm) for alarm in alarms):
        about_start = f". It may be about the time when the tasks of the live release ({start.colour}) were starting"
        wait = f"wait until it is OK: if it is about the start alone, at about {in_words(start.over)} at the latest"
    return Refused(
        f"Users are not moved while {firing}.",
        why=f"an alarm that is already firing cannot show whether the new release does harm{about_start}",
        next_step=f"{wait}. If this release fixes it: give onAlarm=proceed; then only alarms that begin "
        "to fire afterwards count. To go back: `release rollback`, which alarms do not stop.",
    )


def no_such_alarms(names: Sequence[str]) -> Refused:
    """Alarms of alarms.names that do not exist. A misspelt one would never fire."""
    return Refused(
        f"There is no CloudWatch alarm {', '.join(names)} in this account and region.",
        why="alarms.names of the stack file lists it, and an alarm that does not exist can never fire",
        next_step="correct alarms.names, or create the alarm.",
    )


def unwatchable(names: Sequence[str]) -> Refused:
    """Alarms that existed when the update was decided, or that it should have made."""
    return Refused(
        f"T{alarms_named(names)[1:]} cannot be watched: deleted, or never made.",
        why="the stack file asks for it, and an alarm that does not exist can never fire",
        next_step="one of the stack's own: `pulumi refresh`, then update again, which creates it. One of yours: "
        "create it, or remove it from alarms.names. To go on without it: give onAlarm=proceed.",
    )


def unscaled(target: Colour) -> Refused:
    """Application Auto Scaling scales the live service only."""
    return Refused(
        f"The live service is scaled automatically, but {target} would not be scaled after the switch.",
        why="each colour is a service of its own, and needs a scalable target of its own",
        next_step=f"register a scalable target with its policies for {target}, or remove that of the live service.",
    )


def scaled_too_small(target: Colour, most: int, tasks: int) -> Refused:
    """Application Auto Scaling would take tasks away from it."""
    return Refused(
        f"{target} needs {tasks} tasks, but its scalable target allows {most} at most.",
        why="Application Auto Scaling would stop the others while they serve users",
        next_step=f"raise the maximum capacity of {target}'s scalable target.",
    )


# ---- Interrupted switches


def third_release(to: End, weights: Weights, *, back_to: str) -> Refused:
    """A release that is neither end of the interrupted switch; `back_to` is the digest that undoes it ("" if none)."""
    return Refused(
        f"A switch to {short(to.digest)} was interrupted; traffic is {percent(weights)}.",
        why="before another release all traffic has to be on one colour, and that recorded",
        next_step="run the update without imageDigest to finish it"
        + (f", or with {_undoing(to, back_to)} to undo it." if back_to else f"; or {AFRESH}"),
    )


def unfinishable(to: End, *, back_to: str) -> CheckFailed:
    """The receiving colour does not run, fully healthy, what the switch was going to."""
    return CheckFailed(
        f"The interrupted switch to {short(to.digest)} cannot be finished: {to.colour} is not fully healthy.",
        next_step=f"undo it: run the update with {_undoing(to, back_to)}." if back_to else AFRESH,
    )


def _undoing(to: End, back_to: str) -> str:
    """Where only the configuration was to change, the digest alone would ask to finish the switch."""
    return "onDrift=restore" if back_to == to.digest else f"imageDigest={back_to}"


def changed_meanwhile(end: End, found: Release | None, *, recorded: bool, environment: str = HERE) -> Refused:
    """All traffic is at one end of the interrupted switch, but what runs there is not what the journal says."""
    runs = "a task definition that this program did not write"
    if found:
        same = found.digest == end.digest
        runs = f"it with other settings (release {found.id}, not {end.release_id})" if same else short(found.digest)
    return Refused(
        f"A switch was interrupted, and then {end.colour} changed: it should run {short(end.digest)}, but runs {runs}.",
        why="the service was changed after the switch was interrupted, and not by this program",
        next_step=f"undo the switch: {_restored(environment)}, without another digest." if recorded else AFRESH,
    )


# ---- Drift


def unexplained(drift: Drift, recorded: Recorded | None, environment: str = HERE) -> Refused:
    """This run does not say what to do about it."""
    ways = f"to go back to the record: {_restored(environment)}; to record what is live: {_adopted(environment)}."
    return Refused(
        f"Drift: {drift.what}.",
        why="this program did not do it",
        next_step="find out who did it (CloudTrail); then " + (ways if recorded else AFRESH),
    )


def one_thing_at_a_time(drift: Drift, environment: str = HERE) -> Refused:
    """onDrift together with another digest."""
    return Refused(
        f"Drift: {drift.what}. Nothing else can be released before this is resolved.",
        why="one update that does both could succeed without having released what was asked for",
        next_step=f"first `release heal {environment} --on-drift restore` or `adopt` (by hand: onDrift, without "
        "imageDigest).",
    )


def not_adoptable(drift: Drift, environment: str = HERE) -> Refused:
    """What is live is not one fully healthy release."""
    return Refused(
        f"Drift: {drift.what}. It cannot be adopted.",
        why="not all traffic is on one colour that runs one release and is fully healthy",
        next_step=f"go back: {_restored(environment)}.",
    )


def unknown_here(digest: str, environment: str = HERE) -> Refused:
    """What would be adopted never passed the gates here."""
    return Refused(
        f"{short(digest)} cannot be adopted: it never passed the gates here.",
        next_step=f"go back: {_restored(environment)}; then release it with `release deploy` or `release promote`.",
    )


def no_record() -> Refused:
    """onDrift=restore before the first release, without a digest."""
    return Refused("There is no record to restore: nothing was released here yet.", next_step=AFRESH)


def nothing_found(recorded: Recorded) -> CloudError:
    """There is a record, but no load balancer."""
    return CloudError(
        "A release is recorded, but the load balancer or its listener was not found.",
        why=f"the record says {short(recorded.live.digest)} on {recorded.live_colour}; either they were deleted, or "
        "region or account are not those of the last update",
        next_step="check region, account and credentials. If they were deleted: `pulumi refresh`, then update with "
        "onDrift=restore.",
    )
