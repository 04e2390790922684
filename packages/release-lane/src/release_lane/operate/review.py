"""What an approver reads before an update: the decision in words, what users get, the evidence, and what else changes.

Pure: from a preview's event log and the records to Markdown. Of properties only the paths are shown, never values,
except those that are the release itself (digest, commit, colour, weights, sizes), so no secret can appear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from release_lane.decide.choice import TRAFFIC_ONLY, decision_word
from release_lane.decide.shift import Course
from release_lane.engine.events import EngineLog, Message, Step
from release_lane.errors import ReleaseError
from release_lane.record.digest import short
from release_lane.record.evidence import Proof, proof_of
from release_lane.record.placement import Colour, Release, Weights
from release_lane.record.records import Recorded

SWITCH, ROLLOUT = "release:index:TrafficSwitch", "release:index:Rollout"


@dataclass(frozen=True, kw_only=True)
class Program:
    """The commit that the program is of; `unknown` is git's reason why there is none."""

    commit: str = ""
    dirty: bool = False
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is reviewed. `evidence` is that of `source`, the environment promoted from (None: first of a route).

    `ran_there` are the releases that `source` remembers, for the configuration that they ran with.
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
    """What the preview's switch and rollout gate were given: the decision of the program."""

    decision: str
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
    """What the idle colour keeps afterwards; None: as many tasks as serve users."""


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
        """Do users get something else than they have?"""
        return self.planned.decision in ("deploy", TRAFFIC_ONLY, "finish")


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
    """The decision, as the program handed it to its resources; `prepare` where there is no switch yet."""
    switch, rollout = log.step(SWITCH), log.step(ROLLOUT)
    if switch is None:
        return Planned(decision="prepare", reason="there is no release here yet, and none was asked for")
    given, gate = switch.inputs, rollout.inputs if rollout else {}
    return Planned(
        decision=decision_word(str(given["decision"])),
        reason=str(given.get("reason") or ""),
        live=Colour(given["live"]),
        release=Release.from_dict(given["release"]),
        before=_weights(given.get("expected")),
        after=_weights(given.get("weights")),
        target=Colour(gate["colour"]) if gate.get("active") else None,
        tasks=int(gate.get("tasks") or 0),
        starts=bool(gate.get("starts")),
        course=Course.from_dict(given["course"]) if given.get("course") else Course(),
        standing=Recorded.from_outputs(given.get("standing") or {}),
        idle_tasks=int(given["idleTasks"]) if given.get("idleTasks") is not None else None,
    )


def _weights(value: Any) -> Weights | None:
    return {Colour(colour): int(weight) for colour, weight in value.items()} if value else None


def _expected(step: Step, planned: Planned) -> bool:
    """Part of what the decision itself says: the gates, and the release on the colour that it goes to."""
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
        _others(review.others),
        _messages("Warnings", review.warnings),
        _messages("Policies", review.policies),
        _program(review.subject),
    ]
    return "\n".join("\n".join([*lines, ""]) for lines in sections if lines)


def refusal(subject: Subject, error: ReleaseError) -> str:
    """A review of what was refused: nothing to approve, and why."""
    kind = "refused" if error.exit_code == 4 else "not possible"
    lines = [f"# Review: {subject.environment}", "", f"**This release is {kind}.** {_flat(error.what)}", ""]
    lines += [f"- Why: {_flat(error.why)}"] if error.why else []
    lines += [f"- Next: {_flat(error.next_step)}"] if error.next_step else []
    lines += ["", "Nothing was changed, and there is nothing to approve.", ""]
    return "\n".join([*lines, *_program(subject), ""])


def _heading(review: Review) -> list[str]:
    return [f"# Review: {review.subject.environment}", "", f"**{_words(review)}**", *_moving(review)]


