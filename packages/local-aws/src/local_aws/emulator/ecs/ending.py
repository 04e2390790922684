"""From a task that runs to one that is STOPPED: its targets drained, its containers gone, its output stored."""

from __future__ import annotations

from typing import Any

from local_aws.emulator.ecs.containers import DEFAULT_STOP_TIMEOUT
from local_aws.emulator.ecs.model import Task, TaskStatus
from local_aws.emulator.ecs.registration import Registration
from local_aws.emulator.ecs.starting import Tools, describe
from local_aws.emulator.ecs.store import Store


class Ender:
    def __init__(self, store: Store, tools: Tools, registration: Registration) -> None:
        self._store = store
        self._tools = tools
        self._registration = registration

    def stop(self, task: Task) -> None:
        """Drain, SIGTERM, SIGKILL after each container's stopTimeout; `end` is still to come."""
        if task.last_status is TaskStatus.DEACTIVATING:
            self._registration.drain(task)
        self._store.change_task(task.arn, last_status=TaskStatus.STOPPING)
        _, definitions = describe(self._store, task.arn)
        for container in task.containers:
            if container.docker_id:
                patience = definitions[container.name].get("stopTimeout", DEFAULT_STOP_TIMEOUT)
                self._tools.containers.stop(container.docker_id, patience)

    def end(self, task: Task) -> None:
        """All that is left of the task goes, at once."""
        self._store.change_task(task.arn, last_status=TaskStatus.DEPROVISIONING)
        self._registration.deregister(task)
        for container in task.containers:
            self._end_container(task.arn, container.name, container.docker_id)
        self._store.change_task(task.arn, last_status=TaskStatus.STOPPED, stopped_at=self._store.clock())

    def _end_container(self, arn: str, name: str, docker_id: str | None) -> None:
        changes: dict[str, Any] = {"status": "STOPPED"}
        if docker_id is not None:
            self._tools.containers.stop(docker_id, 0)
            if seen := self._tools.containers.find(docker_id):
                changes["exit_code"] = seen.exit_code
                if seen.out_of_memory:
                    changes["reason"] = "OutOfMemoryError: Container killed due to memory usage"
            self._tools.shipper.finish(docker_id)
            self._tools.containers.remove(docker_id)
        self._store.change_container(arn, name, **changes)

    def discard(self, task: Task) -> None:
        """Remove what was begun, so that the task can be started anew."""
        for container in task.containers:
            self._store.change_container(task.arn, container.name, docker_id=None, status="PENDING", exit_code=None)
        for docker_id in self._tools.containers.of_task(task.arn).values():
            self._tools.containers.remove(docker_id)
