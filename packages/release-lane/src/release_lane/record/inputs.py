"""What the program hands to the gates. Each class is the one writer (`as_dict`) and the one reader of its inputs. Pure.

The engine keeps inputs in the state, so `from_dict` reads what every earlier version wrote: inputs without `schema`
are of the first layout, and what that did not have yet takes the default here. A property that is added needs a
default, no new number; one whose meaning changes needs a new number, and a reader of the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from release_lane.record.alarms import Watched
from release_lane.record.asking import HEALTH_PATH, Asked
from release_lane.record.course import Course
from release_lane.record.decisions import DecisionKind
from release_lane.record.evidence import Drill
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Release, Weights
from release_lane.record.records import Known, Located, Recorded
from release_lane.record.schema import schema_of

SCHEMA = 2
"""The layout that is written. 1 had no number; `port`, `healthPath`, `asked` and `unchecked` came during it, `located`
and `known` during 2."""

Produced = Any
"""What another resource produces: an Output in the program, a plain value (or an unknown one) in a gate."""

Inputs = Mapping[str, Any]

GATE_OUTPUTS = ("passedFor", "detail")
"""What a gate leaves: its pass, and one line that says what was seen."""


def is_active(inputs: Inputs) -> bool:
    """Did this update decide to use the gate?"""
    return bool(inputs.get("active"))


def pass_of_before(inputs: Inputs) -> Produced:
    """The pass of the gate before."""
    return inputs.get("passOfBefore")


def environment_of(inputs: Inputs) -> Names:
    """The environment that inputs are of; that never changed its layout."""
    return Names.from_dict(inputs["environment"])


NOWHERE = Located()


def _handed_on(located: Located, known: Known | None = None) -> dict[str, Any]:
    """What this update saw before it was decided; nothing where that is nothing."""
    seen = {"located": located.as_dict() if located != NOWHERE else None, "known": known.as_dict() if known else None}
    return {key: value for key, value in seen.items() if value}


def _located(inputs: Inputs) -> Located:
    return Located.from_dict(inputs.get("located") or {})


def _written(inputs: Inputs, gate: str) -> Inputs:
    """The inputs, if this version can read them."""
    schema_of(inputs, SCHEMA, f"The input of the {gate}")
    return inputs


@dataclass(frozen=True, kw_only=True)
class ImageInputs:
    """The registry has `digest`; `unchecked` is what no gate can see of it, in short sentences."""

    SHOWN: ClassVar[tuple[str, ...]] = ("digest",)
    """Inputs whose change an approver should see in the diff."""

    active: bool
    names: Names
    digest: str
    unchecked: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The inputs; `from_dict` is the inverse."""
        return {
            "schema": SCHEMA,
            "active": self.active,
            "digest": self.digest,
            "environment": self.names.as_dict(),
            "unchecked": list(self.unchecked),
        }

    @staticmethod
    def from_dict(value: Inputs) -> ImageInputs:
        """Read what `as_dict` wrote, in this version or an earlier one."""
        value = _written(value, "image gate")
        return ImageInputs(
            active=is_active(value),
            names=environment_of(value),
            digest=str(value["digest"]),
            unchecked=tuple(map(str, value.get("unchecked") or ())),
        )