def _moving(review: Review) -> list[str]:
    """How users are moved, and what going back costs afterwards; nothing where both are as everywhere."""
    planned = review.planned
    if not review.changes_users:
        return []
    stepped = planned.course.least or len(planned.course.steps) > 1
    lines = [f"- Users move {planned.course.words()}."] if stepped else []
    if planned.idle_tasks is not None and review.subject.recorded:
        kept = f"keeps {_tasks(planned.idle_tasks)} of the release before it"
        lines.append(f"- Afterwards the idle colour {kept}; going back then means a deployment if more are needed.")
    return ["", *lines] if lines else []


def _words(review: Review) -> str:
    """The decision as one sentence."""
    planned, release = review.planned, review.planned.release
    name = f"`{short(release.digest)}`" if release else ""
    reason = f" ({planned.reason})" if planned.reason else ""
    match planned.decision:
        case "prepare":
            return f"Prepare: the environment is built without a release; users get 503{reason}."
        case "keep":
            return f"Keep: users stay on {planned.live}, which runs {name}{reason}."
        case "heal":
            return f"Heal: users stay on {planned.live}; only the idle colour is put in order{reason}."
        case "deploy" if review.subject.recorded is None:
            return f"Deploy the first release: {name} starts on {planned.live}, passes the gates, and gets all users."
        case "deploy":
            return (
                f"Deploy: {name} starts on {planned.live} ({_tasks(planned.tasks)}), passes the gates, "
                f"then all users move there{reason}."
            )
        case "traffic-only":
            return (
                f"Traffic only: {planned.live} already runs {name}; no task starts. "
                f"After the gates all users move there{reason}."
            )
        case "finish":
            return (
                f"Finish: users already are on {planned.live} with {name}; the gates run, then it is recorded{reason}."
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
        lines.append("- None is needed: this is the first environment of its route.")
    lines += [f"- **Cannot be checked here:** {_flat(each)}." for each in here if each not in there]
    if subject.recorded and subject.recorded.was_live(release.digest):
        lines.append(f"- It was live in {subject.environment} before.")
    if subject.rollback and subject.recorded:
        lines.append(f"- Asked for as a **rollback** from `{subject.recorded.live.digest}`.")
    return lines


def _unproven_configuration(subject: Subject, proof: Proof, release: Release) -> list[str]:
    """The proof is of the image; how the configuration differs with which it was run there."""
    here = subject.recorded.history if subject.recorded else ()
    if proof.release_id in ("", release.id) or any(past.id == release.id for past in here):
        return []
    what = f"- **Configuration that {subject.source} did not run:** its proof is of the image"
    ran = next((each for each in reversed(subject.ran_there) if each.id == proof.release_id), None)
    if ran is None:
        return [f"{what}; with which configuration it ran is not remembered there."]
    differing = _settings(ran.service.as_dict(), release.service.as_dict())
    return [f"{what}, which ran there with other values of:", *(f"  {line}" for line in differing)]


def _configuration(review: Review) -> list[str]:
    """How the service's configuration changes with the release; of variables only the names."""
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


def _others(steps: tuple[Step, ...]) -> list[str]:
    """Everything that changes besides the release; deletes and replaces loud and first."""
    if not steps:
        return ["## What else changes", "", "Nothing."]
    loud = [step for step in steps if "delete" in step.op or step.op == "replace"]
    lines = ["## What else changes", ""]
    if loud:
        named = ", ".join(f"{step.op} `{step.name}`" for step in loud)
        lines += [f"> **CAREFUL: {len(loud)} of these destroy something:** {named}", ""]
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
        return [f"Previewed with a program **of no known commit**: {_flat(program.unknown)}"]
    dirty = ", **with changes that are in no commit**" if program.dirty else ""
    return [f"Previewed with the program of commit `{program.commit}`{dirty}."] if program.commit else []


def _share(weights: Weights | None) -> str:
    if weights is None:
        return "nobody is served"
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)


def _code(text: str) -> str:
    return f"`{text}`" if text else "none"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _flat(text).replace("|", "\\|")
