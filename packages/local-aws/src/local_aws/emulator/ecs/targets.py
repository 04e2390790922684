"""What ECS asks of Elastic Load Balancing, in the same process: `local_aws.emulator.elbv2.targets` has the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable


class TargetHealth(Protocol):
    """initial | healthy | unhealthy | draining | unused, with AWS's reason code and sentence."""

    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def description(self) -> str: ...


Address = tuple[str, int]
Health = Mapping[str, Mapping[Address, TargetHealth]]
"""Target group ARN -> (ip, port) -> health."""


class TargetGroups(Protocol):
    """Thread-safe. `health` includes targets that drain until their delay is over.

    What needs a target group raises ServiceError when there is none.
    """

    def exists(self, arn: str) -> bool: ...
    def has_load_balancer(self, arn: str) -> bool: ...
    def register(self, arn: str, ip: str, port: int) -> None: ...
    def deregister(self, arn: str, ip: str, port: int) -> None: ...
    def health(self, arn: str) -> Mapping[Address, TargetHealth]: ...
    def deregistration_delay(self, arn: str) -> float: ...


@runtime_checkable
class Announces(Protocol):
    """Target groups that tell when a target's health changed."""

    def subscribe(self, callback: Callable[[], None]) -> object: ...
