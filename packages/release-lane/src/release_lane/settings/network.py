"""`network` and `testAccess`: addresses, zones and ways out of an environment, and who may reach the test listeners."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from release_lane.decide.existing_network import ExistingNetwork
from release_lane.decide.foundations import Egress
from release_lane.settings.section import Section, Strict, sound

_UNUSABLE = tuple(map(ipaddress.IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""This host, loopback, link-local; multicast and what is above it (IANA's special-purpose addresses, RFC 6890)."""


def vpc_range(text: str) -> str:
    """An IPv4 /16 that a VPC can have (AWS/vpc/latest/userguide/vpc-cidr-blocks.html); subnets are cut from it."""
    network = _network(text)
    if network is None or network.prefixlen != 16:
        return "should be an IPv4 address range of the size /16, like 10.20.0.0/16"
    if any(network.overlaps(unusable) for unusable in _UNUSABLE):
        return "is no range of addresses that hosts can have; take one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"
    return ""


ZONE = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}[a-z]")
"""Of the region itself, like us-east-1a; a load balancer takes no other kind."""

ZONES = range(2, 4)
"""A load balancer stands in two zones at least; the VPC's range has room for the subnets of three."""


def zones(value: Any) -> str:
    """How many, or which."""
    if type(value) is int and value in ZONES:
        return ""
    named = isinstance(value, list | tuple) and all(isinstance(each, str) and ZONE.fullmatch(each) for each in value)
    if named and len(value) in ZONES:
        return ""
    return f"should be {ZONES[0]} or {ZONES[-1]}, or so many zones by name, like [us-east-1a, us-east-1b]"


def vpc(text: str) -> str:
    """The id of a VPC (AWS/AWSEC2/latest/APIReference/API_Vpc.html); "" for a network of its own."""
    return "" if not text or re.fullmatch(r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", text) else "should be the id of a VPC"


def subnet(text: str) -> str:
    """The id of a subnet (AWS/AWSEC2/latest/APIReference/API_Subnet.html)."""
    return "" if re.fullmatch(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", text) else "should be the id of a subnet"


def subnets(ids: Collection[str]) -> str:
    """For a load balancer, or for tasks: at most 16
    (AWS/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html)."""
    if len({*ids}) != len(ids):
        return "names one twice"
    return "" if ZONES[0] <= len(ids) <= 16 else f"should name {ZONES[0]} to 16 subnets, in {ZONES[0]} zones at least"


def _network(text: str) -> ipaddress.IPv4Network | None:
    """As AWS writes it; the library also takes a netmask in place of the size, and zeros before it."""
    try:
        found = ipaddress.IPv4Network(text)
    except ValueError:
        return None
    return found if str(found) == text else None


GROUP_RULES = 60
"""Inbound rules of a security group, by AWS's default (AWS/vpc/latest/userguide/amazon-vpc-limits.html)."""

MOST_RANGES = (GROUP_RULES - 1) // 2 - 1
"""One rule is for users; each range, and the VPC's own, needs one for each of the two test ports."""


def address_range(text: str) -> str:
    """One range of `testAccess`: IPv4 (the network has no IPv6), in the form that AWS keeps it in: without host bits
    (AWS/AWSEC2/latest/APIReference/API_IpRange.html)."""
    if _network(text):
        return ""
    try:
        found = ipaddress.ip_interface(text)
    except ValueError:
        return "should be an IPv4 address range, like 192.0.2.0/24"
    if found.version == 6:
        return "is an IPv6 range, but the network and its load balancer have IPv4 addresses only"
    return f"should be written as {found.network}"


def test_access(ranges: Collection[str], own: str) -> str:
    """All ranges together; one that is given twice, or is the VPC's `own`, is one rule."""
    count = len({*ranges} - {own})
    if count <= MOST_RANGES:
        return ""
    return f"has {count} ranges, and {MOST_RANGES} fit: AWS takes {GROUP_RULES} rules in a security group"


def _number_or_names(value: Any) -> int | tuple[str, ...]:
    """One message for both forms."""
    if problem := zones(value):
        raise ValueError(problem)
    return value if isinstance(value, int) else tuple(value)


Zones = Annotated[int | tuple[str, ...], PlainValidator(_number_or_names)]
AddressRange = Annotated[str, sound(address_range)]
SubnetIds = tuple[Annotated[str, sound(subnet)], ...]


class ExistingNetworkSettings(Section):
    """`network.existing`: a network that the team has. Nothing of it is created or changed."""

    vpc_id: Annotated[str, sound(vpc)] = ""
    public_subnets: SubnetIds = Field(default=(), strict=False)
    private_subnets: SubnetIds = Field(default=(), strict=False)

    @property
    def network(self) -> ExistingNetwork | None:
        """None where the environment has a network of its own."""
        if not self.vpc_id:
            return None
        return ExistingNetwork(vpc=self.vpc_id, public=self.public_subnets, private=self.private_subnets)


class NetworkSettings(Strict):
    """`network`: the VPC's address range (subnets are cut from it), the zones of these, by name or how many, and how
    tasks get out; or a network that exists already."""

    cidr: Annotated[str, sound(vpc_range)] = "10.20.0.0/16"
    zones: Zones = ()
    egress: Egress = Egress.NAT
    existing: ExistingNetworkSettings = ExistingNetworkSettings()

    @property
    def named(self) -> tuple[str, ...]:
        """Zones by name."""
        return self.zones if isinstance(self.zones, tuple) else ()

    @property
    def count(self) -> int:
        """How many zones, 0 where that is not said."""
        return self.zones if isinstance(self.zones, int) else len(self.zones)


def network_problems(network: NetworkSettings, region: str) -> list[str]:
    """What several keys together get wrong."""
    return _elsewhere(network.named, region) + _existing(network.existing)


def _elsewhere(zones: Sequence[str], region: str) -> list[str]:
    """What is wrong with the zones that were named."""
    foreign = [zone for zone in zones if region and not zone.startswith(region)]
    problems = [f"network.zones: {zone} is not in {region}" for zone in foreign]
    return problems + (["network.zones: two different ones are needed"] if len(set(zones)) != len(zones) else [])


def _existing(given: ExistingNetworkSettings) -> list[str]:
    """What a network that exists has to name."""
    lists = {"publicSubnets": given.public_subnets, "privateSubnets": given.private_subnets}
    if not given.vpc_id:
        return ["network.existing.vpcId: is missing"] if any(lists.values()) else []
    problems = {key: subnets(ids) for key, ids in lists.items()}
    problems = {key: problem for key, problem in problems.items() if problem}
    both = sorted({*given.public_subnets} & {*given.private_subnets})
    return [
        *(f"network.existing.{key}: {problem}" for key, problem in problems.items()),
        *(f"network.existing.privateSubnets: {id} is in publicSubnets as well" for id in both),
    ]
