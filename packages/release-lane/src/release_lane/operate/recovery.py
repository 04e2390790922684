"""What a killed update left behind, what `release recover` does about it, and the next step. Pure.

`Found` is what was looked up; `remedies(found)` has an action for each finding. None touches the live colour: one
that would is a `Blocked`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from release_lane.decide.idle import need_of_idle
from release_lane.decide.refusals import nothing_found
from release_lane.decide.whereabouts import Drift, Interrupted, found_interrupted, locate
from release_lane.engine.locks import Holder, Owner
from release_lane.engine.plugins import Plugin
from release_lane.record.hold import how_to_end
from release_lane.record.placement import Colour
from release_lane.record.records import Observed, Recorded
from release_lane.record.revisions import Schema

SERVICE = "aws:ecs/service:Service"
CLUSTER = "aws:ecs/cluster:Cluster"
GATES = "release:index:"

REPEATABLE = (
    GATES,
    "aws:ecs/taskDefinition:",
    "aws:iam/rolePolicy:",
    "aws:iam/rolePolicyAttachment:",
    "aws:ecr/lifecyclePolicy:",
    "aws:cloudwatch/metricAlarm:",
    "aws:sns/topic:",
    "docker:",
)
"""Types (as prefixes) that can be created again without harm: checks, new revisions, calls that overwrite."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation whose end the state does not record. `doing`: creating, updating, deleting, …"""

    urn: str
    type: str
    doing: str
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rsplit("::", 1)[-1]

    def __str__(self) -> str:
        return f"{self.doing} {self.type.rsplit(':', 1)[-1]} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Existing:
    """The resource that AWS has under the name of an unfinished creation, by its id. `leaving`: it drains."""

    id: str
    leaving: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything that was looked up about one stack.

    `locks` is None where the backend does not report holders. `plugins` run on this machine without an engine, for
    this stack or for one that is not known. `existing` has an entry for each unfinished creation
    that was looked up in AWS. `services` are the names of the colours' services; `strays` the colours whose service
    exists although the state, which has the cluster, does not have it. `observed` is None for a stack without users.
    `idle_tasks`: how many the idle colour keeps, None for as many as the live colour has. `schema`: the database's.
    """

    stack: str
    locks: tuple[tuple[Holder, Owner], ...] | None = ()
    plugins: tuple[Plugin, ...] = ()
    operations: tuple[Operation, ...] = ()
    existing: Mapping[str, Existing | None] = field(default_factory=dict)
    services: Mapping[Colour, str] = field(default_factory=dict)
    strays: frozenset[Colour] = frozenset()
    recorded: Recorded | None = None
    observed: Observed | None = None
    idle_tasks: int | None = None
    schema: Schema = field(default_factory=Schema)

    @property
    def switch(self) -> Interrupted | None:
        """The interrupted switch, if there is one."""
        found = locate(self.recorded, self.observed) if self.observed else None
        return found if isinstance(found, Interrupted) else None

    @property
    def drift(self) -> Drift | None:
        """The drift that neither record nor journal explains, if there is any."""
        found = locate(self.recorded, self.observed) if self.observed and self.observed.listener else None
        return found if isinstance(found, Drift) else None

    @property
    def sick(self) -> str:
        """What is wrong with the live colour although nothing drifted; "" for nothing."""
        recorded, observed = self.recorded, self.observed
        if not (recorded and observed):
            return ""
        if not observed.listener:
            return (
                f"the load balancer or its production listener does not exist; the record says {recorded.live_colour}"
            )
        if self.switch or self.drift:
            return ""
        for colour, release in recorded.serves.items():
            side, wanted = observed.sides[colour], release.service.desired_count
            if not side.holds(release):
                return f"{colour} has {side.healthy} healthy of {max(side.wanted, wanted)} wanted tasks"
        return ""

    def serves(self, colour: Colour) -> bool:
        """Does it get any traffic now, or is it recorded as live?"""
        weights = (self.observed.weights if self.observed else None) or {}
        return weights.get(colour, 0) > 0 or bool(self.recorded and self.recorded.live_colour is colour)


# ---- What is done -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class End:
    """End the plugins of a dead engine. What they did until then is in AWS, so look again afterwards."""

    plugins: tuple[Plugin, ...]


@dataclass(frozen=True, kw_only=True)
class Unlock:
    """Remove the lock of a dead process."""

    holders: tuple[Holder, ...]


@dataclass(frozen=True, kw_only=True)
class Forget:
    """Drop an unfinished operation from the state; AWS is not touched. `reread`: refresh the resource afterwards."""

    operation: Operation
    why: str
    reread: bool = False


@dataclass(frozen=True, kw_only=True)
class Adopt:
    """Add the resource that an unfinished creation made to the state, under its id in AWS."""

    operation: Operation
    id: str


@dataclass(frozen=True, kw_only=True)
class Remove:
    """Delete the idle colour's service in AWS, which is not in the state."""

    colour: Colour
    service: str


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """Left alone, because it serves users."""

    what: str
    why: str


