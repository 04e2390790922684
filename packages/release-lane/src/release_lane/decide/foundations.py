"""What an environment stands on (network, load balancer, target groups): what its state has, and what settings want.

None of it can be replaced under users: a load balancer, a target group and a service stay in one VPC, and their names
are free again only once they are deleted. So a change of it is refused while users are served. Pure.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from release_lane.decide.stores import COMPONENT as STORES
from release_lane.decide.stores import Kind, Stores, begun_in, belongs, stores_in
from release_lane.record.names import HTTPS_PORT
from release_lane.record.records import GroupCheck

NETWORK = "release-lane:infra:Network"
BALANCER = "release-lane:infra:Balancer"
COLOUR = "release-lane:infra:Colour"
SWITCH = "release:index:TrafficSwitch"
SLOTS = ("a", "b", "c")
"""Endings of the subnets' logical names, whatever zones they are in."""

LEAST_ZONES, MOST_ZONES = 2, len(SLOTS)
"""A load balancer stands in two zones at least."""


class Egress(StrEnum):
    """How tasks in private subnets get out: by a NAT gateway, by one in each zone, or to a few services of AWS only."""

    NAT = "nat"
    NAT_PER_ZONE = "nat-per-zone"
    ENDPOINTS = "endpoints"

    @property
    def component(self) -> str:
        """Type of the component that holds its private subnets and all that leads out of them."""
        return {
            Egress.NAT: "release-lane:infra:Nat",
            Egress.NAT_PER_ZONE: "release-lane:infra:NatPerZone",
            Egress.ENDPOINTS: "release-lane:infra:Endpoints",
        }[self]


SECRET_STORES = ("secretsmanager", "ssm")
"""Services of AWS that releases may name secrets of; each has its endpoint only as long as a release does."""

HTTPS = "-https"
"""Ending of the logical names of what HTTPS adds: the production listener, and the rule that lets users reach it."""

