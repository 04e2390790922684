"""What an approver reads before an update: the decision, what users get, the evidence, and what else changes.

Pure: from a preview's event log and the records to Markdown. Only the paths of properties are shown, no values,
except those of the release itself (digest, commit, colour, weights, sizes), so no secret can appear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from release_lane.decide.foundations import HTTPS
from release_lane.decide.shift import Course
from release_lane.engine.events import EngineLog, Message, Step
from release_lane.errors import ReleaseError
from release_lane.operate.costs import monthly
from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import short
from release_lane.record.evidence import Proof, proof_of
from release_lane.record.inputs import RolloutInputs, SwitchInputs
from release_lane.record.placement import Colour, Release, Weights
from release_lane.record.records import Recorded

SWITCH, ROLLOUT = "release:index:TrafficSwitch", "release:index:Rollout"


@dataclass(frozen=True, kw_only=True)
class Program:
    """The program's commit; `unknown` is git's reason why there is none."""

    commit: str = ""
    dirty: bool = False
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is reviewed. `evidence` is from `source`, the environment promoted from (None: first of a route).

    `ran_there` are the releases that `source` remembers, with the configuration they ran with.
    """

    environment: str
    recorded: Recorded | None = None
    source: str | None = None
    evidence: tuple[Proof, ...] = ()
    ran_there: tuple[Release, ...] = ()
    rollback: bool = False
    program: Program = Program()


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The program's decision: the inputs of the preview's switch and rollout gate."""

    decision: DecisionKind
    reason: str = ""
    live: Colour | None = None
    release: Release | None = None
    before: Weights | None = None
    after: Weights | None = None
    target: Colour | None = None
    tasks: int = 0
    starts: bool = False
    course: Course = field(default_factory=Course)
    standing: Recorded | None = None
    """The record that the program decided from, under the lock; None before the first release."""
    idle_tasks: int | None = None
    """Tasks that the idle colour keeps afterwards; None: as many as the live colour has."""
    domain: str = ""
    """The name that users come by; "" for plain HTTP."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """Everything that an approver is shown."""

    subject: Subject
    planned: Planned
    others: tuple[Step, ...] = ()
    warnings: tuple[Message, ...] = ()
    policies: tuple[Message, ...] = ()

    @property
    def changes_users(self) -> bool:
        """Does the traffic move, or what serves it change?"""
        return self.planned.decision.moves_users


def review(subject: Subject, log: EngineLog) -> Review:
    """Read a preview that succeeded."""
    planned = planned_in(log)
    return Review(
        subject=subject,
        planned=planned,
        others=tuple(step for step in log.steps if step.changes and not _expected(step, planned)),
        warnings=log.warnings,
        policies=log.policies,
    )


def planned_in(log: EngineLog) -> Planned:
    """The decision, as the program gave it to its resources; `prepare` where there is no switch yet."""
    switch, rollout = log.step(SWITCH), log.step(ROLLOUT)
    if switch is None:
        return Planned(decision=DecisionKind.PREPARE, reason="there is no release here yet, and none was requested")
    given, gate = SwitchInputs.from_dict(switch.inputs), RolloutInputs.from_dict(rollout.inputs) if rollout else None
    return Planned(
        decision=given.decision,
        reason=given.reason,
        live=given.live,
        release=given.release,
        before=given.expected,
        after=given.weights,
        target=gate.colour if gate and gate.active else None,
        tasks=gate.tasks if gate else 0,
        starts=bool(gate and gate.starts),
        course=given.course,
        standing=given.standing,
        idle_tasks=given.idle_tasks,
        domain=given.names.domain,
    )


def _expected(step: Step, planned: Planned) -> bool:
    """Part of the decision itself: the gates, and the release on the colour it goes to."""
    if not step.custom or step.type.startswith(("release:index:", "pulumi:providers:release")):
        return step.op in ("create", "update")
    on_target = planned.target is not None and step.name.endswith(f"-{planned.target}")
    match step.type:
        case "aws:ecs/taskDefinition:TaskDefinition":
            return on_target and planned.starts and step.op in ("create", "update", "replace")
        case "aws:ecs/service:Service":
            return on_target and step.op in ("create", "update")
    return False


# ---- Markdown ---------------------------------------------------------------------------------------------


def markdown(review: Review) -> str:
    """The review as GitHub-flavoured Markdown."""
    sections = [
        _heading(review),
        _table(review) if review.planned.release else [],
        _evidence(review) if review.changes_users else [],
        _configuration(review) if review.changes_users else [],
        _door(review),
        _others(review.others),
        _messages("Warnings", review.warnings),
        _messages("Policies", review.policies),
        _program(review.subject),
    ]
    return "\n".join("\n".join([*lines, ""]) for lines in sections if lines)


def refusal(subject: Subject, error: ReleaseError) -> str:
    """The review of a refused release: there is nothing to approve, and why."""
    kind = "refused" if error.exit_code == 4 else "not possible"
    lines = [f"# Review: {subject.environment}", "", f"**This release is {kind}.** {_flat(error.what)}", ""]
    lines += [f"- Why: {_flat(error.why)}"] if error.why else []
    lines += [f"- Next: {_flat(error.next_step)}"] if error.next_step else []
    lines += ["", "Nothing was changed, and there is nothing to approve.", ""]
    return "\n".join([*lines, *_program(subject), ""])


def _heading(review: Review) -> list[str]:
    return [f"# Review: {review.subject.environment}", "", f"**{_words(review)}**", *_moving(review)]


def _moving(review: Review) -> list[str]:
    """How the traffic moves, and what a rollback costs afterwards; nothing where both are the defaults."""
    planned = review.planned
    if not review.changes_users:
        return []
    stepped = planned.course.least or len(planned.course.steps) > 1
    lines = [f"- The traffic moves {planned.course.words()}."] if stepped else []
    if planned.idle_tasks is not None and review.subject.recorded:
        kept = f"keeps {_tasks(planned.idle_tasks)} of the previous release"
        lines.append(f"- Afterwards the idle colour {kept}; a rollback that needs more tasks is a deployment.")
    return ["", *lines] if lines else []


def _words(review: Review) -> str:
    """The decision as one sentence."""
    planned, release = review.planned, review.planned.release
    name = f"`{short(release.digest)}`" if release else ""
    reason = f" ({planned.reason})" if planned.reason else ""
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


def _table(review: Review) -> list[str]:
    """Old and new, side by side."""
    planned, recorded = review.planned, review.subject.recorded
    old, new = recorded.live if recorded else None, planned.release
    rows = [
        ("Digest", *(_code(each.digest if each else "") for each in (old, new))),
        ("Commit", *(_code(each.commit if each else "") for each in (old, new))),
        ("Release", *(_code(each.id if each else "") for each in (old, new))),
        ("Live colour", str(recorded.live_colour) if recorded else "none", str(planned.live or "none")),
        ("Users", _share(planned.before), _share(planned.after)),
    ]
    lines = ["| | Now | After |", "| --- | --- | --- |"]
    return lines + [f"| {what} | {now} | {'*unchanged*' if now == after else after} |" for what, now, after in rows]


def _evidence(review: Review) -> list[str]:
    subject, release = review.subject, review.planned.release
    assert release is not None
    lines = ["## Evidence", ""]
    proof = proof_of(release.digest, subject.evidence)
    there, here = proof.unchecked if proof else (), release.service.asked.unchecked
    if proof:
        commit = f", commit `{proof.commit}`" if proof.commit else ""
        lines.append(f"- **{subject.source}** proved `{release.digest}`{commit} on {proof.at}: {_flat(proof.smoke)}.")
        lines += [
            f"- **Not checked there{', and cannot be here' if each in here else ''}:** {_flat(each)}." for each in there
        ]
        lines += _unproven_configuration(subject, proof, release)
    elif subject.source:
        lines.append(f"- {subject.source} has **no proof** of this digest.")
    else:
        lines.append("- None is needed: this is the first environment of the route.")
    lines += [f"- **Cannot be checked here:** {_flat(each)}." for each in here if each not in there]
    if subject.recorded and subject.recorded.was_live(release.digest):
        lines.append(f"- It has been live in {subject.environment} before.")
    if subject.recorded and subject.recorded.left_by_rollback(release.digest):
        lines.append(f"- **Going forward again:** users were rolled back from it to `{subject.recorded.live.digest}`.")
    elif subject.rollback and subject.recorded:
        lines.append(f"- Requested as a **rollback** from `{subject.recorded.live.digest}`.")
    return lines


def _unproven_configuration(subject: Subject, proof: Proof, release: Release) -> list[str]:
    """The proof is of the image; how the configuration differs from the one it ran with there."""
    here = subject.recorded.history if subject.recorded else ()
    if proof.release_id in ("", release.id) or any(past.id == release.id for past in here):
        return []
    what = f"- **{subject.source} did not run this configuration:** its proof is of the image"
    ran = next((each for each in reversed(subject.ran_there) if each.id == proof.release_id), None)
    if ran is None:
        return [f"{what}; {subject.source} no longer remembers which configuration it ran with."]
    differing = _settings(ran.service.as_dict(), release.service.as_dict())
    return [f"{what}, which ran there with different values of:", *(f"  {line}" for line in differing)]


def _configuration(review: Review) -> list[str]:
    """How the service's configuration changes with the release; only the names of variables."""
    old = review.subject.recorded.live.service.as_dict() if review.subject.recorded else None
    release = review.planned.release
    if old is None or release is None:
        return []
    lines = [*_settings(old, release.service.as_dict())]
    return ["## Configuration that changes with the release", "", *lines] if lines else []


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[str]:
    for key in sorted({*old, *new}):
        if isinstance(old.get(key), Mapping):
            changed = [name for name in sorted({*old[key], *new[key]}) if old[key].get(name) != new[key].get(name)]
            yield from (f"- {key}.{name}: {_verb(name, old[key], new[key])}" for name in changed)
        elif old.get(key) != new.get(key):
            yield f"- {key}: {_value(old, key)} -> {_value(new, key)}"


