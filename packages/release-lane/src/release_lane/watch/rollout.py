"""Does a colour run exactly what was asked for? A pure verdict over what ECS and the load balancer say.

Sources: AWS ECS API reference (Task.stopCode, Container.imageDigest, Deployment.rolloutState) and ELBv2
(TargetHealth.State). What the application says of itself is no proof here.
"""

from __future__ import annotations

import itertools
from collections.abc import Set
from dataclasses import dataclass

from release_lane.record.digest import short


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task; `deployment` is the ECS deployment that started it, `digest` ECS's own `imageDigest`."""

    arn: str
    deployment: str
    status: str
    digest: str = ""
    ip: str = ""
    stop_code: str = ""
    stopped_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One target of a target group: healthy, initial, unhealthy, draining or unused; why, as a code and in words."""

    ip: str
    state: str
    reason: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One ECS deployment of a service; the primary one is the newest."""

    id: str
    primary: bool
    task_definition: str
    state: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One look at a colour. `events` are the service's own messages, newest first."""

    exists: bool
    wanted: int = 0
    task_definition: str = ""
    deployments: tuple[Deployment, ...] = ()
    tasks: tuple[Task, ...] = ()
    targets: tuple[Target, ...] = ()
    events: tuple[str, ...] = ()

    @property
    def primary(self) -> Deployment | None:
        """The newest deployment."""
        return next((each for each in self.deployments if each.primary), None)

    @property
    def running(self) -> tuple[Task, ...]:
        """Tasks that run now."""
        return tuple(task for task in self.tasks if task.status == "RUNNING")

    @property
    def healthy(self) -> int:
        """How many running tasks the load balancer calls healthy."""
        return sum(self.state_of(task) == "healthy" for task in self.running)

    @property
    def in_rotation(self) -> frozenset[str]:
        """Addresses that may get requests. One that drained is `unused` on AWS before it is listed no more."""
        return frozenset(target.ip for target in self.targets if target.state not in ("draining", "unused"))

    @property
    def unhealthy(self) -> tuple[Target, ...]:
        """Targets of the newest deployment's tasks that fail their health check."""
        ours = {task.ip for task in self.tasks if self.primary and task.deployment == self.primary.id}
        return tuple(target for target in self.targets if target.state == "unhealthy" and target.ip in ours)

    def state_of(self, task: Task) -> str:
        """The load balancer's word on a task."""
        return next((target.state for target in self.targets if target.ip == task.ip), "unregistered")


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """What the load balancer asks each task: GET `path` on `port`."""

    port: int
    path: str

    def verdict(self, target: Target) -> str:
        """Why a target is unhealthy, in words of the settings that decide it; "" if the load balancer does not say.

        Source: AWS, "Health checks for Application Load Balancer target groups", health check reason codes. Another
        answer than 200 is named in the description; a refused connection is a failed health check.
        """
        codes = target.description.rpartition("[")[2].partition("]")[0] if "these codes" in target.description else ""
        if codes or target.reason == "Target.ResponseCodeMismatch":
            or_port = "; 502 may also mean that nothing listens, service.port" if "502" in codes else ""
            return f"GET {self.path} on port {self.port} answered {codes or 'not 200'} (service.healthPath{or_port})"
        if target.reason == "Target.Timeout":
            late = "was not answered in time (healthCheck.timeoutSeconds), or the port cannot be reached (service.port)"
            return f"GET {self.path} on port {self.port} {late}"
        if target.reason == "Target.FailedHealthChecks":
            return f"nothing listens on {self.port} (service.port), or it does not speak HTTP"
        return ""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`tasks` running `task_definition` from an image whose manifest is one of `manifests`.

    `retry_of` is the deployment that tried the same release before: what it became says nothing about this try.
    """

    tasks: int
    task_definition: str
    manifests: Set[str]
    retry_of: str = ""


@dataclass(frozen=True)
class Passed:
    """Everything wanted runs and is healthy, and nothing else does. `deployment` is the ECS deployment."""

    deployment: str


@dataclass(frozen=True)
class Waiting:
    """Not yet; `progress` is one line for people."""

    progress: str


@dataclass(frozen=True)
class Failed:
    """A terminal failure that it will not succeed; `task` is the ARN whose log lines help ("" if none).

    `unhealthy`: it is the load balancer that found it so.
    """

    reason: str
    task: str = ""
    unhealthy: bool = False


Outcome = Passed | Waiting | Failed


def judge(reading: Reading, wanted: Wanted) -> Outcome:
    """One look: passed, failed for sure, or worth waiting for."""
    primary = reading.primary
    if not reading.exists or primary is None:
        return Failed("the service does not exist")
    if primary.task_definition != wanted.task_definition:
        return Waiting("ECS has not taken up the new task definition yet")
    if reading.wanted != wanted.tasks:
        return Waiting(f"the service's number of tasks is {reading.wanted}, not {wanted.tasks}")
    if wanted.retry_of and primary.id == wanted.retry_of:
        return Waiting("ECS has not begun the new deployment yet")
    if _complete(reading, primary, wanted):
        return Passed(primary.id)
    return _terminal_failure(reading, primary, wanted) or Waiting(_progress(reading, primary, wanted))


SOONEST, LATEST, LATEST_BEFORE_IT_RUNS = 0.2, 1.0, 5.0
"""Seconds between two looks: at least, at most, and at most while no task runs yet."""

SHARE = 0.2
"""A look comes later than what it finds by this share of the time for which nothing had changed, at most."""


def signs(reading: Reading) -> frozenset[tuple[bool, str, str]]:
    """What ECS and the load balancer say of the tasks, but not of how many: once that changes, more may follow soon."""
    primary = reading.primary
    ours = primary.id if primary else ""
    return frozenset((task.deployment == ours, task.status, reading.state_of(task)) for task in reading.tasks)


def pause(reading: Reading, unchanged: float) -> float:
    """Seconds until the next look; `unchanged`: for how long the signs have been the same.

    Fargate takes half a minute to provision a task and pull its image, and says so; then it runs, and its target may
    become healthy at any moment. The local cloud does all of it in a second. Each look is five calls, and AWS counts
    them by account and region ("Request throttling for the Amazon ECS API").
    """
    runs = any(ours and status == "RUNNING" for ours, status, _ in signs(reading))
    return seldom(unchanged, SOONEST, LATEST if runs else LATEST_BEFORE_IT_RUNS)


def seldom(unchanged: float, soonest: float, latest: float) -> float:
    """Seconds until the next look at something that has been the same for `unchanged` seconds."""
    return min(max(soonest, unchanged * SHARE), latest)


def scales_out(reading: Reading) -> bool:
    """Does all that runs do well, and only tasks that ECS still starts are missing? Only if none was lost recently."""
    ours, states = reading.running, [reading.state_of(task) for task in reading.running]
    return (
        len(reading.deployments) == 1
        and reading.deployments[0].state != "FAILED"
        and 0 < states.count("healthy") < reading.wanted
        and len(ours) <= reading.wanted
        and set(states) <= {"healthy", "initial", "unregistered"}
        and reading.in_rotation <= {task.ip for task in ours}
        and not any(_lost(task) for task in reading.tasks if task.deployment == reading.deployments[0].id)
    )


ENDING = ("DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED")


def _lost(task: Task) -> bool:
    """It ended, and not because ECS scaled in or rolled out."""
    return task.status in ENDING and (task.stop_code != "ServiceSchedulerInitiated" or _failed_health(task))


ROUTINE = (
    "has started",
    "has stopped",
    "registered",
    "deregistered",
    "has begun draining",
    "deployment completed",
)
"""Words of service events that say what ECS did, and not what is wrong ("Amazon ECS service event messages")."""

STEADY = "has reached a steady state"
"""What a service says once all is well: whatever it said before that is over."""

MOST_WORDS = 3


def own_words(reading: Reading) -> tuple[str, ...]:
    """ECS's own reasons why a colour is not as wanted: its latest events, why tasks stopped, what targets answered."""
    fresh = list(itertools.takewhile(lambda event: STEADY not in event, reading.events))
    primary = reading.primary.id if reading.primary else ""
    lost = [task for task in reading.tasks if task.deployment == primary and _lost(task)]
    sick = [target for target in reading.targets if target.state == "unhealthy" and target.reason]
    said = [
        *(event for event in fresh if not any(word in event for word in ROUTINE)),
        *(f"a task stopped: {task.stopped_reason or task.stop_code or task.status}" for task in lost),
        *(f"a target is unhealthy: {target.reason} {target.description}".rstrip() for target in sick),
    ]
    return tuple(dict.fromkeys(said))[:MOST_WORDS]


