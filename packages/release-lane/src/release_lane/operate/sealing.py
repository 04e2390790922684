"""What the seal of a review covers, read from a preview. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from release_lane.engine.events import EngineLog, Step
from release_lane.engine.state import SIGNATURE
from release_lane.operate.planned import Planned, planned_in
from release_lane.operate.review import Program
from release_lane.record.seal import DECISION, Facts, Part, bound

GATES = "release:index:"
"""Resources whose inputs change from look to look (tasks, ARNs): of those the decision counts, and no input."""

PASSING = ("created", "modified")
"""Times that the engine keeps of each resource."""

ONE_RUN = ("imageDigest", "rollbackFrom", "redeployFrom", "withoutLedger")
"""Given for this run, and not counted: the digest is a part of its own, a rollback shows in the plan, and whether the
ledger is there says nothing about the release."""


def facts(
    log: EngineLog,
    *,
    environment: str,
    digest: str,
    exported: Mapping[str, Any],
    program: Program,
    settings: Mapping[str, Any],
    given: Mapping[str, str],
) -> Facts:
    """`exported`: the stack's state. `settings`: its stack file. `given`: keys for this run. Values that may be
    configuration of a team are hashed one by one: a refusal names keys and variables, and shows no value."""
    planned = planned_in(log)
    service = planned.release.service.as_dict() if planned.release else {}
    return {
        Part.ENVIRONMENT: environment,
        Part.DIGEST: digest,
        Part.PLAN: _plan(log, planned),
        Part.STATE: {"resources": _hash(_lasting(exported))},
        Part.PROGRAM: _program(program),
        Part.CONFIGURATION: {
            **dict(_hashed(settings)),
            **dict(_hashed({f"release.{key}": value for key, value in service.items()})),
            **{f"-c {key}": value for key, value in sorted(given.items()) if key not in ONE_RUN},
        },
        Part.WEIGHTS: {str(colour): share for colour, share in (planned.before or {}).items()},
        Part.POLICIES: sorted(message.text for message in log.policies),
    }


def bound_by(log: EngineLog) -> str:
    """The decision of the preview, as the program computes it under the lock; "" where there is no release."""
    planned = planned_in(log)
    if planned.release is None:
        return ""
    return bound(planned.decision, planned.live, planned.release.id, planned.before, planned.standing)


def _hashed(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each value; of a section, such as `env`, each of its keys."""
    for key, value in sorted(values.items()):
        if isinstance(value, Mapping) and value:
            yield from ((f"{key}.{name}", _hash(each)) for name, each in value.items())
        else:
            yield key, _hash(value)


def _plan(log: EngineLog, planned: Planned) -> dict[str, str]:
    """The decision, and the steps by kind and name: in two components there may be two of the same."""
    course = planned.course.as_dict()
    watched = list(planned.alarms.names)
    decision = [planned.live, planned.target, planned.tasks, planned.starts, planned.idle_tasks, course, watched]
    steps: dict[str, list[str]] = {}
    for step in log.steps:
        if step.changes:
            steps.setdefault(f"{step.type.rsplit(':', 1)[-1]} {step.name}", []).append(_step(step))
    named = {name: "; ".join(sorted(each)) for name, each in steps.items()}
    return {DECISION: f"{planned.decision} {_hash(decision)}", **named}


def _step(step: Step) -> str:
    shown = [step.urn, step.paths, {} if step.type.startswith(GATES) else step.inputs]
    return step.op if step.type.startswith(GATES) else f"{step.op} {_hash(shown)}"


def _lasting(exported: Mapping[str, Any]) -> Any:
    """What an update that was refused leaves as it was: not the order of resources, nor how secrets are encrypted. Each
    time that the engine writes the state, it encrypts them anew; so another value of a secret is not noticed."""
    deployment = exported.get("deployment") or {}
    kept = [
        {key: _opaque(value) for key, value in each.items() if key not in PASSING}
        for each in deployment.get("resources", ())
    ]
    kept.sort(key=lambda each: json.dumps(each, sort_keys=True, default=str))
    return [kept, deployment.get("pending_operations") or []]


def _opaque(value: Any) -> Any:
    """The value with a mark in place of each secret."""
    match value:
        case {"ciphertext": _} if SIGNATURE in value:
            return SIGNATURE
        case Mapping():
            return {key: _opaque(each) for key, each in value.items()}
        case list():
            return [_opaque(each) for each in value]
    return value


def _program(program: Program) -> str:
    """What a job leaves in its checkout, such as the review itself, does not count."""
    if not program.commit:
        return "unknown"
    return program.commit + (f" with changes {_hash(sorted(program.edited))}" if program.edited else "")


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]
