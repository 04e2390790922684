"""From a task that is wanted to one that runs: logs, secrets, image, containers, targets."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound

from local_aws.emulator.ecs.arns import scope_of
from local_aws.emulator.ecs.containers import Containers, Plan, Seen
from local_aws.emulator.ecs.definitions import size
from local_aws.emulator.ecs.doorway import Doorway
from local_aws.emulator.ecs.images import CannotPull, Images, Pulled
from local_aws.emulator.ecs.logs import LogService, Shipper, Stream, stream_for
from local_aws.emulator.ecs.model import Task, TaskStatus
from local_aws.emulator.ecs.registration import Registration
from local_aws.emulator.ecs.secrets import SecretReader, Unreadable
from local_aws.emulator.ecs.store import Store
from local_aws.emulator.wire import ServiceError

logger = logging.getLogger("ecs")


class FailedToStart(Exception):
    """The message is the task's stoppedReason; `container` is the one that gets it as its own reason."""

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
    doorway: Doorway


class Starter:
    def __init__(self, store: Store, tools: Tools, registration: Registration) -> None:
        self._store = store
        self._tools = tools
        self._registration = registration

    def start(self, arn: str) -> None:
        """Raises FailedToStart; what was made until then is left to be ended."""
        task, definitions = describe(self._store, arn)
        self._store.change_task(arn, last_status=TaskStatus.PENDING)
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
            **self._tools.doorway.variables(self._store.definitions[task.task_definition].body.get("taskRoleArn")),
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
        self._store.change_task(task.arn, pull_started_at=self._store.clock())
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
            group=task.group,
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
        self._store.change_container(task.arn, plan.name, docker_id=docker_id)
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
            groups = self._registration.register(task)
            with self._store.changing():
                if self._store.tasks[arn].wanted:
                    self._store.edit_task(arn, last_status=TaskStatus.RUNNING, started_at=self._store.clock())
                for group in groups:
                    self._store.tell(task, f"registered 1 targets in (target-group {group})")

    # ------------------------------------------------------------ after a restart of the emulator

    def adopt(self, task: Task) -> bool:
        """Whether a task that was starting has all its containers by now; then it runs."""
        ids = self._tools.containers.of_task(task.arn)
        seen = {name: self._tools.containers.find(docker_id) for name, docker_id in ids.items()}
        if set(ids) != {c.name for c in task.containers} or not all(s and s.running for s in seen.values()):
            return False
        for name, docker_id in ids.items():
            self._store.change_container(task.arn, name, docker_id=docker_id)
            self._started(task.arn, name, seen[name])
        self.follow_again(self._store.tasks[task.arn])
        self._running(task.arn)
        return True

    def follow_again(self, task: Task) -> None:
        """After a restart: from the last line that was stored."""
        _, definitions = describe(self._store, task.arn)
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


def describe(store: Store, arn: str) -> tuple[Task, dict[str, Mapping[str, Any]]]:
    """A task, and its container definitions by name, with what RunTask overrides."""
    with store.lock:
        task = store.tasks[arn]
        definition = store.definitions[task.task_definition]
    return task, {c["name"]: overridden(c, task.overrides) for c in definition.containers}


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
