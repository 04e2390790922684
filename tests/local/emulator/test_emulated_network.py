"""EC2 where ministack was corrected: what may be made in a network that has some of it already."""

from __future__ import annotations

import pytest

from local.emulator.ec2 import changed, check_gateway, check_rules, check_subnet, essence
from local.emulator.wire import ServiceError

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
