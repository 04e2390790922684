"""EC2 where ministack was corrected: what may be made in a network that has some of it already."""

from __future__ import annotations

import pytest

from local.emulator.ec2 import check_gateway, check_subnet
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
