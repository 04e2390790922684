"""Everything ECS knows, under one lock, written to disk soon after each change."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from local_aws.emulator.ecs.model import Cluster, Container, Event, Service, Task, TaskDefinition
from local_aws.emulator.wire import StateFile, Texts, decode

logger = logging.getLogger("ecs")
VERSION = 1
MOST_EVENTS = 100
SAVE_PATIENCE = 5.0  # seconds
STOPPED_TASKS_SHOWN = 3600.0  # seconds; AWS shows stopped tasks for about an hour
INACTIVE_SERVICES_SHOWN = 3600.0


class Pulse:
    """Something happened: threads wait for the next beat instead of looking again and again."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    def beat(self) -> None:
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def count(self) -> int:
        with self._condition:
            return self._count

    def wait(self, seen: int, timeout: float | None) -> int:
        """Return at the first beat after `seen`, or after `timeout` seconds; the new count."""
        with self._condition:
            self._condition.wait_for(lambda: self._count != seen, timeout)
            return self._count


class Store:
    """Change the dictionaries only inside `with store.changing():`, read them under it or `store.lock`."""

    def __init__(self, file: StateFile, pulse: Pulse, clock: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self.pulse = pulse
        self.clock = clock
        self.clusters: dict[str, Cluster] = {}
        self.definitions: dict[str, TaskDefinition] = {}
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self._file = file
        self._texts = defaultdict[str, Texts](Texts)
        self._saving = threading.Condition()
        self._changed = self._saved = 0  # counts of changes
        self._closed = False
        self._load()
        self._saver = threading.Thread(target=self._save_when_changed, name="ecs-state", daemon=True)
        self._saver.start()

    @contextmanager
    def changing(self) -> Iterator[None]:
        with self.lock:
            yield
        with self._saving:
            self._changed += 1
            self._saving.notify_all()
        self.pulse.beat()

    def wait_saved(self) -> None:
        """Return when every change made before this call is on disk."""
        with self._saving:
            wanted = self._changed
            self._saving.wait_for(lambda: self._saved >= wanted or self._closed, SAVE_PATIENCE)

    def close(self) -> None:
        """Write what is unsaved and end."""
        with self._saving:
            self._closed = True
            self._saving.notify_all()
        self._saver.join()

    # ------------------------------------------------------------ small changes, under the lock

    def edit_task(self, arn: str, **changes: Any) -> Task:
        self.tasks[arn] = replace(self.tasks[arn], **changes)
        return self.tasks[arn]

    def edit_container(self, arn: str, name: str, **changes: Any) -> Task:
        """Change one container of a task; which task it is, afterwards."""

        def changed(container: Container) -> Container:
            return replace(container, **changes) if container.name == name else container

        return self.edit_task(arn, containers=tuple(changed(c) for c in self.tasks[arn].containers))

    def say(self, service_arn: str, text: str) -> None:
        """Add to a service's events, newest first."""
        service = self.services[service_arn]
        event = Event(id=f"{time.time_ns():x}", at=self.clock(), message=f"(service {service.name}) {text}")
        self.services[service_arn] = replace(service, events=(event, *service.events)[:MOST_EVENTS])

    # ------------------------------------------------------------ whole changes, for threads without the lock

    def change_task(self, arn: str, **changes: Any) -> None:
        with self.changing():
            self.edit_task(arn, **changes)

    def change_container(self, arn: str, name: str, **changes: Any) -> None:
        with self.changing():
            self.edit_container(arn, name, **changes)

    def tell(self, task: Task, text: str) -> None:
        """An event of the service that started the task, if one did."""
        with self.changing():
            if service := self.service_of(task):
                self.say(service.arn, text)

    # ------------------------------------------------------------ questions

    def tasks_of(self, service: Service) -> tuple[Task, ...]:
        group = f"service:{service.name}"
        return tuple(t for t in self.tasks.values() if t.cluster == service.cluster and t.group == group)

    def service_of(self, task: Task) -> Service | None:
        """The service that started the task, if one did and it is still known."""
        kind, _, name = task.group.partition(":")
        if kind != "service":
            return None
        return next((s for s in self.services.values() if s.cluster == task.cluster and s.name == name), None)

    def forget_old(self) -> None:
        now = self.clock()
        for arn, task in list(self.tasks.items()):
            if task.stopped_at is not None and now - task.stopped_at > STOPPED_TASKS_SHOWN:
                del self.tasks[arn]
        for arn, service in list(self.services.items()):
            age = now - max(d.updated_at for d in service.deployments)
            if service.status == "INACTIVE" and age > INACTIVE_SERVICES_SHOWN:
                del self.services[arn]

    # ------------------------------------------------------------ disk

    def _load(self) -> None:
        found = self._file.load()
        if found is None:
            return
        if found.get("version") != VERSION:
            raise ValueError(f"{self._file.path}: written by another version; remove it to begin anew")
        self.clusters = {c["arn"]: decode(Cluster, c) for c in found["clusters"]}
        self.definitions = {d["arn"]: decode(TaskDefinition, d) for d in found["definitions"]}
        self.services = {s["arn"]: decode(Service, s) for s in found["services"]}
        self.tasks = {t["arn"]: decode(Task, t) for t in found["tasks"]}

    def _save_when_changed(self) -> None:
        while True:
            with self._saving:
                self._saving.wait_for(lambda: self._closed or self._changed > self._saved)
                closed, version = self._closed, self._changed
            try:
                self._save()
            except OSError as error:  # a full disk must not end ECS
                logger.error("ECS's state was not written: %s", error)
            with self._saving:
                self._saved = version
                self._saving.notify_all()
            if closed:
                return

    def _save(self) -> None:
        with self.lock:
            now: dict[str, list[Any]] = {
                "clusters": list(self.clusters.values()),
                "definitions": list(self.definitions.values()),
                "services": list(self.services.values()),
                "tasks": list(self.tasks.values()),
            }
        parts = (f'"{name}": {self._texts[name].of(values)}' for name, values in now.items())
        self._file.write(f'{{"version": {VERSION}, {", ".join(parts)}}}')
