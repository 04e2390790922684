"""Subnets as EC2 tells them."""

from __future__ import annotations

import pytest
from local_aws.emulator.elbv2.model import Subnet
from local_aws.emulator.elbv2.network import message_of, read_subnets
from local_aws.emulator.wire import ServiceError

pytestmark = pytest.mark.pure


def answer(*subnets: tuple[str, str, str]) -> bytes:
    items = "".join(
        f"<item><subnetId>{one}</subnetId><vpcId>{vpc}</vpcId><availabilityZone>{zone}</availabilityZone>"
        f"<tagSet><item><key>a</key><value>b</value></item></tagSet></item>"
        for one, vpc, zone in subnets
    )
    space = "http://ec2.amazonaws.com/doc/2016-11-15/"
    return f'<DescribeSubnetsResponse xmlns="{space}"><subnetSet>{items}</subnetSet></DescribeSubnetsResponse>'.encode()


def test_zones_and_vpc_are_read_in_the_order_asked_for() -> None:
    found = read_subnets(answer(("b", "v", "z2"), ("a", "v", "z1")), ["a", "b"])
    assert found.vpc == "v"
    assert found.subnets == (Subnet("a", "z1"), Subnet("b", "z2"))


def test_a_subnet_that_is_not_there_is_named() -> None:
    with pytest.raises(ServiceError, match="'c'") as caught:
        read_subnets(answer(("a", "v", "z")), ["a", "c"])
    assert caught.value.code == "SubnetNotFound"


def test_subnets_of_two_vpcs_do_not_make_a_load_balancer() -> None:
    with pytest.raises(ServiceError, match="same VPC"):
        read_subnets(answer(("a", "v", "z"), ("b", "w", "z")), ["a", "b"])


def test_what_ec2_says_of_a_subnet_is_passed_on() -> None:
    error = b"<Response><Errors><Error><Code>x</Code><Message>no 'c'</Message></Error></Errors></Response>"
    assert message_of(error) == "no 'c'"
    assert message_of(b"<Response/>") == "<Response/>"
