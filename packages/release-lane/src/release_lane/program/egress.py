"""The private subnets of an environment, where its tasks are, and what leads out of them (`network.egress`).

Each egress has subnets of its own, so that a colour changes from one to another with a release, through the gates, and
never under its users. docs/adr/0019-private-subnets.md says why, `release settings` what each costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import pulumi
from pulumi_aws import ec2, vpc

from release_lane.decide.foundations import SLOTS, Egress
from release_lane.program.hold import merged
from release_lane.program.lane import Lane
from release_lane.record.names import Access

EVERYWHERE = "0.0.0.0/0"
HTTPS = {"ip_protocol": "tcp", "from_port": 443, "to_port": 443}
EVERY_TASK = ("ecr.api", "ecr.dkr", "logs")
"""Services of AWS that ECS needs to start a task: image, log."""


def service_name(access: Access, service: str) -> str:
    """Of a VPC endpoint. In China ECR's alone begin otherwise (AWS, "Interface VPC endpoints" of Amazon ECR)."""
    china = "cn." if access.partition == "aws-cn" and service.startswith("ecr.") else ""
    return f"{china}com.amazonaws.{access.region}.{service}"


class Network(Protocol):
    """What the private subnets are part of. `open_group`: for tasks that may reach everything; needed by NAT alone."""

    vpc_id: pulumi.Output[str]
    gateway: ec2.InternetGateway
    public_subnets: list[pulumi.Output[str]]
    open_group: ec2.SecurityGroup

    def group(self, part: str, description: str, opts: pulumi.ResourceOptions) -> ec2.SecurityGroup:
        """A group without rules."""

    def tasks_group(self, part: str, description: str, opts: pulumi.ResourceOptions) -> ec2.SecurityGroup:
        """A group that the load balancer can reach."""


@dataclass(frozen=True)
class Tasks:
    """Where tasks are: their subnets and security group, and what has to be there before one can start. `ways`: these
    subnets, and others in which a colour may still be."""

    subnets: list[pulumi.Output[str]]
    group: ec2.SecurityGroup
    after: list[pulumi.Resource]
    ways: list[PrivateSubnets] = field(default_factory=list)


class PrivateSubnets(pulumi.ComponentResource):
    """A private subnet and a route table in each zone. Layers of images are in S3, which is reached at no charge."""

    tasks: Tasks

    def __init__(self, lane: Lane, egress: Egress, network: Network) -> None:
        super().__init__(egress.component, f"{lane.names.cluster}-{egress}")
        self.name, self.lane, self.network = f"{lane.names.cluster}-{egress}", lane, network
        self.child = merged(pulumi.ResourceOptions(parent=self), lane.hold_egress(egress))
        self.subnets: list[pulumi.Output[str]] = []
        self.tables: list[ec2.RouteTable] = []
        # A /20 each, behind the public sixteenth of the VPC.
        first = 1 + len(SLOTS) * [*Egress].index(egress)
        for number, (slot, zone) in enumerate(zip(SLOTS, lane.zones, strict=False)):
            self._subnet(f"{self.name}-{slot}", f"{lane.cidr.rsplit('.', 2)[0]}.{16 * (first + number)}.0/20", zone)
        self.s3 = self.endpoint("s3", type="Gateway", route_table_ids=[table.id for table in self.tables])

    def routes(self, zone: int) -> list[ec2.RouteTableRouteArgs]:
        """Those of the zone's private subnet."""
        del zone
        return []

    def endpoint(self, service: str, type: str, **given: object) -> ec2.VpcEndpoint:
        """A VPC endpoint for one service of AWS; one that only some releases need comes and goes with them."""
        lane, name = self.lane, f"{self.name}-{service}"
        return ec2.VpcEndpoint(
            name,
            vpc_id=self.network.vpc_id,
            service_name=service_name(lane.names.access, service),
            vpc_endpoint_type=type,
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self) if service in lane.secret_stores else self.child,
            **given,
        )

    def _subnet(self, name: str, cidr: str, zone: str) -> None:
        vpc_id, tags = self.network.vpc_id, {"Name": name}
        subnet = ec2.Subnet(name, vpc_id=vpc_id, cidr_block=cidr, availability_zone=zone, tags=tags, opts=self.child)
        table = ec2.RouteTable(name, vpc_id=vpc_id, routes=self.routes(len(self.tables)), tags=tags, opts=self.child)
        ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=self.child)
        self.subnets.append(subnet.id)
        self.tables.append(table)


