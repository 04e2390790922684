"""What ECS, in the same process, asks and tells Elastic Load Balancing: target groups and their health.

Thread-safe and synchronous: `register` and `deregister` return once the load balancer acts on them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from local_aws.emulator.elbv2.model import Address, TargetHealth
from local_aws.emulator.elbv2.service import Service

__all__ = ["TARGET_GROUPS", "TargetGroups", "TargetHealth"]

log = logging.getLogger("elbv2")


class TargetGroups:
    """Raises ServiceError TargetGroupNotFound where a target group is needed, RuntimeError while nothing is started."""

    def __init__(self) -> None:
        self._service: Service | None = None
        self._subscribers: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def attach(self, service: Service | None) -> None:
        self._service = service

    def _running(self) -> Service:
        if self._service is None:
            raise RuntimeError("Elastic Load Balancing is not started: call local_aws.emulator.elbv2.start() first")
        return self._service

    def exists(self, arn: str) -> bool:
        return self._running().exists(arn)

    def has_load_balancer(self, arn: str) -> bool:
        """Whether some listener or rule forwards to it, with whatever weight."""
        return self._running().has_load_balancer(arn)

    def register(self, arn: str, ip: str, port: int) -> None:
        self._running().register(arn, ip, port)

    def deregister(self, arn: str, ip: str, port: int) -> None:
        """Draining begins; it is over after `deregistration_delay`, when `health` does not show the target any more."""
        self._running().deregister(arn, ip, port)

    def health(self, arn: str) -> dict[Address, TargetHealth]:
        """Of every target, those that drain included."""
        return dict(self._running().health(arn))

    def deregistration_delay(self, arn: str) -> float:
        """Seconds, already scaled."""
        return self._running().deregistration_delay(arn)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call it, in a thread of the load balancer, whenever a target's health changed; returns how to end that."""
        with self._lock:
            self._subscribers.append(callback)

        def end() -> None:
            with self._lock:
                self._subscribers.remove(callback)

        return end

    def announce(self) -> None:
        with self._lock:
            subscribers = list(self._subscribers)
        for callback in subscribers:
            try:
                callback()
            except Exception:
                log.exception("a subscriber to target health failed")


TARGET_GROUPS = TargetGroups()
