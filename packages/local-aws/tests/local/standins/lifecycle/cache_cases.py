"""Caches and their subnet groups."""

from __future__ import annotations

from provider_kit import Props
from tests.local.emulator.ecs.conftest import eventually
from tests.local.standins.lifecycle.case import Case, tag
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.network_cases import ELSEWHERE
from tests.local.standins.lifecycle.world import World


def group_described(world: World, made: Managed) -> None:
    world.aws("elasticache").modify_cache_subnet_group(
        CacheSubnetGroupName=made.id, CacheSubnetGroupDescription="by hand"
    )


def group_gone(world: World, made: Managed) -> None:
    world.aws("elasticache").delete_cache_subnet_group(CacheSubnetGroupName=made.id)


def cache_described(world: World, made: Managed) -> None:
    api = world.aws("elasticache")
    api.modify_replication_group(ReplicationGroupId=made.id, ReplicationGroupDescription="by hand")
    eventually(lambda: statuses(world, made.id) == ["available"], "the cache is available again")


def cache_gone(world: World, made: Managed) -> None:
    world.aws("elasticache").delete_replication_group(ReplicationGroupId=made.id)
    eventually(lambda: not statuses(world, made.id), "the cache is gone")


def statuses(world: World, id: str) -> list[str]:
    found = world.aws("elasticache").describe_replication_groups()["ReplicationGroups"]
    return [one["Status"] for one in found if one["ReplicationGroupId"] == id]


def cache(world: World) -> Props:
    return {
        "replicationGroupId": world.name(),
        "description": "A",
        "engine": "valkey",
        "engineVersion": "8.1",
        "nodeType": "cache.t4g.micro",
        "numCacheClusters": 2,
        "subnetGroupName": world.cache_groups[0],
        "securityGroupIds": list(world.groups[:1]),
        "transitEncryptionEnabled": True,
        **tag(),
    }


ONE = "the local cloud has this one value, and refuses others"
CASES = (
    Case(
        token="aws:elasticache/subnetGroup:SubnetGroup",
        good=lambda world: {"name": world.name(), "description": "A", "subnetIds": [world.subnets[0]], **tag()},
        in_place=lambda world: {"description": "B", "subnetIds": list(world.subnets), **tag("b")},
        replacing=lambda world: {"name": world.name(), **ELSEWHERE},
        by_hand=("description", group_described),
        take_away=group_gone,
        twice="CacheSubnetGroupAlreadyExists",
    ),
    Case(
        token="aws:elasticache/replicationGroup:ReplicationGroup",
        good=cache,
        in_place=lambda world: {
            "description": "B",
            "nodeType": "cache.t4g.small",
            "numCacheClusters": 3,
            "automaticFailoverEnabled": True,
            "securityGroupIds": list(world.groups),
            "snapshotRetentionLimit": 3,
            "snapshotWindow": "01:00-02:00",
            "maintenanceWindow": "mon:03:00-mon:04:00",
            "autoMinorVersionUpgrade": False,
            **tag("b"),
        },
        replacing=lambda world: {
            "replicationGroupId": world.name(),
            "subnetGroupName": world.cache_groups[1],
            "port": 6380,
            "atRestEncryptionEnabled": False,
            **ELSEWHERE,
        },
        by_hand=("description", cache_described),
        take_away=cache_gone,
        slow=True,
        twice="ReplicationGroupAlreadyExists",
        not_tried={
            "applyImmediately": "it steers the others",
            "engine": ONE,
            "engineVersion": f"{ONE}; what replaces: packages/local-aws/tests/local/standins/test_standin_caches.py",
            "clusterMode": ONE,
            "parameterGroupName": ONE,
            "transitEncryptionEnabled": "the local cloud does not change it",
            "transitEncryptionMode": ONE,
            "finalSnapshotIdentifier": "the local cloud makes no snapshots, and refuses it",
        },
    ),
    Case(
        token="aws:elasticache/replicationGroup:ReplicationGroup",
        variant="zones",
        good=lambda world: {**cache(world), "automaticFailoverEnabled": True},
        in_place=lambda _: {"multiAzEnabled": True},
        replacing=lambda world: {"replicationGroupId": world.name()},
        by_hand=("description", cache_described),
        take_away=cache_gone,
        slow=True,
        twice="ReplicationGroupAlreadyExists",
    ),
)
