"""AWS: what a killed create left is found by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from release_lane.aws.existing import _rule
from tests.contract.aws import Aws
from tests.contract.balancing import Balancing, fixed
from tests.contract.contracts import contract
from tests.contract.stage import Stage, policy

pytestmark = pytest.mark.cloud

ECS = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference"
IAM = "https://docs.aws.amazon.com/IAM/latest/APIReference"
LOGS = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference"
EC2 = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference"
ECR = "https://docs.aws.amazon.com/AmazonECR/latest/APIReference"
LOOKS = ("release_lane/aws/existing.py",)
UNFOUND = "what a killed update left would be made a second time, refused by AWS, and stop every later update"


@contract(
    says="DescribeClusters leaves out a cluster that never was (it is under `failures`), and shows a deleted one as "
    "INACTIVE for a while or not at all.",
    source=f"{ECS}/API_DeleteCluster.html",
    otherwise=UNFOUND,
    used_by=LOOKS,
)
def test_a_cluster_that_is_not_there_is_left_out(aws: Aws, stage: Stage) -> None:
    ecs, gone = aws.client("ecs"), aws.named("gone")
    found = ecs.describe_clusters(clusters=[stage.cluster, aws.named("never")])
    assert [(each["clusterName"], each["status"]) for each in found["clusters"]] == [(stage.cluster, "ACTIVE")]
    assert [each["reason"] for each in found["failures"]] == ["MISSING"]
    ecs.create_cluster(clusterName=gone, tags=aws.tags("key", "value"))
    ecs.delete_cluster(cluster=gone)
    shown = ecs.describe_clusters(clusters=[gone])["clusters"]
    assert {each["status"] for each in shown} <= {"INACTIVE"}


@contract(
    says="GetRole of a role that does not exist is NoSuchEntity.",
    source=f"{IAM}/API_GetRole.html",
    otherwise=UNFOUND,
    used_by=LOOKS,
)
def test_a_role_is_found_by_its_name(aws: Aws, stage: Stage) -> None:
    iam, name = aws.client("iam"), stage.execution_role.rsplit("/", 1)[-1]
    assert iam.get_role(RoleName=name)["Role"]["Arn"] == stage.execution_role
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=aws.named("never"))


@contract(
    says="DescribeLogGroups finds by the beginning of a name, so also longer names; no match is no error.",
    source=f"{LOGS}/API_DescribeLogGroups.html",
    otherwise=UNFOUND,
    used_by=LOOKS,
)
def test_log_groups_are_found_by_the_beginning_of_their_name(aws: Aws, stage: Stage) -> None:
    logs = aws.client("logs")
    logs.create_log_group(logGroupName=f"{stage.log_group}-longer")
    found = logs.describe_log_groups(logGroupNamePrefix=stage.log_group)["logGroups"]
    assert {each["logGroupName"] for each in found} == {stage.log_group, f"{stage.log_group}-longer"}
    assert logs.describe_log_groups(logGroupNamePrefix=aws.named("never"))["logGroups"] == []


@contract(
    says="Filters find a VPC's security group by name, its subnet by address range and its internet gateway; nothing "
    "is no error.",
    source=f"{EC2}/API_DescribeSecurityGroups.html",
    otherwise=UNFOUND,
    used_by=LOOKS,
    note="API_DescribeSubnets.html and API_DescribeInternetGateways.html list their own filters",
)
def test_parts_of_a_network_are_found_by_filters(aws: Aws, stage: Stage) -> None:
    network, ec2 = stage.network, aws.client("ec2")
    in_vpc = {"Name": "vpc-id", "Values": [network.vpc]}

    def groups(name: str) -> list[str]:
        filters = [in_vpc, {"Name": "group-name", "Values": [name]}]
        return [each["GroupId"] for each in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]]

    def subnets(cidr: str) -> list[str]:
        filters = [in_vpc, {"Name": "cidr-block", "Values": [cidr]}]
        return [each["SubnetId"] for each in ec2.describe_subnets(Filters=filters)["Subnets"]]

    def gateways(vpc: str) -> int:
        filters = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
        return len(ec2.describe_internet_gateways(Filters=filters)["InternetGateways"])

    assert (groups(aws.named("tasks")), groups(aws.named("never"))) == ([network.task_group], [])
    assert (subnets("10.77.1.0/24"), subnets("10.77.9.0/24")) == ([network.subnets[1]], [])
    assert (gateways(network.vpc), gateways("vpc-00000000000000000")) == (1, 0)


@contract(
    says="DescribeRepositories of a name that does not exist is RepositoryNotFoundException.",
    source=f"{ECR}/API_DescribeRepositories.html",
    otherwise=UNFOUND,
    used_by=LOOKS,
)
def test_a_repository_is_found_by_its_name(aws: Aws, stage: Stage) -> None:
    ecr, name = aws.client("ecr"), stage.repository["repositoryName"]
    found = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert [each["repositoryUri"] for each in found] == [stage.repository["repositoryUri"]]
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_repositories(repositoryNames=[aws.named("never")])


@contract(
    says="A role, log group, repository, security group, subnet's range, gateway of a VPC, listener, target group or "
    "load balancer that exists is not made again under its name with other settings: each has an error of its own.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
    otherwise="what a killed update left would be doubled, and the second one would be the one that is kept",
    used_by=LOOKS,
    note="the errors are on the pages of the single calls; that of a second gateway is known from reports of others",
)
def test_what_exists_is_not_made_again(aws: Aws, stage: Stage, elb: Balancing) -> None:
    refused = {what: refusal(again) for what, again in repeated(aws, stage, elb).items()}
    assert refused == {
        "role": "EntityAlreadyExists",
        "log group": "ResourceAlreadyExistsException",
        "repository": "RepositoryAlreadyExistsException",
        "security group": "InvalidGroup.Duplicate",
        "subnet": "InvalidSubnet.Conflict",
        "gateway": "InvalidParameterValue",
        "listener": "DuplicateListener",
        "target group": "DuplicateTargetGroupName",
        "load balancer": "DuplicateLoadBalancerName",
    }


@contract(
    says="A security group takes no rule that it has (protocol, ports and source), and no rule is changed into another "
    "one that is there: InvalidPermission.Duplicate. DescribeSecurityGroupRules lists those of a group, by their ids.",
    source=f"{EC2}/API_AuthorizeSecurityGroupIngress.html",
    otherwise="numbered rules would move up when one is taken out of a list, and an update would stop half-way",
    used_by=("infra/network.py", *LOOKS),
    note="the error is on errors-overview.html; that a change is also refused is not on API_ModifySecurityGroupRules",
)
def test_a_range_is_let_in_once(aws: Aws, stage: Stage) -> None:
    ec2, group = aws.client("ec2"), stage.network.balancer_group
    first, second = (
        {"IpProtocol": "tcp", "FromPort": 7, "ToPort": 7, "IpRanges": [{"CidrIp": cidr}]}
        for cidr in ("192.0.2.0/24", "198.51.100.0/24")
    )
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[first])["SecurityGroupRules"]
    asked = {"securityGroupId": group, "ipProtocol": "tcp", "fromPort": 7.0, "toPort": 7.0, "cidrIpv4": "192.0.2.0/24"}
    there = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert made[0]["SecurityGroupRuleId"] in [each["SecurityGroupRuleId"] for each in there]
    assert _found(ec2, asked) == made[0]["SecurityGroupRuleId"]
    assert _found(ec2, {**asked, "toPort": 8.0}) is None
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[second])
    wanted = {"IpProtocol": "tcp", "FromPort": 7, "ToPort": 7, "CidrIpv4": "198.51.100.0/24"}
    change = {"SecurityGroupRuleId": made[0]["SecurityGroupRuleId"], "SecurityGroupRule": wanted}
    try:
        assert (
            refusal(lambda: ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[first]))
            == refusal(lambda: ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[change]))
            == ("InvalidPermission.Duplicate")
        )
    finally:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[first, second])


def _found(ec2: Any, inputs: dict[str, Any]) -> str | None:
    """As `release recover` looks for a rule that a killed update was making."""
    there = _rule(lambda _: ec2, inputs, egress=False)
    return there.id if there else None


def repeated(aws: Aws, stage: Stage, elb: Balancing) -> dict[str, Callable[[], Any]]:
    """Calls that make what exists, some of it with other settings."""
    ec2, network, balancer = aws.client("ec2"), stage.network, stage.balancer
    listener = elb.listener(fixed(503))
    elb.group("made-once")
    gateway = ec2.create_internet_gateway(TagSpecifications=stage.tagged("internet-gateway"))["InternetGateway"]
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {
        "role": lambda: aws.client("iam").create_role(
            RoleName=stage.execution_role.rsplit("/", 1)[-1], AssumeRolePolicyDocument=policy(trust)
        ),
        "log group": lambda: aws.client("logs").create_log_group(logGroupName=stage.log_group),
        "repository": lambda: aws.client("ecr").create_repository(repositoryName=stage.repository["repositoryName"]),
        "security group": lambda: ec2.create_security_group(
            GroupName=aws.named("tasks"),
            Description="again",
            VpcId=network.vpc,
            TagSpecifications=stage.tagged("security-group"),
        ),
        "subnet": lambda: ec2.create_subnet(
            VpcId=network.vpc, CidrBlock="10.77.1.0/24", TagSpecifications=stage.tagged("subnet")
        ),
        "gateway": lambda: ec2.attach_internet_gateway(
            InternetGatewayId=gateway["InternetGatewayId"], VpcId=network.vpc
        ),
        "listener": lambda: elb.api.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=listener.port,
            DefaultActions=[fixed(404)],
        ),
        "target group": lambda: elb.group("made-once", Port=81),
        "load balancer": lambda: elb.api.create_load_balancer(
            Name=balancer["LoadBalancerName"], Subnets=list(network.subnets), Scheme="internal"
        ),
    }


def refusal(again: Callable[[], Any]) -> str:
    """The error's code; what was made instead, if it was."""
    try:
        return f"made again: {json.dumps(again(), default=str)[:200]}"
    except ClientError as error:
        return str(error.response["Error"]["Code"])
