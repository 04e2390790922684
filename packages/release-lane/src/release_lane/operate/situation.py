"""One environment as it is now, and what stands in the way of a release there: the checklist before it. Pure.

What could not be read is unknown, and said to be; it is never taken for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from release_lane.decide.contract import differences
from release_lane.decide.idle import need_of_idle
from release_lane.decide.whereabouts import Interrupted, locate
from release_lane.engine.locks import Holder
from release_lane.errors import ReleaseError
from release_lane.operate.duration import spoken
from release_lane.operate.metrics import Spread
from release_lane.record.alarms import Alarm, forbidding, without_data
from release_lane.record.commit import Commits
from release_lane.record.contract import Contract, Labels
from release_lane.record.digest import Digest, short
from release_lane.record.evidence import Proof, proof_of
from release_lane.record.halts import Halts, State, of_digest, of_line
from release_lane.record.hold import how_to_end
from release_lane.record.ledger import Entry, Mark
from release_lane.record.placement import Service
from release_lane.record.records import Observed, Recorded
from release_lane.record.revisions import Schema
from release_lane.record.times import epoch, to_the_minute


class Level(StrEnum):
    """How a check came out. Its sign has a form of its own, so that no colour is needed."""

    OK = "ok"
    OPEN = "open"
    """A person has to look, or to decide."""
    NO = "no"
    UNKNOWN = "unknown"

    @property
    def sign(self) -> str:
        """One letter."""
        return {Level.OK: "✓", Level.OPEN: "○", Level.NO: "✗", Level.UNKNOWN: "?"}[self]


@dataclass(frozen=True)
class Check:
    """One line of a checklist: what it is about, and how it stands. `link` leads to more, `do` is what helps."""

    level: Level
    about: str
    text: str
    link: str = ""
    do: str = ""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known of one environment.

    `source` is the environment promoted from, `proofs` what that one proved. `observed` is None where AWS was not asked
    or did not answer, `unseen` says why; `alarms` likewise. `holders`: who holds the lock, None where the backend does
    not say. `pending`: operations that a killed update left. `halted`: a freeze window, a stopped line, in sentences.
    `idle_tasks`: how many the idle colour keeps (None: as many as the live one). `back`: how long rollbacks took here.
    `schema`: the database's.
    `rollback`: what one costs now, in a word; `spoiled`: why the release that it goes to is in quarantine. `reviews`
    are entries of the ledger, None without one; those from before `fresh` (epoch second) have expired.
    `updated`: the intent of the last update that the ledger knows. `needs_approval`: `approval.required`.
    """

    environment: str
    source: str | None = None
    exists: bool = True
    recorded: Recorded | None = None
    since: str = ""
    rollback: str = "none"
    spoiled: str = ""
    live_spoiled: str = ""
    """That the live release is in quarantine, and what to do; "" where it is not."""
    proofs: tuple[Proof, ...] = ()
    requires_drill: bool = False
    observed: Observed | None = None
    alarms: tuple[Alarm, ...] | None = None
    unseen: str = ""
    holders: tuple[Holder, ...] | None = ()
    pending: tuple[str, ...] = ()
    halted: tuple[str, ...] = ()
    idle_tasks: int | None = None
    schema: Schema = field(default_factory=Schema)
    back: Spread | None = None
    reviews: tuple[Entry, ...] | None = None
    fresh: float = 0.0
    updated: Entry | None = None
    needs_approval: bool = False

    def expired(self, review: Entry) -> bool:
        """Is the review too old for a release (approval.validFor)?"""
        return (epoch(review.at) or 0.0) < self.fresh


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The image that is to be released. `commits`: between the live release and it, None where that is not known.

    `halted`: what says no to this digest anywhere, such as a quarantine. `labels`: what it declares, None where the
    registry was not asked; `service`: what the environment's stack file gives it, None where that is wrong;
    `given`: variables that the environment gives to every release.
    """

    digest: Digest
    commit: str = ""
    commits: Commits | None = None
    halted: tuple[str, ...] = field(default=())
    labels: Labels | None = None
    service: Service | None = None
    given: tuple[str, ...] = ()


def halts_of(entries: Sequence[Entry], environment: str, digest: str) -> Halts:
    """What a whole ledger says against releases to an environment, and against an image: by the newest marks."""
    return Halts(
        quarantined=_newest(entries, of_digest(digest, State.QUARANTINED)) if digest else None,
        stopped=_newest(entries, of_line(environment, State.STOPPED)),
    )


def _newest(entries: Sequence[Entry], wanted: Mark) -> Entry | None:
    """The entry of the newest mark about this subject, if it says that."""
    about = ((entry, mark) for entry in reversed(entries) for mark in entry.marks)
    same = ((entry, mark) for entry, mark in about if (mark.kind, mark.subject) == (wanted.kind, wanted.subject))
    entry, mark = next(same, (None, wanted))
    return entry if mark.state == wanted.state else None


def is_live(at: Situation, digest: str) -> bool:
    """Has this environment that image live?"""
    return at.recorded is not None and at.recorded.live.digest == digest


def checklist(at: Situation, wanted: Wanted) -> tuple[Check, ...]:
    """Everything that has to be looked at before this image is released there, in the order of the route."""
    if at.recorded and is_live(at, wanted.digest):
        since = f" since {to_the_minute(at.since)}" if at.since else ""
        return (Check(Level.OK, "Live", f"{at.environment} has it live{since}"),)
    return tuple(
        check
        for part in (
            _halted,
            _evidence,
            _contract,
            _order,
            _review,
            _approval,
            _under_way,
            _placement,
            _idle,
            _alarms,
            _way_back,
        )
        for check in part(at, wanted)
    )


def _halted(at: Situation, wanted: Wanted) -> Iterator[Check]:
    for sentence in (*wanted.halted, *at.halted):
        yield Check(Level.NO, "Halted", sentence)
    if at.recorded and (hold := at.recorded.hold):
        do = how_to_end(at.environment).strip("`")
        yield Check(Level.NO, "Hold", f"a hold stands, nothing else is released: {hold.words()}", do=do)
    if at.reviews is None:
        yield Check(Level.UNKNOWN, "Halted", "without the ledger, quarantine and stopped lines are not known")


def _evidence(at: Situation, wanted: Wanted) -> Iterator[Check]:
    if at.source is None:
        yield Check(Level.OK, "Evidence", "none is needed: the route begins here")
        return
    proof = proof_of(wanted.digest, at.proofs)
    if proof is None:
        do = f"release deploy {at.source} --digest {wanted.digest}"
        yield Check(Level.NO, "Evidence", f"{at.source} has no proof of it; release it there first", do=do)
        return
    yield Check(Level.OK, "Evidence", f"{at.source} proved it at {to_the_minute(proof.at)}: {proof.smoke or 'gates'}")
    if proof.drilled:
        yield Check(Level.OK, "Drill", f"{at.source} drilled going back from it at {to_the_minute(proof.drilled)}")
    elif at.requires_drill:
        do = f"release drill {at.source}"
        yield Check(Level.NO, "Drill", f"{at.source} did not drill going back from it (requireDrill)", do=do)
    for sentence in proof.unchecked:
        yield Check(Level.OPEN, "Not checked", sentence)


def _contract(at: Situation, wanted: Wanted) -> Iterator[Check]:
    """What the image declares, against the stack file."""
    del at
    if wanted.labels is None:
        return
    if wanted.labels.unread:
        yield Check(Level.UNKNOWN, "Contract", f"the labels of the image could not be read: {wanted.labels.unread}")
        return
    try:
        contract = Contract.of(wanted.labels.found, short(wanted.digest))
    except ReleaseError as error:
        yield Check(Level.NO, "Contract", " ".join(error.what.split()))
        return
    if wanted.service is None:
        yield Check(Level.UNKNOWN, "Contract", "the stack file is wrong, so nothing is compared with it")
        return
    lacking = differences(contract, wanted.service, wanted.given)
    for each in lacking:
        yield Check(Level.NO, "Contract", each, do=f"release check-image {wanted.digest}")
    for sentence in contract.unchecked:
        yield Check(Level.OPEN, "Contract", sentence)
    if not lacking and not contract.unchecked:
        yield Check(Level.OK, "Contract", "the stack file gives the image what it declares")


def _order(at: Situation, wanted: Wanted) -> Iterator[Check]:
    """The live commit, and this one."""
    if at.recorded is None or wanted.commit == at.recorded.live.commit != "":
        return
    returns = at.recorded.was_live(wanted.digest) is not None
    if at.recorded.left_by_rollback(wanted.digest):
        yield Check(Level.OPEN, "Order", "users were rolled back from it: this is going forward again (--again)")
    elif returns:
        do = f"release rollback {at.environment} --to {wanted.digest}"
        yield Check(Level.OPEN, "Order", f"it was live in {at.environment} before: this is a rollback", do=do)
    commits = wanted.commits
    if commits is None or commits.unknown:
        why = commits.unknown if commits else "a commit is not known"
        yield Check(Level.UNKNOWN, "Order", f"git does not say which commit is the newer one: {why}")
    elif commits.removed and not commits.added and returns:
        yield Check(Level.OPEN, "Order", f"{_counted(len(commits.removed))} would be taken back by that")
    elif commits.removed and not commits.added:
        text = f"the live commit contains it: {_counted(len(commits.removed))} would be taken back (--allow-older)"
        yield Check(Level.NO, "Order", text)
    elif commits.removed:
        text = f"it lacks {_counted(len(commits.removed))} that the live release has, and adds {len(commits.added)}"
        yield Check(Level.OPEN, "Order", text)
    else:
        text = f"{_counted(len(commits.added))} newer than the live release"
        yield Check(Level.OK, "Order", text, commits.comparison)


def _review(at: Situation, wanted: Wanted) -> Iterator[Check]:
    if at.reviews is None:
        yield Check(Level.UNKNOWN, "Review", "there is no ledger that would have reviews")
        return
    found = next((each for each in reversed(at.reviews) if each.digest == wanted.digest), None)
    do = f"release review {at.environment}"
    if found is None:
        yield Check(Level.OPEN, "Review", f"it was not reviewed for {at.environment} so far", do=do)
    elif at.expired(found):
        text = f"the review of {to_the_minute(found.at)} has expired (approval.validFor)"
        yield Check(Level.OPEN, "Review", text, do=do)
    elif (later := at.updated) and later.sequence > found.sequence:
        after = f"an update came after it ({later.verb or 'pulumi'}, {to_the_minute(later.at)})"
        text = f"the seal of the review of {to_the_minute(found.at)} is void: {after}"
        yield Check(Level.OPEN, "Review", text, do=do)
    else:
        by = f" by {found.who}" if found.who else ""
        yield Check(Level.OK, "Review", f"reviewed at {to_the_minute(found.at)}{by}", found.run)


def _approval(at: Situation, wanted: Wanted) -> Iterator[Check]:
    del wanted
    if at.needs_approval:
        text = "the ledger does not know whether somebody approved it; the promotion asks (approval.required)"
        yield Check(Level.UNKNOWN, "Approval", text)


def _under_way(at: Situation, wanted: Wanted) -> Iterator[Check]:
    del wanted
    if at.pending:
        text = f"a killed update left {len(at.pending)} of its operations unfinished"
        yield Check(Level.NO, "Updates", text, do=f"release recover {at.environment}")
    if at.holders is None:
        yield Check(Level.UNKNOWN, "Updates", "this backend does not say who holds its locks")
    elif at.holders:
        for holder in at.holders:
            yield Check(Level.NO, "Updates", f"one is under way: {holder}")
    elif not at.pending:
        yield Check(Level.OK, "Updates", "none is under way, none is unfinished")


def _placement(at: Situation, wanted: Wanted) -> Iterator[Check]:
    del wanted
    if at.observed is None:
        yield Check(Level.UNKNOWN, "Placement", f"AWS was not asked: {at.unseen}")
        return
    found = locate(at.recorded, at.observed)
    match found:
        case None:
            yield Check(Level.OK, "Placement", "nothing is live yet")
        case Recorded():
            for colour in found.serves:
                side = at.observed.sides[colour]
                level = Level.OK if side.healthy == side.wanted > 0 else Level.NO
                text = f"users are on {colour}, as recorded; {side.healthy} of {side.wanted} tasks are healthy"
                yield Check(level, "Placement", text)
        case Interrupted():
            text = "a switch was interrupted; the next update finishes it"
            yield Check(Level.NO, "Placement", text, do=f"release recover {at.environment}")
        case _:
            yield Check(Level.NO, "Placement", f"drift: {found.what}")


def _idle(at: Situation, wanted: Wanted) -> Iterator[Check]:
    """The colour that receives it."""
    del wanted
    if at.observed is None or at.recorded is None or not isinstance(locate(at.recorded, at.observed), Recorded):
        return
    if at.recorded.hold:
        return  # it serves
    idle = at.recorded.live_colour.other
    if missing := at.observed.sides[idle].missing:
        yield Check(Level.NO, "Idle colour", f"{idle} lacks {', '.join(missing)}")
    elif need := need_of_idle(at.recorded, at.observed, at.idle_tasks, at.schema):
        yield Check(
            level=Level.OPEN, about="Idle colour", text=f"no standby until the release replaces it: {need.reason}"
        )
    else:
        yield Check(Level.OK, "Idle colour", f"{idle} is as it should be")


def _alarms(at: Situation, wanted: Wanted) -> Iterator[Check]:
    del wanted
    if at.alarms is None:
        yield Check(Level.UNKNOWN, "Alarms", f"AWS was not asked: {at.unseen}")
        return
    serving = {colour for colour, weight in (at.observed.weights or {}).items() if weight} if at.observed else set()
    firing = forbidding(at.alarms, serving)
    for alarm in firing:
        yield Check(
            level=Level.NO, about="Alarms", text=f"{alarm.words()}; a release that is its fix: --on-alarm proceed"
        )
    if no_data := without_data([each for each in at.alarms if each.colour in {None, *serving}]):
        yield Check(Level.OPEN, "Alarms", f"no data: {', '.join(no_data)}")
    if not at.alarms:
        yield Check(Level.OPEN, "Alarms", "no alarm has a say in this environment")
    elif not firing and not no_data:
        yield Check(
            level=Level.OK, about="Alarms", text=f"{len(at.alarms)} of them, none that concerns users is firing"
        )


def _way_back(at: Situation, wanted: Wanted) -> Iterator[Check]:
    """What a rollback costs after this release."""
    del wanted
    if at.recorded is None:
        yield Check(Level.OPEN, "Way back", "none: nothing was live here before")
        return
    took = f"; rollbacks here took {spoken(at.back.median)} (median of {at.back.count})" if at.back else ""
    if at.idle_tasks is None:
        text = f"the traffic alone moves back to {short(at.recorded.live.digest)}{took}"
        yield Check(Level.OK, "Way back", text)
    else:
        kept = "1 task" if at.idle_tasks == 1 else f"{at.idle_tasks} tasks"
        text = f"after the watch the idle colour keeps {kept}: a rollback is a deployment then, minutes and no seconds"
        yield Check(Level.OPEN, "Way back", text)


def _counted(number: int) -> str:
    return "1 commit" if number == 1 else f"{number} commits"
