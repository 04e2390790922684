"""A task's life: pull, create, start, register, run; drain, stop, end. Each step in a thread of its own."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound

from local.emulator.ecs import scheduler
from local.emulator.ecs.arns import scope_of
from local.emulator.ecs.containers import DEFAULT_STOP_TIMEOUT, Containers, Happening, Plan, Seen
from local.emulator.ecs.definitions import size
from local.emulator.ecs.images import CannotPull, Images, Pulled
from local.emulator.ecs.logs import LogService, Shipper, Stream, stream_for
from local.emulator.ecs.model import StopCode, Task, TaskStatus
from local.emulator.ecs.secrets import SecretReader, Unreadable
from local.emulator.ecs.store import Pulse, Store
from local.emulator.ecs.targets import TargetGroups
from local.emulator.wire import ServiceError

logger = logging.getLogger("ecs")
STARTS_AT_ONCE = 6
HEALTH_LOOK = 0.2  # seconds, only where target groups cannot tell of a change


class FailedToStart(Exception):
    """The message is the task's stoppedReason; `container` is whose reason it is, too."""

    def __init__(self, reason: str, container: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.container = container


@dataclass(frozen=True)
class Tools:
    """What a task's life needs from outside."""

    containers: Containers
    images: Images
    shipper: Shipper
    log_service: LogService
    secrets: SecretReader
    targets: TargetGroups


class Lives:
    """Starts and ends tasks of the store; the scheduler decides which."""

    def __init__(self, store: Store, tools: Tools, target_pulse: Pulse, polled: bool) -> None:
        self._store = store
        self._tools = tools
        self._target_pulse = target_pulse
        self._polled = polled
        self._own_turn: dict[str, threading.RLock] = defaultdict(threading.RLock)
        self._starts = threading.Semaphore(STARTS_AT_ONCE)

    def launch(self, arn: str) -> None:
        self._in_thread(self._launch, arn)

    def stop(self, arn: str, reason: str, code: StopCode) -> None:
        """Ask it to stop; draining, SIGTERM and the end follow. Once asked, the first reason stays."""
        with self._store.changing():
            task = self._store.tasks[arn]
            if not task.wanted:
                return
            draining = task.running and task.targets
            self._store.edit_task(
                arn,
                desired_status="STOPPED",
                stop_code=code,
                stopped_reason=reason,
                stopping_at=self._store.clock(),
                last_status=TaskStatus.DEACTIVATING if draining else task.last_status,
            )
        self._in_thread(self._stop, arn)

    def happened(self, event: Happening) -> None:
        """Docker says that one of our containers died or changed its health."""
        with self._store.changing():
            task = self._store.tasks.get(event.task)
            if task is None or task.ended or event.docker_id not in [c.docker_id for c in task.containers]:
                return
            if event.kind == "health_status":
                self._store.edit_container(event.task, event.container, health=event.health)
                return
            if event.kind != "die":
                return
            task = self._store.edit_container(event.task, event.container, status="STOPPED", exit_code=event.exit_code)
            essential = any(c.essential and c.name == event.container for c in task.containers)
            by_itself = essential and task.wanted
            if by_itself:
                self._ends_by_itself(task)
        if by_itself:
            self._in_thread(self._end, event.task)

    def _ends_by_itself(self, task: Task) -> None:
        self._store.edit_task(
            task.arn,
            desired_status="STOPPED",
            stop_code=StopCode.CONTAINER_EXITED,
            stopped_reason="Essential container in task exited",
            stopping_at=self._store.clock(),
        )
        self._count_failure(task)

    def _count_failure(self, task: Task) -> None:
        service = self._store.service_of(task)
        if service is not None:
            changed = scheduler.after_failure(service, task.started_by, self._store.clock())
            self._store.services[service.arn] = changed

    # ------------------------------------------------------------ after a restart of the emulator

    def resume(self) -> None:
        """Find the tasks of before: follow those that run, finish those that ended, start those that had not."""
        known = {t.arn: t for t in self._store.tasks.values() if not t.ended}
        for docker_id, arn in self._tools.containers.all().items():
            if arn not in known:
                self._tools.containers.remove(docker_id)
        for task in known.values():
            self._in_thread(self._resume, task.arn)

    def _resume(self, arn: str) -> None:
        task = self._store.tasks[arn]
        if not task.wanted:
            self._stop(arn)
        elif task.last_status is TaskStatus.RUNNING:
            self._resume_running(task)
        elif not self._adopt(task):
            self._discard(task)
            self._launch(arn)

    def _adopt(self, task: Task) -> bool:
        """Whether a task that was starting has all its containers by now; then it runs."""
        ids = self._tools.containers.of_task(task.arn)
        seen = {name: self._look(docker_id) for name, docker_id in ids.items()}
        if set(ids) != {c.name for c in task.containers} or not all(s and s.running for s in seen.values()):
            return False
        for name, docker_id in ids.items():
            self._change_container(task.arn, name, docker_id=docker_id)
            self._started(task.arn, name, seen[name])
        self._follow_again(self._store.tasks[task.arn])
        self._running(task.arn)
        return True

    def _resume_running(self, task: Task) -> None:
        self._follow_again(task)
        self._compare(task.arn)
        if self._store.tasks[task.arn].running:
            self._register(task)

    def recover(self) -> None:
        """Docker was away: notice what ended meanwhile, and go on stopping what could not be stopped."""
        with self._store.lock:
            tasks = [t for t in self._store.tasks.values() if not t.ended]
        for task in tasks:
            if task.running:
                self._in_thread(self._compare, task.arn)
            elif not task.wanted:
                self._in_thread(self._stop, task.arn)

    def _compare(self, arn: str) -> None:
        """Look at a running task's containers, for events that nobody heard."""
        with contextlib.suppress(OSError, APIError):  # Docker has gone again; its return brings us back here
            self._compare_containers(self._store.tasks[arn])

    def _compare_containers(self, task: Task) -> None:
        for container in task.containers:
            seen = self._look(container.docker_id)
            if container.status != "STOPPED" and (seen is None or not seen.running):
                code = seen.exit_code if seen else None
                self.happened(Happening(task.arn, container.name, container.docker_id or "", "die", code, None))

    def _look(self, docker_id: str | None) -> Seen | None:
        try:
            return self._tools.containers.look(docker_id) if docker_id else None
        except NotFound:
            return None

    # ------------------------------------------------------------ starting

    def _launch(self, arn: str) -> None:
        with self._own_turn[arn], self._starts:
            if not self._store.tasks[arn].wanted:
                return
            try:
                self._start(arn)
            except FailedToStart as failure:
                self._failed_to_start(arn, failure)

    def _start(self, arn: str) -> None:
        task, definitions = self._describe(arn)
        self._change(arn, last_status=TaskStatus.PENDING)
        self._prepare_logs(task, definitions)
        environments = {name: self._environment(task, definition) for name, definition in definitions.items()}
        pulled = self._pull(task)
        self._tools.containers.ensure_network()
        first: str | None = None
        for container in sorted(task.containers, key=lambda c: not c.essential):
            definition = definitions[container.name]
            plan = self._plan(task, definition, pulled[container.name], environments[container.name], first)
            docker_id = self._run_container(task, plan)
            first = first or docker_id
        self._running(arn)

    def _describe(self, arn: str) -> tuple[Task, dict[str, Mapping[str, Any]]]:
        with self._store.lock:
            task = self._store.tasks[arn]
            definition = self._store.definitions[task.task_definition]
        return task, {c["name"]: overridden(c, task.overrides) for c in definition.containers}

    def _prepare_logs(self, task: Task, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        for definition in definitions.values():
            if found := stream_for(definition, task.id, scope_of(task.arn)):
                try:
                    self._tools.log_service.ensure_stream(*found)
                except ServiceError as error:
                    raise FailedToStart(
                        "ResourceInitializationError: failed to validate logger args: create stream has been "
                        "retried 1 times: failed to create Cloudwatch log stream: "
                        f"{error.code}: {error.message} : exit status 1"
                    ) from error

    def _environment(self, task: Task, definition: Mapping[str, Any]) -> dict[str, str]:
        scope = scope_of(task.arn)
        fixed = {
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            "AWS_REGION": scope.region,
            "AWS_DEFAULT_REGION": scope.region,
        }
        plain = {e["name"]: e["value"] for e in definition.get("environment") or ()}
        try:
            secret = {
                s["name"]: self._tools.secrets.read(s["valueFrom"], scope) for s in definition.get("secrets") or ()
            }
        except Unreadable as error:
            raise FailedToStart(
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
                f"retrieval failed: {error}"
            ) from error
        return fixed | plain | secret

    def _pull(self, task: Task) -> dict[str, Pulled]:
        self._change(task.arn, pull_started_at=self._store.clock())
        pulled = {}
        for container in task.containers:
            try:
                pulled[container.name] = self._tools.images.pull(container.image)
            except CannotPull as error:
                raise FailedToStart(f"CannotPullContainerError: {error}", container.name) from error
        with self._store.changing():
            self._store.edit_task(task.arn, pull_stopped_at=self._store.clock())
            for name, image in pulled.items():
                self._store.edit_container(task.arn, name, image_digest=image.digest)
        return pulled

    def _plan(
        self,
        task: Task,
        definition: Mapping[str, Any],
        image: Pulled,
        environment: Mapping[str, str],
        joins: str | None,
    ) -> Plan:
        cpu, memory = size(self._store.definitions[task.task_definition].body)
        return Plan(
            name=definition["name"],
            task=task.arn,
            image_id=image.image_id,
            environment=environment,
            command=definition.get("command"),
            entry_point=definition.get("entryPoint"),
            memory=definition.get("memory") or memory,
            cpu=definition.get("cpu") or cpu,
            definition=definition,
            joins=joins,
        )

    def _run_container(self, task: Task, plan: Plan) -> str:
        try:
            docker_id = self._tools.containers.create(plan)
        except APIError as error:
            raise FailedToStart(f"CannotCreateContainerError: {error.explanation}", plan.name) from error
        self._change_container(task.arn, plan.name, docker_id=docker_id)
        try:
            seen = self._tools.containers.start(docker_id)
        except APIError as error:
            raise FailedToStart(f"CannotStartContainerError: {error.explanation}", plan.name) from error
        if found := stream_for(plan.definition, task.id, scope_of(task.arn)):
            self._follow(docker_id, found[0], after=0.0)
        self._started(task.arn, plan.name, seen)
        return docker_id

    def _started(self, arn: str, name: str, seen: Seen | None) -> None:
        """Record what Docker says of a container; one that has ended meanwhile stays so."""
        with self._store.changing():
            container = next(c for c in self._store.tasks[arn].containers if c.name == name)
            if seen and seen.running and container.status != "STOPPED":
                self._store.edit_container(arn, name, status="RUNNING", health=seen.health)
            if seen and seen.ip:  # one that joins another's network has none of its own
                self._store.edit_task(arn, ip=seen.ip, mac=seen.mac)

    def _running(self, arn: str) -> None:
        """The task is RUNNING once its targets are registered, unless it has ended or was stopped meanwhile."""
        task = self._store.tasks[arn]
        if task.wanted and all(c.status == "RUNNING" for c in task.containers if c.essential):
            groups = self._register(task)
            with self._store.changing():
                if self._store.tasks[arn].wanted:
                    self._store.edit_task(arn, last_status=TaskStatus.RUNNING, started_at=self._store.clock())
                for group in groups:
                    self._say(task, f"registered 1 targets in (target-group {group})")

    def _register(self, task: Task) -> list[str]:
        """The target groups that have taken the task's address."""
        taken = []
        for group, port in task.targets:
            try:
                self._tools.targets.register(group, task.ip or "", port)
                taken.append(group)
            except ServiceError as error:
                self._say(task, f"failed to register targets in (target-group {group}) with (error {error})")
        return taken

    def _deregister(self, task: Task) -> list[tuple[str, int]]:
        """The targets that have begun to drain; a group that is gone has none."""
        left = []
        for group, port in task.targets if task.ip else ():
            with contextlib.suppress(ServiceError):
                self._tools.targets.deregister(group, task.ip or "", port)
                left.append((group, port))
        return left

    def _delay(self, group: str) -> float:
        try:
            return self._tools.targets.deregistration_delay(group)
        except ServiceError:
            return 0.0

    def _draining(self, task: Task, group: str, port: int) -> bool:
        try:
            return (task.ip or "", port) in self._tools.targets.health(group)
        except ServiceError:
            return False

    def _say(self, task: Task, text: str) -> None:
        """An event of the task's service, if a service started it."""
        with self._store.changing():
            if service := self._store.service_of(task):
                self._store.say(service.arn, text)

    def _failed_to_start(self, arn: str, failure: FailedToStart) -> None:
        with self._store.changing():
            task = self._store.tasks[arn]
            if failure.container:
                self._store.edit_container(arn, failure.container, reason=failure.reason)
            if task.wanted:
                self._store.edit_task(
                    arn,
                    desired_status="STOPPED",
                    stop_code=StopCode.FAILED_TO_START,
                    stopped_reason=failure.reason,
                    stopping_at=self._store.clock(),
                )
                self._count_failure(task)
        self._end(arn)

    # ------------------------------------------------------------ logs

    def _follow_again(self, task: Task) -> None:
        """After a restart: from the last line that was stored."""
        _, definitions = self._describe(task.arn)
        for container in task.containers:
            found = stream_for(definitions[container.name], task.id, scope_of(task.arn))
            if container.docker_id and found:
                try:
                    self._tools.log_service.ensure_stream(*found)
                    self._follow(container.docker_id, found[0], self._tools.log_service.newest(found[0]))
                except ServiceError as error:
                    logger.warning("task %s: its log is not continued: %s", task.id, error)

    def _follow(self, docker_id: str, stream: Stream, after: float) -> None:
        with contextlib.suppress(NotFound):
            self._tools.shipper.follow(docker_id, stream, self._tools.containers.logs(docker_id, after), after)

    # ------------------------------------------------------------ stopping

    def _stop(self, arn: str) -> None:
        with self._own_turn[arn]:
            task = self._store.tasks[arn]
            if task.ended:
                return
            if task.last_status is TaskStatus.DEACTIVATING:
                self._drain(task)
            self._change(arn, last_status=TaskStatus.STOPPING)
            self._stop_containers(task)
            self._end(arn)

    def _drain(self, task: Task) -> None:
        """Take its targets out and wait until none is left draining, or the containers are gone before."""
        groups = self._deregister(task)
        deadline = time.monotonic() + max([self._delay(group) for group, _ in groups], default=0.0)
        for group, _ in groups:
            self._say(task, f"deregistered 1 targets in (target-group {group})")
        if groups:
            self._say(task, "has begun draining connections on 1 tasks.")
        while (left := deadline - time.monotonic()) > 0:
            seen = self._target_pulse.count()
            if not any(self._draining(task, group, port) for group, port in groups):
                return
            if all(c.status == "STOPPED" for c in self._store.tasks[task.arn].containers if c.essential):
                return
            self._target_pulse.wait(seen, min(left, HEALTH_LOOK) if self._polled else left)

    def _stop_containers(self, task: Task) -> None:
        _, definitions = self._describe(task.arn)
        for container in task.containers:
            if container.docker_id and container.status != "STOPPED":
                patience = definitions[container.name].get("stopTimeout", DEFAULT_STOP_TIMEOUT)
                self._tools.containers.stop(container.docker_id, patience)

    def _end(self, arn: str) -> None:
        """Nothing of the task is left at Docker or in a target group, and all its output is stored."""
        with self._own_turn[arn]:
            task = self._store.tasks[arn]
            if task.ended:
                return
            self._change(arn, last_status=TaskStatus.DEPROVISIONING)
            self._deregister(task)
            for container in task.containers:
                self._end_container(arn, container.name, container.docker_id)
            self._change(arn, last_status=TaskStatus.STOPPED, stopped_at=self._store.clock())
        self._own_turn.pop(arn, None)

    def _end_container(self, arn: str, name: str, docker_id: str | None) -> None:
        changes: dict[str, Any] = {"status": "STOPPED"}
        if docker_id is not None:
            self._tools.containers.stop(docker_id, 0)
            if seen := self._look(docker_id):
                changes["exit_code"] = seen.exit_code
                if seen.out_of_memory:
                    changes["reason"] = "OutOfMemoryError: Container killed due to memory usage"
            self._tools.shipper.finish(docker_id)
            self._tools.containers.remove(docker_id)
        self._change_container(arn, name, **changes)

    def _discard(self, task: Task) -> None:
        """Remove what was begun, so that the task can be started anew."""
        for container in task.containers:
            self._change_container(task.arn, container.name, docker_id=None, status="PENDING", exit_code=None)
        for docker_id in self._tools.containers.of_task(task.arn).values():
            self._tools.containers.remove(docker_id)

    # ------------------------------------------------------------ small things

    def _change(self, arn: str, **changes: Any) -> None:
        with self._store.changing():
            self._store.edit_task(arn, **changes)

    def _change_container(self, arn: str, name: str, **changes: Any) -> None:
        with self._store.changing():
            self._store.edit_container(arn, name, **changes)

    def _in_thread(self, work: Callable[[str], None], arn: str) -> None:
        def guarded() -> None:
            try:
                work(arn)
            except Exception as error:
                logger.exception("task %s: %s failed", arn, work.__name__)
                self._broken(arn, error)

        threading.Thread(target=guarded, name=f"ecs-task-{arn[-12:]}", daemon=True).start()

    def _broken(self, arn: str, error: Exception) -> None:
        """Docker went away, or a fault of ours: the task must not look alive."""
        with contextlib.suppress(Exception):
            self._failed_to_start(arn, FailedToStart(f"CannotStartContainerError: {error}"))


def overridden(definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> Mapping[str, Any]:
    """A container definition with what RunTask overrides of it."""
    for override in overrides.get("containerOverrides") or ():
        if override.get("name") == definition["name"]:
            changed = {k: v for k, v in override.items() if k not in ("name", "environment")}
            added = {e["name"]: e["value"] for e in override.get("environment") or ()}
            names = {e["name"]: e["value"] for e in definition.get("environment") or ()} | added
            environment = [{"name": name, "value": value} for name, value in names.items()]
            return {**definition, **changed, "environment": environment}
    return definition
