"""Caches of ElastiCache: replication groups of Valkey without cluster mode, and the subnets that they may be in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from provider_kit import Change, Context, Props, State, UserError
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, TaggedByArn, tag_map, tags_at_creation
from local_aws.standins.aws.door import error_code, unless_gone
from local_aws.standins.aws.waiting import until, while_in_use
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, upstream

CREATED_WITHIN, FREE_WITHIN, GONE_WITHIN, RELEASED_WITHIN = 3600.0, 600.0, 2700.0, 300.0
"""Seconds, as the provider waits."""
BUSY = "InvalidReplicationGroupState"


class SubnetGroup(TaggedByArn):
    """Its id is its name."""

    service = "elasticache"
    token = "aws:elasticache/subnetGroup:SubnetGroup"
    source = upstream("elasticache/subnetgroup", "elasticache/subnet_group")
    props = (
        {
            "name": Prop("CacheSubnetGroupName", replace=True),
            "description": Prop("CacheSubnetGroupDescription", default="Managed by Pulumi"),
            "subnetIds": Prop("SubnetIds", required=True, unordered=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "vpcId"})
    autoname = AutoName(longest=255)

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_cache_subnet_group(**to_api(self.props, new), **tags_at_creation(new))
        return str(answer["CacheSubnetGroup"]["CacheSubnetGroupName"])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if to_api(self.props, old) != to_api(self.props, new):
            api.modify_cache_subnet_group(**to_api(self.props, new))

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_cache_subnet_groups, CacheSubnetGroupName=id)
        if answer is None:
            return None
        (found,) = answer["CacheSubnetGroups"]
        return from_api(self.props, found) | {
            "arn": found["ARN"],
            "vpcId": found["VpcId"],
            "subnetIds": [each["SubnetIdentifier"] for each in found["Subnets"]],
            "tags": tag_map(api.list_tags_for_resource(ResourceName=found["ARN"]).get("TagList")),
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        in_use = ("DependencyViolation",)
        while_in_use(ctx, RELEASED_WITHIN, in_use, api.delete_cache_subnet_group, CacheSubnetGroupName=id)


class ReplicationGroup(TaggedByArn):
    """Its id is its `replicationGroupId`."""

    service = "elasticache"
    token = "aws:elasticache/replicationGroup:ReplicationGroup"
    source = upstream("elasticache/replicationgroup", "elasticache/replication_group")
    props = {
        "replicationGroupId": Prop(
            "ReplicationGroupId", replace=True, required=True, departs="required: no name is made up here"
        ),
        "description": Prop("ReplicationGroupDescription", required=True),
        "engine": Prop("Engine", replace=True, computed=True, departs="replaces: there is valkey alone"),
        "engineVersion": Prop("EngineVersion", computed=True),
        "nodeType": Prop("CacheNodeType", required=True, departs="required: global datastores are not served"),
        "numCacheClusters": Prop("NumCacheClusters", computed=True),
        "automaticFailoverEnabled": Prop("AutomaticFailoverEnabled", default=False),
        "multiAzEnabled": Prop("MultiAZEnabled", default=False),
        "subnetGroupName": Prop("CacheSubnetGroupName", replace=True, computed=True),
        "securityGroupIds": Prop("SecurityGroupIds", computed=True, unordered=True),
        "port": Prop("Port", replace=True, unset=6379),
        "atRestEncryptionEnabled": Prop("AtRestEncryptionEnabled", replace=True, computed=True),
        "transitEncryptionEnabled": Prop("TransitEncryptionEnabled", computed=True),
        "transitEncryptionMode": Prop("TransitEncryptionMode", computed=True),
        "clusterMode": Prop("ClusterMode", computed=True),
        "parameterGroupName": Prop("CacheParameterGroupName", computed=True),
        "snapshotRetentionLimit": Prop("SnapshotRetentionLimit", unset=0),
        "snapshotWindow": Prop("SnapshotWindow", computed=True),
        "maintenanceWindow": Prop("PreferredMaintenanceWindow", computed=True),
        "autoMinorVersionUpgrade": Prop("AutoMinorVersionUpgrade", computed=True),
        "applyImmediately": Prop(computed=True, unread=True),
        "finalSnapshotIdentifier": Prop(unread=True),
        "region": Prop(replace=True, departs="replaces: so does the provider's; its diff names no property for it"),
    } | TAGS
    outputs = frozenset(
        {
            "arn",
            "clusterEnabled",
            "engineVersionActual",
            "memberClusters",
            "primaryEndpointAddress",
            "readerEndpointAddress",
        }
    )
    not_given = frozenset({"configurationEndpointAddress"})
    delete_before_replace = True
    """As of the provider where a name was given: two of one name cannot be there at once."""
    _OF_CREATION = frozenset({"ReplicationGroupId", "NumCacheClusters", "CacheSubnetGroupName", "Port"})

    @override
    def wrong(self, values: Props) -> Iterator[tuple[str, str]]:
        if values.get("engine", "redis") == "redis":
            yield "engine", "should be valkey: the local cloud has no Redis, which the provider takes it for"

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        changes = super().diff(ctx, old, inputs, ignore)
        if not _is_earlier(inputs.get("engineVersion"), old.outputs.get("engineVersion")):
            return changes
        # no engine goes back to an earlier version
        return [replace(change, replace=change.replace or change.top == "engineVersion") for change in changes]

    @override
    def make(self, api: Any, new: Props) -> str:
        given = {"TransitEncryptionEnabled": False} | to_api(self.props, new)
        answer = api.create_replication_group(**given, **tags_at_creation(new))
        return str(answer["ReplicationGroup"]["ReplicationGroupId"])

    @override
    def ready(self, ctx: Context, api: Any, id: str, new: Props) -> None:
        until(ctx, f"cache {id} available", CREATED_WITHIN, lambda: self._available(api, id))

    def _available(self, api: Any, id: str) -> bool:
        status = str((_described(api, id) or {}).get("Status"))
        if status == "create-failed":
            said = api.describe_events(SourceIdentifier=id, SourceType="replication-group").get("Events") or ()
            why = "; ".join(each.get("Message", "") for each in said)
            raise UserError(f"its status is create-failed: {why or 'AWS gives no reason'}")
        return status == "available"

    @override
    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        """As in the provider, replicas that are added come before all other changes, those that go after them."""
        api, wanted = self.api(inputs), inputs.get("numCacheClusters")
        there = len((_described(api, old.id) or {}).get("MemberClusters") or ())
        if wanted is not None and wanted > there:
            self._scale(ctx, api.increase_replica_count, old.id, inputs)
        found = super().update(ctx, old, inputs)
        if wanted is None or wanted >= there:
            return found
        self._scale(ctx, api.decrease_replica_count, old.id, inputs)
        return self._found(api, old.id, old.outputs | inputs)

    def _scale(self, ctx: Context, call: Callable[..., Any], id: str, new: Props) -> None:
        call(ReplicationGroupId=id, NewReplicaCount=new["numCacheClusters"] - 1, ApplyImmediately=True)
        self.ready(ctx, self.api(new), id, new)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        before, after = ({"SnapshotRetentionLimit": 0} | to_api(self.props, one) for one in (old, new))
        changed = {
            name: value for name, value in after.items() if name not in self._OF_CREATION and value != before.get(name)
        }
        if not changed:
            return
        if "EngineVersion" in changed:
            changed["Engine"] = new["engine"]
        if "SnapshotRetentionLimit" in changed and not before["SnapshotRetentionLimit"]:
            changed["SnapshottingClusterId"] = f"{id}-001"
        api.modify_replication_group(
            ReplicationGroupId=id, ApplyImmediately=bool(new.get("applyImmediately")), **changed
        )

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        found = _described(api, id)
        if found is None or found["Status"] == "deleting":
            return None
        members = list(found.get("MemberClusters") or ())
        (node,) = api.describe_cache_clusters(CacheClusterId=members[0], ShowCacheNodeInfo=True)["CacheClusters"]
        (nodes,) = found.get("NodeGroups") or [{}]
        primary, reader = nodes.get("PrimaryEndpoint") or {}, nodes.get("ReaderEndpoint") or {}
        return from_api(self.props, node) | {
            "replicationGroupId": found["ReplicationGroupId"],
            "description": found["Description"],
            "numCacheClusters": len(members),
            "automaticFailoverEnabled": found.get("AutomaticFailover") in ("enabled", "enabling"),
            "multiAzEnabled": found.get("MultiAZ") == "enabled",
            "clusterMode": found.get("ClusterMode"),
            "snapshotRetentionLimit": found.get("SnapshotRetentionLimit"),
            "snapshotWindow": found.get("SnapshotWindow"),
            "port": primary.get("Port"),
            "engineVersion": ".".join(str(node["EngineVersion"]).split(".")[:2]),
            "securityGroupIds": [each["SecurityGroupId"] for each in node.get("SecurityGroups") or ()],
            "parameterGroupName": (node.get("CacheParameterGroup") or {}).get("CacheParameterGroupName"),
            "tags": self._tags(api, found["ARN"], known),
            "arn": found["ARN"],
            "clusterEnabled": bool(found.get("ClusterEnabled")),
            "engineVersionActual": node["EngineVersion"],
            "memberClusters": members,
            "primaryEndpointAddress": primary.get("Address"),
            "readerEndpointAddress": reader.get("Address"),
        }

    def _tags(self, api: Any, arn: str, known: Props) -> Mapping[str, str]:
        """AWS says them of an available one alone."""
        try:
            return tag_map(api.list_tags_for_resource(ResourceName=arn).get("TagList"))
        except Exception as error:
            if error_code(error) != BUSY:
                raise
            return known.get("tags") or {}

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        last = known.get("finalSnapshotIdentifier")
        snapshot = {"FinalSnapshotIdentifier": last} if last else {}
        while_in_use(ctx, FREE_WITHIN, (BUSY,), api.delete_replication_group, ReplicationGroupId=id, **snapshot)
        until(ctx, f"cache {id} gone", GONE_WITHIN, lambda: _described(api, id) is None)


def _described(api: Any, id: str) -> dict[str, Any] | None:
    answer = unless_gone(api.describe_replication_groups, ReplicationGroupId=id)
    return next(iter((answer or {}).get("ReplicationGroups", ())), None)


def _is_earlier(asked: Any, there: Any) -> bool:
    """Of versions like `8.1`."""
    try:
        return [int(part) for part in asked.split(".")] < [int(part) for part in there.split(".")]
    except (AttributeError, ValueError):
        return False
