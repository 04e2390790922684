"""What an environment stands on (network, load balancer, target groups): what its state has, and what settings want.

None of it can be replaced under users: a load balancer, a target group and a service stay in one VPC, and their names
are free again only once they are deleted. So a change of it is refused while users are served. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from release_lane.record.names import HTTPS_PORT

NETWORK = "release-lane:infra:Network"
BALANCER = "release-lane:infra:Balancer"
COLOUR = "release-lane:infra:Colour"
SLOTS = ("a", "b")
"""Endings of the two subnets' logical names, whatever zones they are in."""

HTTPS = "-https"
"""Ending of the logical names of what HTTPS adds: the production listener, and the rule that lets users reach it."""

Door = tuple[int, str]
"""A port of the load balancer, and a range of addresses that may reach it."""


def group(name: str) -> str:
    """A target group, by name."""
    return f"target group {name}"


def listener(port: int) -> str:
    """A listener, by its port."""
    return f"listener {port}"


def service(name: str) -> str:
    """A service, by name."""
    return f"service {name}"


@dataclass(frozen=True, kw_only=True)
class Foundations:
    """What a state holds of one environment; a field is empty where the state holds nothing.

    `zones` of the subnets, in the order of their names. `vpc` is the network's; `balancer_vpc` and `group_vpcs` are
    those of the load balancer and of the target groups. `doors`: the logical name of each range's ingress rule.
    `parts`: target groups, listeners and services, by name. `held`: what network and load balancer consist of, by type
    and logical name, without the testers' ingress rules, which are added and removed while users are served. `secure`:
    there is a listener of HTTPS. `kept`: AWS refuses to delete the load balancer.
    """

    region: str = ""
    cidr: str = ""
    zones: tuple[str, ...] = ()
    vpc: str = ""
    load_balancer: str = ""
    balancer_vpc: str = ""
    group_vpcs: frozenset[str] = frozenset()
    doors: Mapping[Door, str] = field(default_factory=dict)
    parts: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    secure: bool = False
    kept: bool = False

    def needed(self, *, secured: bool) -> frozenset[str]:
        """Of what is held, what users stand on. `secured`: they come by HTTPS."""
        return frozenset(each for each in self.held if secured or not each.endswith(HTTPS))

    @property
    def torn(self) -> bool:
        """Was the network replaced, but not the load balancer or a target group?"""
        built = {vpc for vpc in (self.balancer_vpc, *self.group_vpcs) if vpc}
        return bool(self.vpc and built - {self.vpc})

    @staticmethod
    def from_resources(resources: Mapping[str, Any]) -> Foundations:
        """Read the resources of a state: URN to `type` and `outputs`."""
        main = _only(_held_by(NETWORK, "Vpc", resources))
        balancer = _only(_held_by(BALANCER, "LoadBalancer", resources))
        subnets = sorted(_held_by(NETWORK, "Subnet", resources).items())
        groups = _held_by(BALANCER, "TargetGroup", resources).values()
        listeners = _held_by(BALANCER, "Listener", resources).values()
        services = _held_by(COLOUR, "Service", resources).values()
        rules = _held_by(NETWORK, "SecurityGroupIngressRule", resources)
        return Foundations(
            region=str(main.get("region") or ""),
            cidr=str(main.get("cidrBlock") or ""),
            zones=tuple(str(outputs.get("availabilityZone") or "") for _, outputs in subnets),
            vpc=str(main.get("arn") or "").rsplit("/", 1)[-1],
            load_balancer=str(balancer.get("arn") or ""),
            kept=bool(balancer.get("enableDeletionProtection")),
            secure=any(int(outputs.get("port") or 0) == HTTPS_PORT for outputs in listeners),
            balancer_vpc=str(balancer.get("vpcId") or ""),
            group_vpcs=frozenset(str(outputs.get("vpcId") or "") for outputs in groups) - {""},
            doors={_door(outputs): name for name, outputs in rules.items()},
            held=frozenset(filter(None, (_held(urn, str(each["type"])) for urn, each in resources.items()))),
            parts=frozenset(
                [
                    *(group(str(outputs.get("name"))) for outputs in groups),
                    *(listener(int(outputs.get("port") or 0)) for outputs in listeners),
                    *(service(str(outputs.get("name"))) for outputs in services),
                ]
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the settings want an environment to stand on. Without `zones`: those that it has, or any two.

    `secure`: users come by HTTPS.
    """

    region: str
    cidr: str
    zones: tuple[str, ...] = ()
    secure: bool = False


@dataclass(frozen=True)
class Moved:
    """A setting whose change would replace the foundations."""

    setting: str
    now: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.setting} from {self.now} to {self.wanted}"


def moved(stands_on: Foundations, wanted: Site) -> tuple[Moved, ...]:
    """The settings that differ from what the environment stands on."""
    zones = bool(wanted.zones and stands_on.zones) and set(wanted.zones) != set(stands_on.zones)
    pairs = (
        ("aws:region", stands_on.region, wanted.region),
        ("network.cidr", stands_on.cidr, wanted.cidr),
        ("network.zones", *((", ".join(stands_on.zones), ", ".join(wanted.zones)) if zones else ("", ""))),
    )
    return tuple(Moved(*pair) for pair in pairs if pair[1] and pair[1] != pair[2])


def zones_of(stands_on: Foundations, pinned: Sequence[str]) -> tuple[str, ...]:
    """The zones of the two subnets; empty where the account has to be asked.

    Existing subnets keep their zones, whatever zones AWS lists first today; their order makes no difference.
    """
    if pinned and set(pinned) != set(stands_on.zones):
        return tuple(pinned)
    return stands_on.zones if len(stands_on.zones) == len(SLOTS) else ()


Outputs = Mapping[str, Any]


def _held_by(component: str, kind: str, resources: Mapping[str, Any]) -> dict[str, Outputs]:
    """A component's resources of one type: logical name to outputs."""
    return {
        urn.rsplit("::", 1)[-1]: dict(resource.get("outputs") or {})
        for urn, resource in resources.items()
        if f"::{component}$" in urn and str(resource["type"]).endswith(f":{kind}")
    }


def identity(type_: str, name: str) -> str:
    """A resource of one stack, by its type and its logical name."""
    return f"{type_} {name}"


def _held(urn: str, type_: str) -> str:
    """Its identity; "" for a resource that users do not stand on."""
    name = urn.rsplit("::", 1)[-1]
    rule_of_testers = type_.endswith(":SecurityGroupIngressRule") and re.search(r"-test-\d+-", name)
    within = any(f"::{component}$" in urn for component in (NETWORK, BALANCER))
    return identity(type_, name) if within and not rule_of_testers else ""


def _only(found: Mapping[str, Outputs]) -> Outputs:
    return next(iter(found.values()), {})


def _door(outputs: Outputs) -> Door:
    """As today's settings write it; an earlier version accepted ranges with host bits."""
    cidr = str(outputs.get("cidrIpv4") or "")
    return int(outputs.get("fromPort") or 0), str(ipaddress.ip_network(cidr, strict=False)) if cidr else ""
