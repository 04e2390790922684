"""AWS EC2: what leads out of a private subnet, and what is found of it after a kill."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.contracts import contract
from tests.contract.stage import Stage

pytestmark = pytest.mark.cloud

API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference"
GUIDE = "https://docs.aws.amazon.com/vpc/latest"
PROGRAM = ("release_lane/program/egress.py",)
LOOKS = ("release_lane/aws/existing.py",)
HALF_WAY = "an update would end half way, with a network that no task can leave"


def refused(code: str, call: Any, **arguments: Any) -> None:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code


def named(aws: Aws, kind: str, name: str) -> list[dict[str, Any]]:
    """`TagSpecifications` with a name, as the program gives it."""
    return [{"ResourceType": kind, "Tags": [*aws.tags(), {"Key": "Name", "Value": name}]}]


def by_name(name: str) -> list[dict[str, Any]]:
    return [{"Name": "tag:Name", "Values": [name]}]


def private_subnet(aws: Aws, stage: Stage, number: int) -> str:
    made = aws.client("ec2").create_subnet(
        VpcId=stage.network.vpc, CidrBlock=f"10.77.{number}.0/24", TagSpecifications=stage.tagged("subnet")
    )
    return str(made["Subnet"]["SubnetId"])


@contract(
    says="A NAT gateway has the address that it was given, and is found by its tags; while it exists its address is "
    "not released (InvalidIPAddress.InUse or AuthFailure), and its subnet is not deleted (DependencyViolation).",
    source=f"{API}/API_CreateNatGateway.html",
    otherwise=HALF_WAY + "; or a killed update would make a second one, which costs as much again",
    used_by=(*PROGRAM, *LOOKS),
    note="which of the two codes an address in use has is not documented; the provider waits at both",
    minutes=4,
)
def test_a_nat_gateway_keeps_its_address_and_its_subnet(aws: Aws, stage: Stage) -> None:
    ec2, name, subnet = aws.client("ec2"), aws.named("nat"), private_subnet(aws, stage, 50)
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=named(aws, "elastic-ip", name))["AllocationId"]
    made = ec2.create_nat_gateway(
        SubnetId=subnet, AllocationId=address, TagSpecifications=named(aws, "natgateway", name)
    )["NatGateway"]["NatGatewayId"]

    def state(*wanted: str) -> Any:
        (found,) = ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"]
        return found if found["State"] in wanted else None

    found = aws.eventually(lambda: state("available"), "the NAT gateway")
    assert found["NatGatewayAddresses"][0]["AllocationId"] == address
    assert [each["AllocationId"] for each in ec2.describe_addresses(Filters=by_name(name))["Addresses"]] == [address]
    there = [*by_name(name), {"Name": "state", "Values": ["pending", "available"]}]
    assert [each["NatGatewayId"] for each in ec2.describe_nat_gateways(Filters=there)["NatGateways"]] == [made]
    with pytest.raises(ClientError) as error:
        ec2.release_address(AllocationId=address)
    assert error.value.response["Error"]["Code"] in ("InvalidIPAddress.InUse", "AuthFailure")
    refused("DependencyViolation", ec2.delete_subnet, SubnetId=subnet)
    ec2.delete_nat_gateway(NatGatewayId=made)
    assert aws.eventually(lambda: state("deleted"), "the NAT gateway to be deleted")
    assert not ec2.describe_nat_gateways(Filters=there)["NatGateways"]
    ec2.release_address(AllocationId=address)


@contract(
    says="A NAT gateway in a VPC without an internet gateway becomes `failed`, with Gateway.NotAttached.",
    source=f"{GUIDE}/userguide/nat-gateway-troubleshooting.html",
    otherwise="the program would not have to wait for the internet gateway",
    used_by=PROGRAM,
    minutes=2,
)
def test_a_nat_gateway_needs_an_internet_gateway(aws: Aws, stage: Stage) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.78.0.0/16", TagSpecifications=stage.tagged("vpc"))["Vpc"]["VpcId"]
    tags = stage.tagged("subnet")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.78.0.0/24", TagSpecifications=tags)["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=stage.tagged("elastic-ip"))["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, TagSpecifications=stage.tagged("natgateway"))[
        "NatGateway"
    ]["NatGatewayId"]

    def failed() -> Any:
        (found,) = ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"]
        return found if found["State"] == "failed" else None

    assert aws.eventually(failed, "the NAT gateway to fail")["FailureCode"] == "Gateway.NotAttached"


@contract(
    says="A gateway endpoint adds a route to the service's prefix list to each of its route tables, which the table "
    "does not take a second time (RouteAlreadyExists); DescribePrefixLists finds the list by the service's name.",
    source=f"{GUIDE}/privatelink/gateway-endpoints.html",
    otherwise="tasks could not reach S3, where the layers of their images are; or the rule for it would name another",
    used_by=PROGRAM,
)
def test_a_gateway_endpoint_is_a_route(aws: Aws, stage: Stage) -> None:
    ec2, service, name = aws.client("ec2"), f"com.amazonaws.{aws.where.region}.s3", aws.named("s3")
    vpc, tags = stage.network.vpc, stage.tagged("route-table")
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tags)["RouteTable"]["RouteTableId"]
    given = {"VpcId": vpc, "ServiceName": service, "VpcEndpointType": "Gateway", "RouteTableIds": [table]}
    made = ec2.create_vpc_endpoint(**given, TagSpecifications=named(aws, "vpc-endpoint", name))["VpcEndpoint"]
    (prefixes,) = ec2.describe_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [service]}])["PrefixLists"]

    def route() -> Any:
        routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
        return next((each for each in routes if each.get("GatewayId") == made["VpcEndpointId"]), None)

    assert aws.eventually(route, "the route")["DestinationPrefixListId"] == prefixes["PrefixListId"]
    refused("RouteAlreadyExists", ec2.create_vpc_endpoint, **given, TagSpecifications=stage.tagged("vpc-endpoint"))
    found = ec2.describe_vpc_endpoints(Filters=[*by_name(name), {"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
    assert [each["VpcEndpointId"] for each in found] == [made["VpcEndpointId"]]


@contract(
    says="An interface endpoint gives its service's name to itself in its VPC, if that resolves names; another one for "
    "the same service is InvalidParameter.",
    source=f"{API}/API_CreateVpcEndpoint.html",
    otherwise="tasks would look for AWS on the internet, which they cannot reach",
    used_by=PROGRAM,
    minutes=3,
)
def test_an_interface_endpoint_has_the_name_of_its_service(aws: Aws, stage: Stage) -> None:
    ec2, vpc = aws.client("ec2"), stage.network.vpc
    for switch in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{switch: {"Value": True}})
    given = {
        "VpcId": vpc,
        "ServiceName": f"com.amazonaws.{aws.where.region}.logs",
        "VpcEndpointType": "Interface",
        "SubnetIds": [private_subnet(aws, stage, 51)],
        "SecurityGroupIds": [stage.network.task_group],
        "PrivateDnsEnabled": True,
        "TagSpecifications": stage.tagged("vpc-endpoint"),
    }
    made = ec2.create_vpc_endpoint(**given)["VpcEndpoint"]["VpcEndpointId"]

    def available() -> Any:
        (found,) = ec2.describe_vpc_endpoints(VpcEndpointIds=[made])["VpcEndpoints"]
        return found if found["State"].lower() == "available" else None

    found = aws.eventually(available, "the endpoint")
    assert found["PrivateDnsEnabled"]
    assert [each["GroupId"] for each in found["Groups"]] == [stage.network.task_group]
    assert len(found["NetworkInterfaceIds"]) == 1
    refused("InvalidParameter", ec2.create_vpc_endpoint, **given)
    ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
