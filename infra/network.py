"""The network of an environment: one VPC, two public subnets in two zones, and who may talk to whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc
from release_lane.program import NETWORK, Lane, merged

SLOTS = ("a", "b")
"""The two subnets' names end like this, whichever zones they are in."""


@dataclass(frozen=True)
class Door:
    """A port of the load balancer that a range of addresses may reach.

    `passing`: it comes and goes with the settings; the others users rely on, so the lane protects them.
    """

    name: str
    port: int
    cidr: str
    passing: bool = False


class Network(pulumi.ComponentResource):
    """Tasks can be reached from the load balancer only; the load balancer through the doors that are given."""

    vpc_id: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]

    def __init__(self, lane: Lane, doors: Iterable[Door]) -> None:
        super().__init__(NETWORK, lane.names.cluster)
        self._name, self._lane = lane.names.cluster, lane
        self._child = merged(pulumi.ResourceOptions(parent=self), lane.hold.protect())
        # Subnets in other zones would have the addresses of the old ones: they need another VPC.
        whole = merged(self._child, pulumi.ResourceOptions(replacement_trigger=list(lane.zones)))
        cidr, tags = lane.settings.network.cidr, {"Name": self._name}
        main = ec2.Vpc(self._name, cidr_block=cidr, enable_dns_hostnames=True, tags=tags, opts=whole)
        self.vpc_id = main.id
        self.subnet_ids = self._subnets(cidr.rsplit(".", 2)[0])
        self.balancer_group = self._group("balancer", "Load balancer")
        self.task_group = self._group("tasks", "Tasks")
        self._rules()
        for door in doors:
            self._open(door)
        self.register_outputs({"vpcId": self.vpc_id})

    def _subnets(self, prefix: str) -> list[pulumi.Output[str]]:
        gateway = ec2.InternetGateway(self._name, vpc_id=self.vpc_id, opts=self._child)
        route = ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=gateway.id)
        table = ec2.RouteTable(self._name, vpc_id=self.vpc_id, routes=[route], opts=self._child)
        return [
            self._subnet(f"{self._name}-{slot}", f"{prefix}.{number}.0/24", zone, table)
            for number, (slot, zone) in enumerate(zip(SLOTS, self._lane.zones, strict=True))
        ]

    def _subnet(self, name: str, cidr: str, zone: str, table: ec2.RouteTable) -> pulumi.Output[str]:
        subnet = ec2.Subnet(
            name,
            vpc_id=self.vpc_id,
            cidr_block=cidr,
            availability_zone=zone,
            tags={"Name": name},
            opts=self._child,
        )
        ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=self._child)
        made: pulumi.Output[str] = subnet.id
        return made

    def _group(self, part: str, description: str) -> ec2.SecurityGroup:
        name = f"{self._name}-{part}"
        # The old one is in use until everything that it guards was replaced; in another VPC its name is free.
        after = merged(self._child, pulumi.ResourceOptions(delete_before_replace=False))
        return ec2.SecurityGroup(
            name, name=name, vpc_id=self.vpc_id, description=f"{description} of {self._name}", opts=after
        )

    def _rules(self) -> None:
        balancer, tasks = self.balancer_group.id, self.task_group.id
        vpc.SecurityGroupIngressRule(
            f"{self._name}-from-balancer",
            security_group_id=tasks,
            referenced_security_group_id=balancer,
            ip_protocol="-1",
            opts=self._child,
        )
        for part, group in (("balancer", balancer), ("tasks", tasks)):
            vpc.SecurityGroupEgressRule(
                f"{self._name}-{part}-out",
                security_group_id=group,
                cidr_ipv4="0.0.0.0/0",
                ip_protocol="-1",
                opts=self._child,
            )

    def _open(self, door: Door) -> None:
        name = f"{self._name}-{door.name}"
        passing = merged(pulumi.ResourceOptions(parent=self), self._lane.known_as(name, door.port, door.cidr))
        vpc.SecurityGroupIngressRule(
            name,
            security_group_id=self.balancer_group.id,
            cidr_ipv4=door.cidr,
            from_port=door.port,
            to_port=door.port,
            ip_protocol="tcp",
            opts=passing if door.passing else self._child,
        )