def with_own_words(what: str, reading: Reading) -> str:
    """The sentence, and ECS's own reasons where it gives some."""
    said = own_words(reading)
    return f"{what}; ECS says: {'; '.join(said)}" if said else what


def _complete(reading: Reading, primary: Deployment, wanted: Wanted) -> bool:
    """All tasks of the primary deployment, on the digest, healthy; no task or target of anything else."""
    running = reading.running
    ours = {task.ip for task in running}
    return (
        len(running) == wanted.tasks
        and all(task.deployment == primary.id and task.digest in wanted.manifests for task in running)
        and all(reading.state_of(task) == "healthy" for task in running)
        and reading.in_rotation == ours
    )


def _terminal_failure(reading: Reading, primary: Deployment, wanted: Wanted) -> Failed | None:
    """An unhealthy target alone is none: it may be starting. ECS stops its task once the grace period is over."""
    tasks = [task for task in reading.tasks if task.deployment == primary.id]
    for task in tasks:
        if task.status == "RUNNING" and task.digest not in wanted.manifests:
            ran = short(task.digest) if task.digest else "no image digest at all"
            return Failed(f"a task runs {ran}, which is not the image asked for", task.arn)
        if task.stop_code in ("TaskFailedToStart", "EssentialContainerExited") or _failed_health(task):
            return Failed(task.stopped_reason or task.stop_code, task.arn, _failed_health(task))
    if primary.state == "FAILED":
        return Failed(primary.reason or "ECS calls the deployment failed")
    return None


def _failed_health(task: Task) -> bool:
    return task.status in ("DEACTIVATING", "STOPPING", "STOPPED") and "health checks" in task.stopped_reason


def _progress(reading: Reading, primary: Deployment, wanted: Wanted) -> str:
    ours = [task for task in reading.running if task.deployment == primary.id]
    healthy = sum(reading.state_of(task) == "healthy" for task in ours)
    others = len(reading.running) - len(ours)
    leaving = f", {others} old to stop" if others else ""
    return f"{len(ours)} of {wanted.tasks} tasks running, {healthy} healthy{leaving}"
