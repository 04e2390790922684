"""What a service needs next: its tasks and their targets' health in, steps out. No clock, no Docker.

`plan` returns the steps of the first rule that has any. The caller applies them and asks again, until only `Wait` or
nothing is left; so every rule sees a service on which the rules before it are satisfied.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from local_aws.emulator.ecs.model import Deployment, RolloutState, Service, Task, TaskStatus
from local_aws.emulator.ecs.targets import Health

# AWS seconds, before the time scale.
SETTLE = 10.0  # how long a task without a load balancer must have been running to count as started well
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 900.0
STUCK = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. "
    "Update the minimumHealthyPercent or maximumPercent value and try again."
)
FREE_RESTARTS = 3  # so many failures in a row are answered at once


@dataclass(frozen=True)
class Start:
    deployment: str
    count: int


@dataclass(frozen=True)
class Stop:
    """`event` is a sentence for the service's events; stops without one are announced together."""

    task: str
    reason: str
    failed: bool = False
    event: str | None = None


@dataclass(frozen=True)
class MarkSteady:
    """The task is, for the first time, all that its service asks of it."""

    task: str


@dataclass(frozen=True)
class Fail:
    """The circuit breaker opens."""

    deployment: str


@dataclass(frozen=True)
class Complete:
    deployment: str


@dataclass(frozen=True)
class Retire:
    """An older deployment has no tasks left."""

    deployment: str


@dataclass(frozen=True)
class AnnounceSteady:
    pass


@dataclass(frozen=True)
class AnnounceStuck:
    """The percentages allow neither a start nor a stop."""


@dataclass(frozen=True)
class Deactivate:
    """A deleted service has no tasks left."""


@dataclass(frozen=True)
class Wait:
    """Nothing to do before so many seconds have passed, unless something happens."""

    seconds: float


Step = Start | Stop | MarkSteady | Fail | Complete | Retire | AnnounceSteady | AnnounceStuck | Deactivate | Wait


@dataclass(frozen=True)
class View:
    """A service at one moment: all its tasks that are not long gone, and the health of its targets."""

    service: Service
    tasks: tuple[Task, ...]
    health: Health
    now: float
    time_scale: float

    @property
    def live(self) -> tuple[Task, ...]:
        return tuple(t for t in self.tasks if t.wanted and not t.ended)

    def of(self, deployment: Deployment) -> tuple[Task, ...]:
        return tuple(t for t in self.live if t.started_by == deployment.id)

    @property
    def outdated(self) -> tuple[Task, ...]:
        return tuple(t for t in self.live if t.started_by != self.service.primary.id)

    def target_states(self, task: Task) -> tuple[str, ...]:
        """The state of each of the task's targets; "unregistered" for one that its group does not know."""
        return tuple(self._state(task, group, port) for group, port in task.targets)

    def _state(self, task: Task, group: str, port: int) -> str:
        found = self.health.get(group, {}).get((task.ip or "", port))
        return "unregistered" if found is None else found.state

    def settle_left(self, task: Task) -> float:
        return (task.started_at or self.now) + SETTLE * self.time_scale - self.now

    def healthy(self, task: Task) -> bool:
        """Running, passing its container's own check, and healthy in every target group (or settled without any)."""
        if not task.running or task.awaits_container_health:
            return False
        if not task.targets:
            return self.settle_left(task) <= 0
        return all(state == "healthy" for state in self.target_states(task))


def plan(view: View) -> list[Step]:
    """The next steps for this service; empty when it is as it should be."""
    if view.service.status == "DRAINING":
        return _drain(view)
    for rule in (
        _mark_steady,
        _stop_sick,
        _break_circuit,
        _roll,
        _retire,
        _complete,
        _announce_steady,
        _announce_stuck,
    ):
        if steps := rule(view):
            return steps
    return _wait(view)


def _drain(view: View) -> list[Step]:
    reason = _scaling(view.service.primary)
    if live := view.live:
        return [Stop(task.arn, reason) for task in live]
    return [] if any(not task.ended for task in view.tasks) else [Deactivate()]


def _mark_steady(view: View) -> list[Step]:
    return [MarkSteady(t.arn) for t in view.live if t.steady_at is None and view.healthy(t)]


def _stop_sick(view: View) -> list[Step]:
    return [stop for task in view.live if (stop := _sick(view, task))]


