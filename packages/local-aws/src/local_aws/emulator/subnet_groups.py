"""Groups of subnets, as RDS and ElastiCache have them: where their servers may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from local_aws.emulator.elbv2.network import find_subnets
from local_aws.emulator.query import Scope
from local_aws.emulator.wire import ServiceError


@dataclass(frozen=True, kw_only=True)
class Subnet:
    id: str
    zone: str


@dataclass(frozen=True, kw_only=True)
class SubnetGroup:
    arn: str
    name: str
    description: str
    vpc: str
    subnets: tuple[Subnet, ...]
    tags: Mapping[str, str] = field(default_factory=dict)


Found: TypeAlias = "tuple[str, tuple[Subnet, ...]]"
"""A VPC, and subnets of it."""
Subnets: TypeAlias = "Callable[[Sequence[str], Scope], Found]"
"""By their ids. Raises ServiceError InvalidSubnet."""


def subnets_of(ids: Sequence[str], scope: Scope) -> Found:
    """`Subnets`, by EC2."""
    try:
        network = find_subnets(ids, scope)
    except ServiceError as error:
        raise ServiceError("InvalidSubnet", error.message) from error
    return network.vpc, tuple(Subnet(id=each.id, zone=each.zone) for each in network.subnets)
