"""Which way a subnet leads, from EC2's route tables."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.aws.network import _ways

pytestmark = pytest.mark.pure


def table(*subnets: str, main: bool = False, **route: str) -> dict[str, Any]:
    local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}
    routes = [{"DestinationCidrBlock": "0.0.0.0/0", **route}] if route else []
    associations = [*({"SubnetId": each, "Main": False} for each in subnets), *([{"Main": True}] if main else [])]
    return {"Routes": [local, *routes], "Associations": associations}


def test_a_subnet_leads_where_its_tables_default_route_does() -> None:
    tables = [table("a", GatewayId="igw-1"), table("b", NatGatewayId="nat-1"), table("c"), table("d", NewKind="x-1")]
    assert _ways(tables) == {"a": "igw-1", "b": "nat-1", "c": "", "d": "other"}


def test_a_subnet_without_a_table_of_its_own_uses_the_main_one() -> None:
    assert _ways([table("a", main=True, GatewayId="igw-1")])[""] == "igw-1"


def test_a_table_of_a_gateway_is_no_subnets() -> None:
    edge = {"Routes": [], "Associations": [{"GatewayId": "igw-1", "Main": False}]}
    assert _ways([edge]) == {}
