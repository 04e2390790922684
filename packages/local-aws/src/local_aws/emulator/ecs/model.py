"""What our ECS knows: frozen values, replaced and never changed in place.

Times are seconds since the epoch. ARNs are the keys. `failed_tasks`, rollout states and reasons are what
DescribeServices shows; fields that AWS keeps to itself say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]


class RolloutState(StrEnum):
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class TaskStatus(StrEnum):
    """lastStatus, in the order a task passes through."""

    PROVISIONING = "PROVISIONING"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DEACTIVATING = "DEACTIVATING"
    STOPPING = "STOPPING"
    DEPROVISIONING = "DEPROVISIONING"
    STOPPED = "STOPPED"


class StopCode(StrEnum):
    FAILED_TO_START = "TaskFailedToStart"
    CONTAINER_EXITED = "EssentialContainerExited"
    USER = "UserInitiated"
    SCHEDULER = "ServiceSchedulerInitiated"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    arn: str
    name: str
    settings: tuple[Json, ...] = ()
    tags: Json = field(default_factory=dict)
    status: str = "ACTIVE"


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """`body` is what was registered, as the API returns it."""

    arn: str
    family: str
    revision: int
    body: Json
    registered_at: float
    deregistered_at: float | None = None
    tags: Json = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.deregistered_at is None

    @property
    def containers(self) -> tuple[Json, ...]:
        return tuple(self.body["containerDefinitions"])


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    """Tasks of a service are registered as targets: this container's address and port in that target group."""

    target_group: str
    container: str
    port: int


@dataclass(frozen=True, kw_only=True)
class DeploymentRules:
    """deploymentConfiguration: percentages of the desired count, and the circuit breaker."""

    minimum_healthy_percent: int = 100
    maximum_percent: int = 200
    breaker: bool = False
    rollback: bool = False


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One rollout of one task definition. The first of a service's deployments is PRIMARY, the others ACTIVE.

    `failed_tasks` counts failures in a row while in progress. `restarts` and `last_failure_at` are not shown:
    they set the pause before the next start.
    """

    id: str
    task_definition: str
    load_balancers: tuple[LoadBalancer, ...]
    network: Json
    created_at: float
    updated_at: float
    rollout: RolloutState = RolloutState.IN_PROGRESS
    reason: str = ""
    failed_tasks: int = 0
    restarts: int = 0
    last_failure_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Event:
    id: str
    at: float
    message: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """`extra` holds request members that are only shown again (propagateTags, platformVersion, …).

    `completed` is the deployment a rollback goes back to; `steady` whether the steady state was announced.
    """

    arn: str
    name: str
    cluster: str
    desired: int
    rules: DeploymentRules
    grace: float
    created_at: float
    deployments: tuple[Deployment, ...]
    events: tuple[Event, ...] = ()
    tags: Json = field(default_factory=dict)
    extra: Json = field(default_factory=dict)
    status: str = "ACTIVE"
    steady: bool = False
    completed: Deployment | None = None
    client_token: str = ""

    @property
    def primary(self) -> Deployment:
        return self.deployments[0]

    @property
    def target_groups(self) -> frozenset[str]:
        return frozenset(lb.target_group for d in self.deployments for lb in d.load_balancers)


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a task; `docker_id` is its id at Docker once it was created."""

    name: str
    image: str
    essential: bool
    arn: str
    image_digest: str | None = None
    docker_id: str | None = None
    status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    health: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One copy of a task definition.

    `steady_at` (not shown) is when it first was all that its service asks: running, and healthy in its target
    groups. `overrides` is RunTask's, kept as given; `client_token` too, so that a repeated call starts nothing.
    """

    arn: str
    cluster: str
    task_definition: str
    group: str
    started_by: str
    containers: tuple[Container, ...]
    created_at: float
    network: Json = field(default_factory=dict)
    load_balancers: tuple[LoadBalancer, ...] = ()
    overrides: Json = field(default_factory=dict)
    tags: Json = field(default_factory=dict)
    client_token: str = ""
    last_status: TaskStatus = TaskStatus.PROVISIONING
    desired_status: str = "RUNNING"
    ip: str | None = None
    mac: str | None = None
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    steady_at: float | None = None
    stopping_at: float | None = None
    stopped_at: float | None = None
    stop_code: StopCode | None = None
    stopped_reason: str | None = None

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def wanted(self) -> bool:
        """It was not asked to stop, and has not ended by itself."""
        return self.desired_status == "RUNNING"

    @property
    def running(self) -> bool:
        return self.wanted and self.last_status is TaskStatus.RUNNING

    @property
    def ended(self) -> bool:
        return self.last_status is TaskStatus.STOPPED

    @property
    def targets(self) -> tuple[tuple[str, int], ...]:
        """(target group, port) pairs where its address is, or was, registered."""
        return tuple((lb.target_group, lb.port) for lb in self.load_balancers)

    @property
    def unhealthy_container(self) -> bool:
        return any(c.essential and c.health == "UNHEALTHY" for c in self.containers)

    @property
    def awaits_container_health(self) -> bool:
        return any(c.essential and c.health not in (None, "HEALTHY") for c in self.containers)
