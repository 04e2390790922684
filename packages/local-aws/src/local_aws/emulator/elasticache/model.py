"""What ElastiCache knows, as values: subnet groups, and replication groups with what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from local_aws.emulator.subnet_groups import SubnetGroup


class Status(StrEnum):
    """Of a replication group, and of its nodes. AWS has more."""

    CREATING = "creating"
    AVAILABLE = "available"
    MODIFYING = "modifying"
    DELETING = "deleting"
    FAILED = "create-failed"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be changed in place. `snapshot_days`: for how long snapshots are kept (0: none)."""

    description: str
    node_type: str
    failover: bool
    multi_zone: bool
    groups: tuple[str, ...]
    snapshot_days: int
    snapshot_window: str
    maintenance_window: str
    minor_upgrades: bool


@dataclass(frozen=True, kw_only=True)
class ReplicationGroup:
    """One primary node, and replicas of it: `nodes` in all, whose names end with `domain`. `tls`: clients have to speak
    TLS. `version` is what was asked for, and once the servers answered what they said. `reason` says why it is FAILED.
    """

    arn: str
    id: str
    domain: str
    version: str
    subnet_group: str
    encrypted: bool
    tls: bool
    port: int
    nodes: int
    options: Options
    created: float
    status: Status = Status.CREATING
    reason: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def members(self) -> tuple[str, ...]:
        """The names of its nodes, the primary first."""
        return tuple(self.member(number) for number in range(1, self.nodes + 1))

    def member(self, number: int) -> str:
        """The name of the first, second, … node."""
        return f"{self.id}-{number:03}"

    @property
    def primary(self) -> str:
        """The name of the primary node, whichever it is."""
        return f"master.{self.domain}"

    @property
    def reader(self) -> str:
        """The name that leads to any node."""
        return f"replica.{self.domain}"

    def host(self, member: str) -> str:
        """The name of one node."""
        return f"{member}.{self.domain}"


@dataclass(frozen=True)
class State:
    """By ARN, in order of creation."""

    caches: Mapping[str, ReplicationGroup] = field(default_factory=dict)
    groups: Mapping[str, SubnetGroup] = field(default_factory=dict)
