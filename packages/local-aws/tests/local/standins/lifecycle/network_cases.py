"""VPC, subnets, gateways, route tables, security groups."""

from __future__ import annotations

from typing import Any

from provider_kit import Props
from tests.local.standins.lifecycle.case import Case, tag
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.world import World

ELSEWHERE = {"region": "eu-west-1"}


def tag_by_hand(world: World, made: Managed) -> None:
    world.aws("ec2").create_tags(Resources=[made.id], Tags=[{"Key": "team", "Value": "by hand"}])


def vpc_without_names(world: World, made: Managed) -> None:
    world.aws("ec2").modify_vpc_attribute(VpcId=made.id, EnableDnsHostnames={"Value": False})


def subnet_with_public_addresses(world: World, made: Managed) -> None:
    world.aws("ec2").modify_subnet_attribute(SubnetId=made.id, MapPublicIpOnLaunch={"Value": True})


def gateway_detached(world: World, made: Managed) -> None:
    world.aws("ec2").detach_internet_gateway(InternetGatewayId=made.id, VpcId=made.outputs["vpcId"])


def gateway_gone(world: World, made: Managed) -> None:
    gateway_detached(world, made)
    world.aws("ec2").delete_internet_gateway(InternetGatewayId=made.id)


def another_route(world: World, made: Managed) -> None:
    world.aws("ec2").create_route(RouteTableId=made.id, DestinationCidrBlock="192.0.2.0/24", GatewayId=world.gateway)


def fresh_vpc(world: World) -> str:
    """A VPC that nothing is attached to."""
    return str(world.aws("ec2").create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"])


def fresh_subnet(world: World) -> str:
    made = world.aws("ec2").create_subnet(VpcId=world.vpc, CidrBlock=world.cidr())
    return str(made["Subnet"]["SubnetId"])


def address(world: World) -> str:
    return str(world.aws("ec2").allocate_address(Domain="vpc")["AllocationId"])


def public_subnet(world: World) -> str:
    """In the VPC that has an internet gateway."""
    return world.subnets[0]


def interface(world: World) -> Props:
    """In a VPC of its own, as its private name is unique there."""
    vpc = fresh_vpc(world)
    for switch in ("EnableDnsSupport", "EnableDnsHostnames"):
        world.aws("ec2").modify_vpc_attribute(VpcId=vpc, **{switch: {"Value": True}})
    made = world.aws("ec2").create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24", AvailabilityZone="us-east-1a")
    return {
        "vpcId": vpc,
        "serviceName": "com.amazonaws.us-east-1.logs",
        "vpcEndpointType": "Interface",
        "privateDnsEnabled": True,
        "subnetIds": [made["Subnet"]["SubnetId"]],
        "securityGroupIds": [world.groups[0]],
        **tag(),
    }


def without_private_name(world: World, made: Managed) -> None:
    world.aws("ec2").modify_vpc_endpoint(VpcEndpointId=made.id, PrivateDnsEnabled=False)


def without_tables(world: World, made: Managed) -> None:
    world.aws("ec2").modify_vpc_endpoint(VpcEndpointId=made.id, RemoveRouteTableIds=made.outputs["routeTableIds"])


def fresh_table(world: World) -> str:
    return str(world.aws("ec2").create_route_table(VpcId=world.vpc)["RouteTable"]["RouteTableId"])


def endpoint_gone(world: World, made: Managed) -> None:
    world.aws("ec2").delete_vpc_endpoints(VpcEndpointIds=[made.id])


def rule(world: World) -> Props:
    return {
        "securityGroupId": world.groups[0],
        "ipProtocol": "tcp",
        "fromPort": 10_000 + world.number(),
        "toPort": 30_000,
        "cidrIpv4": "10.0.0.0/8",
        "description": "some",
        **tag(),
    }


def rule_case(way: str) -> Case:
    title = way.title()

    def narrowed(world: World, made: Managed) -> None:
        changed = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "CidrIpv4": "10.0.0.0/8", "Description": "some"}
        world.aws("ec2").modify_security_group_rules(
            GroupId=made.outputs["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": made.id, "SecurityGroupRule": changed}],
        )

    def gone(world: World, made: Managed) -> None:
        revoke = getattr(world.aws("ec2"), f"revoke_security_group_{way}")
        revoke(GroupId=made.outputs["securityGroupId"], SecurityGroupRuleIds=[made.id])

    return Case(
        token=f"aws:vpc/securityGroup{title}Rule:SecurityGroup{title}Rule",
        good=rule,
        in_place=lambda _: {
            "ipProtocol": "udp",
            "fromPort": 9,
            "toPort": 60_000,
            "cidrIpv4": "10.1.0.0/16",
            "description": "other",
            **tag("b"),
        },
        replacing=lambda world: {
            "securityGroupId": world.groups[1],
            "cidrIpv6": "2001:db8::/32",
            "referencedSecurityGroupId": world.groups[1],
            "prefixListId": "pl-1",
            **ELSEWHERE,
        },
        by_hand=("fromPort", narrowed),
        take_away=gone,
    )


