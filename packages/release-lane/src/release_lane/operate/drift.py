"""What was changed outside the lane: traffic and tasks as observed, everything else as a refresh finds it. Pure.

A refresh reads what the state has. What was added next to it (a further rule in a security group) it does not see.
Of a resource only the paths of changed properties are named, never their values, so no secret can appear.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from release_lane.decide.idle import need_of_idle
from release_lane.decide.whereabouts import Drift, Interrupted, found_interrupted, locate
from release_lane.engine.events import Step
from release_lane.engine.state import StackState
from release_lane.record.names import Names
from release_lane.record.placement import Colour
from release_lane.record.records import Observed, Recorded

SERVICE = "aws:ecs/service:Service"
TRAFFIC, TASKS = "traffic", "live tasks"
"""In place of a type, where weights or live tasks are not as recorded."""

CALLS: Mapping[str, tuple[str, ...]] = {
    TRAFFIC: ("ModifyRule", "DeleteRule", "CreateRule"),
    TASKS: ("UpdateService",),
    SERVICE: ("UpdateService", "DeleteService"),
    "aws:ecs/taskDefinition:TaskDefinition": ("DeregisterTaskDefinition",),
    "aws:lb/listener:Listener": ("ModifyListener", "DeleteListener"),
    "aws:lb/loadBalancer:LoadBalancer": ("ModifyLoadBalancerAttributes", "SetSecurityGroups", "DeleteLoadBalancer"),
    "aws:lb/targetGroup:TargetGroup": ("ModifyTargetGroup", "ModifyTargetGroupAttributes", "DeleteTargetGroup"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("PutMetricAlarm", "DeleteAlarms", "DisableAlarmActions"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        "RevokeSecurityGroupIngress",
        "ModifySecurityGroupRules",
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        "RevokeSecurityGroupEgress",
        "ModifySecurityGroupRules",
    ),
    "aws:rds/instance:Instance": ("ModifyDBInstance", "DeleteDBInstance"),
    "aws:rds/subnetGroup:SubnetGroup": ("ModifyDBSubnetGroup", "DeleteDBSubnetGroup"),
    "aws:elasticache/replicationGroup:ReplicationGroup": ("ModifyReplicationGroup", "DeleteReplicationGroup"),
    "aws:elasticache/subnetGroup:SubnetGroup": ("ModifyCacheSubnetGroup", "DeleteCacheSubnetGroup"),
    "aws:iam/role:Role": ("UpdateAssumeRolePolicy", "DeleteRole"),
    "aws:iam/rolePolicy:RolePolicy": ("PutRolePolicy", "DeleteRolePolicy"),
}
"""The calls that change a resource of a type, where CloudTrail is asked for them."""

EVERYTHING = "*"
"""Among a resource's `ignoreChanges` in the state: the lane's, of a colour that the last update did not write."""

OURS = ("release-lane", "Pulumi")
"""In the user agent of gates, command and AWS provider."""

SCALING = "AWSServiceRoleForApplicationAutoScaling"
"""In the ARN of the role by which Application Auto Scaling updates a service: how many tasks it has is no drift."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call that CloudTrail knows. `at` is ISO 8601; `event` all of it, as JSON text."""

    name: str
    at: str
    by: str
    agent: str = ""
    source: str = ""
    event: str = ""

    @staticmethod
    def of(found: Mapping[str, Any]) -> Call:
        """Read an item of LookupEvents; its `EventTime` is ISO 8601."""
        text = str(found.get("CloudTrailEvent") or "{}")
        event = _json(text)
        identity = event.get("userIdentity") or {}
        return Call(
            name=str(found.get("EventName") or ""),
            at=str(found.get("EventTime") or ""),
            by=str(identity.get("arn") or found.get("Username") or "unknown"),
            agent=str(event.get("userAgent") or ""),
            source=str(event.get("sourceIPAddress") or ""),
            event=text,
        )

    def concerns(self, known_as: Iterable[str]) -> bool:
        """Does its request name one of these (names, ids, ARNs)? A call that failed changed nothing."""
        event = _json(self.event)
        asked = {*_texts(event.get("requestParameters")), *_texts(event.get("resources"))}
        return not event.get("errorCode") and any(each in asked for each in known_as)

    @property
    def ours(self) -> bool:
        """Did the lane, its AWS provider or AWS's scaling make it?"""
        return SCALING in self.by or any(each in self.agent for each in OURS)

    def words(self) -> str:
        """`ModifyRule by arn:… at …, from 192.0.2.1`."""
        return f"{self.name} by {self.by} at {self.at}" + (f", from {self.source}" if self.source else "")

    def as_dict(self) -> dict[str, str]:
        """For --json."""
        return {"call": self.name, "by": self.by, "at": self.at, "from": self.source, "agent": self.agent}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as the lane left it. `type` is the resource's, `TRAFFIC` or `TASKS`.

    `known_as`: what a call that changed it would name; `who` is that call, None if CloudTrail says nothing of it.
    """

    type: str
    name: str
    what: str
    paths: tuple[str, ...] = ()
    known_as: tuple[str, ...] = ()
    who: Call | None = None

    def words(self) -> str:
        """One line, and one for who did it."""
        subject = self.name if self.of_users else f"{self.type} {self.name}"
        return f"  {subject}: {self.what}\n    " + (self.who.words() if self.who else "by whom is not known")

    @property
    def of_users(self) -> bool:
        """Is it about what users get?"""
        return self.type in (TRAFFIC, TASKS)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "type": self.type,
            "name": self.name,
            "what": self.what,
            "paths": list(self.paths),
            "who": self.who.as_dict() if self.who else None,
        }


def of_traffic(recorded: Recorded | None, observed: Observed, names: Names) -> tuple[Finding, ...]:
    """Weights or live tasks that neither the record nor the journal explains."""
    match locate(recorded, observed):
        case Drift(what=what) if recorded and recorded.are(observed.weights or {}):
            known_as = tuple(names.services[colour] for colour in recorded.serves)
            return (Finding(type=TASKS, name=TASKS, what=what, known_as=known_as),)
        case Drift(what=what):
            known_as = tuple(filter(None, (observed.located.rule, observed.located.listener)))
            return (Finding(type=TRAFFIC, name=TRAFFIC, what=what, known_as=known_as),)
    return ()


def notes(recorded: Recorded | None, observed: Observed, state: StackState, idle_tasks: int | None) -> tuple[str, ...]:
    """What is not as it should be, but was not changed by hand: it is reported, and is no drift."""
    said = []
    match locate(recorded, observed):
        case Interrupted() as found:
            said.append(found_interrupted(found, observed))
        case Recorded() as standing:
            said += [f"a hold stands: {standing.hold.words()}"] if standing.hold else []
            need = need_of_idle(standing, observed, idle_tasks, state.schema)
            said += [f"the standby is not as it should be: {need.reason}"] if need else []
    if state.pending:
        said.append(f"an update was killed: {len(state.pending)} operations are unfinished")
    return tuple(said)


def of_resources(steps: Iterable[Step], observed: Observed, names: Names, state: StackState) -> tuple[Finding, ...]:
    """What a refresh found. The gates' own resources are the record, which no refresh changes."""
    found = (_of_resource(step, observed, names, state) for step in steps if step.custom and _is_ours(step.type))
    return tuple(each for each in found if each)


