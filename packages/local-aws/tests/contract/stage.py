"""What the tests stand on, made when it is first asked for and shared by the whole run.

The role is made before the load balancer, which takes minutes on AWS: IAM has spread by the time a task needs it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.images import Images, Pushed

FIRST_PORT, LAST_PORT = 8000, 8199
"""Listeners of the suite; the security group lets these in."""

ACTOR_PORT = 8080
SECRETS = ("ssm:GetParameters", "secretsmanager:GetSecretValue")
MANAGED = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


@dataclass(frozen=True, kw_only=True)
class Network:
    """Ids."""

    vpc: str
    subnets: tuple[str, ...]
    balancer_group: str
    task_group: str

    def of_tasks(self) -> dict[str, Any]:
        """`networkConfiguration` of a task: it needs a public address to reach the registry."""
        inside = {"subnets": list(self.subnets), "securityGroups": [self.task_group], "assignPublicIp": "ENABLED"}
        return {"awsvpcConfiguration": inside}


class Stage:
    """One run's own network, cluster, role, log group, registry and load balancer. `leftovers` removes them."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self._ports = iter(range(FIRST_PORT, LAST_PORT + 1))

    def next_port(self) -> int:
        """A port that no listener of this run had."""
        return next(self._ports)

    @cached_property
    def network(self) -> Network:
        """A VPC with two public subnets; visitors reach the load balancer on the suite's ports, and it the tasks."""
        ec2 = self.aws.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16", TagSpecifications=self.tagged("vpc"))["Vpc"]["VpcId"]
        ec2.get_waiter("vpc_exists").wait(VpcIds=[vpc])
        ec2.get_waiter("vpc_available").wait(VpcIds=[vpc])
        table = self._routes(vpc)
        zones = [
            zone["ZoneName"]
            for zone in ec2.describe_availability_zones(Filters=[{"Name": "state", "Values": ["available"]}])[
                "AvailabilityZones"
            ]
            if zone.get("ZoneType", "availability-zone") == "availability-zone"
        ]
        subnets = tuple(self._subnet(vpc, number, zone, table) for number, zone in enumerate(zones[:2]))
        balancer, tasks = self._group(vpc, "balancer"), self._group(vpc, "tasks")
        ports = {"IpProtocol": "tcp", "FromPort": FIRST_PORT, "ToPort": LAST_PORT}
        visitors = {**ports, "IpRanges": [{"CidrIp": self.aws.where.visitors}]}
        self._soon(ec2.authorize_security_group_ingress, GroupId=balancer, IpPermissions=[visitors])
        from_balancer = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": balancer}]}
        self._soon(ec2.authorize_security_group_ingress, GroupId=tasks, IpPermissions=[from_balancer])
        return Network(vpc=vpc, subnets=subnets, balancer_group=balancer, task_group=tasks)

    def _routes(self, vpc: str) -> str:
        ec2 = self.aws.client("ec2")
        made = ec2.create_internet_gateway(TagSpecifications=self.tagged("internet-gateway"))
        gateway = made["InternetGateway"]["InternetGatewayId"]
        self._soon(ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
        table = ec2.create_route_table(VpcId=vpc, TagSpecifications=self.tagged("route-table"))["RouteTable"]
        id = str(table["RouteTableId"])
        self._soon(ec2.create_route, RouteTableId=id, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        return id

    def _subnet(self, vpc: str, number: int, zone: str, table: str) -> str:
        ec2 = self.aws.client("ec2")
        made = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.77.{number}.0/24",
            AvailabilityZone=zone,
            TagSpecifications=self.tagged("subnet"),
        )["Subnet"]["SubnetId"]
        self._soon(ec2.associate_route_table, SubnetId=made, RouteTableId=table)
        return str(made)

    def _soon(self, call: Callable[..., Any], **arguments: Any) -> None:
        """EC2 may not know yet what it has just made."""

        def done() -> bool:
            try:
                call(**arguments)
            except ClientError as error:
                if not error.response["Error"]["Code"].endswith("NotFound"):
                    raise
                return False
            return True

        self.aws.eventually(done, f"EC2 to know {arguments}")

    def _group(self, vpc: str, part: str) -> str:
        made = self.aws.client("ec2").create_security_group(
            GroupName=self.aws.named(part),
            Description=f"{part} of the contract suite",
            VpcId=vpc,
            TagSpecifications=self.tagged("security-group"),
        )
        return str(made["GroupId"])

    def tagged(self, kind: str) -> list[dict[str, Any]]:
        """`TagSpecifications` of EC2."""
        name = {"Key": "Name", "Value": self.aws.named(kind)}
        return [{"ResourceType": kind, "Tags": [*self.aws.tags(), name]}]

    @cached_property
    def cluster(self) -> str:
        """Its name."""
        name = self.aws.named("cluster")
        self.aws.client("ecs").create_cluster(clusterName=name, tags=self.aws.tags("key", "value"))
        return name

    @cached_property
    def log_group(self) -> str:
        """Its name."""
        name = self.aws.named("logs")
        logs = self.aws.client("logs")
        logs.create_log_group(logGroupName=name, tags={tag["Key"]: tag["Value"] for tag in self.aws.tags()})
        logs.put_retention_policy(logGroupName=name, retentionInDays=1)
        return name

    @cached_property
    def execution_role(self) -> str:
        """ARN of a role with which ECS pulls, logs, and reads this run's secrets."""
        iam, name = self.aws.client("iam"), self.aws.named("execution")
        trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust), Tags=self.aws.tags())
        iam.attach_role_policy(RoleName=name, PolicyArn=MANAGED)
        account, region = self.aws.where.account, self.aws.where.region
        readable = [
            f"arn:aws:ssm:{region}:{account}:parameter/{self.aws.named('*')}",
            f"arn:aws:secretsmanager:{region}:{account}:secret:{self.aws.named('*')}",
        ]
        statement = {"Effect": "Allow", "Action": list(SECRETS), "Resource": readable}
        iam.put_role_policy(RoleName=name, PolicyName="secrets", PolicyDocument=policy(statement))
        return str(made["Role"]["Arn"])

    @cached_property
    def repository(self) -> dict[str, Any]:
        """The run's own ECR repository, with immutable tags."""
        made: dict[str, Any] = self.aws.client("ecr").create_repository(
            repositoryName=self.aws.named("actor"), imageTagMutability="IMMUTABLE", tags=self.aws.tags()
        )["repository"]
        return made

    @cached_property
    def images(self) -> Images:
        """Builds and pushes."""
        return Images(self.aws, self.repository)

    @cached_property
    def image(self) -> Pushed:
        """The actor."""
        return self.images.push("one")

    @cached_property
    def other_image(self) -> Pushed:
        """The actor again, with another digest."""
        return self.images.push("two")

    @cached_property
    def balancer(self) -> dict[str, Any]:
        """The one load balancer of the run: its description when it is active."""
        assert self.execution_role, "before the load balancer, so that it has spread when tasks need it"
        elb, network = self.aws.client("elbv2"), self.network
        made = elb.create_load_balancer(
            Name=self.aws.named("lb"),
            Subnets=list(network.subnets),
            SecurityGroups=[network.balancer_group],
            Tags=self.aws.tags(),
        )["LoadBalancers"][0]

        def active() -> dict[str, Any] | None:
            found = elb.describe_load_balancers(LoadBalancerArns=[made["LoadBalancerArn"]])["LoadBalancers"][0]
            return found if found["State"]["Code"] == "active" else None

        return self.aws.eventually(active, "the load balancer") or {}

    def close(self) -> None:
        """Forget what lies on this machine; what lies in the account, `leftovers.remove` removes."""
        if "images" in vars(self):
            self.images.close()


def policy(statement: dict[str, Any]) -> str:
    """A policy of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
