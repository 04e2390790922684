"""AWS: what settings must keep within."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from release_lane.decide.flags import LARGEST
from release_lane.record.container import container_definition
from release_lane.record.placement import Colour, Release, Service
from release_lane.settings import alarms, artifacts, cache, database, https, limits, network, service, variables
from tests.contract.aws import Aws
from tests.contract.balancing import Balancing
from tests.contract.contracts import contract
from tests.contract.stage import Stage, policy

pytestmark = [pytest.mark.cloud, pytest.mark.long]

AWS = "https://docs.aws.amazon.com"
HALF_WAY = "a setting that the program takes would be refused half way through an update"
ECS_QUOTAS = f"{AWS}/AmazonECS/latest/developerguide/service-quotas.html"


def refused(code: str, call: Any, **arguments: Any) -> str:
    """Its message."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code
    return str(error.value.response["Error"]["Message"])


def unchecked(aws: Aws) -> Aws:
    """botocore also knows some limits, and would never ask."""
    return dataclasses.replace(aws, checks=False)


def definition(aws: Aws, stage: Stage, service: Service) -> dict[str, Any]:
    """As the program registers it."""
    release = Release(digest=variables.DIGEST, service=service, commit="0" * 40)
    container = container_definition(
        release,
        Colour.BLUE,
        repository=stage.repository["repositoryUri"],
        container="app",
        log_group=stage.log_group,
        region=aws.where.region,
    )
    return {
        "family": aws.named("large"),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": stage.execution_role,
        "containerDefinitions": [container],
        "tags": aws.tags("key", "value"),
    }


@contract(
    says="A task definition of more than 64 KiB is ClientException; one that the settings let through is taken.",
    source=ECS_QUOTAS,
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/variables.py", "release_lane/record/container.py"),
    note="how it is counted is not documented; the settings leave 4 KiB of it free",
)
def test_a_task_definition_has_64_kib(aws: Aws, stage: Stage) -> None:
    api = aws.client("ecs")
    room = variables.TASK_DEFINITION - variables.ADDED - variables.definition_size(Service(env={"A": ""}))
    most = Service(env={"A": "x" * room})
    assert not variables.task_definition(most)
    api.register_task_definition(**definition(aws, stage, most))
    more = Service(env={"A": "x" * variables.TASK_DEFINITION})
    said = refused("ClientException", api.register_task_definition, **definition(aws, stage, more))
    assert "Max allowed length is '65536' bytes" in said


@contract(
    says="A container's image with more than 255 characters is ClientException.",
    source=f"{AWS}/AmazonECS/latest/APIReference/API_ContainerDefinition.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/variables.py",),
    note="the page gives another number and does not count tag or digest; others were refused at 256",
)
def test_an_image_has_255_characters(aws: Aws, stage: Stage) -> None:
    wanted = definition(aws, stage, Service())
    wanted["containerDefinitions"][0]["image"] = "r" * 200 + "@" + variables.DIGEST
    refused("ClientException", aws.client("ecs").register_task_definition, **wanted)


@contract(
    says="All inline policies of a role have 10,240 characters, blanks not counted; more is LimitExceeded.",
    source=f"{AWS}/IAM/latest/UserGuide/reference_iam-quotas.html",
    otherwise="a release that names many secrets would fail half way",
    used_by=("release_lane/settings/variables.py", "infra/cluster.py"),
)
def test_a_role_has_10240_characters_of_policies(aws: Aws) -> None:
    iam, name = aws.client("iam"), aws.named("limited")
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust), Tags=aws.tags())

    def document(count: int) -> str:
        arn = f"arn:aws:ssm:{aws.where.region}:{aws.where.account}:parameter/"
        services = [Service(secrets={f"S{n}": f"{arn}{n:0>50}" for n in range(count)})]
        assert bool(variables.readable_secrets(services)) is (count > 90)
        return json.dumps(variables.secrets_policy(services))

    iam.put_role_policy(RoleName=name, PolicyName="secrets", PolicyDocument=document(90))
    refused("LimitExceeded", iam.put_role_policy, RoleName=name, PolicyName="secrets", PolicyDocument=document(120))


