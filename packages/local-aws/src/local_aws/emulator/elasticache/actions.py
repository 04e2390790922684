"""The API's actions, one function each: (state, request, call) -> (state after it, answer). Pure but for `call`.

A function raises ServiceError and leaves no trace, or returns the whole new state. What has to follow (servers) is done
by the service.
Sources: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html and its
siblings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local_aws.emulator.elasticache import shapes
from local_aws.emulator.elasticache.model import Options, ReplicationGroup, State, Status
from local_aws.emulator.query import Given, invalid, tag_items
from local_aws.emulator.subnet_groups import Found, SubnetGroup
from local_aws.emulator.wire import Items, ServiceError

Answer = dict[str, Any]
Outcome = tuple[State, Answer]

VERSION = "8.1"
"""The one version: what Debian 13 has, and a tag of the official image."""

MOST_NODES = 6
CACHE_ID = re.compile(r"(?=.{1,40}$)[A-Za-z](?:-?[A-Za-z0-9])*")
GROUP_NAME = re.compile(r"[A-Za-z0-9-]{1,255}")
NODE_TYPE = re.compile(r"cache\.([a-z0-9-]+)\.[a-z0-9]+")
CLOSED = {"t1", "t2", "m1", "m2", "m3", "c1", "r3"}
"""Generations of which no new node is made (dg/CacheNodes.SupportedTypes.html, API_CacheNode.html)."""
TIERED = "r6gd"
"""Its nodes need DataTieringEnabled, which is not carried here (API_CreateReplicationGroup.html)."""
TIME = r"([01]\d|2[0-3]):[0-5]\d"
DAILY = re.compile(rf"{TIME}-{TIME}")
WEEKLY = re.compile(rf"(mon|tue|wed|thu|fri|sat|sun):{TIME}-(mon|tue|wed|thu|fri|sat|sun):{TIME}")

OF_OPTIONS = (
    *("ReplicationGroupDescription", "CacheNodeType", "AutomaticFailoverEnabled", "MultiAZEnabled", "SecurityGroupIds"),
    *("SnapshotRetentionLimit", "SnapshotWindow", "PreferredMaintenanceWindow", "AutoMinorVersionUpgrade"),
)
FIXED = ("Engine", "EngineVersion", "CacheParameterGroupName", "ClusterMode")
"""They may be given, with one value each."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What an action knows besides state and request. `subnets` gives the VPC, and each with its zone."""

    region: str
    account: str
    now: float  # seconds since the epoch
    subnets: Callable[[Sequence[str]], Found]

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:elasticache:{self.region}:{self.account}:{kind}:{name}"


# ---------------------------------------------------------------- replication groups


def create_cache(state: State, given: Given, call: Call) -> Outcome:
    given.only(
        *("ReplicationGroupId", "NumCacheClusters", "CacheSubnetGroupName", "Port", "Tags", *FIXED, *OF_OPTIONS),
        *("AtRestEncryptionEnabled", "TransitEncryptionEnabled", "TransitEncryptionMode"),
    )
    id_ = _identifier(given.required("ReplicationGroupId"))
    arn = call.arn("replicationgroup", id_)
    if arn in state.caches:
        raise ServiceError("ReplicationGroupAlreadyExists", f"Replication group {id_} already exists.")
    given.required("ReplicationGroupDescription")
    given.required("Engine")
    _check_fixed(given)
    if "TransitEncryptionEnabled" not in given:
        raise invalid("TransitEncryptionEnabled has to be given for the engine valkey.")
    tls = given.flag("TransitEncryptionEnabled")
    if given.text("TransitEncryptionMode", "required") != "required" or ("TransitEncryptionMode" in given and not tls):
        raise invalid("The local cloud has clients speak TLS or not: TransitEncryptionMode can only be required.")
    made = ReplicationGroup(
        arn=arn,
        id=id_,
        domain=f"{id_}.{call.account}.{call.region}.cache.internal",
        version=VERSION,
        subnet_group=_group(state, given.required("CacheSubnetGroupName"), call).name,
        encrypted=given.flag("AtRestEncryptionEnabled", True),
        tls=tls,
        port=given.number("Port", 6379, 1150, 65535),
        nodes=given.number("NumCacheClusters", 1, 1, MOST_NODES),
        options=_options(given, None),
        created=call.now,
        tags=given.tags(),
    )
    return _changed(state, _checked(made), call)


