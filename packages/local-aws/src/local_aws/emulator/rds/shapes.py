"""Instances and subnet groups as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local_aws.emulator.rds.model import Instance, Status, SubnetGroup
from local_aws.emulator.wire import Items

ENGINE = "postgres"


def listed(item: str, values: Sequence[Any]) -> Items:
    """A list, whose items have a name of their own on the wire."""
    return Items(item, values)


def instance(one: Instance, in_group: SubnetGroup) -> dict[str, Any]:
    """`Endpoint` is left out until its server answers, as on AWS."""
    options = one.options
    endpoint = {"Address": one.address, "Port": one.port, "HostedZoneId": "Z2R2ITUGPM61AM"} if one.address else None
    return {
        "DBInstanceIdentifier": one.id,
        "DBInstanceArn": one.arn,
        "DbiResourceId": one.resource_id,
        "DBInstanceStatus": str(one.status),
        "StatusInfos": listed("DBInstanceStatusInfo", _reasons(one)),
        "DBInstanceClass": options.instance_class,
        "Engine": ENGINE,
        "EngineVersion": one.version,
        "MasterUsername": one.user,
        "MasterUserSecret": {"SecretArn": one.secret, "SecretStatus": _secret_status(one)},
        "DBName": one.database,
        "Endpoint": endpoint,
        "AllocatedStorage": options.storage,
        "StorageType": options.storage_type,
        "StorageEncrypted": one.encrypted,
        "BackupRetentionPeriod": options.backup_days,
        "DeletionProtection": options.deletion_protection,
        "CopyTagsToSnapshot": options.copy_tags,
        "MultiAZ": options.multi_zone,
        "AutoMinorVersionUpgrade": options.minor_upgrades,
        "PubliclyAccessible": False,
        "InstanceCreateTime": datetime.fromtimestamp(one.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "DBSubnetGroup": group(in_group),
        "VpcSecurityGroups": listed(
            "VpcSecurityGroupMembership",
            [{"VpcSecurityGroupId": each, "Status": "active"} for each in options.groups],
        ),
        "TagList": tags(one.tags),
    }


def _secret_status(one: Instance) -> str:
    return "active" if one.status is Status.AVAILABLE else "creating"


def _reasons(one: Instance) -> list[dict[str, Any]]:
    return [{"StatusType": "server", "Normal": False, "Status": str(one.status), "Message": one.reason}] * bool(
        one.reason
    )


def group(one: SubnetGroup) -> dict[str, Any]:
    subnets = [
        {
            "SubnetIdentifier": each.id,
            "SubnetAvailabilityZone": {"Name": each.zone},
            "SubnetStatus": "Active",
        }
        for each in one.subnets
    ]
    return {
        "DBSubnetGroupName": one.name,
        "DBSubnetGroupDescription": one.description,
        "DBSubnetGroupArn": one.arn,
        "VpcId": one.vpc,
        "SubnetGroupStatus": "Complete",
        "Subnets": listed("Subnet", subnets),
    }


def tags(known: Mapping[str, str]) -> Items:
    return listed("Tag", [{"Key": key, "Value": value} for key, value in known.items()])