@contract(
    says="A health check's path begins with a slash and has at most 1,024 printable characters without a blank.",
    source=f"{AWS}/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/service.py",),
    note="that a blank is refused is not on the page",
)
def test_a_path_has_no_blank_and_1024_characters(aws: Aws, stage: Stage) -> None:
    elb = Balancing(unchecked(aws), stage)
    for number, path in enumerate(["health", "/he alth", "/" + "x" * 1024]):
        assert service.health_path(path)
        with pytest.raises(ClientError, match="ValidationError"):
            elb.group(f"path-{number}", HealthCheckPath=path)
    elb.close()


@contract(
    says="Names of load balancers and target groups have at most 32 letters, digits and hyphens, no hyphen first or "
    "last; that of a load balancer does not begin with `internal-`.",
    source=f"{AWS}/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html",
    otherwise="an environment would be made half before its name is refused",
    used_by=("release_lane/settings/limits.py", "release_lane/program/environment.py"),
)
def test_names_are_short_and_plain(aws: Aws, stage: Stage) -> None:
    api, network = unchecked(aws).client("elbv2"), stage.network
    group = {"Protocol": "HTTP", "Port": 80, "VpcId": network.vpc, "TargetType": "ip"}
    for name in ("x" * 33, "my_app-green", "-a", "a-"):
        refused("ValidationError", api.create_target_group, Name=name, **group)
    refused("ValidationError", api.create_load_balancer, Name="internal-a", Subnets=list(network.subnets))


@contract(
    says="A load balancer takes one subnet of a zone; several of one are InvalidConfigurationRequest, also where it "
    "has subnets in two zones.",
    source=f"{AWS}/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html",
    otherwise="the first update of an environment in a network that exists would fail half way",
    used_by=("release_lane/decide/existing_network.py",),
    note="the page says that one subnet is given of each zone; the error's code is known from reports of others",
)
def test_a_load_balancer_takes_one_subnet_of_a_zone(aws: Aws, stage: Stage) -> None:
    ec2, there = aws.client("ec2"), stage.network
    (first,) = ec2.describe_subnets(SubnetIds=[there.subnets[0]])["Subnets"]
    another = ec2.create_subnet(
        VpcId=there.vpc,
        CidrBlock="10.77.52.0/24",
        AvailabilityZone=first["AvailabilityZone"],
        TagSpecifications=stage.tagged("subnet"),
    )["Subnet"]["SubnetId"]
    create = aws.client("elbv2").create_load_balancer
    refused("InvalidConfigurationRequest", create, Name=aws.named("one-zone"), Subnets=[*there.subnets, another])


@contract(
    says="A VPC's range is an IPv4 range between /16 and /28; what is none is InvalidParameterValue, what is larger or "
    "smaller InvalidVpc.Range.",
    source=f"{AWS}/vpc/latest/userguide/vpc-cidr-blocks.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/network.py",),
)
def test_a_vpc_has_a_range_of_ipv4(aws: Aws) -> None:
    ec2 = unchecked(aws).client("ec2")
    for cidr, code in (("999.300.0.0/16", "InvalidParameterValue"), ("10.0.0.0/8", "InvalidVpc.Range")):
        assert network.vpc_range(cidr)
        refused(code, ec2.create_vpc, CidrBlock=cidr)


@contract(
    says="A security group takes IPv4 ranges as such and 60 inbound rules; other text is InvalidParameterValue, more "
    "RulesPerSecurityGroupLimitExceeded.",
    source=f"{AWS}/vpc/latest/userguide/amazon-vpc-limits.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/network.py", "infra/network.py"),
    note="60 is the default of an account",
)
def test_a_security_group_has_60_rules_of_ranges(aws: Aws, stage: Stage) -> None:
    ec2 = unchecked(aws).client("ec2")
    group = ec2.create_security_group(
        GroupName=aws.named("ranges"),
        Description="limits of rules",
        VpcId=stage.network.vpc,
        TagSpecifications=stage.tagged("security-group"),
    )["GroupId"]

    def wanted(*ranges: str) -> dict[str, Any]:
        ports = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}
        return {"GroupId": group, "IpPermissions": [{**ports, "IpRanges": [{"CidrIp": each} for each in ranges]}]}

    for text in ("office", "2001:db8::/32"):
        assert network.address_range(text)
        refused("InvalidParameterValue", ec2.authorize_security_group_ingress, **wanted(text))
    ec2.authorize_security_group_ingress(**wanted(*(f"192.0.2.{number}/32" for number in range(60))))
    code = "RulesPerSecurityGroupLimitExceeded"
    refused(code, ec2.authorize_security_group_ingress, **wanted("198.51.100.0/24"))


