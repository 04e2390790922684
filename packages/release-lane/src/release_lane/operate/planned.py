"""The decision of a preview or update, as the program gave it to its resources: read from the engine's log. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from release_lane.decide.shift import Course
from release_lane.engine.events import EngineLog
from release_lane.record.alarms import Watched
from release_lane.record.decisions import DecisionKind
from release_lane.record.inputs import MigrationInputs, RolloutInputs, SwitchInputs
from release_lane.record.placement import Colour, Release, Weights
from release_lane.record.records import Recorded
from release_lane.record.revisions import GATE, Migration, Schema

SWITCH, ROLLOUT = "release:index:TrafficSwitch", "release:index:Rollout"


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
    alarms: Watched = field(default_factory=Watched)
    """Those that the switch watches."""
    migration: Migration | None = None
    """What runs before tasks are started, by the command `migrates_by`."""
    migrates_by: str = ""


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
        alarms=given.watch.alarms,
        **_migration(log),
    )


def _migration(log: EngineLog) -> dict[str, Any]:
    step = log.step(GATE)
    gate = MigrationInputs.from_dict(step.inputs) if step else None
    if gate is None or not gate.active:
        return {}
    before = Schema(passed=gate.passed).now
    return {"migration": Migration(before=before, to=gate.to), "migrates_by": " ".join(gate.command)}