Remedy = End | Unlock | Forget | Adopt | Remove | Blocked


def remedies(found: Found) -> tuple[Remedy, ...]:
    """What to do about all findings but the switch, in this order."""
    plugins = tuple(each for each in found.plugins if each.known)
    end = (End(plugins=plugins),) if plugins else ()
    holders = tuple(holder for holder, _ in found.locks or ())
    unlock = (Unlock(holders=holders),) if holders else ()
    return (*end, *unlock, *(_remedy(found, each) for each in found.operations), *_strays(found))


def _remedy(found: Found, operation: Operation) -> Remedy:
    if operation.doing != "creating":
        gate = operation.type.startswith(GATES)
        why = "a gate runs again" if gate else "the next update reads what exists"
        return Forget(operation=operation, why=why, reread=not gate and operation.doing in ("updating", "deleting"))
    colour = _colour_of(found, operation)
    there = found.existing.get(operation.urn)
    if there and colour and found.serves(colour):
        return Blocked(what=str(operation), why=f"its service exists, and its colour, {colour}, serves users")
    if there and there.leaving:
        return Forget(operation=operation, why="AWS is deleting it; run the next update when it is gone")
    if there:
        return Adopt(operation=operation, id=there.id)
    return Forget(operation=operation, why=_why_forgotten(found, operation))


def _why_forgotten(found: Found, operation: Operation) -> str:
    if operation.urn in found.existing:
        return "it does not exist in AWS"
    if operation.type.startswith(REPEATABLE):
        return "it can be created again"
    return "AWS may have an unused one; if the next update says that it already exists, delete it"


def _colour_of(found: Found, operation: Operation) -> Colour | None:
    if operation.type != SERVICE:
        return None
    name = operation.inputs.get("name")
    return next((colour for colour, service in found.services.items() if service == name), None)


def _strays(found: Found) -> tuple[Remedy, ...]:
    return tuple(
        Blocked(
            what=f"service {found.services[colour]}, which is not in the state",
            why=f"its colour, {colour}, serves users",
        )
        if found.serves(colour)
        else Remove(colour=colour, service=found.services[colour])
        for colour in Colour
        if colour in found.strays
    )


def in_words(remedy: Remedy) -> str:
    """The action, as a line."""
    match remedy:
        case End(plugins=plugins):
            return "end " + "; ".join(f"{each.name} (process {each.pid})" for each in plugins)
        case Unlock():
            return "remove the lock"
        case Forget(operation=operation, why=why, reread=reread):
            also = "; then refresh it" if reread else ""
            return f'drop the pending "{operation}" from the state: {why}{also}'
        case Adopt(operation=operation, id=id):
            return f"add {operation.name} to the state: AWS has it as {id}"
        case Remove(colour=colour, service=service):
            return f"delete the service {service} in AWS: {colour} is idle, and the state does not have it"
        case Blocked(what=what, why=why):
            return f"LEAVE {what} ALONE: {why}"


# ---- What was found, in words -------------------------------------------------------------------------------

LIVENESS = {
    Owner.RUNS: "that process still runs",
    Owner.GONE: "that process is gone",
    Owner.REPLACED: "that process is gone; another program has its process id now",
    Owner.UNKNOWN: "this machine cannot see whether that process still runs",
}


def findings(found: Found) -> tuple[tuple[str, str], ...]:
    """What was found: pairs of a heading and a sentence."""
    lines = [("lock", f"held by {holder}: {LIVENESS[owner]}") for holder, owner in found.locks or ()]
    if found.locks is None:
        lines.append(("lock", "this backend does not report who holds it; if an update is refused: `pulumi cancel`"))
    lines += [("plugin", _without_engine(plugin)) for plugin in found.plugins]
    lines += [("unfinished", _explained(found, operation)) for operation in found.operations]
    lines += [
        ("stray", f"service {found.services[colour]} exists in AWS, but not in the state") for colour in found.strays
    ]
    if (switch := found.switch) and found.observed:
        lines.append(("switch", found_interrupted(switch, found.observed)))
    elif drift := found.drift:
        lines.append(("drift", drift.what))
    elif found.sick:
        lines.append(("live", found.sick))
    return tuple(lines)