@contract(
    says="A certificate that is requested has at most 64 characters in its first name; more is "
    "InvalidDomainValidationOptionsException.",
    source=f"{AWS}/acm/latest/APIReference/API_RequestCertificate.html",
    otherwise="an environment would be made half before its certificate is refused",
    used_by=("release_lane/settings/https.py", "infra/balancer.py"),
    note="the page has the limit, and not the code",
)
def test_a_requested_certificate_has_64_characters_in_its_first_name(aws: Aws) -> None:
    long = f"{'a' * 49}.long.example.com"
    assert https.requested(long)
    code = "InvalidDomainValidationOptionsException"
    refused(code, unchecked(aws).client("acm").request_certificate, DomainName=long, ValidationMethod="DNS")


@contract(
    says="DescribeAlarms takes 100 names; more is ValidationError.",
    source=f"{AWS}/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html",
    otherwise="a switch with many alarms could not see any of them",
    used_by=("release_lane/settings/alarms.py", "release_lane/aws/signals.py"),
)
def test_a_hundred_alarms_are_described_at_once(aws: Aws) -> None:
    api = unchecked(aws).client("cloudwatch")
    names = [aws.named(f"none-{number}") for number in range(101)]
    assert api.describe_alarms(AlarmNames=names[:100])["MetricAlarms"] == []
    refused("ValidationError", api.describe_alarms, AlarmNames=names)


@contract(
    says="An alarm looks back a day at most, or a week with periods of an hour; its topics are in its region.",
    source=f"{AWS}/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/alarms.py", "infra/alarms.py"),
)
def test_an_alarm_looks_back_a_day_and_tells_its_own_region(aws: Aws) -> None:
    api, region = aws.client("cloudwatch"), aws.where.region
    alarm: dict[str, Any] = {
        "AlarmName": aws.named("limits"),
        "Namespace": "release-lane/contract",
        "MetricName": "m",
        "Statistic": "Sum",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1,
    }
    for period, datapoints in ((3540, 25), (3600, 169)):
        assert alarms.alarm_length(period, datapoints)
        refused("ValidationError", api.put_metric_alarm, **alarm, Period=period, EvaluationPeriods=datapoints)
    topic = f"arn:aws:sns:{'eu-west-1' if region != 'eu-west-1' else 'us-east-1'}:{aws.where.account}:{aws.named('t')}"
    assert alarms.alarm_action(topic, region)
    refused("ValidationError", api.put_metric_alarm, **alarm, Period=60, EvaluationPeriods=1, AlarmActions=[topic])


@contract(
    says="A repository's name has 2 to 256 lower-case letters and digits, single separators between them; another is "
    "InvalidParameterException.",
    source=f"{AWS}/AmazonECR/latest/APIReference/API_CreateRepository.html",
    otherwise="the artifacts stack of a project with capitals in its name could not be made",
    used_by=("release_lane/settings/artifacts.py",),
)
def test_a_repository_has_a_plain_name(aws: Aws) -> None:
    for name in ("My/app", "a//b", "a"):
        assert artifacts.repository(name)
        refused("InvalidParameterException", unchecked(aws).client("ecr").create_repository, repositoryName=name)


@contract(
    says="A secret's `valueFrom` that is no ARN is taken for a parameter's name, and shown to all who may describe "
    "task definitions.",
    source=f"{AWS}/AmazonECS/latest/APIReference/API_Secret.html",
    otherwise="a password written where its reference belongs would be published",
    used_by=("release_lane/settings/variables.py",),
)
def test_what_is_no_arn_is_published_as_a_name(aws: Aws, stage: Stage) -> None:
    literal = "hunter2"
    assert variables.secret_reference(literal)
    wanted = definition(aws, stage, Service())
    wanted["containerDefinitions"][0]["secrets"] = [{"name": "A", "valueFrom": literal}]
    made = aws.client("ecs").register_task_definition(**wanted)["taskDefinition"]["taskDefinitionArn"]
    shown = aws.client("ecs").describe_task_definition(taskDefinition=made)["taskDefinition"]
    assert shown["containerDefinitions"][0]["secrets"] == [{"name": "A", "valueFrom": literal}]