def _sick(view: View, task: Task) -> Stop | None:
    if not task.running or _grace_left(view, task) > 0:
        return None
    if task.unhealthy_container:
        return Stop(task.arn, "Task failed container health checks", failed=True)
    for group, port in task.targets:
        found = view.health.get(group, {}).get((task.ip or "", port))
        if found is not None and found.state == "unhealthy":
            reason = f"Task failed ELB health checks in (target-group {group})"
            why = found.description or found.reason
            event = f"(port {port}) is unhealthy in (target-group {group}) due to (reason {why})"
            return Stop(task.arn, reason, failed=True, event=event)
    return None


LEAST_GRACE = 30.0
"""Seconds of a grace period that are not scaled: a container does not start faster because clocks do."""


def _grace_left(view: View, task: Task) -> float:
    asked = view.service.grace
    grace = max(asked * view.time_scale, min(asked, LEAST_GRACE))
    return (task.started_at or view.now) + grace - view.now


def breaker_threshold(desired: int) -> int:
    """Failures in a row that open the circuit breaker: half of the desired tasks, at least 3, at most 200."""
    return min(200, max(3, math.ceil(desired / 2)))


def _break_circuit(view: View) -> list[Step]:
    service, primary = view.service, view.service.primary
    tripped = service.rules.breaker and primary.failed_tasks >= breaker_threshold(service.desired)
    return [Fail(primary.id)] if tripped and primary.rollout is RolloutState.IN_PROGRESS else []


def _roll(view: View) -> list[Step]:
    """Start what the primary deployment lacks and stop what is too much, within the percentages."""
    start, stops = _starts(view), _stops(view)
    return [*([Start(view.service.primary.id, start)] if start > 0 else []), *stops]


def _missing(view: View) -> int:
    primary = view.service.primary
    return 0 if primary.rollout is RolloutState.FAILED else view.service.desired - len(view.of(primary))


def _room(view: View) -> int:
    """How many more tasks maximumPercent allows; rounded down, as AWS does."""
    limit = view.service.desired * view.service.rules.maximum_percent // 100
    return max(0, limit - len(view.live))


def pause_left(view: View) -> float:
    """Seconds until the next start is allowed; tasks that keep failing are started less and less often."""
    primary = view.service.primary
    if primary.restarts < FREE_RESTARTS:
        return 0.0
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(16, primary.restarts - FREE_RESTARTS))
    return primary.last_failure_at + pause * view.time_scale - view.now


def _starts(view: View) -> int:
    return 0 if pause_left(view) > 0 else min(_missing(view), _room(view))


def _stops(view: View) -> list[Step]:
    service, primary = view.service, view.service.primary
    mine, outdated = view.of(primary), view.outdated
    reason = _scaling(primary)
    if primary.rollout is RolloutState.FAILED:
        excess = len(view.live) - service.desired
        return [Stop(t.arn, reason) for t in _least_useful(view, view.live)[: max(0, excess)]]
    if len(mine) > service.desired:
        return [Stop(t.arn, reason) for t in _least_useful(view, mine)[: len(mine) - service.desired]]
    return [Stop(t.arn, reason) for t in _replaceable(view, outdated)]


def _replaceable(view: View, outdated: Sequence[Task]) -> list[Task]:
    """Tasks of older deployments that may go now: replaced by healthy ones, or in the way of starting them.

    A healthy task goes only while the service keeps minimumHealthyPercent (rounded up) without it.
    """
    service = view.service
    fresh = sum(view.healthy(t) for t in view.of(service.primary))
    replaced = len(outdated) - (service.desired - fresh)
    in_the_way = _missing(view) - _room(view)
    count = min(len(outdated), max(0, replaced, in_the_way))
    floor = math.ceil(service.desired * service.rules.minimum_healthy_percent / 100)
    spare = sum(view.healthy(t) for t in view.live) - floor
    chosen: list[Task] = []
    for task in _least_useful(view, outdated)[:count]:
        if view.healthy(task):
            spare -= 1
            if spare < 0:
                break
        chosen.append(task)
    return chosen


def _least_useful(view: View, tasks: Iterable[Task]) -> list[Task]:
    """Those without traffic first, then the newest."""
    return sorted(tasks, key=lambda t: (view.healthy(t), t.running, -t.created_at))


def _scaling(deployment: Deployment) -> str:
    return f"Scaling activity initiated by (deployment {deployment.id})"


