"""How one environment differs from another: settings, live tasks, and what they stand on. Pure.

Four sources, in this order; a difference is a row of the first one that has it:

1. The two stack files, with the defaults.
2. The live releases by their records, in the same words. What the stack files agree on, but only one environment runs,
   waits for the release that brings it: it is no failure, or every night between staging and production would be one.
3. The live task definitions by the states, without what is said by the release: sidecars, log driver, roles.
4. All other resources by the states: which there are, and their inputs. Whether a state is true is the question of
   `operate/drift.py`.

Compared are values without what is only one environment's: its name, account, region, domain and address range, ids
and ARNs (as the resource that they are of). Of inputs only numbers, yes and no are shown, so no secret can appear.

Left out, because they have to differ or do not concern how a release runs:

- what an environment is and how it is reached: role, account, profile and roles, promotesFrom, artifacts, the range of
  addresses, `https.domain` and its certificate (`insecure` counts: without TLS nothing of TLS is proven)
- who may go there, and when: approval, requireDrill, freeze, parity, ledger, testAccess, and the keys of a single run
- what becomes of a request's log line, who is notified, whether load balancer and database may be deleted
- what the idle colour holds, which is disposable; and the image, which is ahead in the first environment
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from release_lane.decide.parity import (
    ENVIRONMENT,
    NONE,
    SET,
    Difference,
    Expected,
    Place,
    apart,
    of_service,
    reason_for,
)
from release_lane.engine.state import SIGNATURE, StackState
from release_lane.record.container import LABEL
from release_lane.record.names import Names
from release_lane.record.placement import Colour
from release_lane.record.revisions import LEADS_TO
from release_lane.settings.model import PER_RUN, EnvironmentSettings

TASK_DEFINITION, SERVICE = "aws:ecs/taskDefinition:TaskDefinition", "aws:ecs/service:Service"
TARGETS, LISTENER = "aws:lb/targetGroup:TargetGroup", "aws:lb/listener:Listener"
DATABASE = "aws:rds/instance:Instance"
BALANCER, INGRESS = "aws:lb/loadBalancer:LoadBalancer", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS, GROUP = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "aws:ec2/securityGroup:SecurityGroup"

NATURAL = (
    *("role", "account", "promotesFrom", "artifacts", "network.cidr"),
    *("https.domain", "https.certificateArn", "https.hostedZone"),
    *("approval", "requireDrill", "freeze", "parity", "ledger", "testAccess"),
    *("accessLogs", "notify", "alarms.actions", "deletionProtection", "database.deletionProtection"),
    *PER_RUN,
)
"""Settings that are left out, for the reasons above; a path stands for all below it."""


def _around(store: str) -> tuple[str, ...]:
    """What lets tasks reach a database or cache; the subnets are there with the first of the two."""
    return (
        f"{GROUP} {ENVIRONMENT}-{store}",
        f"{INGRESS} {ENVIRONMENT}-{store}-from-",
        *(f"{EGRESS} {ENVIRONMENT}-{part}-to-{store}" for part in ("tasks", "endpoints-tasks", "own-tasks")),
        f"aws:ec2/subnet:Subnet {ENVIRONMENT}-stores-",
    )


FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "aws:region": ("aws:ec2/subnet:Subnet",),
    "migration.command": (f"{TASK_DEFINITION} {ENVIRONMENT}-migration",),
    "insecure": (LISTENER, "aws:acm/", "aws:route53/record:Record", f"{INGRESS} {ENVIRONMENT}-https"),
    "https.certificateArn": ("aws:acm/", "aws:route53/record:Record"),
    "https.hostedZone": ("aws:acm/", "aws:route53/record:Record"),
    "https.hstsSeconds": (f"{LISTENER} {ENVIRONMENT}-https.",),
    "accessLogs": (f"{BALANCER} {ENVIRONMENT}.accessLogs",),
    "deletionProtection": (
        f"{BALANCER} {ENVIRONMENT}.enableDeletionProtection",
        f"{DATABASE} {ENVIRONMENT}-database.deletion",
    ),
    "promotesFrom": (
        f"{BALANCER} {ENVIRONMENT}.enableDeletionProtection",
        f"{DATABASE} {ENVIRONMENT}-database.deletion",
    ),
    "database": ("aws:rds/", f"aws:iam/rolePolicy:RolePolicy {ENVIRONMENT}-database", *_around("database")),
    "cache": ("aws:elasticache/", *_around("cache")),
    "healthCheck": (f"{TARGETS} {ENVIRONMENT}-live.",),
    "service.healthPath": (f"{TARGETS} {ENVIRONMENT}-live.healthCheck",),
    "service.port": (f"{SERVICE} {ENVIRONMENT}-live.loadBalancers",),
    "rollout.graceSeconds": (f"{SERVICE} {ENVIRONMENT}-live.healthCheckGracePeriodSeconds",),
    "alarms": ("aws:cloudwatch/metricAlarm:MetricAlarm",),
    "secrets": (f"aws:iam/rolePolicy:RolePolicy {ENVIRONMENT}-secrets",),
    "network.zones": ("aws:ec2/", "aws:vpc/", f"{BALANCER} {ENVIRONMENT}.subnets", f"{SERVICE} {ENVIRONMENT}-live.net"),
    "network.egress": ("aws:ec2/", "aws:vpc/", f"{SERVICE} {ENVIRONMENT}-live.networkConfiguration"),
    "network.existing": ("aws:ec2/", "aws:vpc/", f"{BALANCER} {ENVIRONMENT}.", f"{SERVICE} {ENVIRONMENT}-live.net"),
    "testAccess": (f"{INGRESS} {ENVIRONMENT}-test-",),
}
"""What the template makes of a setting: how differences of resources begin that are no difference of their own."""

OF_ONE_UPDATE = frozenset({"taskDefinition", "desiredCount", "triggers", "forceNewDeployment"})
"""Inputs of a service that say which release it runs and how it came there."""

OF_THE_RELEASE = frozenset({"image", "environment", "secrets", "portMappings"})
"""What a release gives its own container, and what is compared by its record."""


class Standing(StrEnum):
    """What is to be made of a difference."""

    UNDECLARED = "undeclared"
    DECLARED = "declared"
    WAITS = "waits"
    FOLLOWS = "follows"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One difference. `why`: the declared reason, the setting that it follows from, or what it waits for."""

    difference: Difference
    standing: Standing
    why: str = ""

    def as_dict(self) -> dict[str, str]:
        """For --json."""
        each = self.difference
        return {
            "what": each.what,
            "there": each.there,
            "here": each.here,
            "standing": str(self.standing),
            "why": self.why,
        }


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One of the two, as its stack file and its state have it."""

    name: str
    names: Names
    settings: EnvironmentSettings
    state: StackState = field(default_factory=StackState)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All differences; declared ones that do not exist (any more); and what could not be compared."""

    rows: tuple[Row, ...]
    gone: tuple[Expected, ...]
    unchecked: tuple[str, ...]

    def of(self, standing: Standing) -> tuple[Row, ...]:
        """The differences of one standing."""
        return tuple(row for row in self.rows if row.standing is standing)

    @property
    def undeclared(self) -> tuple[Row, ...]:
        """Those that fail."""
        return self.of(Standing.UNDECLARED)


