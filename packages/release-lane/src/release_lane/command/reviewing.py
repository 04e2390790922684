"""What `review` and every sealed release share: a preview, what was read next to it, and the seal."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

from release_lane.command.halting import spoiled_in
from release_lane.command.tools import Tools
from release_lane.decide.freeze import frozen_at
from release_lane.decide.parity import check_declared
from release_lane.engine.events import EngineLog
from release_lane.engine.outcome import failure
from release_lane.engine.state import StackState
from release_lane.errors import CloudError, Interrupted, ReleaseError, UsageError
from release_lane.operate.history import drills_in, rollbacks_in
from release_lane.operate.parity import Environment, undeclared_settings
from release_lane.operate.planned import planned_in
from release_lane.operate.review import Program, Review, Subject, review
from release_lane.operate.scanning import Scan
from release_lane.operate.sealing import bound_by, facts
from release_lane.operate.spoiled import Spoiled, said_of_pardon
from release_lane.record.approval import approved_by, authors_of
from release_lane.record.commit import Commits
from release_lane.record.ledger import Entry, EntryKind
from release_lane.record.placement import Release
from release_lane.record.records import Observed, Recorded
from release_lane.record.seal import Facts, Seal, as_dict, check_meant, check_unmoved, from_dict
from release_lane.record.times import in_zone
from release_lane.settings.approval import ApprovalSettings


@dataclass(frozen=True, kw_only=True)
class Given:
    """A release that is asked for: the keys for this run, and the state it was asked in."""

    environment: str
    config: Mapping[str, str]
    before: StackState

    @property
    def digest(self) -> str:
        """The image."""
        return self.config["imageDigest"]


def previewed(tools: Tools, given: Given) -> EngineLog:
    """What the engine says of a preview. Raises what it failed with."""
    done = tools.engine.preview(given.environment, given.config)
    if done.signal is not None:
        raise Interrupted("The preview was stopped. It changes nothing.")
    if done.exit_code != 0:
        raise failure(done.log, done.stderr)
    return done.log


# ---- Parity ---------------------------------------------------------------------------------------------------


def held_to_parity(tools: Tools, environment: str) -> None:
    """Raises `Refused` where `parity.required` is set, and the stack file differs from that of the environment before
    without a word on it. The program compares the release itself, under the lock."""
    source = tools.project.route.source_of(environment)
    wanted = tools.project.stacks[environment].parity
    if wanted.required and source:
        found = undeclared_settings(compared(tools, source), compared(tools, environment))
        check_declared(found, wanted.expected(), source, environment)


def compared(tools: Tools, environment: str, state: StackState | None = None) -> Environment:
    """An environment as a comparison takes it."""
    file = tools.project.stacks[environment]
    return Environment(
        name=environment,
        names=tools.project.names(environment),
        settings=file.settings,
        state=state or StackState(),
    )


# ---- The review -----------------------------------------------------------------------------------------------


def reviewed(tools: Tools, given: Given, subject: Subject) -> tuple[Review, Facts]:
    """The review with its seal, and what that covers. AWS is observed, and git asked, next to the preview."""
    with ThreadPoolExecutor(4) as pool:
        halted = pool.submit(_spoiled, tools, given)
        looked = pool.submit(_observed, tools, given.environment)
        read = pool.submit(_entries, tools, given.environment)
        asked = pool.submit(_scan, tools, given)
        log = previewed(tools, given)
        (observed, unseen), entries, (scan, unscanned) = looked.result(), read.result(), asked.result()
    commits = commits_between(tools, given.before.recorded, planned_in(log).release)
    rollbacks, drills = rollbacks_in(entries, given.environment), drills_in(entries, subject.source, given.digest)
    subject = replace(subject, observed=observed, unseen=unseen, commits=commits, rollbacks=rollbacks, drills=drills)
    subject = replace(subject, scan=scan, unscanned=unscanned, given=given.config, frozen=_frozen(tools, given))
    subject = replace(subject, spoiled=halted.result(), pardoned=said_of_pardon(given.digest, entries))
    covered = _facts(tools, given, log, subject.program)
    seal = Seal.of(given.environment, subject.at, covered)
    return replace(review(subject, log), seal=str(seal)), covered


def subject_of(
    tools: Tools, environment: str, before: StackState, *, rollback: bool, digest_only: bool = False
) -> Subject:
    """Everything but the preview, and what is read next to it."""
    source = tools.project.route.source_of(environment)
    before_it = _record(tools, source)
    return Subject(
        environment=environment,
        recorded=before.recorded,
        source=source,
        evidence=before_it.evidence if before_it else (),
        ran_there=before_it.history if before_it else (),
        live_there=before_it.live if before_it else None,
        rollback=rollback,
        digest_only=digest_only,
        program=program_of(tools),
        asked=tools.who,
        run=tools.origin.run,
        at=tools.machine.clock(),
        unrecorded=not tools.project.ledger,
    )


def program_of(tools: Tools) -> Program:
    """The commit that is checked out, and what differs from it."""
    root = tools.project.root
    try:
        return Program(commit=tools.git.head(root), dirty=bool(tools.git.changed(root)), edited=tools.git.edited(root))
    except UsageError as error:
        return Program(unknown=error.why or error.what)


def commits_between(tools: Tools, recorded: Recorded | None, release: Release | None) -> Commits | None:
    """What lies between the two releases; None where one of them has no commit, or it is the same one."""
    old, new = recorded.live.commit if recorded else "", release.commit if release else ""
    return tools.git.commits(tools.project.root, old, new) if old and new and old != new else None


def _observed(tools: Tools, environment: str) -> tuple[Observed | None, str]:
    """What AWS says now, or why it does not. A review is possible without it."""
    try:
        return tools.cloud.observed(tools.project.names(environment)), ""
    except ReleaseError as error:
        return None, error.why or error.what


def _spoiled(tools: Tools, given: Given) -> Spoiled:
    """What is in quarantine of the history; nothing where the ledger is away: the update asks it again."""
    try:
        store = tools.ledger(given.environment)
        return spoiled_in(store, given.before.recorded) if store else {}
    except CloudError:
        return {}


def _frozen(tools: Tools, given: Given) -> str:
    """The freeze window that holds now, in words; "" for none."""
    closed = frozen_at(tools.project.stacks[given.environment].freeze.freeze(), tools.machine.clock())
    return f"a freeze window holds until {in_zone(closed.zone, closed.until)}: {closed.words}" if closed else ""


def _scan(tools: Tools, given: Given) -> tuple[Scan | None, str]:
    """What the registry found in the image, or why that is unknown. A review is possible without it."""
    try:
        artifacts = tools.project.stacks[tools.project.artifacts_of(given.environment)]
        return tools.cloud.scan(artifacts.access, artifacts.repository, given.digest), ""
    except ReleaseError as error:
        return None, error.why or error.what


def _record(tools: Tools, source: str | None) -> Recorded | None:
    state = tools.engine.state(source) if source else None
    return state.recorded if state else None


# ---- The seal -------------------------------------------------------------------------------------------------


def seal_problem(tools: Tools, environment: str, digest: str, text: str | None) -> str:
    """Why a seal cannot be used, as far as that needs no preview: "" where nothing is wrong, and without one."""
    try:
        if text is not None:
            valid = tools.project.stacks[environment].approval.seconds
            check_meant(Seal.parse(text), environment, digest, tools.machine.clock(), valid)
    except ReleaseError as problem:
        return problem.what_and_why
    return ""


def unsealed(tools: Tools, given: Given, text: str) -> str:
    """Hold a release to the seal of its review; what the program has to hold it to, under the lock.

    Raises `Refused` with a list of exactly what has moved since, and what the preview failed with. This is the one
    preview of a sealed release: its update has none.
    """
    seal = Seal.parse(text)
    valid = tools.project.stacks[given.environment].approval.seconds
    check_meant(seal, given.environment, given.digest, tools.machine.clock(), valid)
    log = previewed(tools, given)
    covered = _facts(tools, given, log, program_of(tools))
    check_unmoved(seal, covered, _reviewed_as(tools, given.environment, text) if seal.moved(covered) else None)
    return bound_by(log)


def _facts(tools: Tools, given: Given, log: EngineLog, program: Program) -> Facts:
    return facts(
        log,
        environment=given.environment,
        digest=given.digest,
        exported=given.before.exported,
        program=program,
        settings=tools.project.stacks[given.environment].config,
        given=given.config,
    )


# ---- The ledger -----------------------------------------------------------------------------------------------

LOOKED_AT = 100
"""Newest entries among which a review, and what earlier rollbacks took, are looked for."""


def write_review(tools: Tools, found: Review, covered: Facts) -> None:
    """An entry with the seal and what it covers, so that a refusal can name old and new. A review changes nothing, so
    a ledger that is away is only reported."""
    release = found.planned.release
    draft = tools.draft(EntryKind.REVIEW, found.subject.environment)
    if release:
        draft = replace(draft, digest=release.digest, commit=release.commit, release=release.id)
    about = {"seal": found.seal, "kind": str(found.kind), "sealed": as_dict(covered)}
    try:
        if store := tools.ledger(found.subject.environment):
            store.append(replace(draft, details={**draft.details, **about}))
    except CloudError as away:
        tools.terminal.say(f"The ledger does not have this review: {away.what_and_why}")


def _entries(tools: Tools, environment: str) -> tuple[Entry, ...]:
    """The newest ones; none without a ledger, or while it is away: what is read of them is only shown."""
    try:
        store = tools.ledger(environment)
        return store.entries(LOOKED_AT) if store else ()
    except CloudError:
        return ()


def _reviewed_as(tools: Tools, environment: str, seal: str) -> Facts | None:
    """What the review with this seal covered, by the ledger; None where it does not know."""
    found = (each for each in reversed(_entries(tools, environment)) if each.details.get("seal") == seal.strip())
    review = next((each for each in found if each.kind is EntryKind.REVIEW), None)
    return from_dict(review.details.get("sealed") or {}) if review else None


# ---- The approval ---------------------------------------------------------------------------------------------


def approver_of(
    tools: Tools, environment: str, digest: str, before: StackState, wanted: ApprovalSettings, *, sealed: bool
) -> str:
    """Who approved the release, "" where that is not known and not required. Raises `Refused` as the settings want."""

    @cache
    def ends() -> tuple[str, str]:
        return before.recorded.live.commit if before.recorded else "", _commit_of(tools, environment, digest)

    found, by_git = tools.approvals.of(environment, ends), Commits(old="", new="")
    if found and found.approvers:
        first = Commits(old="", new="", unknown=f"no release is live in {environment}, so there is no commit before")
        by_git = _written(tools, *ends()) if before.recorded else first
        found = replace(found, unwritten=found.unwritten or ("" if found.authors else by_git.unknown))
    authors = authors_of(by_git.added)
    for doubt in found.doubts(authors, distinct=wanted.distinct) if found else ():
        tools.terminal.say(doubt)
    return approved_by(found, authors, environment, distinct=wanted.distinct, required=wanted.required, sealed=sealed)


def _written(tools: Tools, old: str, new: str) -> Commits:
    """By git, which may know the authors where the CI system does not."""
    if not (old and new):
        return Commits(old=old, new=new, unknown="a commit of the live release or of this one is unknown")
    return tools.git.commits(tools.project.root, old, new) if old != new else Commits(old=old, new=new)


def _commit_of(tools: Tools, environment: str, digest: str) -> str:
    """The commit of an image, by the environment before, or by the stack that has its registry; "" if unknown."""
    source = tools.project.route.source_of(environment)
    before_it = _record(tools, source)
    if before_it and (release := before_it.served(digest)):
        return release.commit
    built = tools.engine.state(tools.project.artifacts_of(environment))
    return str(built.outputs.get("commit") or "") if built and built.outputs.get("imageDigest") == digest else ""
