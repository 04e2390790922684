"""What RDS knows, as values: subnet groups, and instances with what was asked for and where they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from local_aws.emulator.subnet_groups import SubnetGroup


class Status(StrEnum):
    """Of an instance. AWS has many more."""

    CREATING = "creating"
    AVAILABLE = "available"
    RESETTING = "resetting-master-credentials"
    DELETING = "deleting"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be changed in place. `storage` in GiB, `backup_days` for how long backups are kept (0: none)."""

    instance_class: str
    storage: int
    storage_type: str
    backup_days: int
    deletion_protection: bool
    copy_tags: bool
    multi_zone: bool
    minor_upgrades: bool
    groups: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """`secret` is the ARN of the master user's password, `host` the server's name on the tasks' network.

    `database` is "" where none was asked for. `version` is the major one (`17`) until the server has said which it is.
    `reason` says why it is FAILED. `last` names the snapshot that its deletion leaves, "" for none.
    """

    arn: str
    id: str
    resource_id: str
    host: str
    version: str
    user: str
    database: str
    secret: str
    subnet_group: str
    encrypted: bool
    options: Options
    created: float
    status: Status = Status.CREATING
    port: int = 5432
    reason: str = ""
    last: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What a deletion has left: the volume of `instance`, by its resource id."""

    arn: str
    id: str
    instance: Instance
    created: float
    tags: Mapping[str, str] = field(default_factory=dict)


def host_of(id: str, account: str, region: str) -> str:
    """The name in an endpoint. `internal` is no domain of the internet, so nothing outside is ever asked for it."""
    return f"{id}.{account}.{region}.rds.internal"


@dataclass(frozen=True)
class State:
    """By ARN, in order of creation."""

    instances: Mapping[str, Instance] = field(default_factory=dict)
    groups: Mapping[str, SubnetGroup] = field(default_factory=dict)
    snapshots: Mapping[str, Snapshot] = field(default_factory=dict)
