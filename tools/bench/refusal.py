"""Bad images: from the first terminal failure that one is bad to the refusal.

The clock starts when ECS gives up on the first task of the release (its own time stamp), or, for an image that runs
and is healthy but whose status says error, with the first answer that says so at the colour's test listener.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests

from tools.lane import Stack

LOOK = 0.05  # seconds between two questions at the test listener


@dataclass(frozen=True, kw_only=True)
class Refused:
    """How an update with a bad image ended. Seconds: the whole update; from the first terminal failure to its end."""

    what: str
    update: float
    after_sign: float


def first_sign(tasks: Sequence[Mapping[str, Any]], begun: float) -> float | None:
    """When ECS first stopped, or learnt of the end of, a task that was created after `begun`; seconds since 1970."""
    ended = [
        moment.timestamp()
        for task in tasks
        if task["createdAt"].timestamp() >= begun and (moment := task.get("stoppingAt") or task.get("stoppedAt"))
    ]
    return min(ended, default=None)


def refused(stack: Stack, what: str, digest: str, *, status: bool = False) -> Refused:
    """Try to release a bad image, then restore the standby. `status`: the failure is an answer, and no task of ECS."""
    begun = time.time()
    with _listening(stack, status) as heard:
        result = stack.up(imageDigest=digest)
        ended = time.time()
    if result.code == 0:
        raise RuntimeError(f"an image {what} was released:\n{result.text}")
    sign = min(heard, default=None) if status else first_sign(_tasks(stack), begun)
    if sign is None:
        raise RuntimeError(f"an image {what} was refused without a sign of it:\n{result.text}")
    restored = stack.up()
    if not restored.ok:
        raise RuntimeError(f"the standby was not restored:\n{restored.text}")
    return Refused(what=what, update=result.seconds, after_sign=ended - sign)


def _tasks(stack: Stack) -> list[Mapping[str, Any]]:
    ecs, cluster = stack.lane.aws("ecs"), f"release-lane-{stack.name}"
    found: list[Mapping[str, Any]] = []
    for status in ("STOPPED", "RUNNING"):
        arns = ecs.list_tasks(cluster=cluster, desiredStatus=status)["taskArns"]
        if arns:
            found += ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    return found


@contextmanager
def _listening(stack: Stack, status: bool) -> Iterator[list[float]]:
    """Moments at which the idle colour's own listener said that the service is not well."""
    heard: list[float] = []
    end = threading.Event()
    outputs = stack.outputs
    idle = "green" if outputs["liveColour"] == "blue" else "blue"
    url = f"{outputs['testUrls'][idle]}/api/v1/status"

    def ask() -> None:
        while not end.wait(LOOK):
            with suppress(requests.RequestException, ValueError):
                answer = requests.get(url, timeout=2)
                if answer.ok and answer.json().get("status") != "ok":
                    heard.append(time.time())

    thread = threading.Thread(target=ask, daemon=True)
    if status:
        thread.start()
    try:
        yield heard
    finally:
        end.set()
        if status:
            thread.join()