def describe_caches(state: State, given: Given, call: Call) -> Outcome:
    given.only("ReplicationGroupId", "MaxRecords", "Marker")
    wanted = given.text("ReplicationGroupId")
    found = [_cache(state, wanted, call)] if wanted else _mine(state, call)
    shown = [shapes.cache(each, _group(state, each.subnet_group, call)) for each in found]
    return state, {"ReplicationGroups": Items("ReplicationGroup", shown)}


def describe_nodes(state: State, given: Given, call: Call) -> Outcome:
    given.only("CacheClusterId", "MaxRecords", "Marker", "ShowCacheNodeInfo", "ShowCacheClustersNotInReplicationGroups")
    wanted, whole = given.text("CacheClusterId").lower(), given.flag("ShowCacheNodeInfo")
    there = [] if given.flag("ShowCacheClustersNotInReplicationGroups") else _mine(state, call)
    found = [(member, each) for each in there for member in each.members if wanted in ("", member)]
    if wanted and not found:
        raise ServiceError("CacheClusterNotFound", f"CacheCluster not found: {wanted}", 404)
    shown = [shapes.node(name, each, _group(state, each.subnet_group, call), whole=whole) for name, each in found]
    return state, {"CacheClusters": Items("CacheCluster", shown)}


def describe_events(state: State, given: Given, call: Call) -> Outcome:
    """Why servers did not start: nothing else is said."""
    given.only("SourceIdentifier", "SourceType", "StartTime", "EndTime", "Duration", "MaxRecords", "Marker")
    wanted = given.text("SourceIdentifier")
    found = [each for each in _mine(state, call) if each.reason and wanted in ("", each.id)]
    return state, {"Events": Items("Event", [shapes.event(each) for each in found])}


def modify_cache(state: State, given: Given, call: Call) -> Outcome:
    given.only("ReplicationGroupId", "ApplyImmediately", "SnapshottingClusterId", *FIXED, *OF_OPTIONS)
    before = _available(state, given, call)
    _check_fixed(given)
    if not any(name in given for name in (*FIXED, *OF_OPTIONS)):
        raise ServiceError("InvalidParameterCombination", "No modifications were requested")
    after = _checked(replace(before, options=_options(given, before.options), status=Status.MODIFYING))
    return _changed(state, after, call)


def increase_replicas(state: State, given: Given, call: Call) -> Outcome:
    return _scaled(state, given, call, lambda before, wanted: wanted > before)


def decrease_replicas(state: State, given: Given, call: Call) -> Outcome:
    return _scaled(state, given, call, lambda before, wanted: wanted < before)


def _scaled(state: State, given: Given, call: Call, right: Callable[[int, int], bool]) -> Outcome:
    given.only("ReplicationGroupId", "NewReplicaCount", "ApplyImmediately")
    if not given.flag("ApplyImmediately"):
        raise invalid("ApplyImmediately must be true: replicas are added and removed at once alone.")
    before = _available(state, given, call)
    given.required("NewReplicaCount")
    nodes = 1 + given.number("NewReplicaCount", 0, 0, MOST_NODES - 1)
    if not right(before.nodes, nodes):
        raise invalid(f"Replication group {before.id} has {before.nodes - 1} replicas: {nodes - 1} is no such change.")
    return _changed(state, _checked(replace(before, nodes=nodes, status=Status.MODIFYING)), call)


