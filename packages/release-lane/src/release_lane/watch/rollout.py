"""Does a colour run exactly what was asked for? A verdict over what ECS and the load balancer say. Pure.

Sources: AWS ECS API reference (Task.stopCode, Container.imageDigest, Deployment.rolloutState) and ELBv2
(TargetHealth.State). What the application says of itself does not count here.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence, Set
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
    """One target of a target group. `state`: healthy, initial, unhealthy, draining, unused; `reason` is AWS's code."""

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
        """Addresses that may get requests. On AWS a target that drained is listed as `unused` for a while."""
        return frozenset(target.ip for target in self.targets if target.state not in ("draining", "unused"))

    @property
    def unhealthy(self) -> tuple[Target, ...]:
        """Targets of the newest deployment's tasks that fail their health check."""
        ours = {task.ip for task in self.tasks if self.primary and task.deployment == self.primary.id}
        return tuple(target for target in self.targets if target.state == "unhealthy" and target.ip in ours)

    def state_of(self, task: Task) -> str:
        """The state of a task's target."""
        return next((target.state for target in self.targets if target.ip == task.ip), "unregistered")


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """The load balancer's health check of each task: GET `path` on `port`."""

    port: int
    path: str

    def verdict(self, target: Target) -> str:
        """Why a target is unhealthy, naming the settings that decide it; "" if the load balancer does not say.

        Source: AWS, "Health checks for Application Load Balancer target groups", health check reason codes. The
        description names an answer other than 200; a refused connection is a failed health check.
        """
        codes = target.description.rpartition("[")[2].partition("]")[0] if "these codes" in target.description else ""
        if codes or target.reason == "Target.ResponseCodeMismatch":
            or_port = "; 502 can also mean that nothing listens there: service.port" if "502" in codes else ""
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

    `retry_of` is an earlier deployment of the same release: its outcome says nothing about this one.
    """

    tasks: int
    task_definition: str
    manifests: Set[str]
    retry_of: str = ""


@dataclass(frozen=True)
class Passed:
    """All wanted tasks run and are healthy, and no others run. `deployment` is the ECS deployment."""

    deployment: str


@dataclass(frozen=True)
class Waiting:
    """Not yet; `progress` is one line for people."""

    progress: str


@dataclass(frozen=True)
class Failed:
    """A terminal failure: it will not succeed. `task` is the ARN of the task whose log lines help ("" if none).

    `unhealthy`: the load balancer's health checks failed. `exited`: its container ran, and ended by itself.
    """

    reason: str
    task: str = ""
    unhealthy: bool = False
    exited: bool = False


Outcome = Passed | Waiting | Failed


def judge(reading: Reading, wanted: Wanted) -> Outcome:
    """Judge one look: passed, a terminal failure, or worth waiting for."""
    primary = reading.primary
    if not reading.exists or primary is None:
        return Failed("the service does not exist")
    if primary.task_definition != wanted.task_definition:
        return Waiting("ECS has not taken up the new task definition yet")
    if reading.wanted != wanted.tasks:
        return Waiting(f"the service's desired count is {reading.wanted}, not {wanted.tasks} yet")
    if wanted.retry_of and primary.id == wanted.retry_of:
        return Waiting("ECS has not begun the new deployment yet")
    if _complete(reading, primary, wanted):
        return Passed(primary.id)
    return _terminal_failure(reading, primary, wanted) or Waiting(_progress(reading, primary, wanted))


SOONEST, LATEST, LATEST_BEFORE_IT_RUNS = 0.2, 1.0, 5.0
"""Seconds between two looks: at least, at most, and at most while no task runs yet."""

SHARE = 0.2
"""A change is seen late by at most this share of the time for which nothing had changed before."""


def signs(reading: Reading) -> frozenset[tuple[bool, str, str]]:
    """What ECS and the load balancer say of the tasks, without counts. Once it changes, more may change soon."""
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
    """Are all running tasks well, and only those missing that ECS still starts? Not if one was lost recently."""
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
    """Did it end for another reason than scaling in or a rollout?"""
    return task.status in ENDING and (task.stop_code != "ServiceSchedulerInitiated" or _failed_health(task))


ROUTINE = (
    "has started",
    "has stopped",
    "registered",
    "deregistered",
    "has begun draining",
    "deployment completed",
)
"""Words of service events that report what ECS did, not what is wrong ("Amazon ECS service event messages")."""

STEADY = "has reached a steady state"
"""The event of a service that is well again: earlier events no longer matter."""

MOST_WORDS = 3


def own_words(reading: Reading) -> tuple[str, ...]:
    """ECS's own reasons why a colour is not as wanted: latest events, why tasks stopped, what targets answered."""
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
    """The sentence, with ECS's own reasons if there are any."""
    said = own_words(reading)
    return f"{what}; ECS says: {'; '.join(said)}" if said else what