def _is_ours(type_: str) -> bool:
    return not type_.startswith(("pulumi:", "release:"))


def _of_resource(step: Step, observed: Observed, names: Names, state: StackState) -> Finding | None:
    known = _in_state(step.urn, state)
    known_as = _known_as(known)
    if step.op == "delete":
        return Finding(type=step.type, name=step.name, what="does not exist any more", known_as=known_as)
    paths = _changed(step, known)
    if step.type == SERVICE and _scaled(step, observed, names):
        paths = tuple(path for path in paths if path != "desiredCount")
    if not paths:
        return None
    what = f"{', '.join(paths)} changed"
    return Finding(type=step.type, name=step.name, what=what, paths=paths, known_as=known_as)


def _changed(step: Step, known: Mapping[str, Any]) -> tuple[str, ...]:
    """As the engine and the provider compare. A colour that is not written they do not compare, since the program
    ignores all of it: of that, what was given is compared here. What a team's program ignores is not its to tell."""
    if step.op != "same":
        return step.paths
    return tuple(_apart("", step.old_inputs, step.inputs)) if EVERYTHING in known.get("ignoreChanges", ()) else ()


def _apart(path: str, given: Any, found: Any) -> Iterator[str]:
    """AWS and its provider say more than they were given, so only what was given counts; nothing is as good as empty,
    and the order of words (subnets, security groups) says nothing."""
    match given, found:
        case {}, {}:
            for key in sorted({*given} - {"__defaults"}):
                yield from _apart(f"{path}.{key}" if path else str(key), given[key], found.get(key))
        case [{}, *_] as items, [*others] if len(items) == len(others):
            for number, (item, other) in enumerate(zip(items, others, strict=True)):
                yield from _apart(f"{path}[{number}]", item, other)
        case _ if _words(given) != _words(found) and (given or found):
            yield path


def _words(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value


def _scaled(step: Step, observed: Observed, names: Names) -> bool:
    """Does Application Auto Scaling say how many tasks it has?"""
    colour = next((colour for colour in Colour if names.services[colour] == step.name), None)
    return bool(colour and colour in observed.sides and observed.sides[colour].scaling)


def _in_state(urn: str, state: StackState) -> Mapping[str, Any]:
    resources = (state.exported.get("deployment") or {}).get("resources") or ()
    return next((each for each in resources if each.get("urn") == urn), {})


def _known_as(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """Id, ARN and name; a database has another id than the name that calls give."""
    outputs = resource.get("outputs") or {}
    said = (resource.get("id"), outputs.get("arn"), outputs.get("name"), outputs.get("identifier"))
    return tuple(dict.fromkeys(each for each in said if isinstance(each, str) and each))


# ---- Who


def calls_about(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The calls that CloudTrail is asked for."""
    return tuple(dict.fromkeys(name for each in findings for name in CALLS.get(each.type, ())))


def attributed(findings: Iterable[Finding], calls: Sequence[Call]) -> tuple[Finding, ...]:
    """Each with the newest call that could have changed it. `calls` are newest first."""

    def last(finding: Finding) -> Call | None:
        names = CALLS.get(finding.type, ())
        return next((c for c in calls if c.name in names and not c.ours and c.concerns(finding.known_as)), None)

    return tuple(replace(finding, who=last(finding)) for finding in findings)


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
