"""A network that a team brings: what has to hold of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.decide.existing_network import ExistingNetwork, FoundNetwork, FoundSubnet, check_existing
from release_lane.errors import Refused

pytestmark = pytest.mark.pure
WANTED = ExistingNetwork(vpc="vpc-1", public=("s-1", "s-2"), private=("s-3", "s-4"))
PUBLIC, PRIVATE = FoundSubnet(vpc="vpc-1", zone="a", way="igw-1"), FoundSubnet(vpc="vpc-1", zone="a", way="nat-1")
THERE = {
    "s-1": PUBLIC,
    "s-2": replace(PUBLIC, zone="b"),
    "s-3": PRIVATE,
    "s-4": replace(PRIVATE, zone="b", way=""),
}


def refusal(cidr: str = "10.0.0.0/16", **subnets: FoundSubnet | None) -> str:
    found = {
        id: each
        for id, each in {**THERE, **{key.replace("_", "-"): each for key, each in subnets.items()}}.items()
        if each
    }
    with pytest.raises(Refused) as refused:
        check_existing(WANTED, FoundNetwork(cidr=cidr, subnets=found))
    return refused.value.what


def test_a_network_with_two_zones_for_load_balancer_and_tasks_is_taken() -> None:
    check_existing(WANTED, FoundNetwork(cidr="10.0.0.0/16", subnets=THERE))


def test_a_vpc_that_does_not_exist_is_the_only_problem_said() -> None:
    assert "there is no VPC vpc-1 in this account and region. Nothing" in refusal(cidr="")


@pytest.mark.parametrize(
    ("subnets", "said"),
    [
        ({"s_1": None}, "publicSubnets: there is no subnet s-1"),
        ({"s_3": replace(PRIVATE, vpc="vpc-2")}, "privateSubnets: s-3 is in vpc-2, not in vpc-1"),
        ({"s_4": PRIVATE}, "privateSubnets: all are in a; they have to be in 2 zones at least"),
        ({"s_1": replace(PUBLIC, way="nat-1")}, "publicSubnets: s-1 has no default route to an internet gateway"),
        ({"s_3": PUBLIC}, "privateSubnets: s-3 has its default route to an internet gateway"),
    ],
)
def test_what_is_wrong_is_said_with_key_and_subnet(subnets: dict[str, FoundSubnet | None], said: str) -> None:
    assert said in refusal(**subnets)


THREE = ExistingNetwork(vpc="vpc-1", public=("s-1", "s-2", "s-5"), private=("s-3", "s-4", "s-6"))


def test_two_subnets_of_the_load_balancer_in_one_zone_are_named() -> None:
    """AWS would say so half-way through the first update. Tasks may have several subnets of a zone."""
    for zone, double in (("a", "s-1 and s-5 are in a"), ("b", "s-2 and s-5 are in b")):
        more = {"s-5": replace(PUBLIC, zone=zone), "s-6": replace(PRIVATE, zone=zone)}
        with pytest.raises(Refused) as refused:
            check_existing(THREE, FoundNetwork(cidr="10.0.0.0/16", subnets={**THERE, **more}))
        assert f"publicSubnets: {double}; a load balancer takes one subnet of a zone" in refused.value.what
        assert "privateSubnets" not in refused.value.what
    apart = {"s-5": replace(PUBLIC, zone="c"), "s-6": PRIVATE}
    check_existing(THREE, FoundNetwork(cidr="10.0.0.0/16", subnets={**THERE, **apart}))


def test_all_problems_are_said_at_once() -> None:
    told = refusal(s_1=None, s_3=PUBLIC)
    assert told.count(";") == 1


def test_the_answer_of_ec2_is_read() -> None:
    raw = {"cidr": "10.0.0.0/16", "subnets": {"s-1": {"vpc": "vpc-1", "zone": "a", "way": "igw-1"}}}
    assert FoundNetwork.from_dict(raw) == FoundNetwork(cidr="10.0.0.0/16", subnets={"s-1": PUBLIC})
    assert FoundNetwork.from_dict({}) == FoundNetwork()
