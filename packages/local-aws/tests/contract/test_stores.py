"""Amazon RDS and ElastiCache: a database and a cache that are found by name, and where they may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.contracts import contract
from tests.contract.stage import Stage

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(1800)]

RDS = "https://docs.aws.amazon.com/AmazonRDS/latest"
CACHES = "https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference"
LOOKS, PROGRAM = "release_lane/aws/existing.py", "release_lane/program/stores.py"
UNFOUND = "what a killed update left would be made a second time, refused by AWS, and stop every later update"


def refusal(call: Callable[..., Any], **given: Any) -> str:
    """The error's code."""
    with pytest.raises(ClientError) as refused:
        call(**given)
    return str(refused.value.response["Error"]["Code"])


def one_zone(aws: Aws, stage: Stage) -> list[str]:
    """Two subnets of it."""
    ec2 = aws.client("ec2")
    (first,) = ec2.describe_subnets(SubnetIds=[stage.network.subnets[0]])["Subnets"]
    other = ec2.create_subnet(
        VpcId=stage.network.vpc,
        CidrBlock="10.77.53.0/24",
        AvailabilityZone=first["AvailabilityZone"],
        TagSpecifications=stage.tagged("subnet"),
    )["Subnet"]["SubnetId"]
    return [first["SubnetId"], other]


@contract(
    says="A DB subnet group is found by its name, in lower case; one that is not there is DBSubnetGroupNotFoundFault, "
    "another one of a name DBSubnetGroupAlreadyExists, and one whose subnets are in one zone "
    "DBSubnetGroupDoesNotCoverEnoughAZs.",
    source=f"{RDS}/APIReference/API_CreateDBSubnetGroup.html",
    otherwise=UNFOUND,
    used_by=(LOOKS, PROGRAM, "release_lane/decide/existing_network.py"),
    note="API_DescribeDBSubnetGroups.html has the first error",
)
def test_the_subnets_of_a_database_are_in_two_zones(aws: Aws, stage: Stage, store_subnets: str) -> None:
    rds = aws.client("rds")
    (found,) = rds.describe_db_subnet_groups(DBSubnetGroupName=store_subnets)["DBSubnetGroups"]
    assert (found["DBSubnetGroupName"], found["VpcId"]) == (store_subnets, stage.network.vpc)
    with pytest.raises(rds.exceptions.DBSubnetGroupNotFoundFault):
        rds.describe_db_subnet_groups(DBSubnetGroupName=aws.named("never"))

    def made(name: str, subnets: list[str]) -> str:
        given = {"DBSubnetGroupName": name, "DBSubnetGroupDescription": "again", "Tags": aws.tags()}
        return refusal(rds.create_db_subnet_group, SubnetIds=subnets, **given)

    assert made(store_subnets.upper(), list(stage.network.subnets)) == "DBSubnetGroupAlreadyExists"
    assert made(aws.named("narrow"), one_zone(aws, stage)) == "DBSubnetGroupDoesNotCoverEnoughAZs"


@contract(
    says="A cache subnet group is found by its name; one that does not exist is CacheSubnetGroupNotFoundFault, another "
    "one of a name CacheSubnetGroupAlreadyExists.",
    source=f"{CACHES}/API_CreateCacheSubnetGroup.html",
    otherwise=UNFOUND,
    used_by=(LOOKS, PROGRAM),
    note="API_DescribeCacheSubnetGroups.html has the first error",
)
def test_the_subnets_of_a_cache_are_found_by_name(aws: Aws, stage: Stage, store_subnets: str) -> None:
    elasticache = aws.client("elasticache")
    (found,) = elasticache.describe_cache_subnet_groups(CacheSubnetGroupName=store_subnets)["CacheSubnetGroups"]
    assert (found["CacheSubnetGroupName"], found["VpcId"]) == (store_subnets, stage.network.vpc)
    with pytest.raises(elasticache.exceptions.CacheSubnetGroupNotFoundFault):
        elasticache.describe_cache_subnet_groups(CacheSubnetGroupName=aws.named("never"))
    again = {"CacheSubnetGroupName": store_subnets, "CacheSubnetGroupDescription": "again"}
    subnets = list(stage.network.subnets)
    assert refusal(elasticache.create_cache_subnet_group, SubnetIds=subnets, **again) == "CacheSubnetGroupAlreadyExists"


