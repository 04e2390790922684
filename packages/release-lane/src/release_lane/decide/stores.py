"""Database and cache of an environment, which both colours share: as the state has them, and as settings want them.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

COMPONENT = "release-lane:infra:Stores"
"""What database and cache consist of: subnets, security groups, and they themselves."""


class Kind(StrEnum):
    """Which of the two; the key in the stack file."""

    DATABASE = "database"
    CACHE = "cache"

    @property
    def type(self) -> str:
        """Its type in the state."""
        return {
            Kind.DATABASE: "aws:rds/instance:Instance",
            Kind.CACHE: "aws:elasticache/replicationGroup:ReplicationGroup",
        }[self]

    @property
    def size(self) -> str:
        """The setting that says how large it is."""
        return {Kind.DATABASE: "instanceClass", Kind.CACHE: "nodeType"}[self]


@dataclass(frozen=True, kw_only=True)
class Store:
    """One of them. `size`: class or type of its machine; `version` as it is asked for: AWS keeps a minor one up to date
    by itself; `storage` in GiB, 0 for a cache. `kept`: AWS refuses to delete it."""

    size: str
    version: str
    storage: int = 0
    kept: bool = False

    @property
    def order(self) -> tuple[int, ...]:
        """Of versions."""
        return tuple(int(part) for part in self.version.split(".") if part.isdecimal())


Stores = Mapping[Kind, Store]


def stores_in(resources: Mapping[str, Any]) -> Stores:
    """Read the resources of a state: URN to `type` and `outputs`."""
    found = {
        kind: dict(each.get("outputs") or {})
        for urn, each in resources.items()
        for kind in Kind
        if f"::{COMPONENT}$" in urn and each["type"] == kind.type
    }
    return {kind: _store(kind, outputs) for kind, outputs in found.items()}


def belongs(kind: Kind, name: str) -> bool:
    """Does a resource of database and cache with this logical name belong to this one alone?"""
    return re.search(rf"-{kind}($|-from-)", name) is not None


def begun_in(resources: Mapping[str, Any]) -> frozenset[Kind]:
    """Those of which the state has anything: they are there, or an update that was killed began to make them."""
    names = [urn.rsplit("::", 1)[-1] for urn in resources if f"::{COMPONENT}$" in urn]
    return frozenset(kind for kind in Kind if any(belongs(kind, name) for name in names))


def _store(kind: Kind, outputs: Mapping[str, Any]) -> Store:
    version = str(outputs.get("engineVersion") or "")
    return Store(
        size=str(outputs.get(kind.size) or ""),
        version=version.partition(".")[0] if kind is Kind.DATABASE else ".".join(version.split(".")[:2]),
        storage=int(outputs.get("allocatedStorage") or 0),
        kept=bool(outputs.get("deletionProtection")),
    )


@dataclass(frozen=True, kw_only=True)
class Change:
    """What settings want of one that is there already. `setting`: its path in the stack file. `back`: to less than it
    has, which AWS does not do. `least`: it asks for more, but not for this much, the least that AWS makes of it."""

    setting: str
    now: str
    wanted: str
    back: bool = False
    least: int = 0

    def __str__(self) -> str:
        return f"{self.setting} from {self.now} to {self.wanted}"


def changes(there: Stores, wanted: Stores) -> tuple[Change, ...]:
    """Those that interrupt it, or cannot be."""
    both = [kind for kind in Kind if kind in there and kind in wanted]
    return tuple(change for kind in both for change in _changes(kind, there[kind], wanted[kind]))


def _changes(kind: Kind, has: Store, asked: Store) -> Iterator[Change]:
    if has.size != asked.size:
        yield Change(setting=f"{kind}.{kind.size}", now=has.size, wanted=asked.size)
    if has.order != asked.order:
        back = asked.order < has.order
        yield Change(setting=f"{kind}.engineVersion", now=has.version, wanted=asked.version, back=back)
    least = least_storage(has.storage)
    if asked.storage < least and asked.storage != has.storage:
        change = Change(setting=f"{kind}.storageGb", now=str(has.storage), wanted=str(asked.storage))
        yield replace(change, back=True) if asked.storage < has.storage else replace(change, least=least)


def least_storage(has: int) -> int:
    """RDS adds 10 % at least (AWS/AmazonRDS/latest/UserGuide/USER_PIOPS.ModifyingExisting.html). Less is an error; or,
    by API_ModifyDBInstance.html, it is rounded up, and then the stack file would ask for less than there is."""
    return -(-has * 11 // 10)