@dataclass(frozen=True, kw_only=True)
class MigrationInputs:
    """A task of `task_definition` (an ARN) runs once and succeeds, before tasks of `digest` are started.

    It changes the database's schema to revision `to` ("" where the image does not say); `passed` are those that the
    schema was at, oldest first. `subnets` and `groups` (ids) are where it runs. `deadline` in seconds.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("digest", "to", "command")

    active: bool
    names: Names
    digest: str
    command: tuple[str, ...]
    task_definition: Produced
    subnets: Produced
    groups: Produced
    deadline: float
    to: str = ""
    passed: tuple[str, ...] = ()
    pass_of_before: Produced = None

    def as_dict(self) -> dict[str, Any]:
        """The inputs; `from_dict` is the inverse."""
        return {
            "schema": SCHEMA,
            "active": self.active,
            "digest": self.digest,
            "command": list(self.command),
            "to": self.to,
            "passed": list(self.passed),
            "taskDefinition": self.task_definition,
            "subnets": self.subnets,
            "securityGroups": self.groups,
            "deadlineSeconds": self.deadline,
            "passOfBefore": self.pass_of_before,
            "environment": self.names.as_dict(),
        }

    @staticmethod
    def from_dict(value: Inputs) -> MigrationInputs:
        """Read what `as_dict` wrote, in this version or an earlier one."""
        value = _written(value, "migration gate")
        return MigrationInputs(
            active=is_active(value),
            names=environment_of(value),
            digest=str(value["digest"]),
            command=tuple(map(str, value["command"])),
            to=str(value.get("to") or ""),
            passed=tuple(map(str, value.get("passed") or ())),
            task_definition=value["taskDefinition"],
            subnets=value["subnets"],
            groups=value["securityGroups"],
            deadline=float(value["deadlineSeconds"]),
            pass_of_before=pass_of_before(value),
        )


@dataclass(frozen=True, kw_only=True)
class RolloutInputs:
    """`colour` runs `tasks` tasks of `digest`, by `task_definition` (an ARN), and all of them are healthy.

    `starts`: this update starts them, so the image gate's pass is demanded. `corrects`: what was changed by hand on
    the idle service is undone. `retry_of` is an ECS deployment that must not be mistaken for this one. `port` and
    `health_path` say how the load balancer checks them. `deadline` in seconds. `known`: what the colour ran when the
    update was decided, if it starts nothing there.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("digest", "colour", "tasks")

    active: bool
    names: Names
    digest: str
    colour: Colour
    tasks: int
    task_definition: Produced
    deadline: float
    port: int = 8080
    health_path: str = HEALTH_PATH
    starts: bool = False
    corrects: bool = False
    retry_of: str = ""
    located: Located = NOWHERE
    known: Known | None = None
    pass_of_before: Produced = None

    def as_dict(self) -> dict[str, Any]:
        """The inputs; `from_dict` is the inverse."""
        return {
            "schema": SCHEMA,
            "active": self.active,
            "digest": self.digest,
            "colour": str(self.colour),
            "tasks": self.tasks,
            "port": self.port,
            "healthPath": self.health_path,
            "starts": self.starts,
            "corrects": self.corrects,
            "retryOf": self.retry_of,
            "taskDefinition": self.task_definition,
            "deadlineSeconds": self.deadline,
            "passOfBefore": self.pass_of_before,
            "environment": self.names.as_dict(),
            **_handed_on(self.located, self.known),
        }

    @staticmethod
    def from_dict(value: Inputs) -> RolloutInputs:
        """Read what `as_dict` wrote, in this version or an earlier one."""
        value = _written(value, "rollout gate")
        return RolloutInputs(
            active=is_active(value),
            names=environment_of(value),
            digest=str(value["digest"]),
            colour=Colour(value["colour"]),
            tasks=int(value["tasks"]),
            task_definition=value["taskDefinition"],
            deadline=float(value["deadlineSeconds"]),
            port=int(value.get("port", 8080)),
            health_path=str(value.get("healthPath", HEALTH_PATH)),
            starts=bool(value["starts"]),
            corrects=bool(value["corrects"]),
            retry_of=str(value.get("retryOf") or ""),
            located=_located(value),
            known=Known.from_dict(value.get("known")),
            pass_of_before=pass_of_before(value),
        )


@dataclass(frozen=True, kw_only=True)
class SmokeInputs:
    """The smoke checks pass on the test listener of `colour`, which answers as `asked` says. `deadline` in seconds.

    `compares`: its answers to recorded requests are compared with those of `live`, the colour that users are on (None:
    nothing is live).
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("digest", "colour")

    active: bool
    names: Names
    digest: str
    colour: Colour
    deadline: float
    commit: str = ""
    asked: Asked = field(default_factory=Asked)
    compares: bool = False
    live: Colour | None = None
    located: Located = NOWHERE
    pass_of_before: Produced = None

    def as_dict(self) -> dict[str, Any]:
        """The inputs; `from_dict` is the inverse."""
        return {
            "schema": SCHEMA,
            "active": self.active,
            "digest": self.digest,
            "commit": self.commit,
            "colour": str(self.colour),
            "asked": self.asked.as_dict(),
            "deadlineSeconds": self.deadline,
            "passOfBefore": self.pass_of_before,
            "environment": self.names.as_dict(),
            **({"compares": True, "live": str(self.live or "")} if self.compares else {}),
            **_handed_on(self.located),
        }

    @staticmethod
    def from_dict(value: Inputs) -> SmokeInputs:
        """Read what `as_dict` wrote, in this version or an earlier one."""
        value = _written(value, "smoke gate")
        return SmokeInputs(
            active=is_active(value),
            names=environment_of(value),
            digest=str(value["digest"]),
            commit=str(value.get("commit") or ""),
            colour=Colour(value["colour"]),
            asked=Asked.from_dict(value.get("asked") or {}),
            deadline=float(value["deadlineSeconds"]),
            compares=bool(value.get("compares")),
            live=Colour(value["live"]) if value.get("live") else None,
            located=_located(value),
            pass_of_before=pass_of_before(value),
        )


@dataclass(frozen=True, kw_only=True)
class WatchInputs:
    """What the switch looks at while it moves users.

    `proceeds`: an alarm that fires before does not stop it. `period` and `late` of datapoints in seconds; an alarm
    looks at `datapoints` of them.
    """

    alarms: Watched = field(default_factory=Watched)
    proceeds: bool = False
    period: float = 60.0
    late: float = 120.0
    datapoints: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Part of the switch's inputs; `from_dict` is the inverse."""
        return {
            "alarms": self.alarms.as_dict(),
            "proceeds": self.proceeds,
            "periodSeconds": self.period,
            "lateSeconds": self.late,
            "datapoints": self.datapoints,
        }

    @staticmethod
    def from_dict(value: Inputs) -> WatchInputs:
        """Read what `as_dict` wrote; what is missing is the default."""
        plain = WatchInputs()
        return WatchInputs(
            alarms=Watched.from_dict(value.get("alarms") or {}),
            proceeds=bool(value.get("proceeds")),
            period=float(value.get("periodSeconds", plain.period)),
            late=float(value.get("lateSeconds", plain.late)),
            datapoints=int(value.get("datapoints", plain.datapoints)),
        )