@contract(
    says="A parameter of the standard tier takes a value of 4 KB; more is ValidationException.",
    source=f"{AWS}/systems-manager/latest/userguide/parameter-store-advanced-parameters.html",
    otherwise="too many flags would be refused by AWS instead of in words",
    used_by=("release_lane/decide/flags.py",),
    note="an account may have set another default tier, which takes more; the code is known from reports of others",
)
def test_a_parameter_takes_4_kb(aws: Aws) -> None:
    given = {"Name": f"/{aws.named('wide')}/flags", "Type": "String", "Tier": "Standard"}
    put = aws.client("ssm").put_parameter
    refused("ValidationException", put, Value="x" * (LARGEST + 1), **given)
    put(Value="x" * LARGEST, Tags=aws.tags(), **given)
    refused("ValidationException", put, Value="x" * (LARGEST + 1), Overwrite=True, **given)


def instance(aws: Aws, group: str, **over: Any) -> dict[str, Any]:
    """As the program asks for a database."""
    return {
        "DBInstanceIdentifier": aws.named("limits"),
        "DBInstanceClass": "db.t4g.micro",
        "Engine": "postgres",
        "EngineVersion": "17",
        "AllocatedStorage": 20,
        "StorageType": "gp3",
        "StorageEncrypted": True,
        "MasterUsername": "app",
        "ManageMasterUserPassword": True,
        "DBSubnetGroupName": group,
        "Tags": aws.tags(),
        **over,
    }


def replication_group(aws: Aws, group: str, **over: Any) -> dict[str, Any]:
    """As the program asks for a cache."""
    return {
        "ReplicationGroupId": aws.named("limits"),
        "ReplicationGroupDescription": "limits",
        "Engine": "valkey",
        "EngineVersion": "8.1",
        "CacheNodeType": "cache.t4g.micro",
        "NumCacheClusters": 1,
        "CacheSubnetGroupName": group,
        "AtRestEncryptionEnabled": True,
        "TransitEncryptionEnabled": True,
        "Tags": aws.tags(),
        **over,
    }


def no_names(aws: Aws, longest: int) -> list[str]:
    """What no database or cache can be called. All begin as the run's own, so they would be found if AWS took one."""
    most = longest - len(aws.named(""))
    return [*map(aws.named, ("a--b", "a-", "a_b")), aws.named("x" * (most + 1))]


@contract(
    says="The name of a database has letters, digits and hyphens, 63 at most, no two hyphens in a row and none at its "
    "end; another is InvalidParameterValue.",
    source=f"{AWS}/AmazonRDS/latest/APIReference/API_CreateDBInstance.html",
    otherwise="an environment would be made half before its database is refused",
    used_by=("release_lane/settings/limits.py", "release_lane/program/stores.py"),
    note="that it begins with a letter is on the page as well, and not tried: nothing of a run has such a name",
)
def test_a_database_has_a_plain_name(aws: Aws, store_subnets: str) -> None:
    create = aws.client("rds").create_db_instance
    for name in no_names(aws, 63):
        assert limits.store(name) or limits.prefix(name)
        refused("InvalidParameterValue", create, **instance(aws, store_subnets, DBInstanceIdentifier=name))


@contract(
    says="The name of a cache likewise, 40 at most.",
    source=f"{AWS}/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html",
    otherwise="an environment would be made half before its cache is refused",
    used_by=("release_lane/settings/limits.py", "release_lane/program/stores.py"),
)
def test_a_cache_has_a_plain_and_shorter_name(aws: Aws, store_subnets: str) -> None:
    create = aws.client("elasticache").create_replication_group
    for name in no_names(aws, 40):
        assert limits.store(name) or limits.prefix(name)
        refused("InvalidParameterValue", create, **replication_group(aws, store_subnets, ReplicationGroupId=name))


def database_takes(**given: Any) -> bool:
    """By the settings."""
    try:
        database.DatabaseSettings(**{"instance_class": "db.t4g.micro", **given})
    except ValueError:
        return False
    return True


