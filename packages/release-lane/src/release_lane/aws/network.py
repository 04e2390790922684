"""A network that exists already, as EC2 describes it.

Sources: AWS API reference of EC2 (DescribeVpcs, DescribeSubnets, DescribeRouteTables); which route table counts:
https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from release_lane.aws.session import client
from release_lane.record.names import Access

DEFAULT = "0.0.0.0/0"


def describe(access: Access, vpc: str, subnets: Sequence[str]) -> dict[str, Any]:
    """`cidr` of the VPC ("" if there is none), and `subnets` by id: `vpc`, `zone`, and `way`, the target of the default
    route. What does not exist is left out."""
    ec2 = client(access, "ec2")
    vpcs = _all(ec2, "describe_vpcs", "Vpcs", "vpc-id", [vpc])
    found = _all(ec2, "describe_subnets", "Subnets", "subnet-id", sorted({*subnets}))
    ways = _ways(_all(ec2, "describe_route_tables", "RouteTables", "vpc-id", [vpc]))
    return {
        "cidr": next((str(each["CidrBlock"]) for each in vpcs), ""),
        "subnets": {
            str(each["SubnetId"]): {
                "vpc": str(each["VpcId"]),
                "zone": str(each["AvailabilityZone"]),
                "way": ways.get(str(each["SubnetId"]), ways.get("", "")),
            }
            for each in found
        },
    }


def _all(ec2: Any, operation: str, key: str, name: str, values: Sequence[str]) -> list[Mapping[str, Any]]:
    """By a filter: an id that does not exist is no error there."""
    pages = ec2.get_paginator(operation).paginate(Filters=[{"Name": name, "Values": list(values)}])
    return [each for page in pages for each in page[key]]


def _ways(tables: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Subnet to the target of its default route; "" for those without a table of their own: they use the main one."""
    found = {}
    for table in tables:
        routes = [route for route in table.get("Routes") or () if route.get("DestinationCidrBlock") == DEFAULT]
        way = next((_target(route) for route in routes), "")
        for association in table.get("Associations") or ():
            if association.get("SubnetId") or association.get("Main"):
                found[str(association.get("SubnetId") or "")] = way
    return found


def _target(route: Mapping[str, Any]) -> str:
    kinds = ("GatewayId", "NatGatewayId", "TransitGatewayId", "NetworkInterfaceId", "VpcPeeringConnectionId")
    return next((str(route[kind]) for kind in kinds if route.get(kind)), "other")
