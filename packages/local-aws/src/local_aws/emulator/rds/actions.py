"""The API's actions, one function each: (state, request, call) -> (state after it, answer). Pure but for `call`.

A function raises ServiceError and leaves no trace, or returns the whole new state. What has to follow (a server, a
secret) is done by the service.
Sources: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html and its siblings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from local_aws.emulator.query import Given, invalid, tag_items
from local_aws.emulator.rds import shapes
from local_aws.emulator.rds.model import Instance, Options, Snapshot, State, Status, host_of
from local_aws.emulator.subnet_groups import Found, SubnetGroup
from local_aws.emulator.wire import Items, ServiceError

Answer = dict[str, Any]
Outcome = tuple[State, Answer]
Kind = TypeVar("Kind", Instance, SubnetGroup)

ENGINE, MAJOR = "postgres", "17"
"""The one engine, and the version that server_images.py makes. Its minor version is the server's to say."""

IDENTIFIER = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9])*")
LONGEST = {"DBInstanceIdentifier": 63, "FinalDBSnapshotIdentifier": 255}
GROUP_NAME = re.compile(r"[A-Za-z0-9._ -]{1,255}")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
CLASS = re.compile(r"db\.([a-z0-9-]+)\.[a-z0-9]+")
CLOSED = {"t1", "t2", "m1", "m2", "m3", "m4", "r3", "r4"}
"""Generations that take no PostgreSQL of today (UserGuide/Concepts.DBInstanceClass.Support.html)."""
STORAGE = range(20, 65_537)
RESERVED = {"postgres", "admin", "rdsadmin", "public", "template0", "template1", "user"}
"""Words that a master user cannot be called here; AWS refuses more."""

