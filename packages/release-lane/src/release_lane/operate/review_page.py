"""A review in words: what an approver must not miss comes first. Pure; `page_markdown` and `page_html` render it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from release_lane.decide.foundations import HTTPS
from release_lane.engine.events import Message, Step
from release_lane.errors import ReleaseError
from release_lane.operate.changes import changed, destroys, folded
from release_lane.operate.costs import monthly
from release_lane.operate.duration import spoken
from release_lane.operate.page import (
    Alert,
    Bar,
    Bars,
    Block,
    Bullets,
    Page,
    Section,
    Table,
    Text,
    bullets,
    code,
    flat,
    link,
    quoted,
    section,
)
from release_lane.operate.review import Review, Subject, Way
from release_lane.record.commit import Commits, Logged
from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import short
from release_lane.record.evidence import Proof
from release_lane.record.placement import Colour, Release, Weights, shared
from release_lane.record.records import Side
from release_lane.record.times import epoch, in_words

SHOWN = 20
"""Commits that are listed; the others are counted."""


def page(review: Review) -> Page:
    """The review of a release that is possible."""
    users = review.changes_users
    sections = [
        section("", Text(_heading(review)), *_loud(review), _moving(review)),
        section("", _table(review), *_asked(review.subject)) if review.planned.release else None,
        _commits(review) if users else None,
        _evidence(review) if users else None,
        section("Configuration that changes with the release", _configuration(review)) if users else None,
        section("Traffic", *_traffic(review)),
        section("How users come in", _door(review)),
        _others(review),
        section("Warnings", bullets(_said(message) for message in review.warnings)),
        section("Policies", bullets(_said(message) for message in review.policies)),
        _ending(review.subject, review.seal),
    ]
    return Page(f"Review: {review.subject.environment}", tuple(each for each in sections if each))


def refusal(subject: Subject, error: ReleaseError) -> Page:
    """The review of a refused release: there is nothing to approve, and why."""
    kind = "refused" if error.exit_code == 4 else "not possible"
    why = [f"Why: {quoted(error.why)}"] if error.why else []
    why += [f"Next: {flat(error.next_step)}"] if error.next_step else []
    sections = [
        section("", Text(f"**This release is {kind}.** {quoted(error.what)}"), bullets(why)),
        section("", Text("Nothing was changed, and there is nothing to approve.")),
        _ending(subject, ""),
    ]
    return Page(f"Review: {subject.environment}", tuple(each for each in sections if each))


# ---- What comes first -----------------------------------------------------------------------------------------


def _heading(review: Review) -> str:
    kind = str(review.kind)
    return f"**{kind[0].upper()}{kind[1:]}.** {_words(review)}"


def _words(review: Review) -> str:
    """The decision as one sentence."""
    planned, release = review.planned, review.planned.release
    name = code(short(release.digest)) if release else ""
    reason = f" ({quoted(planned.reason)})" if planned.reason else ""
    match planned.decision:
        case DecisionKind.PREPARE:
            return f"Prepare: the environment is built without a release; users get a 503{reason}."
        case DecisionKind.KEEP:
            return f"Keep: users stay on {planned.live}, which runs {name}{reason}."
        case DecisionKind.HEAL:
            return f"Heal: users stay on {planned.live}; the standby on the idle colour is restored{reason}."
        case DecisionKind.DEPLOY if review.subject.recorded is None:
            return (
                f"Deploy the first release: {name} starts on {planned.live}, passes the gates, then takes all traffic."
            )
        case DecisionKind.DEPLOY:
            return (
                f"Deploy: {name} starts on {planned.live} ({_tasks(planned.tasks)}), passes the gates, "
                f"then takes all traffic{reason}."
            )
        case DecisionKind.TRAFFIC_ONLY:
            return (
                f"Traffic only: {planned.live} already runs {name}; no task starts. "
                f"After the gates it takes all traffic{reason}."
            )
        case DecisionKind.FINISH:
            return (
                f"Finish: users are already on {planned.live} with {name}; the gates run, then it is recorded{reason}."
            )
    return f"{planned.decision}{reason}"


def _tasks(number: int) -> str:
    return "1 task" if number == 1 else f"{number} tasks"


def _loud(review: Review) -> Iterator[Block]:
    """What an approver must not miss."""
    if lost := [step for step in review.others if destroys(step)]:
        named = ", ".join(f"{step.op} {code(step.name)}" for step in lost)
        yield Alert(f"**CAREFUL: {len(lost)} of these delete something:** {named}")
    if review.drift:
        yield Alert(f"**Drift:** {quoted(review.drift)}.")
    if stopping := [message for message in review.policies if "(mandatory)" in message.text]:
        yield Alert(f"**A mandatory policy is violated:** {quoted(stopping[0].text)}")
    if review.changes_users and review.subject.source and not review.proof and not review.was_live:
        yield Alert(f"**Unproven:** {review.subject.source} has no proof of this digest.")


def _moving(review: Review) -> Block | None:
    """How the traffic moves, and what a rollback costs afterwards; nothing where both are the defaults."""
    planned = review.planned
    if not review.changes_users:
        return None
    stepped = planned.course.least or len(planned.course.steps) > 1
    lines = [f"The traffic moves {planned.course.words()}."] if stepped else []
    if planned.idle_tasks is not None and review.subject.recorded:
        kept = f"keeps {_tasks(planned.idle_tasks)} of the previous release"
        lines.append(f"Afterwards the idle colour {kept}; a rollback that needs more tasks is a deployment.")
    return bullets(lines)


def _table(review: Review) -> Block:
    """Old and new, side by side."""
    planned, recorded = review.planned, review.subject.recorded
    old, new = recorded.live if recorded else None, planned.release
    commits = review.subject.commits
    rows = [
        ("Digest", *(code(each.digest) if each else "none" for each in (old, new))),
        ("Commit", *(_commit(each, commits) for each in (old, new))),
        ("Release", *(code(each.id) if each else "none" for each in (old, new))),
        ("Live colour", str(recorded.live_colour) if recorded else "none", str(planned.live or "none")),
        ("Users", _share(planned.before), _share(planned.after)),
    ]
    return Table(
        ("", "Now", "After"), tuple((what, now, "*unchanged*" if now == after else after) for what, now, after in rows)
    )


def _commit(release: Release | None, commits: Commits | None) -> str:
    if release is None or not release.commit:
        return "none"
    return _linked(release.commit, release.commit, commits)


def _linked(words: str, sha: str, commits: Commits | None) -> str:
    return link(code(words), commits.page_of(sha)) if commits else code(words)


def _share(weights: Weights | None) -> str:
    if weights is None:
        return "no users are served"
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)


def _asked(subject: Subject) -> Iterator[Block]:
    """Who asks for it, and when."""
    if subject.asked:
        where = f" in {link('this CI run', subject.run)}" if subject.run else ", outside CI"
        yield Text(f"Asked by {quoted(subject.asked)}{where}" + (f", {in_words(subject.at)}." if subject.at else "."))


# ---- Commits and evidence -------------------------------------------------------------------------------------


def _commits(review: Review) -> Section | None:
    """What lies between the two releases."""
    commits, title = review.subject.commits, "Commits"
    if commits is None:
        return None
    if commits.unknown:
        return section(title, Text(f"**The commits in between are unknown:** {quoted(commits.unknown)}"))
    there = commits.comparison
    lead = (
        Text(f"{link('Compare both', there)} ({code(commits.old[:7])} and {code(commits.new[:7])}).") if there else None
    )
    taken = len(commits.removed)
    removed = Alert(f"**{_number(taken, 'commit')} of the live release {'is' if taken == 1 else 'are'} taken back:**")
    return section(
        title,
        lead,
        bullets(_listed(commits.added, commits)) or Text("None is added."),
        *((removed, bullets(_listed(commits.removed, commits))) if taken else ()),
    )


def _number(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(logged: tuple[Logged, ...], commits: Commits) -> Iterator[str]:
    for each in logged[:SHOWN]:
        yield f"{_linked(each.sha[:7], each.sha, commits)} {quoted(each.subject)} ({quoted(each.author)})"
    if len(logged) > SHOWN:
        yield f"and {len(logged) - SHOWN} more"


def _evidence(review: Review) -> Section | None:
    subject, release, proof = review.subject, review.planned.release, review.proof
    assert release is not None
    lines: list[str | tuple[str, tuple[str, ...]]] = []
    there, here = proof.unchecked if proof else (), release.service.asked.unchecked
    if proof:
        lines += _proven(subject, proof, release)
        lines += [
            f"**Not checked there{', and cannot be here' if each in here else ''}:** {quoted(each)}." for each in there
        ]
        lines += _unproven_configuration(subject, proof, release)
    elif subject.source:
        lines.append(f"{subject.source} has **no proof** of this digest.")
    else:
        lines.append("None is needed: this is the first environment of the route.")
    lines += [f"**Cannot be checked here:** {quoted(each)}." for each in here if each not in there]
    lines += [quoted(each) for each in subject.drills]
    if review.was_live:
        lines.append(f"It has been live in {subject.environment} before.")
    if subject.recorded and subject.recorded.left_by_rollback(release.digest):
        live = code(subject.recorded.live.digest)
        lines.append(f"**Going forward again:** users were rolled back from it to {live}.")
    elif subject.rollback and subject.recorded:
        lines.append(f"Requested as a **rollback** from {code(subject.recorded.live.digest)}.")
    return section("Evidence", bullets(lines))


def _proven(subject: Subject, proof: Proof, release: Release) -> Iterator[str]:
    commit = f", commit {code(proof.commit)}" if proof.commit else ""
    yield f"**{subject.source}** proved {code(release.digest)}{commit} on {proof.at}: {quoted(proof.smoke)}."
    if proof.checks:
        yield f"Checks that passed there: {', '.join(map(code, proof.checks))}."
    if proof.drilled:
        yield f"Drilled there on {proof.drilled}: users went back from it and forward again, and no request failed."
    if subject.live_there is None:
        return
    if subject.live_there.digest != release.digest:
        yield f"**It is no longer live in {subject.source}**, which runs {code(short(subject.live_there.digest))}."
    elif subject.at and (since := epoch(proof.at)) is not None:
        yield f"It has been live in {subject.source} for {spoken(max(0.0, subject.at - since))}."


def _unproven_configuration(
    subject: Subject, proof: Proof, release: Release
) -> Iterator[str | tuple[str, tuple[str, ...]]]:
    """The proof is of the image; how the configuration differs from the one it ran with there."""
    here = subject.recorded.history if subject.recorded else ()
    if proof.release_id in ("", release.id) or any(past.id == release.id for past in here):
        return
    what = f"**{subject.source} did not run this configuration:** its proof is of the image"
    ran = next((each for each in reversed(subject.ran_there) if each.id == proof.release_id), None)
    if ran is None:
        yield f"{what}; {subject.source} no longer remembers which configuration it ran with."
        return
    differing = tuple(_settings(ran.service.as_dict(), release.service.as_dict()))
    yield f"{what}, which ran there with different values of:", differing


def _configuration(review: Review) -> Block | None:
    """How the service's configuration changes with the release; only the names of variables."""
    old, release = review.subject.recorded, review.planned.release
    if old is None or release is None:
        return None
    return bullets(_settings(old.live.service.as_dict(), release.service.as_dict()))


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*old, *new}):
        if isinstance(old.get(key), Mapping):
            differing = [name for name in sorted({*old[key], *new[key]}) if old[key].get(name) != new[key].get(name)]
            yield from (f"{key}.{name}: {_verb(name, old[key], new[key])}" for name in differing)
        elif old.get(key) != new.get(key):
            yield f"{key}: {_value(old, key)} -> {_value(new, key)}"


