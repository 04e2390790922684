"""The network of an environment: one VPC, a public and a private subnet in each zone, and who may talk to whom.

The load balancer is in the public subnets, tasks are in private ones. An environment may also be in a
network that exists already (`network.existing`): then only security groups are created.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc
from release_lane.program import NETWORK, SLOTS, Egress, Lane, Tasks, merged, private_subnets

EVERYWHERE = "0.0.0.0/0"
GROUP, OUT = "aws:ec2/securityGroup:SecurityGroup", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"


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
    """Tasks can be reached from the load balancer only; the load balancer through the doors that are given.

    `public_subnets` are for the load balancer. `tasks`: where a release that is started now goes; `open_group` is for
    tasks that may reach everything.
    """

    vpc_id: pulumi.Output[str]
    gateway: ec2.InternetGateway
    public_subnets: list[pulumi.Output[str]]
    open_group: ec2.SecurityGroup
    tasks: Tasks

    def __init__(self, lane: Lane, doors: Iterable[Door]) -> None:
        super().__init__(NETWORK, lane.names.cluster)
        self._name, self._lane = lane.names.cluster, lane
        self._child = merged(pulumi.ResourceOptions(parent=self), lane.hold.protect())
        if lane.existing:
            self.vpc_id = pulumi.Output.from_input(lane.existing.vpc)
            self.public_subnets = _known(lane.existing.public)
        else:
            self._build()
        self.balancer_group = self.group("balancer", "Load balancer", self._child)
        if lane.has(OUT, f"{self._name}-balancer-out"):
            self._let_out("balancer", self.balancer_group)
        for door in doors:
            self._open(door)
        self.tasks = self._tasks()
        self.register_outputs({"vpcId": self.vpc_id})

    # ---- Public subnets

    def _build(self) -> None:
        """A /16: its first sixteenth for public subnets, the others for private ones."""
        # Subnets in other zones would have the addresses of the old ones: they need another VPC.
        whole = merged(self._child, pulumi.ResourceOptions(replacement_trigger=list(self._lane.zones[:2])))
        cidr, tags = self._lane.cidr, {"Name": self._name}
        main = ec2.Vpc(self._name, cidr_block=cidr, enable_dns_hostnames=True, tags=tags, opts=whole)
        self.vpc_id = main.id
        # It cannot leave a VPC in which something still has a public address: another VPC gets one of its own.
        stays = merged(self._child, pulumi.ResourceOptions(replace_on_changes=["vpcId"]))
        self.gateway = ec2.InternetGateway(self._name, vpc_id=self.vpc_id, opts=stays)
        route = ec2.RouteTableRouteArgs(cidr_block=EVERYWHERE, gateway_id=self.gateway.id)
        table = ec2.RouteTable(self._name, vpc_id=self.vpc_id, routes=[route], opts=self._child)
        self.public_subnets = [
            self._subnet(f"{self._name}-{slot}", f"{cidr.rsplit('.', 2)[0]}.{number}.0/24", zone, table)
            for number, (slot, zone) in enumerate(zip(SLOTS, self._lane.zones, strict=False))
        ]

    def _subnet(self, name: str, cidr: str, zone: str, table: ec2.RouteTable) -> pulumi.Output[str]:
        vpc_id, tags = self.vpc_id, {"Name": name}
        subnet = ec2.Subnet(name, vpc_id=vpc_id, cidr_block=cidr, availability_zone=zone, tags=tags, opts=self._child)
        ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=self._child)
        made: pulumi.Output[str] = subnet.id
        return made

    # ---- Where tasks are

    def _tasks(self) -> Tasks:
        """In private subnets with the egress that the settings ask for, or in those that exist already.

        An egress that a colour still uses stays, and so does what an earlier version opened: closing it under users
        would be a change that no gate looks at. A colour moves with the release that goes there.
        """
        lane = self._lane
        if lane.existing or {*lane.egress} - {Egress.ENDPOINTS} or lane.has(GROUP, f"{self._name}-tasks"):
            self.open_group = self.tasks_group("tasks", "Tasks", self._child)
            self._let_out("tasks", self.open_group)
        if lane.existing:
            return Tasks(_known(lane.existing.private), self.open_group, [])
        return private_subnets(lane, self)

    def tasks_group(self, part: str, description: str, opts: pulumi.ResourceOptions) -> ec2.SecurityGroup:
        """A group that the load balancer can reach: on all ports, since a release may bring another one of its own."""
        group = self.group(part, description, opts)
        # The first of these rules has no part in its name: live environments know it so.
        named = self._name if part == "tasks" else f"{self._name}-{part}"
        vpc.SecurityGroupIngressRule(
            f"{named}-from-balancer",
            security_group_id=group.id,
            referenced_security_group_id=self.balancer_group.id,
            ip_protocol="-1",
            opts=opts,
        )
        vpc.SecurityGroupEgressRule(
            f"{self._name}-balancer-to-{part}",
            security_group_id=self.balancer_group.id,
            referenced_security_group_id=group.id,
            ip_protocol="-1",
            opts=opts,
        )
        return group

    def group(self, part: str, description: str, opts: pulumi.ResourceOptions) -> ec2.SecurityGroup:
        """A group without rules."""
        name = f"{self._name}-{part}"
        # The old one is in use until everything that it guards was replaced; in another VPC its name is free.
        after = merged(opts, pulumi.ResourceOptions(delete_before_replace=False))
        return ec2.SecurityGroup(
            name, name=name, vpc_id=self.vpc_id, description=f"{description} of {self._name}", opts=after
        )

    def _let_out(self, part: str, group: ec2.SecurityGroup) -> None:
        vpc.SecurityGroupEgressRule(
            f"{self._name}-{part}-out",
            security_group_id=group.id,
            cidr_ipv4=EVERYWHERE,
            ip_protocol="-1",
            opts=self._child,
        )

    # ---- Who may reach the load balancer

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


def _known(ids: Iterable[str]) -> list[pulumi.Output[str]]:
    return [pulumi.Output.from_input(id) for id in ids]
