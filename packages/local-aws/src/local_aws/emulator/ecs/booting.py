"""How many tasks start at once. On Fargate each has processors of its own; here they share those of this machine.

Forty programs that all start at the same moment on two processors answer no health check for so long that ECS would
give up on the first of them. So a task has its turn until it is healthy; the others are PENDING meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from local_aws.emulator.ecs.model import Task
from local_aws.emulator.ecs.store import Store

AT_ONCE = 2 * (os.cpu_count() or 1)
LONGEST = 10.0
"""Seconds after its containers have started; one that is not healthy by then no longer delays the others."""


def booting(task: Task) -> bool:
    """It runs and was never healthy yet. Only a load balancer can tell: a task without targets is left alone."""
    return task.wanted and task.running and bool(task.targets) and task.steady_at is None


class Turns:
    """Hands out turns to start in."""

    def __init__(self, store: Store, at_once: int = AT_ONCE, longest: float = LONGEST) -> None:
        self._store = store
        self._turns = threading.Semaphore(at_once)
        self._longest = longest

    @contextmanager
    def of(self, arn: str) -> Iterator[None]:
        """Waits for a turn; keeps it, after the block, until the task has booted."""
        with self._turns:
            yield
            self._wait_while_booting(arn)

    def _wait_while_booting(self, arn: str) -> None:
        while True:
            seen = self._store.pulse.count()
            task = self._store.tasks.get(arn)
            if task is None or not booting(task):
                return
            left = (task.started_at or 0.0) + self._longest - self._store.clock()
            if left <= 0:
                return
            self._store.pulse.wait(seen, left)