def delete_cache(state: State, given: Given, call: Call) -> Outcome:
    given.only("ReplicationGroupId", "RetainPrimaryCluster", "FinalSnapshotIdentifier")
    found = _cache(state, given.required("ReplicationGroupId"), call)
    if found.status not in (Status.AVAILABLE, Status.FAILED):
        raise ServiceError(
            "InvalidReplicationGroupState",
            f"Replication group {found.id} has status {found.status} which is not valid for deletion.",
        )
    if "FinalSnapshotIdentifier" in given or given.flag("RetainPrimaryCluster"):
        raise invalid("The local cloud makes no snapshots and retains no node: a deletion takes all.")
    return _changed(state, replace(found, status=Status.DELETING), call)


def _changed(state: State, one: ReplicationGroup, call: Call) -> Outcome:
    return _with(state, one), {"ReplicationGroup": shapes.cache(one, _group(state, one.subnet_group, call))}


def _check_fixed(given: Given) -> None:
    if (engine := given.text("Engine", shapes.ENGINE)) != shapes.ENGINE:
        raise invalid(f"Invalid engine: {engine}. The local cloud carries {shapes.ENGINE} alone.")
    if (version := given.text("EngineVersion", VERSION)) != VERSION:
        raise ServiceError(
            "InvalidParameterCombination", f"Cannot find version {version} for valkey: the local cloud has {VERSION}."
        )
    if (name := given.text("CacheParameterGroupName", shapes.PARAMETERS)) != shapes.PARAMETERS:
        raise ServiceError(
            "CacheParameterGroupNotFound",
            f"CacheParameterGroup {name} not found: the local cloud has {shapes.PARAMETERS}.",
            404,
        )
    if (mode := given.text("ClusterMode", "disabled")) != "disabled":
        raise invalid(f"Invalid ClusterMode: {mode}. The local cloud carries caches without cluster mode alone.")


def _checked(one: ReplicationGroup) -> ReplicationGroup:
    """What several values have to be to each other."""
    if one.options.failover and one.nodes < 2:
        raise ServiceError(
            "InvalidParameterCombination",
            "When using automatic failover, there must be at least 2 cache clusters in the replication group.",
        )
    if one.options.multi_zone and not one.options.failover:
        raise ServiceError(
            "InvalidParameterCombination", "Must have automatic failover enabled to use Multi-AZ: MultiAZEnabled."
        )
    return one


def _options(given: Given, before: Options | None) -> Options:
    """What the request says; what it does not say stays, or is AWS's default (of windows: one of AWS's)."""
    plain = before or Options(
        description="",
        node_type="",
        failover=False,
        multi_zone=False,
        groups=(),
        snapshot_days=0,
        snapshot_window="05:00-06:00",
        maintenance_window="sun:07:00-sun:08:00",
        minor_upgrades=True,
    )
    return Options(
        description=given.text("ReplicationGroupDescription", plain.description),
        node_type=_node_type(given.text("CacheNodeType", plain.node_type)),
        failover=given.flag("AutomaticFailoverEnabled", plain.failover),
        multi_zone=given.flag("MultiAZEnabled", plain.multi_zone),
        groups=given.texts("SecurityGroupIds", "SecurityGroupId") or plain.groups,
        snapshot_days=given.number("SnapshotRetentionLimit", plain.snapshot_days, 0, 35),
        snapshot_window=_window(given, "SnapshotWindow", DAILY, plain.snapshot_window),
        maintenance_window=_window(given, "PreferredMaintenanceWindow", WEEKLY, plain.maintenance_window),
        minor_upgrades=given.flag("AutoMinorVersionUpgrade", plain.minor_upgrades),
    )


def _node_type(text: str) -> str:
    found = NODE_TYPE.fullmatch(text)
    if not found or found[1] in CLOSED:
        raise invalid(f"Invalid CacheNodeType: {text}")
    if found[1] == TIERED:
        raise ServiceError("InvalidParameterCombination", f"DataTieringEnabled must be true for the node type {text}.")
    return text


