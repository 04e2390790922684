"""AWS: what settings must keep within."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from release_lane.record.container import container_definition
from release_lane.record.placement import Colour, Release, Service
from release_lane.settings import alarms, artifacts, https, network, service, variables
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
