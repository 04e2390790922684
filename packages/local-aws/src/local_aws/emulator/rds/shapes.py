"""Instances and subnet groups as the API shows them."""

from __future__ import annotations

from typing import Any

from local_aws.emulator.query import tag_items, time_text
from local_aws.emulator.rds.model import Instance, Snapshot, Status
from local_aws.emulator.subnet_groups import SubnetGroup
from local_aws.emulator.wire import Items

ENGINE = "postgres"


def instance(one: Instance, in_group: SubnetGroup) -> dict[str, Any]:
    """`Endpoint` is left out until its server answers, as on AWS."""
    options, answers = one.options, one.status not in (Status.CREATING, Status.FAILED)
    endpoint = {"Address": one.host, "Port": one.port, "HostedZoneId": "Z2R2ITUGPM61AM"} if answers else None
    return {
        "DBInstanceIdentifier": one.id,
        "DBInstanceArn": one.arn,
        "DbiResourceId": one.resource_id,
        "DBInstanceStatus": str(one.status),
        "StatusInfos": Items("DBInstanceStatusInfo", _reasons(one)),
        "DBInstanceClass": options.instance_class,
        "Engine": ENGINE,
        "EngineVersion": one.version,
        "MasterUsername": one.user,
        "MasterUserSecret": {"SecretArn": one.secret, "SecretStatus": _secret_status(one)},
        "DBName": one.database or None,
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
        "InstanceCreateTime": time_text(one.created),
        "DBSubnetGroup": group(in_group),
        "VpcSecurityGroups": Items(
            "VpcSecurityGroupMembership",
            [{"VpcSecurityGroupId": each, "Status": "active"} for each in options.groups],
        ),
        "TagList": tag_items(one.tags),
    }


def snapshot(one: Snapshot) -> dict[str, Any]:
    of = one.instance
    return {
        "DBSnapshotIdentifier": one.id,
        "DBSnapshotArn": one.arn,
        "DBInstanceIdentifier": of.id,
        "DbiResourceId": of.resource_id,
        "SnapshotCreateTime": time_text(one.created),
        "SnapshotType": "manual",
        "Status": "available",
        "PercentProgress": 100,
        "Engine": ENGINE,
        "EngineVersion": of.version,
        "MasterUsername": of.user,
        "AllocatedStorage": of.options.storage,
        "StorageType": of.options.storage_type,
        "Encrypted": of.encrypted,
        "Port": of.port,
        "TagList": tag_items(one.tags),
    }


def _secret_status(one: Instance) -> str:
    return {Status.CREATING: "creating", Status.RESETTING: "rotating"}.get(one.status, "active")


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
        "Subnets": Items("Subnet", subnets),
    }
