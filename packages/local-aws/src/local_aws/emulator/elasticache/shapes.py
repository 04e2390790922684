"""Replication groups, their nodes and subnet groups as the API shows them."""

from __future__ import annotations

from typing import Any

from local_aws.emulator.elasticache.model import ReplicationGroup, Status
from local_aws.emulator.query import time_text
from local_aws.emulator.subnet_groups import SubnetGroup
from local_aws.emulator.wire import Items

ENGINE = "valkey"
PARAMETERS = "default.valkey8"
NODE = "0001"
"""Each node of an engine that is not Memcached is one of a cluster of its own, which has no other."""


def cache(one: ReplicationGroup, in_group: SubnetGroup) -> dict[str, Any]:
    """AWS's ReplicationGroup. It has no node group until its servers answer, as on AWS."""
    options = one.options
    answers = one.status not in (Status.CREATING, Status.FAILED)
    return {
        "ReplicationGroupId": one.id,
        "ARN": one.arn,
        "Description": options.description,
        "Status": str(one.status),
        "PendingModifiedValues": {},
        "MemberClusters": Items("ClusterId", one.members),
        "NodeGroups": Items("NodeGroup", [_node_group(one, in_group)]) if answers else None,
        "AutomaticFailover": _switch(options.failover),
        "MultiAZ": _switch(options.multi_zone),
        "SnapshottingClusterId": one.members[-1] if options.snapshot_days else None,
        "SnapshotRetentionLimit": options.snapshot_days,
        "SnapshotWindow": options.snapshot_window,
        "ClusterEnabled": False,
        "ClusterMode": "disabled",
        "CacheNodeType": options.node_type,
        "AuthTokenEnabled": False,
        "TransitEncryptionEnabled": one.tls,
        "TransitEncryptionMode": "required" if one.tls else None,
        "AtRestEncryptionEnabled": one.encrypted,
        "ReplicationGroupCreateTime": time_text(one.created),
        "DataTiering": "disabled",
        "AutoMinorVersionUpgrade": options.minor_upgrades,
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "Engine": ENGINE,
    }


def _node_group(one: ReplicationGroup, in_group: SubnetGroup) -> dict[str, Any]:
    members = [
        {
            "CacheClusterId": member,
            "CacheNodeId": NODE,
            "ReadEndpoint": {"Address": one.host(member), "Port": one.port},
            "PreferredAvailabilityZone": _zone(member, one, in_group),
            "CurrentRole": "replica" if place else "primary",
        }
        for place, member in enumerate(one.members)
    ]
    return {
        "NodeGroupId": NODE,
        "Status": str(one.status),
        "PrimaryEndpoint": {"Address": one.primary, "Port": one.port},
        "ReaderEndpoint": {"Address": one.reader, "Port": one.port},
        "NodeGroupMembers": Items("NodeGroupMember", members),
    }


def node(member: str, one: ReplicationGroup, in_group: SubnetGroup, *, whole: bool) -> dict[str, Any]:
    """AWS's CacheCluster. `whole`: with its one CacheNode."""
    options, zone = one.options, _zone(member, one, in_group)
    inside = {
        "CacheNodeId": NODE,
        "CacheNodeStatus": str(one.status),
        "CacheNodeCreateTime": time_text(one.created),
        "Endpoint": {"Address": one.host(member), "Port": one.port},
        "ParameterGroupStatus": "in-sync",
        "CustomerAvailabilityZone": zone,
    }
    return {
        "CacheClusterId": member,
        "ARN": one.arn.replace(f":replicationgroup:{one.id}", f":cluster:{member}"),
        "ReplicationGroupId": one.id,
        "CacheClusterStatus": str(one.status),
        "CacheNodeType": options.node_type,
        "Engine": ENGINE,
        "EngineVersion": one.version,
        "NumCacheNodes": 1,
        "PreferredAvailabilityZone": zone,
        "CacheClusterCreateTime": time_text(one.created),
        "PreferredMaintenanceWindow": options.maintenance_window,
        "PendingModifiedValues": {},
        "CacheSecurityGroups": [],
        "CacheParameterGroup": {"CacheParameterGroupName": PARAMETERS, "ParameterApplyStatus": "in-sync"},
        "CacheSubnetGroupName": in_group.name,
        "CacheNodes": Items("CacheNode", [inside]) if whole else None,
        "AutoMinorVersionUpgrade": options.minor_upgrades,
        "SecurityGroups": [{"SecurityGroupId": each, "Status": "active"} for each in options.groups],
        "SnapshotRetentionLimit": options.snapshot_days,
        "SnapshotWindow": options.snapshot_window,
        "AuthTokenEnabled": False,
        "TransitEncryptionEnabled": one.tls,
        "TransitEncryptionMode": "required" if one.tls else None,
        "AtRestEncryptionEnabled": one.encrypted,
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
    }


def event(one: ReplicationGroup) -> dict[str, Any]:
    """Why it failed; AWS says it here alone as well."""
    return {
        "SourceIdentifier": one.id,
        "SourceType": "replication-group",
        "Message": one.reason,
        "Date": time_text(one.created),
    }


def group(one: SubnetGroup) -> dict[str, Any]:
    subnets = [
        {
            "SubnetIdentifier": each.id,
            "SubnetAvailabilityZone": {"Name": each.zone},
            "SupportedNetworkTypes": ["ipv4"],
        }
        for each in one.subnets
    ]
    return {
        "CacheSubnetGroupName": one.name,
        "CacheSubnetGroupDescription": one.description,
        "VpcId": one.vpc,
        "Subnets": Items("Subnet", subnets),
        "ARN": one.arn,
        "SupportedNetworkTypes": ["ipv4"],
    }


def _zone(member: str, one: ReplicationGroup, in_group: SubnetGroup) -> str:
    """Nodes go round the subnets."""
    return in_group.subnets[one.members.index(member) % len(in_group.subnets)].zone


def _switch(on: bool) -> str:
    return "enabled" if on else "disabled"