OF_OPTIONS = (
    *("DBInstanceClass", "AllocatedStorage", "StorageType", "BackupRetentionPeriod", "DeletionProtection"),
    *("CopyTagsToSnapshot", "MultiAZ", "AutoMinorVersionUpgrade", "VpcSecurityGroupIds"),
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """What an action knows besides state and request. `subnets` gives the VPC, and each with its zone."""

    region: str
    account: str
    now: float  # seconds since the epoch
    new_id: Callable[[], str]  # hex digits
    subnets: Callable[[Sequence[str]], Found]
    secret: Callable[[str], str]  # the ARN of a new secret with a password for this user

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:rds:{self.region}:{self.account}:{kind}:{name}"


# ---------------------------------------------------------------- instances


def create_instance(state: State, given: Given, call: Call) -> Outcome:
    given.only(
        *("DBInstanceIdentifier", "Engine", "EngineVersion", "MasterUsername", "ManageMasterUserPassword", "DBName"),
        *("DBSubnetGroupName", "StorageEncrypted", "PubliclyAccessible", "Port", "Tags", *OF_OPTIONS),
    )
    id_ = _identifier(given.required("DBInstanceIdentifier"))
    arn = call.arn("db", id_)
    if arn in state.instances:
        raise ServiceError("DBInstanceAlreadyExists", "DB instance already exists")
    _check_password(given)
    if given.flag("PubliclyAccessible"):
        raise invalid("The local cloud carries no public address of an instance: PubliclyAccessible must be false.")
    made = Instance(
        arn=arn,
        id=id_,
        resource_id=f"db-{call.new_id()[:26].upper()}",
        host=host_of(id_, call.account, call.region),
        version=_version(given),
        user=_named("MasterUsername", given.required("MasterUsername"), RESERVED),
        database=_named("DBName", name, set()) if (name := given.text("DBName")) else "",
        secret="",
        subnet_group=_group(state, given.required("DBSubnetGroupName"), call).name,
        encrypted=given.flag("StorageEncrypted"),
        options=_options(given, None),
        created=call.now,
        port=given.number("Port", 5432, 1150, 65535),
        tags=given.tags(),
    )
    made = replace(made, secret=call.secret(made.user))  # last: nothing is refused any more
    return _with(state, made), {"DBInstance": shapes.instance(made, _group(state, made.subnet_group, call))}


def describe_instances(state: State, given: Given, call: Call) -> Outcome:
    given.only("DBInstanceIdentifier", "Filters", "MaxRecords", "Marker")
    if wanted := given.text("DBInstanceIdentifier"):
        found = [_instance(state, wanted, call)]
    else:
        found = [each for arn, each in state.instances.items() if arn.startswith(call.arn("db", ""))]
    for condition in given.structs("Filters", "Filter"):
        found = [each for each in found if _matches(each, condition)]
    shown = [shapes.instance(each, _group(state, each.subnet_group, call)) for each in found]
    return state, {"DBInstances": Items("DBInstance", shown)}


def _matches(instance: Instance, condition: Given) -> bool:
    values, name = condition.texts("Values", "Value"), condition.required("Name")
    match name:
        case "dbi-resource-id":
            return instance.resource_id in values
        case "db-instance-id":
            return bool({instance.id, instance.arn} & {*values})
    raise ServiceError("InvalidParameterValue", f"Unrecognized filter name: {name}")


def modify_instance(state: State, given: Given, call: Call) -> Outcome:
    given.only(
        *("DBInstanceIdentifier", "ApplyImmediately", "EngineVersion", "AllowMajorVersionUpgrade"),
        *("ManageMasterUserPassword", "RotateMasterUserPassword", *OF_OPTIONS),
    )
    before = _instance(state, given.required("DBInstanceIdentifier"), call)
    if before.status is not Status.AVAILABLE:
        raise ServiceError("InvalidDBInstanceState", f"Database instance is not in available state: {before.status}.")
    if not given.flag("ManageMasterUserPassword", True):
        raise invalid("The local cloud lets RDS manage the password: ManageMasterUserPassword must be true.")
    options = _options(given, before.options)
    _check_growth(before.options.storage, options.storage)
    _check_version(given)
    rotated = Status.RESETTING if _rotates(given) else before.status
    after = replace(before, options=options, status=rotated)
    return _with(state, after), {"DBInstance": shapes.instance(after, _group(state, after.subnet_group, call))}


def delete_instance(state: State, given: Given, call: Call) -> Outcome:
    given.only(
        *("DBInstanceIdentifier", "SkipFinalSnapshot", "FinalDBSnapshotIdentifier", "DeleteAutomatedBackups"),
    )
    found = _instance(state, given.required("DBInstanceIdentifier"), call)
    if found.options.deletion_protection:
        raise ServiceError(
            "InvalidParameterCombination",
            "Cannot delete protected DB Instance, please disable deletion protection and try again.",
        )
    if found.status is Status.DELETING:
        raise ServiceError("InvalidDBInstanceState", f"Instance {found.id} is already being deleted.")
    gone = replace(found, status=Status.DELETING, last=_last(state, given, call))
    return _with(state, gone), {"DBInstance": shapes.instance(gone, _group(state, gone.subnet_group, call))}


def _last(state: State, given: Given, call: Call) -> str:
    """The name of the final snapshot, "" for none."""
    name, skips = given.text("FinalDBSnapshotIdentifier"), given.flag("SkipFinalSnapshot")
    if bool(name) == skips:
        raise ServiceError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot."
            if skips
            else "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        )
    if skips:
        return ""
    id_ = _identifier(name, "FinalDBSnapshotIdentifier")
    if call.arn("snapshot", id_) in state.snapshots or any(each.last == id_ for each in state.instances.values()):
        raise ServiceError("DBSnapshotAlreadyExists", f"Cannot create the snapshot because {id_} already exists.")
    return id_


def after_deletion(state: State, gone: Instance, call: Call) -> State:
    """Its server has ended: what is left is its snapshot, if there is one."""
    instances = {arn: each for arn, each in state.instances.items() if arn != gone.arn}
    if not gone.last:
        return replace(state, instances=instances)
    tags = gone.tags if gone.options.copy_tags else {}
    left = Snapshot(arn=call.arn("snapshot", gone.last), id=gone.last, instance=gone, created=call.now, tags=tags)
    return replace(state, instances=instances, snapshots={**state.snapshots, left.arn: left})


def describe_snapshots(state: State, given: Given, call: Call) -> Outcome:
    given.only("DBSnapshotIdentifier", "DBInstanceIdentifier", "SnapshotType", "MaxRecords", "Marker")
    if wanted := given.text("DBSnapshotIdentifier"):
        found = [_snapshot(state, wanted, call)]
    else:
        found = [each for arn, each in state.snapshots.items() if arn.startswith(call.arn("snapshot", ""))]
    of = given.text("DBInstanceIdentifier").lower()
    shown = [shapes.snapshot(each) for each in found if of in ("", each.instance.id)]
    return state, {"DBSnapshots": Items("DBSnapshot", shown)}


def delete_snapshot(state: State, given: Given, call: Call) -> Outcome:
    given.only("DBSnapshotIdentifier")
    found = _snapshot(state, given.required("DBSnapshotIdentifier"), call)
    kept = {arn: each for arn, each in state.snapshots.items() if arn != found.arn}
    return replace(state, snapshots=kept), {"DBSnapshot": shapes.snapshot(found) | {"Status": "deleted"}}


def _snapshot(state: State, name: str, call: Call) -> Snapshot:
    arn = name if name.startswith("arn:") else call.arn("snapshot", name.lower())
    if arn not in state.snapshots:
        raise ServiceError("DBSnapshotNotFound", f"DBSnapshot {name} not found.", 404)
    return state.snapshots[arn]


def _check_password(given: Given) -> None:
    if not given.flag("ManageMasterUserPassword"):
        raise ServiceError(
            "InvalidParameterCombination",
            "The local cloud lets RDS manage the password: ManageMasterUserPassword must be true.",
        )


def _version(given: Given) -> str:
    if (engine := given.required("Engine")) != ENGINE:
        raise invalid(f"Invalid DB engine: {engine}. The local cloud carries {ENGINE} alone.")
    _check_version(given)
    return MAJOR


def _check_version(given: Given) -> None:
    if (version := given.text("EngineVersion", MAJOR)) != MAJOR:
        raise ServiceError(
            "InvalidParameterCombination",
            f"Cannot find version {version} for postgres: the local cloud has {MAJOR}, and takes no minor version.",
        )


def _rotates(given: Given) -> bool:
    rotates = given.flag("RotateMasterUserPassword")
    if rotates and not given.flag("ApplyImmediately"):
        raise ServiceError(
            "InvalidParameterCombination",
            "You must specify apply immediately when rotating the master user password.",
        )
    return rotates


def _named(parameter: str, name: str, reserved: set[str]) -> str:
    if not NAME.fullmatch(name) or name.lower() in reserved:
        raise invalid(f"{parameter} {name} cannot be used: it is a reserved word, or not a name.")
    return name


def _identifier(text: str, parameter: str = "DBInstanceIdentifier") -> str:
    """In lower case, as AWS stores it."""
    if not IDENTIFIER.fullmatch(text) or len(text) > LONGEST[parameter]:
        raise invalid(
            f"The parameter {parameter} is not a valid identifier. Identifiers must begin with a letter; must "
            "contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two "
            "consecutive hyphens."
        )
    return text.lower()


def _check_growth(has: int, asked: int) -> None:
    """By 10 % at least, as UserGuide/USER_PIOPS.ModifyingExisting.html says. (API_ModifyDBInstance.html has less
    rounded up.)"""
    if asked < has:
        raise ServiceError("InvalidParameterCombination", "Allocated storage cannot be reduced.")
    if has < asked and asked * 10 < has * 11:
        raise ServiceError(
            "InvalidParameterCombination", f"Allocated storage must be increased by at least 10 percent of {has}."
        )


def _class(text: str) -> str:
    if not (found := CLASS.fullmatch(text)):
        raise invalid(f"Invalid DB Instance class: {text}")
    if found[1] in CLOSED:
        raise ServiceError(
            "InvalidParameterCombination",
            "RDS does not support creating a DB instance with the following combination: "
            f"DBInstanceClass={text}, Engine={ENGINE}, EngineVersion={MAJOR}.",
        )
    return text


def _storage(given: Given, before: int) -> int:
    asked = given.number("AllocatedStorage", before, -(10**9), 10**9)
    if asked not in STORAGE:
        raise ServiceError("InvalidParameterCombination", f"Invalid storage size for engine name {ENGINE}: {asked}")
    return asked


def _options(given: Given, before: Options | None) -> Options:
    """What the request says; what it does not say stays, or is AWS's default."""
    plain = before or Options(
        instance_class="",
        storage=20,
        storage_type="gp2",
        backup_days=1,
        deletion_protection=False,
        copy_tags=False,
        multi_zone=False,
        minor_upgrades=True,
        groups=(),
    )
    return Options(
        instance_class=_class(given.text("DBInstanceClass", plain.instance_class)),
        storage=_storage(given, plain.storage),
        storage_type=given.text("StorageType", plain.storage_type),
        backup_days=given.number("BackupRetentionPeriod", plain.backup_days, 0, 35),
        deletion_protection=given.flag("DeletionProtection", plain.deletion_protection),
        copy_tags=given.flag("CopyTagsToSnapshot", plain.copy_tags),
        multi_zone=given.flag("MultiAZ", plain.multi_zone),
        minor_upgrades=given.flag("AutoMinorVersionUpgrade", plain.minor_upgrades),
        groups=given.texts("VpcSecurityGroupIds", "VpcSecurityGroupId") or plain.groups,
    )


def _instance(state: State, name: str, call: Call) -> Instance:
    arn = name if name.startswith("arn:") else call.arn("db", name.lower())
    if arn not in state.instances:
        raise ServiceError("DBInstanceNotFound", f"DBInstance {name} not found.", 404)
    return state.instances[arn]


# ---------------------------------------------------------------- subnet groups


def create_group(state: State, given: Given, call: Call) -> Outcome:
    given.only("DBSubnetGroupName", "DBSubnetGroupDescription", "SubnetIds", "Tags")
    name = given.required("DBSubnetGroupName").lower()
    if not GROUP_NAME.fullmatch(name) or name == "default":
        raise invalid(f"The DB subnet group name {name} is not a valid identifier.")
    arn = call.arn("subgrp", name)
    if arn in state.groups:
        raise ServiceError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    vpc, subnets = _covering(given, call)
    made = SubnetGroup(
        arn=arn,
        name=name,
        description=given.required("DBSubnetGroupDescription"),
        vpc=vpc,
        subnets=subnets,
        tags=given.tags(),
    )
    return _with(state, made), {"DBSubnetGroup": shapes.group(made)}


def describe_groups(state: State, given: Given, call: Call) -> Outcome:
    given.only("DBSubnetGroupName", "MaxRecords", "Marker")
    if wanted := given.text("DBSubnetGroupName"):
        found = [_group(state, wanted, call)]
    else:
        found = [each for arn, each in state.groups.items() if arn.startswith(call.arn("subgrp", ""))]
    return state, {"DBSubnetGroups": Items("DBSubnetGroup", [shapes.group(each) for each in found])}


def modify_group(state: State, given: Given, call: Call) -> Outcome:
    given.only("DBSubnetGroupName", "DBSubnetGroupDescription", "SubnetIds")
    before = _group(state, given.required("DBSubnetGroupName"), call)
    vpc, subnets = _covering(given, call)
    if vpc != before.vpc:
        raise ServiceError("InvalidSubnet", "The new subnets are in another VPC than the DB subnet group.")
    after = replace(before, subnets=subnets, description=given.text("DBSubnetGroupDescription", before.description))
    return _with(state, after), {"DBSubnetGroup": shapes.group(after)}


def delete_group(state: State, given: Given, call: Call) -> Outcome:
    given.only("DBSubnetGroupName")
    found = _group(state, given.required("DBSubnetGroupName"), call)
    users = [each.id for each in state.instances.values() if each.subnet_group == found.name]
    if users:
        raise ServiceError(
            "InvalidDBSubnetGroupStateFault",
            f"Cannot delete the subnet group '{found.name}' because at least one database instance: {users[0]} is "
            "still using it.",
        )
    return replace(state, groups={arn: each for arn, each in state.groups.items() if arn != found.arn}), {}


def _covering(given: Given, call: Call) -> Found:
    vpc, subnets = call.subnets(given.texts("SubnetIds", "SubnetIdentifier"))
    if len({each.zone for each in subnets}) < 2:
        raise ServiceError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Add subnets to cover at "
            "least 2 AZs.",
        )
    return vpc, subnets


