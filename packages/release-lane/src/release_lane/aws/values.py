"""What AWS answers, as values of the lane: weights, conditions, deployments, tasks, targets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from release_lane.record.placement import Colour
from release_lane.record.records import Known
from release_lane.watch.rollout import Deployment, Reading, Target, Task

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import TaskTypeDef


def shares(rule: Any, groups: Mapping[Colour, str]) -> dict[Colour, int]:
    """The weights of a rule in percent; 0 for a colour whose target group does not exist."""
    forward = rule["Actions"][0].get("ForwardConfig", {}).get("TargetGroups", [])
    raw = {part["TargetGroupArn"]: part.get("Weight", 1) for part in forward}
    return {colour: percent(raw.get(groups.get(colour, ""), 0), sum(raw.values())) for colour in Colour}


def in_words(found: Iterable[Mapping[str, Any]]) -> str:
    """In words: `host-header a.example and path-pattern /a or /b`. Newer kinds of conditions keep values elsewhere."""
    parts = [(str(each.get("Field")), each.get("Values")) for each in found]
    return " and ".join(f"{field} {' or '.join(map(str, values or ('of its own',)))}" for field, values in parts)


def percent(weight: int, total: int) -> int:
    """A share in percent; 0 and 100 only if it is exactly none or all of the traffic."""
    if weight in (0, total):
        return 100 if weight else 0
    return min(99, max(1, round(100 * weight / total)))


def as_deployment(value: Any) -> Deployment:
    """One of a service's deployments."""
    return Deployment(
        id=value["id"],
        primary=value["status"] == "PRIMARY",
        task_definition=value["taskDefinition"],
        state=value.get("rolloutState", ""),
        reason=value.get("rolloutStateReason", ""),
    )


def as_task(value: TaskTypeDef, container: str) -> Task:
    """A task, with why it stopped in all the words that AWS has for it."""
    main = next((each for each in value.get("containers", []) if each.get("name") == container), None) or {}
    interfaces = main.get("networkInterfaces") or []
    code = main.get("exitCode")
    reasons = [value.get("stoppedReason", ""), main.get("reason", ""), f"exit code {code}" if code is not None else ""]
    return Task(
        arn=value["taskArn"],
        deployment=value.get("startedBy", ""),
        status=value.get("lastStatus", ""),
        digest=main.get("imageDigest", ""),
        ip=interfaces[0].get("privateIpv4Address", "") if interfaces else "",
        stop_code=value.get("stopCode", ""),
        stopped_reason="; ".join(dict.fromkeys(filter(None, reasons))),
    )


def as_before(known: Known, service: Any, targets: Sequence[Target]) -> tuple[Task, ...]:
    """The known tasks, if service and targets say that these still run, and no others; else none.

    The newest deployment is the same one and runs as many tasks as are wanted and known, nothing else runs or is
    pending, and the targets that may get requests are their addresses, all healthy.
    """
    count = len(known.tasks)
    counts = (service["desiredCount"], service.get("runningCount"), service.get("pendingCount"))
    newest = [(each["id"], each.get("runningCount")) for each in service["deployments"] if each["status"] == "PRIMARY"]
    unchanged = (
        newest == [(known.deployment, count)]
        and counts == (count, count, 0)
        and Reading(exists=True, targets=tuple(targets)).in_rotation == known.tasks.keys()
        and {target.ip for target in targets if target.state == "healthy"} == known.tasks.keys()
    )
    if not unchanged:
        return ()
    return tuple(
        Task(arn="", deployment=known.deployment, status="RUNNING", digest=digest, ip=ip)
        for ip, digest in known.tasks.items()
    )


def as_target(value: Any) -> Target:
    """One target of a target group."""
    health = value["TargetHealth"]
    return Target(
        ip=value["Target"]["Id"],
        state=health.get("State", ""),
        reason=health.get("Reason", ""),
        description=health.get("Description", ""),
    )