def _complete(reading: Reading, primary: Deployment, wanted: Wanted) -> bool:
    """All tasks of the primary deployment run the digest and are healthy; no other task or target is left."""
    running = reading.running
    ours = {task.ip for task in running}
    return (
        len(running) == wanted.tasks
        and all(task.deployment == primary.id and task.digest in wanted.manifests for task in running)
        and all(reading.state_of(task) == "healthy" for task in running)
        and reading.in_rotation == ours
    )


def _terminal_failure(reading: Reading, primary: Deployment, wanted: Wanted) -> Failed | None:
    """An unhealthy target alone is not one: its task may be starting. ECS stops it after the grace period."""
    tasks = [task for task in reading.tasks if task.deployment == primary.id]
    for task in tasks:
        if task.status == "RUNNING" and task.digest not in wanted.manifests:
            ran = short(task.digest) if task.digest else "no image digest at all"
            return Failed(f"a task runs {ran}, which is not the requested image", task.arn)
        exited = task.stop_code == "EssentialContainerExited"
        if exited or _cannot_start(task, tasks) or _failed_health(task):
            return Failed(task.stopped_reason or task.stop_code, task.arn, _failed_health(task), exited)
    if primary.state == "FAILED":
        return Failed(primary.reason or "ECS says that the deployment failed")
    return None


PASSING = (
    "accessdenied",
    "unable to assume the role",
    "timeout",
    "timed out",
    "deadline exceeded",
    "throttl",
    "rate exceeded",
    "toomanyrequests",
)
"""In the reason of a task that did not start: what may pass. Rights of a role take seconds to spread."""

MOST_STARTS = 3
"""So many tasks may fail to start for a reason that may pass. ECS's circuit breaker counts as many at least, so where
three or more are started at once, and all fail, that is the end."""


def _may_pass(task: Task) -> bool:
    """Did it fail to start for a reason that a task after it may not meet? ECS starts another one."""
    reason = task.stopped_reason.lower()
    return task.stop_code == "TaskFailedToStart" and any(word in reason for word in PASSING)


def _cannot_start(task: Task, tasks: Sequence[Task]) -> bool:
    if task.stop_code != "TaskFailedToStart":
        return False
    return not _may_pass(task) or sum(map(_may_pass, tasks)) >= MOST_STARTS


def _failed_health(task: Task) -> bool:
    return task.status in ("DEACTIVATING", "STOPPING", "STOPPED") and "health checks" in task.stopped_reason


def _progress(reading: Reading, primary: Deployment, wanted: Wanted) -> str:
    ours = [task for task in reading.running if task.deployment == primary.id]
    healthy = sum(reading.state_of(task) == "healthy" for task in ours)
    others = len(reading.running) - len(ours)
    leaving = f", {others} old to stop" if others else ""
    late = [task.stopped_reason for task in reading.tasks if task.deployment == primary.id and _may_pass(task)]
    again = f"; ECS tries again after: {late[-1]}" if late else ""
    return f"{len(ours)} of {wanted.tasks} tasks running, {healthy} healthy{leaving}{again}"