def _group(state: State, name: str, call: Call) -> SubnetGroup:
    arn = call.arn("subgrp", name.lower())
    if arn not in state.groups:
        raise ServiceError("DBSubnetGroupNotFoundFault", f"DB subnet group '{name}' does not exist.", 404)
    return state.groups[arn]


# ---------------------------------------------------------------- tags


def list_tags(state: State, given: Given, _call: Call) -> Outcome:
    given.only("ResourceName")
    return state, {"TagList": tag_items(_tagged(state, given).tags)}


def add_tags(state: State, given: Given, _call: Call) -> Outcome:
    given.only("ResourceName", "Tags")
    found = _tagged(state, given)
    return _with(state, replace(found, tags={**found.tags, **given.tags()})), {}


def remove_tags(state: State, given: Given, _call: Call) -> Outcome:
    given.only("ResourceName", "TagKeys")
    found, gone = _tagged(state, given), given.texts("TagKeys", "member")
    kept = {key: value for key, value in found.tags.items() if key not in gone}
    return _with(state, replace(found, tags=kept)), {}


def _tagged(state: State, given: Given) -> Instance | SubnetGroup:
    arn = given.required("ResourceName")
    found: Mapping[str, Instance | SubnetGroup] = {**state.instances, **state.groups}
    if arn not in found:
        raise ServiceError("DBInstanceNotFound", f"There is no resource {arn}.", 404)
    return found[arn]


def _with(state: State, one: Instance | SubnetGroup) -> State:
    if isinstance(one, Instance):
        return replace(state, instances={**state.instances, one.arn: one})
    return replace(state, groups={**state.groups, one.arn: one})


ACTIONS: Mapping[str, Callable[[State, Given, Call], Outcome]] = {
    "CreateDBInstance": create_instance,
    "DescribeDBInstances": describe_instances,
    "ModifyDBInstance": modify_instance,
    "DeleteDBInstance": delete_instance,
    "DescribeDBSnapshots": describe_snapshots,
    "DeleteDBSnapshot": delete_snapshot,
    "CreateDBSubnetGroup": create_group,
    "DescribeDBSubnetGroups": describe_groups,
    "ModifyDBSubnetGroup": modify_group,
    "DeleteDBSubnetGroup": delete_group,
    "ListTagsForResource": list_tags,
    "AddTagsToResource": add_tags,
    "RemoveTagsFromResource": remove_tags,
}