WAITS = "both stack files say the same; the next release there brings it"


def compare(there: Environment, here: Environment) -> Comparison:
    """What of `here` is not as `there`, the environment that a release comes from; `here` declares what is meant."""
    expected = here.settings.parity.expected()
    settings = of_settings(there, here)
    counted = [each for each in settings if not natural(each.what)]
    waits = _waiting(there, here, {each.what for each in settings})
    causes = [*(each.what for each in settings), *(each.what for each in waits)]
    rows = [
        *(_row(each, expected) for each in counted),
        *(_row(each, expected, Standing.WAITS, WAITS) for each in waits),
        *(_of_resource(each, expected, causes) for each in _of_resources(there, here)),
    ]
    gone = (each for each in expected if not any(each.covers(row.difference.what) for row in rows))
    return Comparison(rows=tuple(rows), gone=tuple(gone), unchecked=tuple(_unchecked(there, here)))


def _row(
    found: Difference, expected: Iterable[Expected], otherwise: Standing = Standing.UNDECLARED, why: str = ""
) -> Row:
    if reason := reason_for(found.what, expected):
        return Row(difference=found, standing=Standing.DECLARED, why=reason)
    return Row(difference=found, standing=otherwise, why=why)


def _of_resource(found: Difference, expected: Iterable[Expected], causes: Iterable[str]) -> Row:
    if cause := next((each for each in causes if _follows(found.what, each)), ""):
        return _row(found, expected, Standing.FOLLOWS, cause)
    return _row(found, expected)


