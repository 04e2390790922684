"""The network of an environment: one VPC, two public subnets in two zones, and who may talk to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, vpc

from release_lane.decide.foundations import SLOTS, Door
from release_lane.program.components.freeze import Hold


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """`cidr` is the VPC's /16; `test_access` are CIDRs that may reach the test listeners besides the VPC.

    `zones` of the two subnets. `doors`: the ingress rule that the state already has for a range, by logical name.
    """

    cidr: str
    zones: Sequence[str]
    users_port: int
    test_ports: Sequence[int]
    test_access: Sequence[str]
    doors: Mapping[Door, str]
    hold: Hold


class Network(pulumi.ComponentResource):
    """Tasks are reachable from the load balancer only; the load balancer from everywhere on the users' port."""

    vpc_id: pulumi.Output[str]
    subnet_ids: list[pulumi.Output[str]]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("release-lane:infra:Network", name, None, opts)
        self._child = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self), args.hold.protect())
        self._name = name
        tags = {"Name": name}
        # Subnets in other zones would have the addresses of those that are there: they need another VPC.
        whole = pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(replacement_trigger=list(args.zones)))
        main = ec2.Vpc(name, cidr_block=args.cidr, enable_dns_hostnames=True, tags=tags, opts=whole)
        self.vpc_id = main.id
        self.subnet_ids = self._subnets(args)
        self.balancer_group = self._group("balancer", "Load balancer")
        self.task_group = self._group("tasks", "Tasks")
        self._rules(args)
        self.register_outputs({"vpcId": self.vpc_id})

    def _subnets(self, args: NetworkArgs) -> list[pulumi.Output[str]]:
        gateway = ec2.InternetGateway(self._name, vpc_id=self.vpc_id, opts=self._child)
        route = ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=gateway.id)
        table = ec2.RouteTable(self._name, vpc_id=self.vpc_id, routes=[route], opts=self._child)
        return [self._subnet(args, number, zone, table) for number, zone in enumerate(args.zones)]

    def _subnet(self, args: NetworkArgs, number: int, zone: str, table: ec2.RouteTable) -> pulumi.Output[str]:
        name = f"{self._name}-{SLOTS[number]}"
        prefix = args.cidr.rsplit(".", 2)[0]
        subnet = ec2.Subnet(
            name,
            vpc_id=self.vpc_id,
            cidr_block=f"{prefix}.{number}.0/24",
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
        after = pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(delete_before_replace=False))
        return ec2.SecurityGroup(
            name, name=name, vpc_id=self.vpc_id, description=f"{description} of {self._name}", opts=after
        )

    def _rules(self, args: NetworkArgs) -> None:
        balancer, tasks = self.balancer_group.id, self.task_group.id
        self._let_in("users", balancer, args.users_port, "0.0.0.0/0", self._child)
        for port in args.test_ports:
            for cidr in dict.fromkeys([args.cidr, *args.test_access]):
                self._let_test(port, cidr, balancer, args.doors)
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

    def _let_test(self, port: int, cidr: str, group: pulumi.Output[str], doors: Mapping[Door, str]) -> None:
        """Named by the range, so that a list may lose or gain any. One that the state has under a number is renamed."""
        part, known = f"test-{port}-{cidr.replace('/', '-')}", doors.get((port, cidr))
        aliases = [pulumi.Alias(name=known)] if known and known != f"{self._name}-{part}" else []
        self._let_in(part, group, port, cidr, pulumi.ResourceOptions(parent=self, aliases=aliases))

    def _let_in(self, part: str, group: pulumi.Output[str], port: int, cidr: str, opts: pulumi.ResourceOptions) -> None:
        vpc.SecurityGroupIngressRule(
            f"{self._name}-{part}",
            security_group_id=group,
            cidr_ipv4=cidr,
            from_port=port,
            to_port=port,
            ip_protocol="tcp",
            opts=opts,
        )
