"""EC2's ways out of a private subnet, where the emulator is stricter or says more than ministack."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from local_aws.emulator.ec2 import check_route
from local_aws.emulator.egress import (
    check_deleted,
    check_private_name,
    check_released,
    check_service,
    check_zones,
    failure,
    filters_in,
    is_interface,
    texts,
    xml,
)
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.query import parse
from local_aws.emulator.wire import ServiceError

pytestmark = pytest.mark.pure
FREE = {"AllocationId": "eipalloc-1", "PublicIp": "52.0.0.1", "AssociationId": None}
USED = {**FREE, "AssociationId": "eipassoc-1"}
RESOLVES = {"VpcId": "vpc-1", "EnableDnsSupport": True, "EnableDnsHostnames": True}
LOGS = {"VpcId": "vpc-1", "ServiceName": "com.amazonaws.us-east-1.logs", "PrivateDnsEnabled": True}


def code(call: Callable[[], None]) -> str:
    with pytest.raises(ServiceError) as refused:
        call()
    return refused.value.code


def test_an_address_in_use_is_not_released() -> None:
    check_released(FREE)
    check_released(None)
    assert code(lambda: check_released(USED)) == "InvalidIPAddress.InUse"


def test_what_is_in_use_is_not_deleted() -> None:
    check_deleted("subnet", "subnet-1", [])
    assert code(lambda: check_deleted("subnet", "subnet-1", ["nat-1"])) == "DependencyViolation"


@pytest.mark.parametrize(
    ("address", "attached", "why"),
    [
        (FREE, ["vpc-1"], None),
        (None, [], None),
        (FREE, ["vpc-2"], "Gateway.NotAttached"),
        (USED, ["vpc-1"], "Resource.AlreadyAssociated"),
    ],
    ids=["public", "private", "no internet gateway", "address in use"],
)
def test_a_nat_gateway_comes_to_be_or_says_why_not(
    address: dict[str, str] | None, attached: list[str], why: str | None
) -> None:
    found = failure(address, "vpc-1", attached)
    assert (found[0] if found else None) == why


def test_gateway_endpoints_are_for_s3_and_dynamodb() -> None:
    check_service("com.amazonaws.us-east-1.s3", "Gateway", "us-east-1")
    check_service("com.amazonaws.us-east-1.logs", "Interface", "us-east-1")
    for name, kind in (("com.amazonaws.us-east-1.logs", "Gateway"), ("com.amazonaws.eu-west-1.logs", "Interface")):
        assert code(lambda name=name, kind=kind: check_service(name, kind, "us-east-1")) == "InvalidServiceName"


def test_an_interface_endpoint_has_one_subnet_in_a_zone() -> None:
    check_zones(["a", "b"])
    assert code(lambda: check_zones(["a", "a"])) == "DuplicateSubnetsInSameZone"


def test_a_private_name_is_free_in_a_vpc_that_resolves_names() -> None:
    check_private_name(LOGS, RESOLVES, [{**LOGS, "VpcId": "vpc-2"}, {**LOGS, "PrivateDnsEnabled": False}])
    check_private_name({**LOGS, "PrivateDnsEnabled": False}, {"VpcId": "vpc-1"}, [LOGS])
    assert code(lambda: check_private_name(LOGS, RESOLVES, [LOGS])) == "InvalidParameter"
    assert code(lambda: check_private_name(LOGS, {**RESOLVES, "EnableDnsHostnames": False}, [])) == "InvalidParameter"


def test_network_interfaces_are_found_by_all_filters_and_a_filter_that_is_not_known_is_refused() -> None:
    endpoint = {
        "NetworkInterfaceId": "eni-1",
        "SubnetId": "subnet-1",
        "VpcId": "vpc-1",
        "Description": "VPC Endpoint Interface vpce-1",
        "Status": "in-use",
        "Attachment": None,
        "Groups": [{"GroupId": "sg-1", "GroupName": "endpoints"}],
    }
    for filters, found in (
        ({}, True),
        ({"vpc-id": ("vpc-1", "vpc-2"), "group-id": ("sg-1",)}, True),
        ({"vpc-id": ("vpc-1",), "group-id": ("sg-2",)}, False),
        ({"description": ("VPC Endpoint *",)}, True),
        ({"description": ("ELB app/lane/1",), "attachment.instance-owner-id": ("amazon-aws",)}, False),
    ):
        assert is_interface(endpoint, filters) is found, filters  # type: ignore[arg-type]
    assert code(lambda: is_interface(endpoint, {"colour": ("blue",)})) == "InvalidParameterValue"  # type: ignore[arg-type,return-value]


def test_a_route_table_has_one_route_to_a_range() -> None:
    table = {"Routes": [{"DestinationCidrBlock": "0.0.0.0/0"}, {"DestinationPrefixListId": "pl-1"}]}
    check_route(Params(parse("DestinationCidrBlock=10.0.0.0/8")), table)
    check_route(Params(parse("DestinationCidrBlock=0.0.0.0/0")), None)
    given = Params(parse("DestinationCidrBlock=0.0.0.0/0"))
    assert code(lambda: check_route(given, table)) == "RouteAlreadyExists"


def test_lists_are_read_and_written_as_ec2_does() -> None:
    params = Params(parse("SubnetId.2=b&SubnetId.1=a&Filter.1.Name=state&Filter.1.Value.1=x&Filter.1.Value.2=y"))
    assert texts(params.tree("SubnetId")) == ("a", "b")
    assert filters_in(params) == {"state": ("x", "y")}
    assert xml({"set": ["a", {"on": True, "none": None}], "text": "<&>"}) == (
        "<set><item>a</item><item><on>true</on></item></set><text>&lt;&amp;&gt;</text>"
    )