def _follows(what: str, setting: str) -> bool:
    """Does the template make this of a setting?"""
    prefixes = (each for key, begins in FOLLOWS.items() if _below(setting, key) for each in begins)
    return any(what.startswith(each) for each in prefixes)


def _unchecked(*environments: Environment) -> Iterator[str]:
    for each in environments:
        if each.state.recorded is None:
            yield f"the live tasks: no release is live in {each.name}"


# ---- Settings and releases


def natural(path: str) -> bool:
    """Is it a setting that has to differ, or that does not concern how a release runs?"""
    return any(_below(path, each) for each in NATURAL)


def _below(path: str, key: str) -> bool:
    return path == key or path.startswith(f"{key}.")


def of_settings(there: Environment, here: Environment) -> tuple[Difference, ...]:
    """All settings that differ, also those that are left out afterwards."""
    places = Place.of(there.name), Place.of(here.name)
    return apart(_settings(there), _settings(here), places)


def undeclared_settings(there: Environment, here: Environment) -> tuple[Difference, ...]:
    """Those that a promotion is held to."""
    return tuple(each for each in of_settings(there, here) if not natural(each.what))


def _settings(environment: Environment) -> Mapping[str, Any]:
    given = environment.settings.model_dump(mode="json", by_alias=True, warnings=False)
    return {"aws:region": environment.names.access.region, **dict(_leaves("", given, lists=False))}


def _waiting(there: Environment, here: Environment, known: Iterable[str]) -> tuple[Difference, ...]:
    """Of the live releases: what differs although the stack files do not."""
    ran, runs = there.state.recorded, here.state.recorded
    if ran is None or runs is None:
        return ()
    places = Place.of(there.name), Place.of(here.name)
    found = apart(of_service(ran.live.service), of_service(runs.live.service), places)
    return tuple(each for each in found if each.what not in known)


# ---- Resources


def _of_resources(there: Environment, here: Environment) -> Iterator[Difference]:
    """Those that only one has, and those whose inputs differ. A side without a counterpart is left out."""
    both = there.state.recorded is not None and here.state.recorded is not None
    ours, theirs = _resources(here, sides=both), _resources(there, sides=both)
    for name in sorted({*ours, *theirs}):
        if name in ours and name in theirs:
            places = Place.of(there.name, _words(there)), Place.of(here.name, _words(here))
            found = apart(theirs[name], ours[name], places, _figure)
            yield from (replace(each, what=f"{name}.{each.what}") for each in found)
        else:
            yield Difference(what=name, there=SET if name in theirs else NONE, here=SET if name in ours else NONE)


def _figure(path: str, value: Any) -> bool:
    """No text of a resource is shown: it may be a secret without a mark."""
    del path
    return isinstance(value, bool | int | float)


def _words(environment: Environment) -> dict[str, str]:
    """What in names and inputs is only this environment's; the longest first."""
    names, network = environment.names, environment.settings.network
    return {
        names.cluster: ENVIRONMENT,
        names.store: ENVIRONMENT,
        names.domain: "domain",
        names.access.account: "account",
        names.access.region: "region",
        ".".join(network.cidr.split(".")[:2]): "network",
    }