class Nat(PrivateSubnets):
    """Tasks reach the whole internet, through one NAT gateway or through the one of their zone."""

    def __init__(self, lane: Lane, egress: Egress, network: Network) -> None:
        self._gateways: list[ec2.NatGateway] = []
        self._count = len(lane.zones) if egress is Egress.NAT_PER_ZONE else 1
        super().__init__(lane, egress, network)
        self.tasks = Tasks(self.subnets, network.open_group, [self])
        self.register_outputs({})

    def routes(self, zone: int) -> list[ec2.RouteTableRouteArgs]:
        """All through the gateway."""
        if zone < self._count:
            self._gateways.append(self._gateway(zone))
        return [ec2.RouteTableRouteArgs(cidr_block=EVERYWHERE, nat_gateway_id=self._gateways[-1].id)]

    def _gateway(self, zone: int) -> ec2.NatGateway:
        name = f"{self.name}-{SLOTS[zone]}"
        address = ec2.Eip(name, domain="vpc", tags={"Name": name}, opts=self.child)
        # Without an internet gateway AWS makes none; and a new one, in another VPC, takes the address of the old one.
        after = pulumi.ResourceOptions(depends_on=self.network.gateway, delete_before_replace=True)
        return ec2.NatGateway(
            name,
            allocation_id=address.allocation_id,
            subnet_id=self.network.public_subnets[zone],
            tags={"Name": name},
            opts=merged(self.child, after),
        )


class Endpoints(PrivateSubnets):
    """Tasks reach the services of AWS that they need to start, and nothing else."""

    def __init__(self, lane: Lane, egress: Egress, network: Network, services: Sequence[str]) -> None:
        super().__init__(lane, egress, network)
        self._guard = network.group(f"{egress}", "Endpoints", self.child)
        group = network.tasks_group(f"{egress}-tasks", "Tasks with endpoints", self.child)
        # In the whole VPC their names lead to the endpoints from now on, also for tasks that are elsewhere in it.
        vpc.SecurityGroupIngressRule(
            f"{self.name}-in", security_group_id=self._guard.id, cidr_ipv4=lane.cidr, opts=self.child, **HTTPS
        )
        for service in dict.fromkeys([*EVERY_TASK, *services, *lane.secret_stores]):
            self._interface(service)
        self._let_out("endpoints", group, referenced_security_group_id=self._guard.id)
        self._let_out("s3", group, prefix_list_id=self.s3.prefix_list_id)
        self.tasks = Tasks(self.subnets, group, [self])
        self.register_outputs({})

    def _interface(self, service: str) -> None:
        self.endpoint(
            service,
            type="Interface",
            subnet_ids=self.subnets,
            security_group_ids=[self._guard.id],
            private_dns_enabled=True,
        )

    def _let_out(self, to: str, group: ec2.SecurityGroup, **given: pulumi.Input[str]) -> None:
        name = f"{self.name}-tasks-to-{to}"
        vpc.SecurityGroupEgressRule(name, security_group_id=group.id, opts=self.child, **HTTPS, **given)


def private_subnets(lane: Lane, network: Network, services: Sequence[str] = ()) -> Tasks:
    """Where a release that is started now goes; the subnets that colours still use are kept next to it.

    `services`: those of AWS that yours calls (`sqs`, `kms`), beyond what ECS needs; with endpoints it reaches no other.
    """
    made = [
        Endpoints(lane, each, network, services) if each is Egress.ENDPOINTS else Nat(lane, each, network)
        for each in lane.egress
    ]
    return replace(made[0].tasks, ways=[*made])
