"""What an action knows besides state and request: whose call it is, the time, new ids, subnets, health."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from local_aws.emulator.elbv2.errors import wrong
from local_aws.emulator.elbv2.model import Address, Subnet, TargetHealth
from local_aws.emulator.elbv2.query import Params

T = TypeVar("T")


class Fitness(Enum):
    """Of a certificate, for a listener."""

    MISSING = "missing"
    UNFIT = "unfit"  # not issued yet, or expired
    FIT = "fit"


@dataclass(frozen=True, kw_only=True)
class Network:
    """Subnets that were found, and the VPC that they are in."""

    vpc: str
    subnets: tuple[Subnet, ...]


@dataclass(frozen=True, kw_only=True)
class Call:
    """`health` asks the load balancer; `network` raises ServiceError SubnetNotFound; `delay_scale` shortens drains.

    `block`: the first three numbers of new load balancers' addresses. `certificate` asks ACM; `log_to` tries whether
    this account's logs may be written to a bucket, below a prefix, and raises ServiceError if not."""

    region: str
    account: str
    now: float  # seconds since the epoch
    new_id: Callable[[], str]  # 16 hex
    network: Callable[[Sequence[str]], Network]
    health: Callable[[str], Mapping[Address, TargetHealth]]
    delay_scale: float
    block: str
    certificate: Callable[[str], Fitness]
    log_to: Callable[[str, str], None]

    def arn(self, resource: str) -> str:
        return f"arn:aws:elasticloadbalancing:{self.region}:{self.account}:{resource}"

    def mine(self, items: Mapping[str, T]) -> list[T]:
        """Those of this call's account and region, as every Describe shows only these."""
        return [item for arn, item in items.items() if arn.startswith(self.arn(""))]


def page(items: Sequence[T], params: Params) -> tuple[Sequence[T], dict[str, Any]]:
    """The page that Marker and PageSize ask for, and the NextMarker member if there is more."""
    size, marker = params.number("PageSize", 400, 1, 400), params.text("Marker", "0")
    if not marker.isdecimal():
        raise wrong(f"The marker '{marker}' is not valid")
    start = int(marker)
    more = start + size < len(items)
    return items[start : start + size], {"NextMarker": str(start + size)} if more else {}