def _resources(environment: Environment, *, sides: bool) -> dict[str, Mapping[str, Any]]:
    """`type name` of each resource to its inputs by path, without the idle colour's; `sides`: with the live one's."""
    place = Place.of(environment.name, _words(environment))
    recorded = environment.state.recorded
    deployment = environment.state.exported.get("deployment") or {}
    there = [each for each in deployment.get("resources") or () if _counts(each)]
    references = _references(there, place)
    found: dict[str, Mapping[str, Any]] = {}
    for each in there:
        name = str(each["urn"]).rpartition("::")[2]
        inputs = dict(_inputs(each, references))
        colour = next((colour for colour in Colour if name == f"{environment.names.cluster}-{colour}"), None)
        if colour is None:
            found[f"{each['type']} {place.plain(name)}"] = inputs
        elif sides and recorded and colour is recorded.live_colour:
            live = Place(words=dict.fromkeys([name, f"{ENVIRONMENT}-{colour}"], f"{ENVIRONMENT}-live"))
            found[f"{each['type']} {ENVIRONMENT}-live"] = {path: live.plain(inputs[path]) for path in inputs}
    return found


def _counts(resource: Mapping[str, Any]) -> bool:
    """The gates are the lane's own, and so are components: what they consist of is compared."""
    ours = str(resource["type"]).startswith(("pulumi:", "release:"))
    return bool(resource.get("custom")) and not (ours or resource.get("delete") or resource.get("external"))


def _references(resources: Sequence[Mapping[str, Any]], place: Place) -> Mapping[str, str]:
    """What resources are called that AWS named itself, by their ids. Other names say by themselves what they are."""
    found: dict[str, str] = {}
    for each in resources:
        id_ = str(each.get("id") or "")
        if id_ and place.plain(id_) == id_:
            named = f"{each['type']} {place.plain(str(each['urn']).rpartition('::')[2])}"
            found[id_] = min(found.get(id_, named), named)
    return found


_GENERATED = re.compile(
    r"(?<=/)[0-9a-f]{16}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"
    r"|(?<=\b(vpc|rtb|igw|nat|acl|eni)-)[0-9a-f]{8,17}\b|(?<=\bsubnet-)[0-9a-f]{8,17}\b|(?<=\bsg-)[0-9a-f]{8,17}\b"
)
"""Ids in a text: of load balancers, certificates, networks."""


def _inputs(resource: Mapping[str, Any], references: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """By path; other resources by name."""
    type_ = str(resource["type"])
    for path, value in _leaves("", _parsed(resource.get("inputs") or {}, type_), lists=True):
        if not (type_ == SERVICE and path.split(".")[0] in OF_ONE_UPDATE):
            yield path, _referring(value, references)


def _referring(value: Any, references: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_referring(each, references) for each in value]
    if isinstance(value, str):
        return references.get(value) or _GENERATED.sub("", value)
    return value


def _parsed(inputs: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """A task definition without what is said by the release's record; containers by name."""
    text = inputs.get("containerDefinitions")
    if type_ != TASK_DEFINITION or not isinstance(text, str):
        return inputs
    rest = {key: value for key, value in inputs.items() if key not in ("containerDefinitions", "cpu", "memory")}
    return {**rest, "containers": {str(each.get("name")): _container(each) for each in json.loads(text)}}


def _container(given: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = given.get("dockerLabels") or {}
    if LABEL in labels:
        kept = {key: value for key, value in given.items() if key not in OF_THE_RELEASE}
        return {**kept, "dockerLabels": {key: value for key, value in labels.items() if key not in (LABEL, LEADS_TO)}}
    environment = {each["name"]: each.get("value") for each in given.get("environment") or ()}
    secrets = {each["name"]: each.get("valueFrom") for each in given.get("secrets") or ()}
    return {**given, "environment": environment, "secrets": secrets}


def _leaves(at: str, value: Any, *, lists: bool) -> Iterator[tuple[str, Any]]:
    """Values by path. `lists`: an item that has parts is a path of its own; else a list is one value."""
    if isinstance(value, Mapping) and SIGNATURE not in value:
        for key in value:
            if key != "__defaults":
                yield from _leaves(f"{at}.{key}" if at else str(key), value[key], lists=lists)
    elif lists and isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for number, each in enumerate(value):
            yield from _leaves(f"{at}[{number}]", each, lists=lists)
    elif value is not None and value != []:
        yield at, "a secret" if isinstance(value, Mapping) else value