IN_THE_STATE = ("path", "interval", "timeout", "healthyThreshold", "unhealthyThreshold")
"""Names of a health check's fields in the AWS provider's resource."""

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
    `parts`: target groups, listeners and services, by name. `egress`: each service's way out, by its logical name; none
    where its tasks have public addresses, as an earlier version gave them. `ways`: all that exist. `held`: what network
    and load balancer consist of, by type and logical name, without what is added and removed while users are served:
    testers' ingress rules, endpoints of secret stores, and ways out that no service uses.
    `secure`: there is a listener of HTTPS. `tls`: any listener speaks TLS, a test listener as well. `domain`: the name
    that users come by, as the switch recorded it ("" where they come by plain HTTP).
    `kept`: AWS refuses to delete the load balancer. `checks`: the health check of each target group, by its name.
    `stores`: database and cache. `begun`: which of them the state has anything of.
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
    egress: Mapping[str, Egress] = field(default_factory=dict)
    ways: frozenset[Egress] = frozenset()
    held: frozenset[str] = frozenset()
    secure: bool = False
    tls: bool = False
    domain: str = ""
    kept: bool = False
    checks: Mapping[str, GroupCheck] = field(default_factory=dict)
    stores: Stores = field(default_factory=dict)
    begun: frozenset[Kind] = frozenset()

    def overlooks(self, group: str, found: GroupCheck | None, wanted: GroupCheck) -> bool:
        """Does the state have the wanted health check already, but not AWS (`found`)? Then no update writes it."""
        return found is not None and self.checks.get(group) == wanted != found

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
        services = _held_by(COLOUR, "Service", resources)
        egress = _egress_of(services, resources)
        rules = _held_by(NETWORK, "SecurityGroupIngressRule", resources)
        stores = stores_in(resources)
        components = {NETWORK, BALANCER, *(way.component for way in egress.values())} | ({STORES} if stores else set())
        return Foundations(
            region=str(main.get("region") or ""),
            cidr=str(main.get("cidrBlock") or ""),
            zones=tuple(str(outputs.get("availabilityZone") or "") for _, outputs in subnets),
            vpc=str(main.get("arn") or "").rsplit("/", 1)[-1],
            load_balancer=str(balancer.get("arn") or ""),
            kept=bool(balancer.get("enableDeletionProtection")),
            secure=any(int(outputs.get("port") or 0) == HTTPS_PORT for outputs in listeners),
            tls=any(outputs.get("protocol") == "HTTPS" for outputs in listeners),
            domain=_domain(resources),
            balancer_vpc=str(balancer.get("vpcId") or ""),
            group_vpcs=frozenset(str(outputs.get("vpcId") or "") for outputs in groups) - {""},
            doors={_door(outputs): name for name, outputs in rules.items()},
            checks={
                str(outputs.get("name")): check
                for outputs in groups
                if (check := GroupCheck.read(outputs.get("healthCheck") or {}, IN_THE_STATE))
            },
            egress=egress,
            ways=frozenset(way for way in Egress if _held_by(way.component, "Subnet", resources)),
            held=frozenset(
                identity(str(each["type"]), _name(urn))
                for urn, each in resources.items()
                if _is_held(urn, str(each["type"]), components, [kind for kind in Kind if kind not in stores])
            ),
            stores=stores,
            begun=begun_in(resources),
            parts=frozenset(
                [
                    *(group(str(outputs.get("name"))) for outputs in groups),
                    *(listener(int(outputs.get("port") or 0)) for outputs in listeners),
                    *(service(str(outputs.get("name"))) for outputs in services.values()),
                ]
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the settings want an environment to stand on. `vpc`: one that exists already, "" for its own.

    `zones` by name, or `count` of them; without both: those that it has, or any two.
    `domain`: the name that users come by, "" for plain HTTP. `stores`: database and cache.
    """

    region: str
    cidr: str
    zones: tuple[str, ...] = ()
    count: int = 0
    vpc: str = ""
    domain: str = ""
    stores: Stores = field(default_factory=dict)

    @property
    def secure(self) -> bool:
        """Do users come by HTTPS?"""
        return bool(self.domain)


@dataclass(frozen=True)
class Moved:
    """A setting whose change would replace the foundations."""

    setting: str
    now: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.setting} from {self.now} to {self.wanted}"


def moved(stands_on: Foundations, wanted: Site) -> tuple[Moved, ...]:
    """The settings that differ from what the environment stands on. A third zone is added without moving anything."""
    pairs = (
        ("aws:region", stands_on.region, wanted.region),
        ("network.existing", *_networks(stands_on, wanted)),
        ("network.cidr", stands_on.cidr, wanted.cidr if not wanted.vpc else stands_on.cidr),
        ("network.zones", ", ".join(stands_on.zones), _zones_wanted(stands_on, wanted)),
    )
    return tuple(Moved(*pair) for pair in pairs if pair[1] and pair[1] != pair[2])


def _networks(stands_on: Foundations, wanted: Site) -> tuple[str, str]:
    """The one that it has and the one that is wanted, in words; "" while it has none."""
    own = "a network of its own"
    return own if stands_on.vpc else stands_on.balancer_vpc, wanted.vpc or own


def _zones_wanted(stands_on: Foundations, wanted: Site) -> str:
    """As those that it has, unless one of them would have to go."""
    have = ", ".join(stands_on.zones)
    if wanted.vpc:
        return have
    if wanted.zones:
        return have if set(stands_on.zones) <= set(wanted.zones) else ", ".join(wanted.zones)
    return have if wanted.count in (0, *range(len(stands_on.zones), MOST_ZONES + 1)) else str(wanted.count)


def zones_of(stands_on: Foundations, pinned: Sequence[str]) -> tuple[str, ...]:
    """The zones of the subnets as far as they are known; empty where the account has to be asked.

    Existing subnets keep their zones, whatever zones AWS lists first today; the order of `pinned` makes no difference.
    """
    have = stands_on.zones if len(stands_on.zones) >= LEAST_ZONES else ()
    if pinned and not set(have) <= set(pinned):
        return tuple(pinned)
    return (*have, *(zone for zone in pinned if zone not in have))


Outputs = Mapping[str, Any]


def _held_by(component: str, kind: str, resources: Mapping[str, Any]) -> dict[str, Outputs]:
    """A component's resources of one type: logical name to outputs."""
    return {
        _name(urn): dict(resource.get("outputs") or {})
        for urn, resource in resources.items()
        if f"::{component}$" in urn and str(resource["type"]).endswith(f":{kind}")
    }


def identity(type_: str, name: str) -> str:
    """A resource of one stack, by its type and its logical name."""
    return f"{type_} {name}"


def _name(urn: str) -> str:
    return urn.rsplit("::", 1)[-1]


def _is_held(urn: str, type_: str, components: Collection[str], without: Collection[Kind]) -> bool:
    """Do users stand on it? No user needs what belongs to a database or cache that is not there."""
    name = _name(urn)
    shared = any(f"::{component}$" in urn for component in (NETWORK, BALANCER))
    of_none = not shared and any(belongs(kind, name) for kind in without)
    rule_of_testers = type_.endswith(":SecurityGroupIngressRule") and re.search(r"-test-\d+-", name)
    of_secrets = type_.endswith(":VpcEndpoint") and name.endswith(SECRET_STORES)
    return any(f"::{component}$" in urn for component in components) and not (rule_of_testers or of_secrets or of_none)


def _egress_of(services: Mapping[str, Outputs], resources: Mapping[str, Any]) -> dict[str, Egress]:
    """Each service's way out: that of the subnets which its tasks are started in."""
    ways = {
        str(outputs.get("arn") or "").rsplit("/", 1)[-1]: way
        for way in Egress
        for outputs in _held_by(way.component, "Subnet", resources).values()
    }
    inside = {
        name: (outputs.get("networkConfiguration") or {}).get("subnets") or () for name, outputs in services.items()
    }
    return {name: ways[subnets[0]] for name, subnets in inside.items() if subnets and subnets[0] in ways}


def _domain(resources: Mapping[str, Any]) -> str:
    """Of the URL that the switch recorded last."""
    urls = [(each.get("outputs") or {}).get("url") for each in resources.values() if each["type"] == SWITCH]
    scheme, _, host = str(urls[0] or "").partition("://") if urls else ("", "", "")
    return host.partition("/")[0] if scheme == "https" else ""


def _only(found: Mapping[str, Outputs]) -> Outputs:
    return next(iter(found.values()), {})


def _door(outputs: Outputs) -> Door:
    """As today's settings write it; an earlier version accepted ranges with host bits."""
    cidr = str(outputs.get("cidrIpv4") or "")
    return int(outputs.get("fromPort") or 0), str(ipaddress.ip_network(cidr, strict=False)) if cidr else ""
