"""ElastiCache's API, as an SDK speaks it: what it answers, what it refuses, and what its servers hear of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.elasticache.service import Service
from local_aws.emulator.wire import Unreadable
from tests.local.emulator.elasticache.cache_account import Account, FakeCaches, Refused, subnets_of

pytestmark = pytest.mark.pure


@pytest.fixture
def account(tmp_path: Path) -> Account:
    made = Account(tmp_path)
    made.group()
    return made


def available(account: Account, **over: Any) -> dict[str, Any]:
    account.create(**over)
    account.catch_up()
    return account.shown()


# ---------------------------------------------------------------- creation


def test_a_cache_is_being_created_until_its_servers_answer(account: Account) -> None:
    made = account.create()
    assert (made["Status"], made.get("NodeGroups")) == ("creating", None)
    assert account.caches.started == []
    account.catch_up()
    shown = account.shown()
    assert shown["Status"] == "available"
    assert account.caches.started == [("shop-001",)]
    (nodes,) = shown["NodeGroups"]
    assert nodes["PrimaryEndpoint"] == {"Address": "master.shop.000000000000.us-east-1.cache.internal", "Port": 6379}
    assert nodes["ReaderEndpoint"]["Address"] == "replica.shop.000000000000.us-east-1.cache.internal"


def test_it_is_shown_as_it_was_asked_for(account: Account) -> None:
    available(account, NumCacheClusters=2, AutomaticFailoverEnabled=True, MultiAZEnabled=True, SnapshotRetentionLimit=3)
    shown = account.shown()
    wanted = {
        "ReplicationGroupId": "shop",
        "Description": "of the shop",
        "MemberClusters": ["shop-001", "shop-002"],
        "AutomaticFailover": "enabled",
        "MultiAZ": "enabled",
        "SnapshotRetentionLimit": 3,
        "ClusterEnabled": False,
        "CacheNodeType": "cache.t4g.micro",
        "TransitEncryptionEnabled": True,
        "TransitEncryptionMode": "required",
        "AtRestEncryptionEnabled": True,
        "Engine": "valkey",
        "ARN": "arn:aws:elasticache:us-east-1:000000000000:replicationgroup:shop",
    }
    assert {name: shown[name] for name in wanted} == wanted
    members = shown["NodeGroups"][0]["NodeGroupMembers"]
    assert [(one["CacheClusterId"], one["CurrentRole"], one["PreferredAvailabilityZone"]) for one in members] == [
        ("shop-001", "primary", "us-east-1a"),
        ("shop-002", "replica", "us-east-1b"),
    ]


def test_a_node_says_the_version_that_its_server_has(account: Account) -> None:
    account.create()
    assert account.node()["EngineVersion"] == "8.1"
    account.catch_up()
    node = account.node()
    assert node["EngineVersion"] == "8.1.1"
    assert node["SecurityGroups"] == [{"SecurityGroupId": "sg-1", "Status": "active"}]
    assert node["CacheParameterGroup"]["CacheParameterGroupName"] == "default.valkey8"
    assert node["CacheNodes"][0]["Endpoint"]["Address"].startswith("shop-001.shop.")
    assert account.call("DescribeCacheClusters", ShowCacheClustersNotInReplicationGroups=True)["CacheClusters"] == []


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"Engine": "redis"}, "InvalidParameterValue: Invalid engine: redis"),
    ({"EngineVersion": "8.0"}, "InvalidParameterCombination: Cannot find version 8.0 for valkey"),
    ({"CacheParameterGroupName": "mine"}, "CacheParameterGroupNotFound"),
    ({"ClusterMode": "enabled"}, "InvalidParameterValue: Invalid ClusterMode"),
    ({"NumNodeGroups": 2}, "does not carry NumNodeGroups"),
    ({"AuthToken": "a" * 16}, "does not carry AuthToken"),
    ({"UserGroupIds": ["all"]}, "does not carry UserGroupIds"),
    ({"SnapshotName": "old"}, "does not carry SnapshotName"),
    ({"KmsKeyId": "key"}, "does not carry KmsKeyId"),
    ({"TransitEncryptionEnabled": None}, "TransitEncryptionEnabled has to be given"),
    ({"TransitEncryptionMode": "preferred"}, "TransitEncryptionMode can only be required"),
    ({"TransitEncryptionEnabled": False, "TransitEncryptionMode": "required"}, "TransitEncryptionMode can only be"),
    ({"AutomaticFailoverEnabled": True}, "there must be at least 2 cache clusters"),
    ({"NumCacheClusters": 2, "MultiAZEnabled": True}, "automatic failover"),
    ({"NumCacheClusters": 7}, "Invalid value for NumCacheClusters: 7"),
    ({"CacheNodeType": "t4g.micro"}, "Invalid CacheNodeType: t4g.micro"),
    ({"CacheNodeType": "cache.t2.micro"}, "Invalid CacheNodeType: cache.t2.micro"),
    ({"CacheNodeType": "cache.r6gd.xlarge"}, "DataTieringEnabled must be true"),
    ({"SnapshotRetentionLimit": 36}, "Invalid value for SnapshotRetentionLimit: 36"),
    ({"SnapshotWindow": "5-6"}, "Invalid SnapshotWindow: 5-6"),
    ({"PreferredMaintenanceWindow": "05:00-06:00"}, "Invalid PreferredMaintenanceWindow"),
    ({"CacheSubnetGroupName": "none"}, "CacheSubnetGroupNotFoundFault"),
    ({"CacheSubnetGroupName": None}, "MissingParameter"),
    ({"ReplicationGroupId": "1shop"}, "not a valid identifier"),
    ({"ReplicationGroupId": "shop--two"}, "not a valid identifier"),
    ({"ReplicationGroupId": "s" * 41}, "not a valid identifier"),
]


@pytest.mark.parametrize(("over", "why"), REFUSALS, ids=[why[:50] for _, why in REFUSALS])
def test_what_it_cannot_be_is_refused_by_name_and_leaves_nothing(
    account: Account, over: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        account.create(**over)
    assert account.call("DescribeReplicationGroups")["ReplicationGroups"] == []
    assert account.later == []


def test_there_is_one_of_a_name_whatever_its_case(account: Account) -> None:
    account.create()
    with pytest.raises(Refused, match="ReplicationGroupAlreadyExists"):
        account.create(ReplicationGroupId="SHOP")


def test_one_whose_servers_do_not_start_says_why(account: Account) -> None:
    account.caches.fails = "Debian's packages did not make a base image."
    account.create()
    account.catch_up()
    assert account.shown()["Status"] == "create-failed"
    (event,) = account.call("DescribeEvents", SourceIdentifier="shop", SourceType="replication-group")["Events"]
    assert event["Message"] == "Debian's packages did not make a base image."
    account.call("DeleteReplicationGroup", ReplicationGroupId="shop")
    account.catch_up()
    assert account.caches.removed == ["shop"]


def test_an_image_with_another_version_is_a_failure(account: Account) -> None:
    account.caches.has = "9.0.0"
    account.create()
    account.catch_up()
    (event,) = account.call("DescribeEvents")["Events"]
    assert event["Message"] == "the image has Valkey 9.0.0, not 8.1"


# ---------------------------------------------------------------- changes


def test_a_change_is_shown_and_what_is_not_named_stays(account: Account) -> None:
    available(account)
    account.call(
        "ModifyReplicationGroup",
        ReplicationGroupId="shop",
        ReplicationGroupDescription="another",
        CacheNodeType="cache.t4g.small",
        SecurityGroupIds=["sg-2"],
    )
    assert account.shown()["Status"] == "modifying"
    account.catch_up()
    shown, node = account.shown(), account.node()
    assert (shown["Status"], shown["Description"], shown["CacheNodeType"]) == (
        "available",
        "another",
        "cache.t4g.small",
    )
    assert node["SecurityGroups"][0]["SecurityGroupId"] == "sg-2"
    assert node["AutoMinorVersionUpgrade"] is True


def test_replicas_are_added_and_removed(account: Account) -> None:
    available(account)
    account.call("IncreaseReplicaCount", ReplicationGroupId="shop", NewReplicaCount=1, ApplyImmediately=True)
    account.catch_up()
    assert account.shown()["MemberClusters"] == ["shop-001", "shop-002"]
    with pytest.raises(Refused, match="has 1 replicas"):
        account.call("IncreaseReplicaCount", ReplicationGroupId="shop", NewReplicaCount=1, ApplyImmediately=True)
    account.call("DecreaseReplicaCount", ReplicationGroupId="shop", NewReplicaCount=0, ApplyImmediately=True)
    account.catch_up()
    assert account.caches.started == [("shop-001",), ("shop-001", "shop-002"), ("shop-001",)]


def test_a_failover_keeps_a_replica(account: Account) -> None:
    available(account, NumCacheClusters=2, AutomaticFailoverEnabled=True)
    with pytest.raises(Refused, match="there must be at least 2"):
        account.call("DecreaseReplicaCount", ReplicationGroupId="shop", NewReplicaCount=0, ApplyImmediately=True)
    assert account.shown()["Status"] == "available"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, "No modifications were requested"),
        ({"EngineVersion": "9.0"}, "Cannot find version 9.0"),
        ({"TransitEncryptionEnabled": False}, "does not carry TransitEncryptionEnabled"),
        ({"AuthToken": "a" * 16}, "does not carry AuthToken"),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_is_refused(account: Account, change: dict[str, Any], why: str) -> None:
    before = available(account)
    with pytest.raises(Refused, match=why):
        account.call("ModifyReplicationGroup", ReplicationGroupId="shop", ApplyImmediately=True, **change)
    assert account.shown() == before


def test_while_something_is_under_way_nothing_else_begins(account: Account) -> None:
    account.create()
    with pytest.raises(Refused, match="InvalidReplicationGroupState"):
        account.call("ModifyReplicationGroup", ReplicationGroupId="shop", CacheNodeType="cache.t4g.small")
    with pytest.raises(Refused, match="InvalidReplicationGroupState"):
        account.call("DeleteReplicationGroup", ReplicationGroupId="shop")


# ---------------------------------------------------------------- deletion


def test_a_deleted_one_is_shown_until_its_servers_are_gone(account: Account) -> None:
    available(account)
    account.call("DeleteReplicationGroup", ReplicationGroupId="shop")
    assert account.shown()["Status"] == "deleting"
    account.catch_up()
    assert account.caches.removed == ["shop"]
    with pytest.raises(Refused, match="ReplicationGroupNotFoundFault"):
        account.shown()
    with pytest.raises(Refused, match="CacheClusterNotFound"):
        account.node()


def test_a_final_snapshot_is_refused_since_none_could_be_made(account: Account) -> None:
    available(account)
    with pytest.raises(Refused, match="makes no snapshots"):
        account.call("DeleteReplicationGroup", ReplicationGroupId="shop", FinalSnapshotIdentifier="last")
    assert account.shown()["Status"] == "available"


# ---------------------------------------------------------------- subnet groups and tags


def test_a_subnet_group_is_what_ec2_says_of_its_subnets(account: Account) -> None:
    (shown,) = account.call("DescribeCacheSubnetGroups", CacheSubnetGroupName="shop")["CacheSubnetGroups"]
    assert shown["VpcId"] == "vpc-1"
    zones = {one["SubnetIdentifier"]: one["SubnetAvailabilityZone"]["Name"] for one in shown["Subnets"]}
    assert zones == {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b"}
    account.call("ModifyCacheSubnetGroup", CacheSubnetGroupName="shop", SubnetIds=["subnet-b"])
    (changed,) = account.call("DescribeCacheSubnetGroups")["CacheSubnetGroups"]
    assert [one["SubnetIdentifier"] for one in changed["Subnets"]] == ["subnet-b"]
    assert changed["CacheSubnetGroupDescription"] == "of tests"


@pytest.mark.parametrize("subnets", [["subnet-x"], ["subnet-elsewhere"]], ids=str)
def test_subnets_that_are_not_there_or_elsewhere_are_refused(account: Account, subnets: list[str]) -> None:
    with pytest.raises(Refused, match="InvalidSubnet"):
        account.call("ModifyCacheSubnetGroup", CacheSubnetGroupName="shop", SubnetIds=subnets)
    with pytest.raises(Refused, match="InvalidSubnet"):
        account.group("none", [])


def test_a_subnet_group_in_use_keeps_its_subnets_and_stays(account: Account) -> None:
    available(account)
    with pytest.raises(Refused, match="SubnetInUse"):
        account.call("ModifyCacheSubnetGroup", CacheSubnetGroupName="shop", SubnetIds=["subnet-b"])
    with pytest.raises(Refused, match="CacheSubnetGroupInUse"):
        account.call("DeleteCacheSubnetGroup", CacheSubnetGroupName="shop")
    account.call("ModifyCacheSubnetGroup", CacheSubnetGroupName="shop", SubnetIds=["subnet-a"])
    account.call("DeleteReplicationGroup", ReplicationGroupId="shop")
    account.catch_up()
    account.call("DeleteCacheSubnetGroup", CacheSubnetGroupName="shop")
    assert account.call("DescribeCacheSubnetGroups")["CacheSubnetGroups"] == []


def test_tags_of_both_kinds_are_added_and_removed(account: Account) -> None:
    group = account.call("DescribeCacheSubnetGroups")["CacheSubnetGroups"][0]["ARN"]
    for arn in (available(account)["ARN"], group):
        account.call("AddTagsToResource", ResourceName=arn, Tags=[{"Key": "a", "Value": "1"}])
        account.call("RemoveTagsFromResource", ResourceName=arn, TagKeys=["team"])
        assert account.call("ListTagsForResource", ResourceName=arn)["TagList"] == [{"Key": "a", "Value": "1"}]


# ---------------------------------------------------------------- over restarts


def test_after_a_restart_all_servers_are_asked_to_answer_and_a_deletion_goes_on(
    account: Account, tmp_path: Path
) -> None:
    available(account)
    account.create(ReplicationGroupId="two")
    account.catch_up()
    account.call("DeleteReplicationGroup", ReplicationGroupId="two")
    again = Account(tmp_path)
    again.service.resume()
    assert again.shown()["Status"] == "available"
    again.catch_up()
    assert (again.caches.started, again.caches.removed) == ([("shop-001",)], ["two"])


def test_what_is_asked_for_while_servers_start_again_is_done_before_it_is_available(
    account: Account, tmp_path: Path
) -> None:
    available(account, NumCacheClusters=2)
    again = Account(tmp_path)
    again.service.resume()
    fewer = {"ReplicationGroupId": "shop", "NewReplicaCount": 0, "ApplyImmediately": True}
    again.caches.meanwhile = lambda: again.call("DecreaseReplicaCount", **fewer)
    again.later.pop(0)()
    assert again.shown()["Status"] == "modifying"
    again.caches.meanwhile = lambda: None
    again.catch_up()
    assert again.caches.started == [("shop-001", "shop-002"), ("shop-001",)]
    assert again.shown()["Status"] == "available"


def test_one_that_failed_is_tried_once_more_after_a_restart(account: Account, tmp_path: Path) -> None:
    account.caches.fails = "no image"
    account.create()
    account.catch_up()
    again = Account(tmp_path)
    again.service.resume()
    again.catch_up()
    assert again.shown()["Status"] == "available"
    assert again.call("DescribeEvents")["Events"] == []


def test_a_file_that_is_no_state_of_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "elasticache.json").write_text('{"version": 0}')
    with pytest.raises(Unreadable, match=r"elasticache\.json does not hold ElastiCache's state"):
        Service(tmp_path, FakeCaches(), subnets_of)


def test_what_it_does_not_carry_it_says_by_name(account: Account) -> None:
    with pytest.raises(Refused, match="InvalidAction: The local cloud does not carry CreateCacheCluster"):
        account.call("CreateCacheCluster", CacheClusterId="one", Engine="memcached")
