"""Instances and subnet groups of RDS."""

from __future__ import annotations

from typing import Any

from tests.local.standins.lifecycle.case import Case, tag
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.network_cases import ELSEWHERE
from tests.local.standins.lifecycle.world import World


def described_otherwise(world: World, made: Managed) -> None:
    subnets = made.outputs["subnetIds"]
    changed = {"DBSubnetGroupName": made.id, "DBSubnetGroupDescription": "by hand", "SubnetIds": subnets}
    world.aws("rds").modify_db_subnet_group(**changed)


def modified(world: World, made: Managed, **changes: Any) -> None:
    world.aws("rds").modify_db_instance(
        DBInstanceIdentifier=made.outputs["identifier"], ApplyImmediately=True, **changes
    )


def instance_gone(world: World, made: Managed) -> None:
    rds, name = world.aws("rds"), made.outputs["identifier"]
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=name, WaiterConfig={"Delay": 1})


CASES = (
    Case(
        token="aws:rds/subnetGroup:SubnetGroup",
        variant="database",
        good=lambda world: {"name": world.name(), "description": "d", "subnetIds": world.subnets[:2], **tag()},
        in_place=lambda world: {"description": "private", "subnetIds": world.subnets[1:3], **tag("b")},
        replacing=lambda world: {"name": world.name(), **ELSEWHERE},
        by_hand=("description", described_otherwise),
        take_away=lambda world, made: world.aws("rds").delete_db_subnet_group(DBSubnetGroupName=made.id),
        twice="DBSubnetGroupAlreadyExists",
    ),
    Case(
        token="aws:rds/instance:Instance",
        good=lambda world: {
            "identifier": world.name(),
            "instanceClass": "db.t4g.micro",
            "engine": "postgres",
            "engineVersion": "17",
            "dbName": "orders",
            "username": "owner",
            "manageMasterUserPassword": True,
            "allocatedStorage": 20,
            "dbSubnetGroupName": world.subnet_groups[0],
            "vpcSecurityGroupIds": [world.groups[0]],
            "skipFinalSnapshot": True,
            **tag(),
        },
        in_place=lambda world: {
            "instanceClass": "db.t4g.small",
            "vpcSecurityGroupIds": [world.groups[1]],
            "storageType": "gp3",
            "multiAz": True,
            "backupRetentionPeriod": 7,
            "copyTagsToSnapshot": True,
            "autoMinorVersionUpgrade": False,
            "allowMajorVersionUpgrade": True,
            "deletionProtection": True,
            "deleteAutomatedBackups": False,
            "finalSnapshotIdentifier": "last",
            "skipFinalSnapshot": False,
            "applyImmediately": True,
            **tag("b"),
        },
        replacing=lambda _: {
            "dbName": "stock",
            "username": "other",
            "engine": "mysql",
            "storageEncrypted": True,
            **ELSEWHERE,
        },
        by_hand=("backupRetentionPeriod", lambda world, made: modified(world, made, BackupRetentionPeriod=3)),
        take_away=instance_gone,
        import_id=lambda made: str(made.outputs["identifier"]),
        slow=True,
        twice="DBInstanceAlreadyExists",
        not_tried={
            "identifier": "the local cloud gives a database no other name",
            "engineVersion": "the local cloud has one version",
            "manageMasterUserPassword": "there has to be one",
            "allocatedStorage": "AWS makes no storage smaller again",
            "dbSubnetGroupName": "AWS moves an instance to another VPC alone",
            "publiclyAccessible": "the local cloud has no public addresses",
            "port": "the local cloud's databases keep theirs",
        },
    ),
)
