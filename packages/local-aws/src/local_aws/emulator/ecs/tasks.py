"""Tasks come and go, each step in a thread of its own; the scheduler and the API decide which."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import defaultdict
from collections.abc import Callable

from docker.errors import APIError

from local_aws.emulator.ecs import scheduler
from local_aws.emulator.ecs.booting import Turns
from local_aws.emulator.ecs.containers import Containers, Happening
from local_aws.emulator.ecs.ending import Ender
from local_aws.emulator.ecs.model import StopCode, Task, TaskStatus
from local_aws.emulator.ecs.registration import Registration
from local_aws.emulator.ecs.starting import FailedToStart, Starter, Tools
from local_aws.emulator.ecs.store import Store

logger = logging.getLogger("ecs")


class Lives:
    """Everything that happens to tasks of the store. One thread at a time works on a task."""

    def __init__(self, store: Store, tools: Tools, registration: Registration) -> None:
        self._store = store
        self._containers: Containers = tools.containers
        self._registration = registration
        self._starter = Starter(store, tools, registration)
        self._ender = Ender(store, tools, registration)
        self._own_turn: dict[str, threading.RLock] = defaultdict(threading.RLock)
        self._turns = Turns(store)

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

    # ------------------------------------------------------------ the work of a task's threads

    def _launch(self, arn: str) -> None:
        with self._turns.of(arn), self._own_turn[arn]:
            if not self._store.tasks[arn].wanted:
                return
            try:
                self._starter.start(arn)
            except FailedToStart as failure:
                self._failed_to_start(arn, failure)

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

    def _stop(self, arn: str) -> None:
        with self._own_turn[arn]:
            task = self._store.tasks[arn]
            if not task.ended:
                self._ender.stop(task)
                self._end(arn)

    def _end(self, arn: str) -> None:
        with self._own_turn[arn]:
            task = self._store.tasks[arn]
            if not task.ended:
                self._ender.end(task)
        self._own_turn.pop(arn, None)

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

    # ------------------------------------------------------------ after a restart of the emulator, or of Docker

    def resume(self) -> None:
        """Find the tasks of before: follow those that run, finish those that ended, start those that had not."""
        known = {t.arn: t for t in self._store.tasks.values() if not t.ended}
        for docker_id, arn in self._containers.all().items():
            if arn not in known:
                self._containers.remove(docker_id)
        for task in known.values():
            self._in_thread(self._resume, task.arn)

    def _resume(self, arn: str) -> None:
        task = self._store.tasks[arn]
        if not task.wanted:
            self._stop(arn)
        elif task.last_status is TaskStatus.RUNNING:
            self._resume_running(task)
        elif not self._starter.adopt(task):
            self._ender.discard(task)
            self._launch(arn)

    def _resume_running(self, task: Task) -> None:
        self._starter.follow_again(task)
        self._compare(task.arn)
        if self._store.tasks[task.arn].running:
            self._registration.register(task)

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
        """Look at a running task's containers, for events that were missed."""
        with contextlib.suppress(OSError, APIError):  # Docker has gone again; its return brings us back here
            self._compare_containers(self._store.tasks[arn])

    def _compare_containers(self, task: Task) -> None:
        for container in task.containers:
            seen = self._containers.find(container.docker_id)
            if container.status != "STOPPED" and (seen is None or not seen.running):
                code = seen.exit_code if seen else None
                self.happened(Happening(task.arn, container.name, container.docker_id or "", "die", code, None))
