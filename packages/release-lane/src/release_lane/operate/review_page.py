"""A review in words: what an approver must not miss comes first. Pure; `page_markdown` and `page_html` render it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    link,
    quoted,
    section,
    sentences,
)
from release_lane.operate.planned import Planned
from release_lane.operate.review import Review, Subject, Way
from release_lane.operate.review_evidence import commits_section, configuration_of, counted, evidence_section, linked
from release_lane.operate.spoiled import way_back
from release_lane.record.commit import Commits
from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import short
from release_lane.record.hold import how_to_end
from release_lane.record.placement import Colour, Release, Weights, shared
from release_lane.record.records import Side
from release_lane.record.times import in_words


def page(review: Review) -> Page:
    """The review of a release that is possible."""
    users = review.changes_users
    sections = [
        section("", *_overrides(review.subject), Text(_heading(review)), *_loud(review), _moving(review)),
        section("", _table(review), *_asked(review.subject)) if review.planned.release else None,
        commits_section(review) if users else None,
        evidence_section(review) if users else None,
        section("Configuration that changes with the release", configuration_of(review)) if users else None,
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
    why = [f"Why: {sentences(error.why)}"] if error.why else []
    why += [f"Next: {sentences(error.next_step)}"] if error.next_step else []
    sections = [
        section("", Text(f"**This release is {kind}.** {sentences(error.what)}"), bullets(why)),
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


def _overrides(subject: Subject) -> Iterator[Block]:
    """The rules that this release is asked to override: before all else."""
    given = subject.given
    if reason := given.get("throughFreeze"):
        holds = quoted(subject.frozen) if subject.frozen else "no window holds now, but one may by then"
        yield Alert(f"**Through the freeze (--through-freeze):** {quoted(reason)}. {holds[0].upper()}{holds[1:]}.")
    if "forwardFrom" in given:
        pardoned = f" {quoted(subject.pardoned)}." if subject.pardoned else ""
        yield Alert(f"**Forward again (--again)** to a release that users were rolled back from.{pardoned}")
    elif subject.pardoned:
        yield Alert(f"**Pardoned:** {quoted(subject.pardoned)}.")
    if "allowOlder" in given:
        yield Alert("**Commits may be taken back (--allow-older):** the live commit may contain this one.")
    if given.get("onAlarm") == "proceed":
        yield Alert("**Alarms that are firing do not stop it (--on-alarm proceed):** only those that begin afterwards.")
    if "allowReplace" in given:
        yield Alert("**What users stand on may be built anew (--allow-replace),** with an outage.")


def _loud(review: Review) -> Iterator[Block]:
    """What an approver must not miss."""
    if review.loses_way_back and review.subject.recorded and not review.subject.rollback:
        live = code(short(review.subject.recorded.live.digest))
        yield Alert(f"**No way back to {live}:** {_in_quarantine(review)}")
    if lost := [step for step in review.others if destroys(step)]:
        named = ", ".join(f"{step.op} {code(step.name)}" for step in lost)
        yield Alert(f"**CAREFUL: {len(lost)} of these delete something:** {named}")
    if review.drift:
        yield Alert(f"**Drift:** {quoted(review.drift)}.")
    if stopping := [message for message in review.policies if message.mandatory]:
        yield Alert(f"**A mandatory policy is violated:** {quoted(stopping[0].text)}")
    if review.changes_users and review.subject.source and not review.proof and not review.was_live:
        yield Alert(f"**Unproven:** {review.subject.source} has no proof of this digest.")


def _moving(review: Review) -> Block | None:
    """How the traffic moves, and what a rollback costs afterwards; nothing where both are the defaults."""
    planned = review.planned
    if not review.changes_users:
        return None
    stepped = planned.course.least or len(planned.course.steps) > 1 or planned.course.hold
    lines = [_migrating(planned)] if planned.migration else []
    lines += [f"The traffic moves {planned.course.words()}."] if stepped else []
    lines += [_holding(review, planned.course.hold)] if planned.course.hold else []
    if planned.idle_tasks is not None and review.subject.recorded and not planned.course.hold:
        kept = f"keeps {_tasks(planned.idle_tasks)} of the previous release"
        lines.append(f"Afterwards the idle colour {kept}; a rollback that needs more tasks is a deployment.")
    return bullets(lines)


def _holding(review: Review, percent: int) -> str:
    return (
        f"**A hold begins:** {percent} % of the users stay on the new release, all others on the old one, and nothing "
        f"else is released here until {how_to_end(review.subject.environment)}. This approval covers its end as well."
    )


def _migrating(planned: Planned) -> str:
    assert planned.migration is not None
    words = quoted(planned.migration.words())
    return (
        f"**The database's schema changes first:** {code(planned.migrates_by)} runs once before tasks are started, "
        f"{words}. A rollback does not take that back."
    )


def _table(review: Review) -> Block:
    """Old and new, side by side."""
    planned, recorded = review.planned, review.subject.recorded
    old, new = recorded.live if recorded else None, planned.release
    commits = review.subject.commits
    rows = [
        ("Digest", *(code(each.digest) if each else "none" for each in (old, new))),
        ("Commit", *(_commit(each, commits) for each in (old, new))),
        ("Release", *(code(each.id) if each else "none" for each in (old, new))),
        ("Live colour", str(recorded.live_colour) if recorded else "none", _live_after(planned)),
        ("Users", _share(planned.before), _share(planned.after)),
    ]
    return Table(
        ("", "Now", "After"), tuple((what, now, "*unchanged*" if now == after else after) for what, now, after in rows)
    )


def _live_after(planned: Planned) -> str:
    if planned.live and planned.course.hold:
        return f"{planned.live.other}, and {planned.live} next to it"
    return str(planned.live or "none")


def _commit(release: Release | None, commits: Commits | None) -> str:
    if release is None or not release.commit:
        return "none"
    return linked(release.commit, release.commit, commits)


def _share(weights: Weights | None) -> str:
    if weights is None:
        return "no users are served"
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)


def _asked(subject: Subject) -> Iterator[Block]:
    """Who asks for it, and when."""
    if subject.asked:
        where = f" in {link('this CI run', subject.run)}" if subject.run else ", outside CI"
        yield Text(f"Asked by {quoted(subject.asked)}{where}" + (f", {in_words(subject.at)}." if subject.at else "."))


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
    if planned.course.hold:
        return f"A rollback then ends the hold and only moves the traffic: {_seconds(review.subject.rollbacks)}."
    goes_back = review.subject.rollback and not recorded.left_by_rollback(planned.release.digest)
    if review.loses_way_back and not review.subject.rollback:
        return ""  # it is said first
    if review.loses_way_back:
        fault = quoted(review.subject.no_way_back)
        return f"Going forward again to {code(short(recorded.live.digest))} needs `release pardon` first: {fault}."
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


def _in_quarantine(review: Review) -> str:
    """The live release, to which no rollback leads afterwards; and where one leads instead."""
    left = review.left_to_go_back_to
    to = way_back(review.subject.environment, left)
    instead = f"A rollback is then {to}: a deployment, which takes minutes" if left else f"{to[0].upper()}{to[1:]}"
    return f"it is in quarantine: {quoted(review.subject.no_way_back)}. {instead}."


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
    made = f"**Creates {counted(len(created), 'resource')}:** {folded(created)}." if created else ""
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