def _window(given: Given, name: str, form: re.Pattern[str], before: str) -> str:
    text = given.text(name, before).lower()
    if not form.fullmatch(text):
        raise invalid(f"Invalid {name}: {text}")
    return text


def _identifier(text: str) -> str:
    """In lower case, as AWS stores it."""
    if not CACHE_ID.fullmatch(text):
        raise invalid(
            "The parameter ReplicationGroupId is not a valid identifier. Identifiers must begin with a letter; must "
            "contain only ASCII letters, digits, and hyphens, 40 at most; and must not end with a hyphen or contain "
            "two consecutive hyphens."
        )
    return text.lower()


def _mine(state: State, call: Call) -> list[ReplicationGroup]:
    return [each for arn, each in state.caches.items() if arn.startswith(call.arn("replicationgroup", ""))]


def _cache(state: State, name: str, call: Call) -> ReplicationGroup:
    arn = call.arn("replicationgroup", name.lower())
    if arn not in state.caches:
        raise ServiceError("ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.", 404)
    return state.caches[arn]


def _available(state: State, given: Given, call: Call) -> ReplicationGroup:
    found = _cache(state, given.required("ReplicationGroupId"), call)
    if found.status is not Status.AVAILABLE:
        raise ServiceError(
            "InvalidReplicationGroupState", f"Replication group must be in available state, not {found.status}."
        )
    return found


# ---------------------------------------------------------------- subnet groups


def create_group(state: State, given: Given, call: Call) -> Outcome:
    given.only("CacheSubnetGroupName", "CacheSubnetGroupDescription", "SubnetIds", "Tags")
    name = given.required("CacheSubnetGroupName").lower()
    if not GROUP_NAME.fullmatch(name) or name == "default":
        raise invalid(f"The cache subnet group name {name} is not a valid identifier.")
    arn = call.arn("subnetgroup", name)
    if arn in state.groups:
        raise ServiceError("CacheSubnetGroupAlreadyExists", f"The cache subnet group {name} already exists.")
    vpc, subnets = call.subnets(_subnet_ids(given))
    made = SubnetGroup(
        arn=arn,
        name=name,
        description=given.required("CacheSubnetGroupDescription"),
        vpc=vpc,
        subnets=subnets,
        tags=given.tags(),
    )
    return _with(state, made), {"CacheSubnetGroup": shapes.group(made)}


def describe_groups(state: State, given: Given, call: Call) -> Outcome:
    given.only("CacheSubnetGroupName", "MaxRecords", "Marker")
    if wanted := given.text("CacheSubnetGroupName"):
        found = [_group(state, wanted, call)]
    else:
        found = [each for arn, each in state.groups.items() if arn.startswith(call.arn("subnetgroup", ""))]
    return state, {"CacheSubnetGroups": Items("CacheSubnetGroup", [shapes.group(each) for each in found])}


def modify_group(state: State, given: Given, call: Call) -> Outcome:
    given.only("CacheSubnetGroupName", "CacheSubnetGroupDescription", "SubnetIds")
    before = _group(state, given.required("CacheSubnetGroupName"), call)
    vpc, subnets = call.subnets(_subnet_ids(given)) if "SubnetIds" in given else (before.vpc, before.subnets)
    if vpc != before.vpc:
        raise ServiceError("InvalidSubnet", "The new subnets are in another VPC than the cache subnet group.")
    for user in _users(state, before):
        if lost := [each.id for each in before.subnets[: user.nodes] if each not in subnets]:
            raise ServiceError("SubnetInUse", f"The subnet {lost[0]} is in use by {user.id}.")
    after = replace(before, subnets=subnets, description=given.text("CacheSubnetGroupDescription", before.description))
    return _with(state, after), {"CacheSubnetGroup": shapes.group(after)}