@pytest.fixture(scope="module")
def database(aws: Aws, stage: Stage, store_subnets: str) -> str:
    """The name of an instance as the program asks for it, small; it is available."""
    rds, name = aws.client("rds"), aws.named("database")
    made = rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        EngineVersion="17",
        AllocatedStorage=20,
        StorageType="gp3",
        StorageEncrypted=True,
        DBName="app",
        MasterUsername="app",
        ManageMasterUserPassword=True,
        Port=5432,
        DBSubnetGroupName=store_subnets,
        VpcSecurityGroupIds=[stage.network.task_group],
        PubliclyAccessible=False,
        BackupRetentionPeriod=1,
        Tags=aws.tags(),
    )["DBInstance"]
    assert made["DBInstanceStatus"] == "creating"
    aws.eventually(lambda: shown(aws, name)["DBInstanceStatus"] == "available", "the database")
    return name


def shown(aws: Aws, name: str) -> dict[str, Any]:
    (found,) = aws.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    assert found["DBInstanceIdentifier"] == name
    assert found["DBInstanceStatus"] != "failed", found.get("StatusInfos")
    return dict(found)


@contract(
    says="DescribeDBInstances finds an instance by its name, with its endpoint once it is available, and another one "
    "of its name is DBInstanceAlreadyExists; one that does not exist is DBInstanceNotFoundFault.",
    source=f"{RDS}/APIReference/API_DescribeDBInstances.html",
    otherwise=UNFOUND,
    used_by=(LOOKS, PROGRAM),
    minutes=12,
)
def test_a_database_is_found_by_its_name(aws: Aws, database: str) -> None:
    rds, found = aws.client("rds"), shown(aws, database)
    assert (found["Endpoint"]["Port"], found["StorageEncrypted"], found["PubliclyAccessible"]) == (5432, True, False)
    assert found["EngineVersion"].startswith("17."), "the newest minor version of what was asked for"
    with pytest.raises(rds.exceptions.DBInstanceNotFoundFault):
        rds.describe_db_instances(DBInstanceIdentifier=aws.named("never"))
    again = {"DBInstanceClass": "db.t4g.micro", "Engine": "postgres", "AllocatedStorage": 20}
    more = {"MasterUsername": "app", "ManageMasterUserPassword": True, "DBSubnetGroupName": aws.named("stores")}
    refused = refusal(rds.create_db_instance, DBInstanceIdentifier=database, **again, **more)
    assert refused == "DBInstanceAlreadyExists"


@contract(
    says="With ManageMasterUserPassword the password is RDS's own, in a secret that the instance names: JSON with "
    "`username` and `password`.",
    source=f"{RDS}/UserGuide/rds-secrets-manager.html",
    otherwise="a service could not log in to its database, or a password would stand in a state",
    used_by=(PROGRAM, "app/database.py"),
    note="that the secret is JSON with these keys is in the structure of secrets of Secrets Manager: "
    "reference_secret_json_structure.html",
)
def test_the_password_is_in_a_secret_of_rds(aws: Aws, database: str) -> None:
    arn = shown(aws, database)["MasterUserSecret"]["SecretArn"]
    kept = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    assert kept["username"] == "app"
    assert kept["password"]


@contract(
    says="Storage of an instance grows by 10 % at least: less is an error, or is rounded up. It never shrinks.",
    source=f"{RDS}/UserGuide/USER_PIOPS.ModifyingExisting.html",
    otherwise="an update would end at a setting that RDS does not take, or ask for less than there is from then on",
    used_by=("release_lane/decide/stores.py",),
    note="this page speaks of an error, API_ModifyDBInstance.html of rounding up; the program asks for neither",
)
def test_storage_grows_by_a_tenth(aws: Aws, database: str) -> None:
    rds = aws.client("rds")
    asked = {"DBInstanceIdentifier": database, "ApplyImmediately": True}
    assert refusal(rds.modify_db_instance, AllocatedStorage=19, **asked).startswith("InvalidParameter")
    try:
        rds.modify_db_instance(AllocatedStorage=21, **asked)
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("InvalidParameter"):
            raise
        return

    def storage() -> int:
        found = shown(aws, database)
        return int(found.get("PendingModifiedValues", {}).get("AllocatedStorage") or found["AllocatedStorage"])

    aws.eventually(lambda: storage() >= 22, "the storage")


