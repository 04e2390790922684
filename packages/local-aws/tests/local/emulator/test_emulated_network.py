"""EC2, IAM, ECR and SSM where ministack was corrected: what may be made, and what is too much or no name."""

from __future__ import annotations

import pytest
from local_aws.emulator.ec2 import (
    changed,
    check_gateway,
    check_ranges,
    check_room,
    check_rules,
    check_subnet,
    check_vpc,
    essence,
)
from local_aws.emulator.ecr import check_name
from local_aws.emulator.iam import check_policies
from local_aws.emulator.ssm import check_value
from local_aws.emulator.wire import ServiceError

pytestmark = pytest.mark.pure

VPC, THERE = "10.0.0.0/16", ["10.0.0.0/24", "10.0.2.0/23"]


@pytest.mark.parametrize("cidr", ["10.0.1.0/24", "10.0.4.0/22", "", "nonsense"])
def test_a_free_range_is_taken(cidr: str) -> None:
    check_subnet(cidr, VPC, THERE)


@pytest.mark.parametrize(
    ("cidr", "code"),
    [
        ("10.0.0.0/24", "InvalidSubnet.Conflict"),
        ("10.0.3.0/24", "InvalidSubnet.Conflict"),
        ("10.0.0.0/16", "InvalidSubnet.Conflict"),
        ("10.1.0.0/24", "InvalidSubnet.Range"),
    ],
)
def test_a_range_that_is_taken_or_outside_is_refused(cidr: str, code: str) -> None:
    with pytest.raises(ServiceError) as refused:
        check_subnet(cidr, VPC, THERE)
    assert refused.value.code == code


def test_a_vpc_has_one_gateway() -> None:
    attached = {"Attachments": [{"VpcId": "vpc-1"}]}
    check_gateway("vpc-2", [attached, {}])
    with pytest.raises(ServiceError, match="already has an internet gateway attached"):
        check_gateway("vpc-1", [{}, attached])


@pytest.mark.parametrize(("cidr", "ok"), [("10.0.0.0/16", True), ("10.0.0.0/28", True), ("10.0.0.0/8", False)])
def test_a_vpc_is_neither_too_large_nor_too_small(cidr: str, ok: bool) -> None:
    if ok:
        return check_vpc(cidr)
    with pytest.raises(ServiceError) as refused:
        check_vpc(cidr)
    assert refused.value.code == "InvalidVpc.Range"
    return None


def permission(*ranges: str, port: int = 80, six: str = "") -> dict[str, object]:
    """As ministack reads it."""
    ipv6 = [{"CidrIpv6": six}] if six else []
    ports = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    return {**ports, "IpRanges": [{"CidrIp": each} for each in ranges], "Ipv6Ranges": ipv6}


@pytest.mark.parametrize("wanted", [permission("office"), permission("2001:db8::/32"), permission(six="10.0.0.0/8")])
def test_a_security_group_takes_ranges_of_the_right_kind_only(wanted: dict[str, object]) -> None:
    with pytest.raises(ServiceError, match="is malformed"):
        check_ranges([wanted])


def test_a_security_group_has_sixty_rules() -> None:
    many = permission(*(f"192.0.2.{number}/32" for number in range(59)))
    check_room([permission("10.0.0.0/8")], [many])
    with pytest.raises(ServiceError, match="maximum number of rules"):
        check_room([permission("10.0.0.0/8", "11.0.0.0/8")], [many])


def test_a_role_has_10240_characters_of_policies_without_blanks() -> None:
    check_policies("r", {"a": "x" * 10_000 + " " * 900, "b": "y" * 240})
    with pytest.raises(ServiceError, match="Maximum policy size of 10240 bytes exceeded for role r"):
        check_policies("r", {"a": "x" * 10_000, "b": "y" * 241})


@pytest.mark.parametrize(("tier", "most"), [("Standard", 4096), ("Advanced", 8192), ("Intelligent-Tiering", 8192)])
def test_a_parameter_takes_as_many_characters_as_its_tier(tier: str, most: int) -> None:
    check_value("ä" * most, tier)
    with pytest.raises(ServiceError, match=f"a maximum parameter value of {most} characters"):
        check_value("x" * (most + 1), tier)


@pytest.mark.parametrize("name", ["My/app", "a", "a//b", "x" * 257])
def test_a_repository_has_a_name_that_aws_takes(name: str) -> None:
    check_name("release-lane/app")
    with pytest.raises(ServiceError, match="repositoryName"):
        check_name(name)


OFFICE, HOME = (
    {"IpProtocol": "tcp", "FromPort": 9001, "ToPort": 9001, "IpRanges": [{"CidrIp": cidr}]} for cidr in "12"
)


def modified(id: str, cidr: str) -> dict[str, list[str]]:
    """ModifySecurityGroupRules, as a client sends it."""
    rule = {"IpProtocol": "tcp", "FromPort": "9001", "ToPort": "9001", "CidrIpv4": cidr}
    at = "SecurityGroupRule.1"
    return {f"{at}.SecurityGroupRuleId": [id]} | {f"{at}.SecurityGroupRule.{key}": [rule[key]] for key in rule}


def test_a_group_takes_no_rule_that_it_has() -> None:
    there = {"sgr-1": essence(OFFICE)}
    check_rules({essence(HOME): ""}, there)
    described = OFFICE | {"IpRanges": [{"CidrIp": "1", "Description": "the same, in other words"}]}
    with pytest.raises(ServiceError, match="already exists") as refused:
        check_rules({essence(described): ""}, there)
    assert refused.value.code == "InvalidPermission.Duplicate"


def test_no_rule_is_changed_into_another_one() -> None:
    there = {"sgr-1": essence(OFFICE), "sgr-2": essence(HOME)}
    check_rules(changed(modified("sgr-2", "2")), there)
    check_rules(changed(modified("sgr-2", "3")), there)
    with pytest.raises(ServiceError, match="already exists"):
        check_rules(changed(modified("sgr-1", "2")), there)


def test_an_egress_rule_may_be_what_an_ingress_rule_is() -> None:
    check_rules(changed(modified("sgr-of-egress", "2")), {"sgr-2": essence(HOME)})
