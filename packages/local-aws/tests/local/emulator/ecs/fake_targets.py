"""Target groups without a load balancer behind them: the ARN's name says how they behave.

`…:targetgroup/healthy/1` is healthy at once, `sick` turns unhealthy, `unattached` has no load balancer,
`…/slow/…` drains for two seconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FakeHealth:
    state: str
    reason: str = ""
    description: str = ""


def group(name: str) -> str:
    return f"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/{name}/0123456789abcdef"


class FakeTargetGroups:
    """Implements local_aws.emulator.ecs.targets.TargetGroups, and announces changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._targets: dict[str, dict[tuple[str, int], FakeHealth]] = {}
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, callback: Callable[[], None]) -> None:
        self._listeners.append(callback)

    def exists(self, arn: str) -> bool:
        return "/missing/" not in arn

    def has_load_balancer(self, arn: str) -> bool:
        return "/unattached/" not in arn

    def deregistration_delay(self, arn: str) -> float:
        return 2.0 if "/slow/" in arn else 0.2

    def register(self, arn: str, ip: str, port: int) -> None:
        self._set(arn, ip, port, FakeHealth("initial", "Elb.RegistrationInProgress"))
        later = FakeHealth("healthy")
        if "/sick/" in arn:
            later = FakeHealth(
                "unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]"
            )
        threading.Timer(0.1, self._set, (arn, ip, port, later)).start()

    def deregister(self, arn: str, ip: str, port: int) -> None:
        if (ip, port) in self.health(arn):
            self._set(arn, ip, port, FakeHealth("draining", "Target.DeregistrationInProgress"))
            threading.Timer(self.deregistration_delay(arn), self._forget, (arn, ip, port)).start()

    def health(self, arn: str) -> Mapping[tuple[str, int], FakeHealth]:
        with self._lock:
            return dict(self._targets.get(arn, {}))

    def _set(self, arn: str, ip: str, port: int, health: FakeHealth) -> None:
        with self._lock:
            self._targets.setdefault(arn, {})[(ip, port)] = health
        self._announce()

    def _forget(self, arn: str, ip: str, port: int) -> None:
        with self._lock:
            self._targets.get(arn, {}).pop((ip, port), None)
        self._announce()

    def _announce(self) -> None:
        for listener in self._listeners:
            listener()