@contract(
    says="Storage (gp3) of PostgreSQL is 20 to 65,536 GiB, and backups are kept for 35 days at most; the first is "
    "InvalidParameterCombination, the second InvalidParameterValue.",
    source=f"{AWS}/AmazonRDS/latest/APIReference/API_CreateDBInstance.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/database.py",),
    note="the codes are not on the page; that of storage is known from reports of others",
)
def test_a_database_has_20_gib_and_backups_of_35_days(aws: Aws, store_subnets: str) -> None:
    create = aws.client("rds").create_db_instance
    for storage in (19, 65_537):
        assert not database_takes(storage_gb=storage)
        refused("InvalidParameterCombination", create, **instance(aws, store_subnets, AllocatedStorage=storage))
    assert not database_takes(backup_days=36)
    refused("InvalidParameterValue", create, **instance(aws, store_subnets, BackupRetentionPeriod=36))


@contract(
    says="A class that RDS does not have is InvalidParameterValue, and one whose generation takes no such PostgreSQL "
    "InvalidParameterCombination.",
    source=f"{AWS}/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Support.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/database.py",),
    note="the page has the generations, and not the codes",
)
def test_a_database_is_of_a_generation_that_takes_it(aws: Aws, store_subnets: str) -> None:
    create = aws.client("rds").create_db_instance
    for size, code in (("db.micro", "InvalidParameterValue"), ("db.t2.micro", "InvalidParameterCombination")):
        assert database.class_problem(size)
        refused(code, create, **instance(aws, store_subnets, DBInstanceClass=size))


@contract(
    says="A major version of PostgreSQL that RDS does not have is InvalidParameterCombination; nothing is made.",
    source=f"{AWS}/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/database.py",),
    note="the page has the versions, the code is known from reports of others. The settings take some that RDS may "
    "have later: what it does not have yet, it refuses",
)
def test_a_version_that_rds_has_not_is_refused(aws: Aws, store_subnets: str) -> None:
    assert database.version_problem("99")
    create = aws.client("rds").create_db_instance
    for version in ("99", str(database.NEWEST)):
        refused("InvalidParameterCombination", create, **instance(aws, store_subnets, EngineVersion=version))


@contract(
    says="A type of nodes that ElastiCache does not have, or of which it makes no new ones, is refused; so is one with "
    "data tiering that is not asked for with it.",
    source=f"{AWS}/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/cache.py",),
    note="API_CreateReplicationGroup.html has the tiering; the code is on neither page: InvalidParameterValue or "
    "InvalidParameterCombination",
)
def test_a_cache_is_of_a_type_that_is_made(aws: Aws, store_subnets: str) -> None:
    create = aws.client("elasticache").create_replication_group
    for size in ("cache.micro", "cache.t2.micro", "cache.r6gd.xlarge"):
        assert cache.type_problem(size)
        with pytest.raises(ClientError, match=r"\(InvalidParameter(Value|Combination)\)"):
            create(**replication_group(aws, store_subnets, CacheNodeType=size))


@contract(
    says="A version of Valkey that ElastiCache does not have is InvalidParameterCombination; nothing is made.",
    source=f"{AWS}/AmazonElastiCache/latest/dg/engine-versions.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/settings/cache.py",),
    note="the page has the versions, and not the code",
)
def test_a_version_that_elasticache_has_not_is_refused(aws: Aws, store_subnets: str) -> None:
    assert cache.version_problem("99.9")
    create = aws.client("elasticache").create_replication_group
    for version in ("99.9", f"{cache.NEWEST}.9"):
        refused("InvalidParameterCombination", create, **replication_group(aws, store_subnets, EngineVersion=version))


@contract(
    says="Another node that takes over needs two of them, and automatic failover; otherwise it is "
    "InvalidParameterCombination.",
    source=f"{AWS}/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html",
    otherwise=HALF_WAY,
    used_by=("release_lane/program/stores.py",),
    note="the page has the conditions, and not the code",
)
def test_a_cache_in_two_zones_has_two_nodes(aws: Aws, store_subnets: str) -> None:
    create, code = aws.client("elasticache").create_replication_group, "InvalidParameterCombination"
    refused(code, create, **replication_group(aws, store_subnets, AutomaticFailoverEnabled=True, MultiAZEnabled=True))
    refused(code, create, **replication_group(aws, store_subnets, NumCacheClusters=2, MultiAZEnabled=True))
