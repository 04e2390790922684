"""What load balancers carried since somebody last asked, by their arns: CloudWatch's source. Pure values.

Counted by HAProxy, each request once; response times are samples (see edge/meter.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Count:
    """Requests for which a target was chosen; answers by the first digit of their status; connections refused."""

    requests: int = 0
    answers: Mapping[int, int] = field(default_factory=dict)
    unreachable: int = 0

    def __add__(self, other: Count) -> Count:
        digits = sorted({*self.answers, *other.answers})
        return Count(
            self.requests + other.requests,
            {digit: self.answers.get(digit, 0) + other.answers.get(digit, 0) for digit in digits},
            self.unreachable + other.unreachable,
        )

    def since(self, before: Count) -> Count:
        return Count(
            self.requests - before.requests,
            {digit: count - before.answers.get(digit, 0) for digit, count in self.answers.items()},
            self.unreachable - before.unreachable,
        )


Times = Mapping[float, float]  # seconds that a target took to begin its answer -> how many requests that stands for


@dataclass(frozen=True, kw_only=True)
class GroupTraffic:
    load_balancer: str  # arn
    target_group: str  # arn
    count: Count
    times: Times
    healthy: int | None  # None: the group is gone
    unhealthy: int | None


@dataclass(frozen=True, kw_only=True)
class BalancerTraffic:
    """`own`: answers that no target gave, by the first digit of their status."""

    load_balancer: str  # arn
    own: Mapping[int, int]


@dataclass(frozen=True)
class Traffic:
    groups: tuple[GroupTraffic, ...] = ()
    balancers: tuple[BalancerTraffic, ...] = ()
