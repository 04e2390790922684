"""What RDS answers and refuses, by an SDK's own eyes; and when its servers start, stop and come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.wire import Unreadable
from tests.local.emulator.rds.account import Account, Refused

pytestmark = pytest.mark.pure


@pytest.fixture
def account(tmp_path: Path) -> Account:
    made = Account(tmp_path)
    made.group()
    return made


def test_an_instance_is_created_and_available_once_its_server_answers(account: Account) -> None:
    made = account.create()
    assert (made["DBInstanceStatus"], made.get("Endpoint")) == ("creating", None)
    account.catch_up()
    shown = account.shown()
    assert (shown["DBInstanceStatus"], shown["Engine"], shown["EngineVersion"]) == ("available", "postgres", "17.6")
    assert (shown["Endpoint"]["Address"], shown["Endpoint"]["Port"]) == (
        "shop-orders.000000000000.us-east-1.rds.internal",
        5432,
    )
    assert shown["DBSubnetGroup"]["VpcId"] == "vpc-1"
    assert shown["VpcSecurityGroups"] == [{"VpcSecurityGroupId": "sg-1", "Status": "active"}]
    assert shown["TagList"] == [{"Key": "team", "Value": "shop"}]
    assert shown["PubliclyAccessible"] is False


def test_its_password_is_in_a_secret_that_it_names_and_nowhere_else(account: Account, tmp_path: Path) -> None:
    made = account.create()
    account.catch_up()
    ((arn, password),) = account.passwords.kept.items()
    assert made["MasterUserSecret"]["SecretArn"] == arn
    assert account.databases.started == [("shop-orders", "orders", password)]
    assert password not in (tmp_path / "rds.json").read_text()
    assert (tmp_path / "rds.json").stat().st_mode & 0o077 == 0


def test_a_server_that_does_not_start_says_why(account: Account) -> None:
    account.databases.fails = "PostgreSQL ended with 1: no space left"
    account.create()
    account.catch_up()
    shown = account.shown()
    assert shown["DBInstanceStatus"] == "failed"
    assert shown["StatusInfos"][0]["Message"] == "PostgreSQL ended with 1: no space left"


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"DBInstanceIdentifier": "1orders"}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "shop--orders"}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "shop-" + "o" * 59}, "InvalidParameterValue"),
        ({"Engine": "mysql"}, "InvalidParameterValue"),
        ({"EngineVersion": "16"}, "InvalidParameterCombination"),
        ({"EngineVersion": "17.4"}, "InvalidParameterCombination"),
        ({"ManageMasterUserPassword": False}, "InvalidParameterCombination"),
        ({"MasterUserPassword": "hunter2hunter2"}, "InvalidParameterCombination"),
        ({"MasterUsername": "admin"}, "InvalidParameterValue"),
        ({"AllocatedStorage": 19}, "InvalidParameterCombination"),
        ({"AllocatedStorage": 65_537}, "InvalidParameterCombination"),
        ({"BackupRetentionPeriod": 36}, "InvalidParameterValue"),
        ({"DBInstanceClass": "huge"}, "InvalidParameterValue"),
        ({"DBInstanceClass": "db.t2.micro"}, "InvalidParameterCombination"),
        ({"PubliclyAccessible": True}, "InvalidParameterValue"),
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault"),
        ({"StorageThroughput": 125}, "InvalidParameterCombination"),
    ],
)
def test_what_aws_or_the_local_cloud_does_not_take_is_refused_and_leaves_nothing(
    account: Account, over: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused, match=f"^{code}: "):
        account.create(**over)
    assert account.call("DescribeDBInstances")["DBInstances"] == []
    assert (account.passwords.kept, account.later) == ({}, [])


def test_a_second_one_of_the_same_name_is_refused_and_case_makes_no_difference(account: Account) -> None:
    account.create()
    with pytest.raises(Refused, match="DBInstanceAlreadyExists"):
        account.create(DBInstanceIdentifier="Shop-Orders")
    assert len(account.passwords.kept) == 1


def test_what_may_change_changes_in_place(account: Account) -> None:
    account.create()
    with pytest.raises(Refused, match="InvalidDBInstanceState"):
        account.call("ModifyDBInstance", DBInstanceIdentifier="shop-orders", DeletionProtection=True)
    account.catch_up()
    account.call(
        "ModifyDBInstance",
        DBInstanceIdentifier="shop-orders",
        DeletionProtection=True,
        BackupRetentionPeriod=14,
        VpcSecurityGroupIds=["sg-2"],
        ApplyImmediately=True,
    )
    shown = account.shown()
    assert (shown["DeletionProtection"], shown["BackupRetentionPeriod"]) == (True, 14)
    assert [each["VpcSecurityGroupId"] for each in shown["VpcSecurityGroups"]] == ["sg-2"]
    assert (shown["DBInstanceClass"], account.later) == ("db.t4g.micro", []), "what was not named stays"


def test_storage_grows_by_a_tenth_and_never_shrinks(account: Account) -> None:
    account.create(AllocatedStorage=30)
    account.catch_up()

    def ask(storage: int) -> None:
        account.call("ModifyDBInstance", DBInstanceIdentifier="shop-orders", AllocatedStorage=storage)

    for storage in (29, 32):
        with pytest.raises(Refused, match="InvalidParameterCombination: Allocated storage "):
            ask(storage)
    ask(30)
    ask(33)
    assert account.shown()["AllocatedStorage"] == 33


def test_an_image_of_another_version_is_no_database_of_that_one(account: Account) -> None:
    account.databases.version = "16.9"
    account.create()
    account.catch_up()
    shown = account.shown()
    assert (shown["DBInstanceStatus"], shown.get("Endpoint")) == ("failed", None)
    assert shown["StatusInfos"][0]["Message"] == "the image has PostgreSQL 16.9, not 17"


def test_another_version_is_not_changed_to(account: Account) -> None:
    account.create()
    account.catch_up()
    with pytest.raises(Refused, match="Cannot find version 18 for postgres"):
        account.call("ModifyDBInstance", DBInstanceIdentifier="shop-orders", EngineVersion="18")
    account.call("ModifyDBInstance", DBInstanceIdentifier="shop-orders", EngineVersion="17")


def rotate(account: Account) -> None:
    rotated = {"RotateMasterUserPassword": True, "ApplyImmediately": True}
    account.call("ModifyDBInstance", DBInstanceIdentifier="shop-orders", **rotated)


def test_a_rotated_password_is_in_server_and_secret(account: Account) -> None:
    account.create()
    account.catch_up()
    (before,) = account.passwords.kept.values()
    with pytest.raises(Refused, match="apply immediately"):
        account.call("ModifyDBInstance", DBInstanceIdentifier="shop-orders", RotateMasterUserPassword=True)
    rotate(account)
    assert account.shown()["DBInstanceStatus"] == "resetting-master-credentials"
    assert account.shown()["MasterUserSecret"]["SecretStatus"] == "rotating"
    account.catch_up()
    assert account.shown()["DBInstanceStatus"] == "available"
    assert [*account.passwords.kept.values()] == [account.databases.passwords["shop-orders"]] != [before]


def test_a_rotation_that_was_interrupted_is_done_again(account: Account, tmp_path: Path) -> None:
    account.create()
    account.catch_up()
    rotate(account)
    again = Account(tmp_path, passwords=account.passwords)
    again.service.resume()
    again.catch_up()
    assert [*again.passwords.kept.values()] == [again.databases.passwords["shop-orders"]]
    assert again.shown()["DBInstanceStatus"] == "available"


def test_a_rotation_that_fails_leaves_the_secret_and_says_why(account: Account) -> None:
    account.create()
    account.catch_up()
    before = dict(account.passwords.kept)
    account.databases.fails = "the server is gone"
    rotate(account)
    account.catch_up()
    assert account.shown()["StatusInfos"][0]["Message"] == "the password was not rotated: the server is gone"
    assert account.passwords.kept == before


def test_one_that_failed_is_tried_again_after_a_restart(account: Account, tmp_path: Path) -> None:
    account.databases.fails = "no registry answers"
    account.create()
    account.catch_up()
    again = Account(tmp_path, passwords=account.passwords)
    again.service.resume()
    again.catch_up()
    assert (again.shown()["DBInstanceStatus"], again.shown().get("StatusInfos")) == ("available", [])


def test_a_protected_instance_is_not_deleted_and_none_without_a_word_on_a_last_snapshot(account: Account) -> None:
    account.create(DeletionProtection=True)
    account.catch_up()
    delete = {"DBInstanceIdentifier": "shop-orders", "SkipFinalSnapshot": True}
    with pytest.raises(Refused, match="Cannot delete protected DB Instance"):
        account.call("DeleteDBInstance", **delete)
    account.call("ModifyDBInstance", DBInstanceIdentifier="shop-orders", DeletionProtection=False)
    with pytest.raises(Refused, match="FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot"):
        account.call("DeleteDBInstance", DBInstanceIdentifier="shop-orders")
    with pytest.raises(Refused, match="can not be specified"):
        account.call("DeleteDBInstance", **delete, FinalDBSnapshotIdentifier="last")
    with pytest.raises(Refused, match="The parameter FinalDBSnapshotIdentifier is not a valid identifier"):
        account.call("DeleteDBInstance", DBInstanceIdentifier="shop-orders", FinalDBSnapshotIdentifier="1")
    assert account.databases.removed == []


def test_a_last_snapshot_is_what_the_instance_held_until_it_is_deleted(account: Account, tmp_path: Path) -> None:
    made = account.create(CopyTagsToSnapshot=True)
    account.catch_up()
    last = {"DBInstanceIdentifier": "shop-orders", "FinalDBSnapshotIdentifier": "Last"}
    account.call("DeleteDBInstance", **last)
    assert account.call("DescribeDBSnapshots")["DBSnapshots"] == []
    again = Account(tmp_path, passwords=account.passwords)
    again.service.resume()
    again.catch_up()
    assert (again.databases.ended, again.databases.removed, again.passwords.kept) == (["shop-orders"], [], {})
    (found,) = again.call("DescribeDBSnapshots", DBInstanceIdentifier="shop-orders")["DBSnapshots"]
    assert (found["DBSnapshotIdentifier"], found["Status"], found["EngineVersion"]) == ("last", "available", "17.6")
    assert found["TagList"] == [{"Key": "team", "Value": "shop"}]
    again.create()
    again.catch_up()
    with pytest.raises(Refused, match="DBSnapshotAlreadyExists"):
        again.call("DeleteDBInstance", **last)
    assert again.databases.forgotten == []
    again.call("DeleteDBSnapshot", DBSnapshotIdentifier="last")
    assert again.databases.forgotten == [made["DbiResourceId"]]
    with pytest.raises(Refused, match="DBSnapshotNotFound"):
        again.call("DescribeDBSnapshots", DBSnapshotIdentifier="last")


def test_a_deleted_instance_is_gone_with_its_server_and_its_secret(account: Account) -> None:
    account.create()
    account.catch_up()
    account.call("DeleteDBInstance", DBInstanceIdentifier="shop-orders", SkipFinalSnapshot=True)
    assert account.shown()["DBInstanceStatus"] == "deleting"
    with pytest.raises(Refused, match="already being deleted"):
        account.call("DeleteDBInstance", DBInstanceIdentifier="shop-orders", SkipFinalSnapshot=True)
    account.catch_up()
    with pytest.raises(Refused, match="DBInstanceNotFound"):
        account.shown()
    assert (account.databases.removed, account.passwords.kept) == (["shop-orders"], {})


def test_a_deletion_that_is_done_twice_spares_the_next_one_of_its_name(account: Account) -> None:
    account.create()
    account.catch_up()
    account.call("DeleteDBInstance", DBInstanceIdentifier="shop-orders", SkipFinalSnapshot=True)
    account.service.resume()
    (once, twice) = account.later
    once()
    made = account.create()
    twice()
    assert account.shown()["DbiResourceId"] == made["DbiResourceId"]


def test_one_that_is_deleted_before_its_server_answers_does_not_come_back(account: Account) -> None:
    account.create()
    start = account.later.pop()
    account.call("DeleteDBInstance", DBInstanceIdentifier="shop-orders", SkipFinalSnapshot=True)
    start()
    assert account.shown()["DBInstanceStatus"] == "deleting"


def test_after_a_restart_servers_are_started_again_and_what_was_under_way_goes_on(
    account: Account, tmp_path: Path
) -> None:
    account.create()
    account.catch_up()
    account.create(DBInstanceIdentifier="shop-stock")
    account.create(DBInstanceIdentifier="shop-old")
    account.call("DeleteDBInstance", DBInstanceIdentifier="shop-old", SkipFinalSnapshot=True)
    again = Account(tmp_path, passwords=account.passwords)
    assert again.shown()["DBInstanceStatus"] == "available"
    again.service.resume()
    again.catch_up()
    assert {each[0] for each in again.databases.started} == {"shop-orders", "shop-stock"}
    assert again.databases.removed == ["shop-old"]
    assert again.shown("shop-stock")["DBInstanceStatus"] == "available"


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rds.json").write_text('{"version": 7}')
    with pytest.raises(Unreadable, match="remove it"):
        Account(tmp_path)


def test_the_real_provider_finds_an_instance_by_its_resource_id(account: Account) -> None:
    made = account.create()
    named = [{"Name": "dbi-resource-id", "Values": [made["DbiResourceId"]]}]
    (found,) = account.call("DescribeDBInstances", Filters=named)["DBInstances"]
    assert found["DBInstanceIdentifier"] == "shop-orders"
    other = [{"Name": "dbi-resource-id", "Values": ["db-OTHER"]}]
    assert account.call("DescribeDBInstances", Filters=other)["DBInstances"] == []


# ---- subnet groups and tags


def test_a_subnet_group_covers_two_zones_of_one_vpc(account: Account) -> None:
    shown = account.call("DescribeDBSubnetGroups", DBSubnetGroupName="shop")["DBSubnetGroups"][0]
    zones = {each["SubnetIdentifier"]: each["SubnetAvailabilityZone"]["Name"] for each in shown["Subnets"]}
    assert zones == {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b"}
    with pytest.raises(Refused, match="DBSubnetGroupDoesNotCoverEnoughAZs"):
        account.group("narrow", ["subnet-a", "subnet-a2"])
    with pytest.raises(Refused, match="InvalidSubnet"):
        account.group("lost", ["subnet-a", "subnet-z"])
    with pytest.raises(Refused, match="DBSubnetGroupAlreadyExists"):
        account.group()


def test_a_subnet_group_in_use_is_not_deleted(account: Account) -> None:
    account.create()
    account.catch_up()
    with pytest.raises(Refused, match="InvalidDBSubnetGroupStateFault"):
        account.call("DeleteDBSubnetGroup", DBSubnetGroupName="shop")
    account.call("DeleteDBInstance", DBInstanceIdentifier="shop-orders", SkipFinalSnapshot=True)
    account.catch_up()
    account.call("DeleteDBSubnetGroup", DBSubnetGroupName="shop")
    with pytest.raises(Refused, match="DBSubnetGroupNotFoundFault"):
        account.call("DescribeDBSubnetGroups", DBSubnetGroupName="shop")


def test_its_subnets_may_be_others_of_the_same_vpc(account: Account) -> None:
    account.call("ModifyDBSubnetGroup", DBSubnetGroupName="shop", SubnetIds=["subnet-a2", "subnet-b"])
    shown = account.call("DescribeDBSubnetGroups", DBSubnetGroupName="shop")["DBSubnetGroups"][0]
    assert [each["SubnetIdentifier"] for each in shown["Subnets"]] == ["subnet-a2", "subnet-b"]
    assert shown["DBSubnetGroupDescription"] == "of tests"


def test_tags_come_and_go(account: Account) -> None:
    arn = account.create()["DBInstanceArn"]
    account.call("AddTagsToResource", ResourceName=arn, Tags=[{"Key": "tier", "Value": "1"}])
    account.call("RemoveTagsFromResource", ResourceName=arn, TagKeys=["team"])
    assert account.call("ListTagsForResource", ResourceName=arn)["TagList"] == [{"Key": "tier", "Value": "1"}]


def test_other_actions_are_refused_by_name(account: Account) -> None:
    with pytest.raises(Refused, match="InvalidAction: The local cloud does not carry CreateDBSnapshot"):
        account.call("CreateDBSnapshot", DBSnapshotIdentifier="s", DBInstanceIdentifier="shop-orders")
