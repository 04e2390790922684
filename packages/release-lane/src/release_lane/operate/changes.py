"""What changes of a resource, cut to the properties that differ, without secrets. Pure.

Values are shown only of kinds of resources whose properties hold no secret (network, load balancer, services, alarms,
certificates, names), and there not of properties whose name says otherwise. Of all others only the path is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.engine.events import UNKNOWN, Step
from release_lane.engine.state import SIGNATURE

OPEN = re.compile(
    r"aws:(lb|acm|route53|appautoscaling)/.*"
    r"|aws:cloudwatch/(metricAlarm|compositeAlarm|dashboard|log(Group|MetricFilter)):.*"
    r"|aws:ec2/(vpc|subnet|route|routeTable|securityGroup|internetGateway|natGateway|eip|vpcEndpoint)\w*:.*"
    r"|aws:ecs/(service|cluster):.*"
)
"""Types of which values are shown."""

CLOSED = re.compile(r"secret|password|token|credential|key|user_?data|env", re.IGNORECASE)
"""Words in a path of which no value is shown."""

SECRET = ("[secret]", SIGNATURE)
"""How the engine writes a secret into its events, and the sign of one in a mapping."""

LONGEST = 60
"""Characters of a value that are shown."""

_STEPS = re.compile(r"\[\"(?P<quoted>[^\"]*)\"\]|\[(?P<index>\d+)\]|(?P<name>[^.\[]+)")
_NONE = object()


@dataclass(frozen=True)
class Property:
    """A property that changes. `old` and `new` are values for people, "" for none, None where they are not shown."""

    path: str
    old: str | None = None
    new: str | None = None

    def words(self) -> str:
        """`desiredCount: 2 -> 4`; the path alone where no value is shown."""
        if self.old is None or self.new is None:
            return self.path
        return f"{self.path}: {self.old or 'none'} -> {self.new or 'none'}"


def changed(step: Step) -> tuple[Property, ...]:
    """The properties of a resource that is changed in place or replaced."""
    return tuple(_property(step, path) for path in step.paths)


def _property(step: Step, path: str) -> Property:
    old, new = _at(step.old_inputs, path), _at(step.inputs, path)
    if not OPEN.fullmatch(step.type) or CLOSED.search(path) or (old is _NONE and new is _NONE):
        return Property(path)
    shown = _shown(old), _shown(new)
    return Property(path, *shown) if None not in shown and shown[0] != shown[1] else Property(path)


def _at(value: Any, path: str) -> Any:
    for step in _STEPS.finditer(path):
        key = step["quoted"] if step["quoted"] is not None else step["name"]
        if step["index"] is not None:
            index = int(step["index"])
            value = value[index] if isinstance(value, list) and index < len(value) else _NONE
        else:
            value = value.get(key, _NONE) if isinstance(value, Mapping) else _NONE
        if value is _NONE:
            return _NONE
    return value


def _shown(value: Any) -> str | None:
    """In one line; None where a secret is in it, or more than a line shows."""
    if value is _NONE or value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if UNKNOWN in text:
        return "known after the update"
    return None if any(sign in text for sign in SECRET) or len(text) > LONGEST or CLOSED.search(text) else text


# ---- What a change is about -----------------------------------------------------------------------------------


def folded(steps: Iterable[Step]) -> str:
    """Creations by their kind, in one line: `1 Vpc, 4 Subnet`."""
    counted: dict[str, int] = {}
    for step in steps:
        kind = step.type.rsplit(":", 1)[-1]
        counted[kind] = counted.get(kind, 0) + 1
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counted.items()))


def destroys(step: Step) -> bool:
    """Is something deleted, or replaced?"""
    return "delete" in step.op or step.op == "replace"