def _value(service: Mapping[str, Any], key: str) -> str:
    return (_flat(str(service[key])) or "none") if key in service else "its default"


def _verb(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return "added" if name not in old else "removed" if name not in new else "changed"


def _door(review: Review) -> list[str]:
    """How users come in, where that changes."""
    lines = [line for step in review.others if (line := _of_the_door(step, review))]
    return ["## How users come in", "", *(f"- {line}" for line in dict.fromkeys(lines))] if lines else []


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
            return f"The listener of {url} changes in place: {_flat(', '.join(step.paths))}."
        case "aws:acm/certificate:Certificate", "create" | "replace" | "create-replacement":
            return f"A certificate for {review.planned.domain} is requested, and used once DNS has validated it."
    return ""


def _others(steps: tuple[Step, ...]) -> list[str]:
    """Everything that changes besides the release; deletions and replacements first and in bold."""
    if not steps:
        return ["## What else changes", "", "Nothing."]
    loud = [step for step in steps if "delete" in step.op or step.op == "replace"]
    lines = ["## What else changes", ""]
    if loud:
        named = ", ".join(f"{step.op} `{step.name}`" for step in loud)
        lines += [f"> **CAREFUL: {len(loud)} of these delete something:** {named}", ""]
    if cost := monthly(steps):
        lines += [cost, ""]
    lines += ["| Operation | Type | Name | Properties |", "| --- | --- | --- | --- |"]
    return lines + [_row(step, step in loud) for step in sorted(steps, key=lambda s: (s not in loud, s.type, s.name))]


def _row(step: Step, loud: bool) -> str:
    op = f"**{step.op.upper()}**" if loud else step.op
    return f"| {op} | `{step.type}` | `{_cell(step.name)}` | {_cell(', '.join(step.paths))} |"


def _messages(title: str, messages: tuple[Message, ...]) -> list[str]:
    return [f"## {title}", "", *(f"- {_flat(message.text)}" for message in messages)] if messages else []


def _program(subject: Subject) -> list[str]:
    program = subject.program
    if program.unknown:
        return [f"Previewed with a program whose **commit is unknown**: {_flat(program.unknown)}"]
    dirty = ", **with uncommitted changes**" if program.dirty else ""
    return [f"Previewed with the program of commit `{program.commit}`{dirty}."] if program.commit else []


def _share(weights: Weights | None) -> str:
    if weights is None:
        return "no users are served"
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)


def _code(text: str) -> str:
    return f"`{text}`" if text else "none"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _flat(text).replace("|", "\\|")