def _retire(view: View) -> list[Step]:
    busy = {t.started_by for t in view.tasks if not t.ended}
    return [Retire(d.id) for d in view.service.deployments[1:] if d.id not in busy]


def _whole(view: View) -> bool:
    """All wanted tasks are the primary deployment's, as many as desired, healthy; every other one has ended."""
    mine = view.of(view.service.primary)
    alone = all(t in mine for t in view.tasks if not t.ended)
    return alone and len(mine) == view.service.desired and all(view.healthy(t) for t in mine)


def _complete(view: View) -> list[Step]:
    primary = view.service.primary
    done = primary.rollout is RolloutState.IN_PROGRESS and _whole(view)
    return [Complete(primary.id)] if done else []


def _announce_steady(view: View) -> list[Step]:
    service = view.service
    due = not service.steady and service.primary.rollout is RolloutState.COMPLETED and _whole(view)
    return [AnnounceSteady()] if due else []


def _announce_stuck(view: View) -> list[Step]:
    """Said once: every task is healthy, some are missing, and `_roll` (which comes before) found nothing to do."""
    events = view.service.events
    moving = any(not (t.ended or view.healthy(t)) for t in view.tasks)
    if moving or _missing(view) <= 0 or _room(view) > 0 or (events and events[0].message.endswith(STUCK)):
        return []
    return [AnnounceStuck()]


def _wait(view: View) -> list[Step]:
    """The first moment at which time alone would change the answer."""
    waits = [view.settle_left(t) for t in view.live if t.running and not t.targets and t.steady_at is None]
    waits += [_grace_left(view, t) for t in view.live if t.running]
    if _missing(view) > 0:
        waits.append(pause_left(view))
    waits = [seconds for seconds in waits if seconds > 0]
    return [Wait(min(waits))] if waits else []


# ---------------------------------------------------------------- what steps do to a service


def update_deployment(service: Service, changed: Deployment) -> Service:
    return replace(service, deployments=tuple(changed if d.id == changed.id else d for d in service.deployments))


def after_failure(service: Service, deployment_id: str, now: float) -> Service:
    """One more of the deployment's tasks could not start, ended by itself or failed its health check."""
    for deployment in service.deployments:
        if deployment.id == deployment_id:
            counts = deployment.rollout is RolloutState.IN_PROGRESS
            changed = replace(
                deployment,
                failed_tasks=deployment.failed_tasks + (1 if counts else 0),
                restarts=deployment.restarts + 1,
                last_failure_at=now,
                updated_at=now,
            )
            return update_deployment(service, changed)
    return service


def after_steady_task(service: Service, deployment_id: str) -> Service:
    """A task started well: the failures before it were not in a row."""
    for deployment in service.deployments:
        if deployment.id == deployment_id:
            return update_deployment(service, replace(deployment, failed_tasks=0, restarts=0))
    return service


def after_completion(service: Service, now: float) -> Service:
    done = replace(
        service.primary,
        rollout=RolloutState.COMPLETED,
        reason=f"ECS deployment {service.primary.id} completed.",
        updated_at=now,
    )
    return replace(update_deployment(service, done), completed=done)


def after_circuit_break(service: Service, now: float) -> Service:
    """FAILED stays FAILED; with `rollback`, the last completed deployment becomes PRIMARY again."""
    failed = replace(
        service.primary,
        rollout=RolloutState.FAILED,
        reason="ECS deployment circuit breaker: tasks failed to start.",
        updated_at=now,
    )
    if not service.rules.rollback or service.completed is None:
        return update_deployment(service, failed)
    target = service.completed
    back = replace(
        target,
        rollout=RolloutState.IN_PROGRESS,
        reason=f"ECS deployment circuit breaker: rolling back to deploymentId {target.id}.",
        failed_tasks=0,
        restarts=0,
        updated_at=now,
    )
    others = tuple(d for d in service.deployments[1:] if d.id != target.id)
    return replace(service, deployments=(back, failed, *others))


def counts(tasks: Iterable[Task]) -> Mapping[str, int]:
    """runningCount and pendingCount over these tasks, as DescribeServices counts them."""
    tasks = tuple(tasks)
    pending = (TaskStatus.PROVISIONING, TaskStatus.PENDING)
    return {
        "runningCount": sum(t.running for t in tasks),
        "pendingCount": sum(t.wanted and t.last_status in pending for t in tasks),
    }
