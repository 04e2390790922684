"""A task's addresses in target groups: in when it starts, out before it stops, and never two tasks at once."""

from __future__ import annotations

import contextlib
import time

from local_aws.emulator.ecs.model import Task
from local_aws.emulator.ecs.store import Pulse, Store
from local_aws.emulator.ecs.targets import Announces, TargetGroups
from local_aws.emulator.wire import ServiceError

HEALTH_LOOK = 0.2  # seconds, only where target groups cannot tell of a change
ADDRESS_PATIENCE = 10.0  # seconds


class Registration:
    """`changed` beats when some target's health changed."""

    def __init__(self, store: Store, targets: TargetGroups, changed: Pulse) -> None:
        self._store = store
        self._targets = targets
        self._changed = changed
        self._look_after = None if isinstance(targets, Announces) else HEALTH_LOOK

    def register(self, task: Task) -> list[str]:
        """The target groups that have taken the task's address."""
        taken = []
        if task.targets:
            self._await_address(task)
        for group, port in task.targets:
            try:
                self._targets.register(group, task.ip or "", port)
                taken.append(group)
            except ServiceError as error:
                self._store.tell(task, f"failed to register targets in (target-group {group}) with (error {error})")
        return taken

    def _await_address(self, task: Task) -> None:
        """Docker gives a dead container's address to the next one, before the dead one's task is out of its groups."""
        deadline = time.monotonic() + ADDRESS_PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            seen = self._store.pulse.count()
            with self._store.lock:
                others = [t for t in self._store.tasks.values() if t.ip == task.ip and t.arn != task.arn]
            if all(t.ended for t in others):
                return
            self._store.pulse.wait(seen, left)

    def deregister(self, task: Task) -> list[tuple[str, int]]:
        """The targets that have begun to drain; a group that is gone has none."""
        left = []
        for group, port in task.targets if task.ip else ():
            with contextlib.suppress(ServiceError):
                self._targets.deregister(group, task.ip or "", port)
                left.append((group, port))
        return left

    def drain(self, task: Task) -> None:
        """Take its targets out and wait until none is left draining, or the containers are gone before."""
        groups = self.deregister(task)
        for group, _ in groups:
            self._store.tell(task, f"deregistered 1 targets in (target-group {group})")
        if groups:
            self._store.tell(task, "has begun draining connections on 1 tasks.")
        deadline = time.monotonic() + max([self._delay(group) for group, _ in groups], default=0.0)
        while (left := deadline - time.monotonic()) > 0:
            seen = self._changed.count()
            if not any(self._drains(task, group, port) for group, port in groups) or self._dead(task):
                return
            self._changed.wait(seen, min(left, self._look_after or left))

    def _delay(self, group: str) -> float:
        try:
            return self._targets.deregistration_delay(group)
        except ServiceError:
            return 0.0

    def _drains(self, task: Task, group: str, port: int) -> bool:
        try:
            return (task.ip or "", port) in self._targets.health(group)
        except ServiceError:
            return False

    def _dead(self, task: Task) -> bool:
        return all(c.status == "STOPPED" for c in self._store.tasks[task.arn].containers if c.essential)