def _value(service: Mapping[str, Any], key: str) -> str:
    return (quoted(str(service[key])) or "none") if key in service else "its default"


def _verb(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return "added" if name not in old else "removed" if name not in new else "changed"


# ---- Traffic --------------------------------------------------------------------------------------------------


def _traffic(review: Review) -> Iterator[Block]:
    planned, subject = review.planned, review.subject
    if review.changes_users and planned.live:
        yield Bars("How the traffic moves", tuple(_bars(review, planned.live)))
        if planned.alarms.names:
            yield Text(f"Any of these alarms rolls it back: {', '.join(map(code, planned.alarms.names))}.")
    if subject.observed:
        yield Bullets(tuple(_observed(colour, subject.observed.sides[colour]) for colour in Colour))
    elif subject.unseen:
        yield Text(f"**What the colours run now is unknown:** {quoted(subject.unseen)}")
    if review.changes_users and (words := _way_back(review)):
        yield Text(words)


def _bars(review: Review, to: Colour) -> Iterator[Bar]:
    planned = review.planned
    yield Bar("now", _shares(planned.before or {}))
    steps = planned.course.steps[:-1] if planned.course.steps else ()
    yield from (Bar(f"step {number}", _shares(shared(to, step))) for number, step in enumerate(steps, 1))
    yield Bar("after", _shares(planned.after or {}))


def _shares(weights: Weights) -> tuple[tuple[str, int], ...]:
    return tuple((str(colour), weights.get(colour, 0)) for colour in Colour)


def _observed(colour: Colour, side: Side) -> str:
    """What a colour runs, as AWS says now."""
    if side.empty:
        return f"Observed now: {colour} runs no task."
    what = code(short(side.digest)) if side.digest else "several images"
    return f"Observed now: {colour} runs {what}, {side.healthy} of {_tasks(side.wanted)} healthy."


def _way_back(review: Review) -> str:
    """What a rollback costs after this update, and until when."""
    recorded, planned = review.subject.recorded, review.planned
    if recorded is None or planned.live is None or planned.release is None:
        return ""
    goes_back = review.subject.rollback and not recorded.left_by_rollback(planned.release.digest)
    to = f"{'Going forward again' if goes_back else 'A rollback'} to {code(short(recorded.live.digest))}"
    kept = f"The idle colour ({planned.live.other}) keeps it until the next release"
    match review.way_back:
        case Way.TRAFFIC_ONLY:
            return f"{to} then only moves the traffic: {_seconds(review.subject.rollbacks)}. {kept}."
        case Way.THEN_DEPLOY:
            return (
                f"{to} only moves the traffic while this update lasts: {_seconds(review.subject.rollbacks)}. "
                "Afterwards it is a deployment, which takes minutes."
            )
        case Way.DEPLOY:
            return f"{to} is then a deployment, which takes minutes: everything is built anew."
        case Way.SETTINGS:
            return "A rollback is then another release: the image is the same, the old configuration is in git."
        case Way.NONE:
            return ""


def _seconds(past: tuple[float, ...]) -> str:
    if not past:
        return "seconds (none has been timed here yet)"
    last = past[-3:]
    times = "the last time" if len(last) == 1 else f"the last {len(last)} times"
    return f"{', '.join(spoken(each) for each in last)} {times} here"


# ---- What else ------------------------------------------------------------------------------------------------


def _door(review: Review) -> Block | None:
    """How users come in, where that changes."""
    return bullets(dict.fromkeys(line for step in review.others if (line := _of_the_door(step, review))))


def _of_the_door(step: Step, review: Review) -> str:
    """What a changed resource means for users who come by HTTPS; "" if nothing."""
    url = f"https://{review.planned.domain}"
    match step.type, step.op:
        case "aws:lb/listener:Listener", "create" if step.name.endswith(HTTPS) and review.subject.recorded:
            return (
                f"**Users of plain HTTP are led to {url}.** Port 443 is opened and checked first; then port 80 "
                "redirects for good. There is no way back while users are served."
            )
        case "aws:lb/listener:Listener", "create" if step.name.endswith(HTTPS):
            return f"Users come by {url}; port 80 redirects there."
        case "aws:lb/listener:Listener", "update" if step.name.endswith(HTTPS):
            return f"The listener of {url} changes in place: {quoted(', '.join(step.paths))}."
        case "aws:acm/certificate:Certificate", "create" | "replace":
            return f"A certificate for {review.planned.domain} is requested, and used once DNS has validated it."
    return ""


def _others(review: Review) -> Section | None:
    """Everything that changes besides the release; deletions and replacements first and in bold."""
    title = "What else changes"
    if not review.others:
        return section(title, Text("Nothing."))
    created = review.created
    listed = [step for step in review.others if not (created and step.op == "create")]
    made = f"**Creates {_number(len(created), 'resource')}:** {folded(created)}." if created else ""
    cost = monthly(review.others)
    rows = [_row(step) for step in sorted(listed, key=lambda step: (not destroys(step), step.type, step.name))]
    table = Table(("Operation", "Type", "Name", "Properties"), tuple(rows)) if rows else None
    return section(title, *(Text(text) for text in (made, cost) if text), table)


def _row(step: Step) -> tuple[str, ...]:
    op = f"**{step.op.upper()}**" if destroys(step) else step.op
    properties = ", ".join(quoted(each.words()) for each in changed(step))
    return op, code(step.type), code(step.name), properties


def _said(message: Message) -> str:
    return quoted(message.text)


def _ending(subject: Subject, seal: str) -> Section | None:
    """Which program previewed it, and the seal."""
    without = Text("No ledger is named (`ledger` in the stack files), so this review is kept nowhere.")
    return section(
        "",
        *(Text(text) for text in _program(subject)),
        *_sealed(subject, seal),
        without if subject.unrecorded else None,
    )


def _program(subject: Subject) -> Iterable[str]:
    program = subject.program
    if program.unknown:
        return [f"Previewed with a program whose **commit is unknown**: {quoted(program.unknown)}"]
    dirty = ", **with uncommitted changes**" if program.dirty else ""
    return [f"Previewed with the program of commit {code(program.commit)}{dirty}."] if program.commit else []


def _sealed(subject: Subject, seal: str) -> Iterator[Block]:
    if seal:
        verb = "rollback" if subject.rollback else "promote" if subject.source else "deploy"
        refuses = f"`release {verb} {subject.environment} --seal …` refuses if anything that it covers has moved."
        yield Text(f"Seal: {code(seal)}. {refuses}")