def group_rule_case(way: str) -> Case:
    """A rule about another group, for all protocols: AWS answers -1 for the ports that were not given."""
    plain = rule_case(way)
    return Case(
        token=plain.token,
        variant="group",
        good=lambda world: {
            "securityGroupId": fresh_group(world),
            "ipProtocol": "-1",
            "referencedSecurityGroupId": world.groups[0],
            **tag(),
        },
        in_place=lambda _: {"description": "other", **tag("b")},
        replacing=lambda world: {"securityGroupId": fresh_group(world)},
        by_hand=("tags", tag_by_hand),
        take_away=plain.take_away,
        not_tried={"referencedSecurityGroupId": "ministack keeps the old one where AWS changes it"},
    )


def fresh_group(world: World) -> str:
    made = world.aws("ec2").create_security_group(GroupName=world.name(), Description="d", VpcId=world.vpc)
    return str(made["GroupId"])


def delete(operation: str, argument: str) -> Any:
    def gone(world: World, made: Managed) -> None:
        getattr(world.aws("ec2"), operation)(**{argument: made.id})

    return gone


CASES = (
    Case(
        token="aws:ec2/vpc:Vpc",
        good=lambda _: {"cidrBlock": "10.7.0.0/16", "enableDnsHostnames": True, **tag()},
        in_place=lambda _: {"enableDnsSupport": False, "enableDnsHostnames": False, **tag("b")},
        replacing=lambda _: {"cidrBlock": "10.8.0.0/16", "instanceTenancy": "dedicated", **ELSEWHERE},
        by_hand=("enableDnsHostnames", vpc_without_names),
        slow=True,
        take_away=delete("delete_vpc", "VpcId"),
    ),
    Case(
        token="aws:ec2/subnet:Subnet",
        good=lambda world: {"vpcId": world.vpc, "cidrBlock": world.cidr(), **tag()},
        in_place=lambda _: {"mapPublicIpOnLaunch": True, **tag("b")},
        replacing=lambda world: {
            "cidrBlock": "10.0.254.0/24",
            "availabilityZone": "us-east-1b",
            "vpcId": world.other_vpc,
            **ELSEWHERE,
        },
        by_hand=("mapPublicIpOnLaunch", subnet_with_public_addresses),
        take_away=delete("delete_subnet", "SubnetId"),
    ),
    Case(
        token="aws:ec2/internetGateway:InternetGateway",
        good=lambda world: {"vpcId": fresh_vpc(world), **tag()},
        in_place=lambda world: {"vpcId": fresh_vpc(world), **tag("b")},
        replacing=lambda _: ELSEWHERE,
        by_hand=("vpcId", gateway_detached),
        take_away=gateway_gone,
    ),
    Case(
        token="aws:ec2/routeTable:RouteTable",
        good=lambda world: {
            "vpcId": world.vpc,
            "routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": world.gateway}],
            **tag(),
        },
        in_place=lambda world: {"routes": [{"cidrBlock": "198.51.100.0/24", "gatewayId": world.gateway}], **tag("b")},
        replacing=lambda world: {"vpcId": world.other_vpc, **ELSEWHERE},
        by_hand=("routes", another_route),
        take_away=delete("delete_route_table", "RouteTableId"),
    ),
    Case(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",
        good=lambda world: {"subnetId": fresh_subnet(world), "routeTableId": world.tables[0]},
        replacing=lambda world: {
            "subnetId": fresh_subnet(world),
            "routeTableId": world.tables[1],
            "gatewayId": world.gateway,
            **ELSEWHERE,
        },
        by_hand=None,
        take_away=delete("disassociate_route_table", "AssociationId"),
        import_id=lambda made: f"{made.outputs['subnetId']}/{made.outputs['routeTableId']}",
    ),
    Case(
        token="aws:ec2/eip:Eip",
        good=lambda _: {"domain": "vpc", **tag()},
        in_place=lambda _: tag("b"),
        replacing=lambda _: ELSEWHERE,
        by_hand=("tags", tag_by_hand),
        take_away=delete("release_address", "AllocationId"),
        not_tried={"domain": "AWS has one left"},
    ),
    Case(
        token="aws:ec2/natGateway:NatGateway",
        good=lambda world: {"subnetId": public_subnet(world), "allocationId": address(world), **tag()},
        in_place=lambda _: tag("b"),
        replacing=lambda world: {
            "allocationId": address(world),
            "subnetId": fresh_subnet(world),
            "connectivityType": "private",
            "privateIp": "10.0.251.99",
            **ELSEWHERE,
        },
        by_hand=("tags", tag_by_hand),
        take_away=delete("delete_nat_gateway", "NatGatewayId"),
    ),
    Case(
        token="aws:ec2/vpcEndpoint:VpcEndpoint",
        good=lambda world: {
            "vpcId": world.vpc,
            "serviceName": "com.amazonaws.us-east-1.s3",
            "routeTableIds": [fresh_table(world)],
            **tag(),
        },
        in_place=lambda world: {
            "routeTableIds": [fresh_table(world), fresh_table(world)],
            "policy": '{"Version": "2012-10-17", "Statement": []}',
            **tag("b"),
        },
        replacing=lambda world: {
            "serviceName": "com.amazonaws.us-east-1.dynamodb",
            "vpcId": world.other_vpc,
            "privateDnsEnabled": True,
            "vpcEndpointType": "Interface",
            **ELSEWHERE,
        },
        by_hand=("routeTableIds", without_tables),
        take_away=endpoint_gone,
    ),
    Case(
        token="aws:ec2/vpcEndpoint:VpcEndpoint",
        variant="interface",
        good=interface,
        in_place=lambda world: {
            "securityGroupIds": [world.groups[1]],
            "subnetIds": [world.subnets[1]],
            **tag("b"),
        },
        replacing=lambda _: {"serviceName": "com.amazonaws.us-east-1.ssm", "privateDnsEnabled": False, **ELSEWHERE},
        by_hand=("privateDnsEnabled", without_private_name),
        take_away=endpoint_gone,
    ),
    Case(
        token="aws:ec2/securityGroup:SecurityGroup",
        good=lambda world: {"name": world.name(), "description": "d", "vpcId": world.vpc, **tag()},
        in_place=lambda _: tag("b"),
        replacing=lambda world: {
            "description": "e",
            "name": world.name(),
            "vpcId": world.other_vpc,
            **ELSEWHERE,
        },
        by_hand=("tags", tag_by_hand),
        take_away=delete("delete_security_group", "GroupId"),
        twice="InvalidGroup.Duplicate",
    ),
    rule_case("ingress"),
    rule_case("egress"),
    group_rule_case("ingress"),
    group_rule_case("egress"),
)