@contract(
    says="A protected instance is not deleted (InvalidParameterCombination). One that is deleted is `deleting` until "
    "it is gone, and its secret goes with it.",
    source=f"{RDS}/APIReference/API_DeleteDBInstance.html",
    otherwise="a destroy would take away what users stand on before AWS refuses the rest; or `release recover` would "
    "give an instance that is going to a state",
    used_by=(LOOKS, "release_lane/gates/switch.py", PROGRAM),
    minutes=10,
)
def test_a_protected_database_stays_and_one_that_goes_says_so(aws: Aws, database: str) -> None:
    rds, secret = aws.client("rds"), shown(aws, database)["MasterUserSecret"]["SecretArn"]
    delete = {"DBInstanceIdentifier": database, "SkipFinalSnapshot": True}
    aws.eventually(lambda: shown(aws, database)["DBInstanceStatus"] == "available", "the database")

    def protect(wanted: bool) -> None:
        rds.modify_db_instance(DBInstanceIdentifier=database, DeletionProtection=wanted, ApplyImmediately=True)
        aws.eventually(lambda: shown(aws, database)["DeletionProtection"] is wanted, "its protection")

    protect(True)
    assert refusal(rds.delete_db_instance, **delete) == "InvalidParameterCombination"
    protect(False)
    assert rds.delete_db_instance(**delete)["DBInstance"]["DBInstanceStatus"] == "deleting"

    def gone() -> bool:
        try:
            assert shown(aws, database)["DBInstanceStatus"] == "deleting"
        except rds.exceptions.DBInstanceNotFoundFault:
            return True
        return False

    aws.eventually(gone, "the database to be gone")
    asm = aws.client("secretsmanager")

    def forgotten() -> bool:
        try:
            return "DeletedDate" in asm.describe_secret(SecretId=secret)
        except asm.exceptions.ResourceNotFoundException:
            return True

    aws.eventually(forgotten, "its secret to be gone")


@contract(
    says="DescribeReplicationGroups finds a cache by its name, with its endpoint once it is available, and another one "
    "of its name is ReplicationGroupAlreadyExists; one that does not exist is ReplicationGroupNotFoundFault, one that "
    "is deleted is `deleting` until then.",
    source=f"{CACHES}/API_DescribeReplicationGroups.html",
    otherwise=UNFOUND,
    used_by=(LOOKS, PROGRAM),
    minutes=15,
)
def test_a_cache_is_found_by_its_name(aws: Aws, stage: Stage, store_subnets: str) -> None:
    elasticache, name = aws.client("elasticache"), aws.named("cache")
    given = {
        "ReplicationGroupId": name,
        "ReplicationGroupDescription": "of the contract suite",
        "Engine": "valkey",
        "EngineVersion": "8.1",
        "CacheNodeType": "cache.t4g.micro",
        "NumCacheClusters": 1,
        "AutomaticFailoverEnabled": False,
        "MultiAZEnabled": False,
        "Port": 6379,
        "CacheSubnetGroupName": store_subnets,
        "SecurityGroupIds": [stage.network.task_group],
        "AtRestEncryptionEnabled": True,
        "TransitEncryptionEnabled": True,
        "Tags": aws.tags(),
    }

    def cache() -> dict[str, Any]:
        (found,) = elasticache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
        return dict(found)

    with pytest.raises(elasticache.exceptions.ReplicationGroupNotFoundFault):
        cache()
    assert elasticache.create_replication_group(**given)["ReplicationGroup"]["Status"] == "creating"
    aws.eventually(lambda: cache()["Status"] == "available", "the cache")
    assert (cache()["ReplicationGroupId"], cache()["TransitEncryptionEnabled"]) == (name, True)
    assert cache()["NodeGroups"][0]["PrimaryEndpoint"]["Port"] == 6379
    assert refusal(elasticache.create_replication_group, **given) == "ReplicationGroupAlreadyExists"
    assert elasticache.delete_replication_group(ReplicationGroupId=name)["ReplicationGroup"]["Status"] == "deleting"

    def gone() -> bool:
        try:
            assert cache()["Status"] == "deleting"
        except elasticache.exceptions.ReplicationGroupNotFoundFault:
            return True
        return False

    aws.eventually(gone, "the cache to be gone")