@dataclass(frozen=True, kw_only=True)
class SwitchInputs:
    """Users go from `expected` weights (None: no rule yet) to all on `live`, which runs `release`.

    Inactive it moves no traffic: `live` and `release` are then what the record says. `standing` is the record that the
    update starts from, None before the first release. `idle_tasks` is for the review: what the idle colour keeps
    afterwards (None: as many tasks as serve users). `known`: what `live` ran when an update was decided that moves no
    traffic.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ("decision", "reason", "live", "weights", "release", "course")

    active: bool
    names: Names
    decision: DecisionKind
    reason: str
    live: Colour
    release: Release
    weights: Weights
    expected: Weights | None
    standing: Recorded | None
    smoke_deadline: float
    course: Course = field(default_factory=Course)
    unchecked: tuple[str, ...] = ()
    watch: WatchInputs = field(default_factory=WatchInputs)
    idle_tasks: int | None = None
    located: Located = NOWHERE
    known: Known | None = None
    drill: Drill | None = None
    """What this update is of a drill, so that evidence says so."""
    kept_database: str = ""
    """The database that AWS refuses to delete, by its name."""
    pass_of_before: Produced = None

    def as_dict(self) -> dict[str, Any]:
        """The inputs; `from_dict` is the inverse."""
        return {
            "schema": SCHEMA,
            "active": self.active,
            "decision": str(self.decision),
            "reason": self.reason,
            "live": str(self.live),
            "release": self.release.as_dict(),
            "weights": _plain(self.weights),
            "expected": _plain(self.expected) if self.expected else None,
            "standing": self.standing.as_dict() if self.standing else None,
            "smokeDeadlineSeconds": self.smoke_deadline,
            "course": self.course.as_dict(),
            "unchecked": list(self.unchecked),
            "watch": self.watch.as_dict(),
            "idleTasks": self.idle_tasks,
            "passOfBefore": self.pass_of_before,
            "environment": self.names.as_dict(),
            **_handed_on(self.located, self.known),
            **({"drill": str(self.drill)} if self.drill else {}),
            **({"keptDatabase": self.kept_database} if self.kept_database else {}),
        }

    @staticmethod
    def from_dict(value: Inputs) -> SwitchInputs:
        """Read what `as_dict` wrote, in this version or an earlier one."""
        value = _written(value, "traffic switch")
        idle = value.get("idleTasks")
        return SwitchInputs(
            active=is_active(value),
            names=environment_of(value),
            decision=DecisionKind(value["decision"]),
            reason=str(value.get("reason") or ""),
            live=Colour(value["live"]),
            release=Release.from_dict(value["release"]),
            weights=_weights(value.get("weights") or {}),
            expected=_weights(value["expected"]) if value.get("expected") else None,
            standing=Recorded.from_outputs(value.get("standing") or {}),
            smoke_deadline=float(value["smokeDeadlineSeconds"]),
            course=Course.from_dict(value["course"]) if value.get("course") else Course(),
            unchecked=tuple(map(str, value.get("unchecked") or ())),
            watch=WatchInputs.from_dict(value.get("watch") or {}),
            idle_tasks=None if idle is None else int(idle),
            located=_located(value),
            known=Known.from_dict(value.get("known")),
            drill=Drill(value["drill"]) if value.get("drill") else None,
            kept_database=str(value.get("keptDatabase") or ""),
            pass_of_before=pass_of_before(value),
        )


def _plain(weights: Weights) -> dict[str, int]:
    return {str(colour): weight for colour, weight in weights.items()}


def _weights(value: Inputs) -> dict[Colour, int]:
    return {Colour(colour): int(weight) for colour, weight in value.items()}
