"""A network that a team brings (`network.existing`): what has to hold of it before anything is changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from release_lane.decide.foundations import LEAST_ZONES
from release_lane.errors import Refused

KEYS = {"public": "publicSubnets", "private": "privateSubnets"}


@dataclass(frozen=True, kw_only=True)
class ExistingNetwork:
    """By ids: the load balancer goes into the `public` subnets, tasks into the `private` ones."""

    vpc: str
    public: tuple[str, ...]
    private: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FoundSubnet:
    """A subnet as EC2 describes it. `way`: the target of its default route (igw-…, nat-…), "" for none."""

    vpc: str
    zone: str
    way: str = ""

    @property
    def public(self) -> bool:
        """Do its addresses reach the internet, and it them, without translation?"""
        return self.way.startswith("igw-")


@dataclass(frozen=True, kw_only=True)
class FoundNetwork:
    """What EC2 has of it: the VPC's address range ("" if there is no such VPC), and the subnets that exist, by id."""

    cidr: str = ""
    subnets: Mapping[str, FoundSubnet] = field(default_factory=dict)

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> FoundNetwork:
        """Read what `release_lane.aws.network.describe` returns."""
        subnets = {str(id): FoundSubnet(**each) for id, each in (raw.get("subnets") or {}).items()}
        return FoundNetwork(cidr=str(raw.get("cidr") or ""), subnets=subnets)


def check_existing(wanted: ExistingNetwork, found: FoundNetwork) -> None:
    """`Refused` with every problem, unless load balancer and tasks can be in this network."""
    problems = [*_problems(wanted, found)]
    if problems:
        raise Refused(
            "The network of network.existing cannot be used: " + "; ".join(problems) + ". Nothing was changed.",
            why="nothing of a network that exists is created or changed, so it has to be complete",
            next_step="correct network.existing in the stack file, or the network. `aws ec2 describe-subnets` and "
            "`aws ec2 describe-route-tables` show it.",
        )


def _problems(wanted: ExistingNetwork, found: FoundNetwork) -> Iterator[str]:
    if not found.cidr:
        yield f"there is no VPC {wanted.vpc} in this account and region"
        return
    for kind, key in KEYS.items():
        ids: tuple[str, ...] = getattr(wanted, kind)
        there = {id: found.subnets[id] for id in ids if id in found.subnets}
        yield from (f"{key}: there is no subnet {id}" for id in ids if id not in there)
        yield from (
            f"{key}: {id} is in {each.vpc}, not in {wanted.vpc}" for id, each in there.items() if each.vpc != wanted.vpc
        )
        zones = {each.zone for each in there.values()}
        if len(there) == len(ids) and len(zones) < LEAST_ZONES:
            yield f"{key}: all are in {', '.join(zones)}; they have to be in {LEAST_ZONES} zones at least"
        elif kind == "public":
            yield from (f"{key}: {problem}" for problem in _doubled(there))
        yield from (problem for id, each in there.items() if (problem := _way(kind, id, each)))


def _doubled(subnets: Mapping[str, FoundSubnet]) -> Iterator[str]:
    """Zones with several of them: CreateLoadBalancer takes one subnet of a zone
    (elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html)."""
    by_zone: dict[str, list[str]] = {}
    for id, each in subnets.items():
        by_zone.setdefault(each.zone, []).append(id)
    for zone, ids in by_zone.items():
        if len(ids) > 1:
            yield f"{' and '.join(ids)} are in {zone}; a load balancer takes one subnet of a zone"


def _way(kind: str, id: str, subnet: FoundSubnet) -> str:
    if kind == "public" and not subnet.public:
        return f"publicSubnets: {id} has no default route to an internet gateway, so users would not reach it"
    if kind == "private" and subnet.public:
        return (
            f"privateSubnets: {id} has its default route to an internet gateway, which takes nothing from a task "
            "without a public address"
        )
    return ""