def _without_engine(plugin: Plugin) -> str:
    whose = "" if plugin.known else "; which stack it works on is not known"
    return f"{plugin} outlived its engine, and may still finish its last request{whose}"


def _explained(found: Found, operation: Operation) -> str:
    if operation.urn not in found.existing:
        return str(operation)
    there = found.existing[operation.urn]
    return f"{operation}: " + (f"AWS has it ({there.id})" if there else "AWS has none")


def nothing_left(found: Found) -> bool:
    """No lock, no plugin without an engine, nothing unfinished, no stray, no interrupted switch.

    (Drift is for `release heal`.)
    """
    return not (found.locks or found.plugins or found.operations or found.strays or found.switch)


def next_step(found: Found) -> str:
    """What a person does after this."""
    stack = found.stack
    if found.locks or found.plugins or found.operations or found.strays:
        return f"`release recover {stack}` again, or docs/guides/recovery.md for what it leaves alone."
    if found.switch:
        undo = f"; `release recover {stack} --undo` undoes it" if found.recorded else ""
        return f"`release recover {stack} --finish` (or the next update) finishes the switch{undo}."
    if found.drift:
        return f"`release heal {stack} --on-drift restore` goes back to the record; `--on-drift adopt` records what is."
    if found.observed is None:
        return "run the update again."
    if found.recorded is None:
        return f"release again: `release deploy {stack}` or `release promote {stack}`."
    if not found.observed.listener:
        error = nothing_found(found.recorded)
        return f"{error.next_step} ({error.why}.)"
    if found.recorded.hold:
        first = "end the hold for the release that is well" if found.sick else "nothing"
        return f"{first}; a hold stands: {found.recorded.hold.words()}. It ends with {how_to_end(stack)}."
    if found.sick:
        return (
            f"`release heal {stack}` reports ECS's own reason; `release heal {stack} --on-drift restore` starts the "
            "recorded release on the other colour and moves the traffic there."
        )
    need = need_of_idle(found.recorded, found.observed, found.idle_tasks, found.schema)
    return f"`release heal {stack}`: {need.reason}." if need else "nothing; everything is in order."


# ---- The state ----------------------------------------------------------------------------------------------


def operations_in(exported: Mapping[str, Any]) -> tuple[Operation, ...]:
    """Unfinished operations of what `pulumi stack export` wrote."""
    pending: Sequence[Mapping[str, Any]] = (exported.get("deployment") or {}).get("pending_operations") or ()
    return tuple(
        Operation(
            urn=each["resource"]["urn"],
            type=str(each["resource"].get("type") or ""),
            doing=str(each.get("type") or ""),
            inputs=each["resource"].get("inputs") or {},
        )
        for each in pending
    )


def has(exported: Mapping[str, Any], type_: str, name: str) -> bool:
    """Does the state have a resource of this type with this input `name`, finished or pending?"""
    deployment = exported.get("deployment") or {}
    pending = [each["resource"] for each in deployment.get("pending_operations") or ()]
    everything = [*(deployment.get("resources") or ()), *pending]
    return any(each.get("type") == type_ and (each.get("inputs") or {}).get("name") == name for each in everything)


def fixed(exported: Mapping[str, Any], remedies: Sequence[Remedy]) -> dict[str, Any]:
    """The state without the operations that the remedies deal with, and with the adopted resources.

    An adopted resource goes to the end: everything it depends on existed before its creation began. Its outputs are
    its inputs until it is refreshed.
    """
    deployment = dict(exported["deployment"])
    resources = list(deployment.get("resources") or ())
    known = {each["urn"] for each in resources}
    adopted = {each.operation.urn: each.id for each in remedies if isinstance(each, Adopt)}
    settled = adopted.keys() | {each.operation.urn for each in remedies if isinstance(each, Forget)}
    pending = deployment.get("pending_operations") or ()
    for each in pending:
        resource = each["resource"]
        if resource["urn"] in adopted and resource["urn"] not in known:
            id_ = adopted[resource["urn"]]
            resources.append({**resource, "id": id_, "outputs": {**(resource.get("inputs") or {}), "id": id_}})
    left = [each for each in pending if each["resource"]["urn"] not in settled]
    return {**exported, "deployment": {**deployment, "resources": resources, "pending_operations": left}}


def to_reread(remedies: Sequence[Remedy]) -> tuple[str, ...]:
    """URNs of the resources to refresh."""
    adopted = [each.operation.urn for each in remedies if isinstance(each, Adopt)]
    return (*adopted, *(each.operation.urn for each in remedies if isinstance(each, Forget) and each.reread))
