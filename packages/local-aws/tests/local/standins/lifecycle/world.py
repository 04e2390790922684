"""What the resources under test refer to: made once, by hand, in the emulator."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ACCOUNT = "000000000000"
ZONE = "Z0000000000LOCAL"
CONTAINER = {
    "name": "app",
    "image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/app@sha256:{'0' * 64}",
    "portMappings": [{"containerPort": 8080}],
}


@dataclass
class World:
    """Clients and ids. `name()` is another name each time."""

    aws: Callable[[str], Any]
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    vpc: str = ""
    other_vpc: str = ""
    subnets: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    gateway: str = ""
    tables: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    cluster: str = ""
    balancers: list[str] = field(default_factory=list)
    target_groups: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    repositories: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    subnet_groups: list[str] = field(default_factory=list)
    """Of databases."""
    cache_groups: list[str] = field(default_factory=list)
    bucket: str = ""
    """It takes access logs."""

    def number(self) -> int:
        return int(next(self.numbers))

    def name(self) -> str:
        return f"lifecycle-{self.number():04}"

    def cidr(self) -> str:
        """A network inside of the VPC that is not taken yet."""
        number = self.number() % (250 * 16)
        return f"10.0.{number // 16}.{number % 16 * 16}/28"


def build(aws: Callable[[str], Any]) -> World:
    """A World in an emulator that is still empty."""
    world = World(aws)
    _network(world, aws("ec2"))
    trust = '{"Version": "2012-10-17", "Statement": []}'
    for name in ("one", "two"):
        aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        aws("ecr").create_repository(repositoryName=name)
        world.roles.append(name)
        world.repositories.append(name)
        aws("elasticache").create_cache_subnet_group(
            CacheSubnetGroupName=name, CacheSubnetGroupDescription="d", SubnetIds=world.subnets[:2]
        )
        world.cache_groups.append(name)
    _balancing(world, aws("elbv2"))
    world.certificates = [certificate(aws, f"{name}.world.test") for name in ("one", "two")]
    world.bucket = _bucket(aws("s3"))
    world.cluster = aws("ecs").create_cluster(clusterName="world")["cluster"]["clusterArn"]
    for _ in range(2):
        made = aws("ecs").register_task_definition(
            family="world",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/one",
            containerDefinitions=[CONTAINER],
        )
        world.definitions.append(made["taskDefinition"]["taskDefinitionArn"])
    return world


def certificate(aws: Callable[[str], Any], domain: str) -> str:
    """An issued one; its arn."""
    wanted = {"DomainName": domain, "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1"}
    arn = str(aws("acm").request_certificate(**wanted)["CertificateArn"])
    shown = aws("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    record = shown["DomainValidationOptions"][0]["ResourceRecord"]
    values = {"TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    change = {"Action": "UPSERT", "ResourceRecordSet": {"Name": record["Name"], "Type": "CNAME", **values}}
    aws("route53").change_resource_record_sets(HostedZoneId=ZONE, ChangeBatch={"Changes": [change]})
    return arn


def _bucket(s3: Any) -> str:
    name, principal = "world-logs", {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    allow = {"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/*"}
    s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    return name


def _network(world: World, ec2: Any) -> None:
    world.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    world.other_vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    for number, zone in enumerate(("a", "b", "c")):
        subnet = ec2.create_subnet(
            VpcId=world.vpc, CidrBlock=f"10.0.{251 + number}.0/24", AvailabilityZone=f"us-east-1{zone}"
        )
        world.subnets.append(subnet["Subnet"]["SubnetId"])
    for name in ("one", "two"):
        group = ec2.create_security_group(GroupName=f"world-{name}", Description="d", VpcId=world.vpc)
        world.groups.append(group["GroupId"])
        world.tables.append(ec2.create_route_table(VpcId=world.vpc)["RouteTable"]["RouteTableId"])
    world.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    for name in ("world-one", "world-two"):
        world.aws("rds").create_db_subnet_group(
            DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=world.subnets[:2]
        )
        world.subnet_groups.append(name)
    ec2.attach_internet_gateway(InternetGatewayId=world.gateway, VpcId=world.vpc)


def _balancing(world: World, elbv2: Any) -> None:
    for name in ("world-one", "world-two"):
        made = elbv2.create_load_balancer(Name=name, Subnets=world.subnets[:2], SecurityGroups=world.groups[:1])
        world.balancers.append(made["LoadBalancers"][0]["LoadBalancerArn"])
        group = elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=world.vpc, TargetType="ip")
        world.target_groups.append(group["TargetGroups"][0]["TargetGroupArn"])
    for arn, port in zip(world.target_groups, (9001, 9002), strict=True):
        # ECS takes only target groups that have a load balancer
        elbv2.create_listener(
            LoadBalancerArn=world.balancers[0],
            Protocol="HTTP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
        )