def delete_group(state: State, given: Given, call: Call) -> Outcome:
    given.only("CacheSubnetGroupName")
    found = _group(state, given.required("CacheSubnetGroupName"), call)
    if users := _users(state, found):
        raise ServiceError("CacheSubnetGroupInUse", f"Cache subnet group {found.name} is in use by {users[0].id}.")
    return replace(state, groups={arn: each for arn, each in state.groups.items() if arn != found.arn}), {}


def _users(state: State, group: SubnetGroup) -> list[ReplicationGroup]:
    account = group.arn.partition(":subnetgroup:")[0]
    return [each for arn, each in state.caches.items() if arn.startswith(account) and each.subnet_group == group.name]


def _subnet_ids(given: Given) -> tuple[str, ...]:
    if ids := given.texts("SubnetIds", "SubnetIdentifier"):
        return ids
    raise ServiceError("InvalidSubnet", "The request must contain at least one subnet.")


def _group(state: State, name: str, call: Call) -> SubnetGroup:
    arn = call.arn("subnetgroup", name.lower())
    if arn not in state.groups:
        raise ServiceError("CacheSubnetGroupNotFoundFault", f"Cache Subnet Group {name} does not exist.")
    return state.groups[arn]


# ---------------------------------------------------------------- tags


def list_tags(state: State, given: Given, _call: Call) -> Outcome:
    given.only("ResourceName")
    return state, {"TagList": tag_items(_tagged(state, given).tags)}


def add_tags(state: State, given: Given, _call: Call) -> Outcome:
    given.only("ResourceName", "Tags")
    found = _tagged(state, given)
    return _retagged(state, found, {**found.tags, **given.tags()})


def remove_tags(state: State, given: Given, _call: Call) -> Outcome:
    given.only("ResourceName", "TagKeys")
    found, gone = _tagged(state, given), given.texts("TagKeys", "member")
    return _retagged(state, found, {key: value for key, value in found.tags.items() if key not in gone})


def _retagged(state: State, one: ReplicationGroup | SubnetGroup, tags: Mapping[str, str]) -> Outcome:
    return _with(state, replace(one, tags=tags)), {"TagList": tag_items(tags)}


def _tagged(state: State, given: Given) -> ReplicationGroup | SubnetGroup:
    arn = given.required("ResourceName")
    found: Mapping[str, ReplicationGroup | SubnetGroup] = {**state.caches, **state.groups}
    if arn not in found:
        raise ServiceError("ReplicationGroupNotFoundFault", f"There is no resource {arn}.", 404)
    one = found[arn]
    if isinstance(one, ReplicationGroup) and one.status is not Status.AVAILABLE:
        raise ServiceError(
            "InvalidReplicationGroupState", f"Replication group {one.id} is not in a valid state: {one.status}."
        )
    return one


def _with(state: State, one: ReplicationGroup | SubnetGroup) -> State:
    if isinstance(one, ReplicationGroup):
        return replace(state, caches={**state.caches, one.arn: one})
    return replace(state, groups={**state.groups, one.arn: one})


ACTIONS: Mapping[str, Callable[[State, Given, Call], Outcome]] = {
    "CreateReplicationGroup": create_cache,
    "DescribeReplicationGroups": describe_caches,
    "ModifyReplicationGroup": modify_cache,
    "IncreaseReplicaCount": increase_replicas,
    "DecreaseReplicaCount": decrease_replicas,
    "DeleteReplicationGroup": delete_cache,
    "DescribeCacheClusters": describe_nodes,
    "DescribeEvents": describe_events,
    "CreateCacheSubnetGroup": create_group,
    "DescribeCacheSubnetGroups": describe_groups,
    "ModifyCacheSubnetGroup": modify_group,
    "DeleteCacheSubnetGroup": delete_group,
    "ListTagsForResource": list_tags,
    "AddTagsToResource": add_tags,
    "RemoveTagsFromResource": remove_tags,
}
