"""Private subnets and what leads out of them: for each setting, and while colours move from one to another."""

from __future__ import annotations

import ipaddress
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from release_lane.decide.foundations import Egress
from release_lane.errors import Refused, UsageError
from release_lane.record.placement import Colour
from tests.program.mocks import (
    ARTIFACTS,
    FIRST,
    INFRA,
    SECOND,
    THIRD,
    Registered,
    World,
    observed,
    outputs_of,
    release,
    run,
    standing_on,
)

pytestmark = pytest.mark.program
NAME = "release-lane-staging"
VPC, PUBLIC, PRIVATE = (
    f"vpc-{'0' * 17}",
    [f"subnet-{'a' * 16}{n}" for n in (1, 2)],
    [f"subnet-{'b' * 16}{n}" for n in (1, 2)],
)
EXISTING = {"vpcId": VPC, "publicSubnets": PUBLIC, "privateSubnets": PRIVATE}


def config(**settings: Any) -> dict[str, str]:
    return {
        key if ":" in key else f"release-lane:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in settings.items()
    }


def first(network: Mapping[str, Any] | None = None, **settings: Any) -> World:
    """The first release of a new environment."""
    world = World(outputs=ARTIFACTS, observed=observed(image=FIRST), network=found())
    return run(world, config(imageDigest=FIRST, network=dict(network or {}), **settings))


def live(state: Mapping[str, Any], **settings: Any) -> World:
    """SECOND serves from green, blue holds FIRST, in an environment with this state."""
    outputs = {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=THIRD)
    return run(World(outputs=outputs, observed=seen, state=state, network=found()), config(**settings))


def parent(world: World, each: Registered) -> str:
    return world.options[each.type, each.name].parent.split("::")[-2].rsplit(":", 1)[-1]


def ways(world: World) -> list[str]:
    return sorted(each.name.removeprefix(f"{NAME}-") for each in world.registered if each.type in COMPONENTS)


COMPONENTS = {way.component for way in Egress}


def protected(world: World, way: Egress) -> set[bool]:
    inside = [each for each in world.registered if f"{way.component}::" in world.options[each.type, each.name].parent]
    assert inside
    return {
        world.options[each.type, each.name].protect for each in inside if not each.name.endswith(("-ssm", "manager"))
    }


def tasks_in(world: World, colour: str) -> dict[str, Any]:
    """The network configuration that the program gives a colour."""
    (found,) = [each for each in world.of_type("service:Service") if each.name == f"{NAME}-{colour}"]
    return dict(found.inputs["networkConfiguration"])


# ---- One setting


def test_tasks_are_in_private_subnets_and_have_no_public_address() -> None:
    world = first()
    inside = {each.name: each for each in world.of_type("subnet:Subnet") if parent(world, each) == "Nat"}
    for colour in Colour:
        assert tasks_in(world, colour)["assignPublicIp"] is False
        assert tasks_in(world, colour)["subnets"] == [f"{name}-id" for name in sorted(inside)]
    assert {each.inputs["cidrBlock"] for each in inside.values()} == {"10.20.16.0/20", "10.20.32.0/20"}
    assert world.one("loadBalancer:LoadBalancer").inputs["subnets"] == [f"{NAME}-a-id", f"{NAME}-b-id"]


def test_no_two_subnets_of_all_ways_out_have_addresses_in_common() -> None:
    ranges = [
        ipaddress.ip_network(each.inputs["cidrBlock"])
        for way in Egress
        for each in first({"egress": way, "zones": 3}).of_type("subnet:Subnet")
        if "-nat" in each.name or "-endpoints" in each.name or way is Egress.NAT
    ]
    assert len(ranges) == 12
    assert not [one for one in ranges for other in ranges if one is not other and one.overlaps(other)]


@pytest.mark.parametrize(("way", "zones", "gateways"), [("nat", 3, 1), ("nat-per-zone", 2, 2), ("nat-per-zone", 3, 3)])
def test_a_zone_uses_the_nat_gateway_that_the_setting_gives_it(way: str, zones: int, gateways: int) -> None:
    world = first({"egress": way, "zones": zones})
    assert len(world.of_type(":NatGateway")) == len(world.of_type(":Eip")) == gateways
    tables = [each for each in world.of_type("routeTable:RouteTable") if parent(world, each) != "Network"]
    used = [each.inputs["routes"][0]["natGatewayId"] for each in sorted(tables, key=lambda each: each.name)]
    wanted = [f"{NAME}-{way}-{slot}-id" for slot in "abc"[:zones]]
    assert used == (wanted if way == "nat-per-zone" else [wanted[0]] * zones)
    public = {each.inputs["subnetId"] for each in world.of_type(":NatGateway")}
    assert public == {f"{NAME}-{slot}-id" for slot in "abc"[:gateways]}


def test_where_endpoints_serve_nothing_but_them_and_s3_can_be_reached() -> None:
    world = first({"egress": "endpoints"})
    assert not world.of_type(":NatGateway")
    rules = {each.name.removeprefix(f"{NAME}-"): each.inputs for each in world.of_type("SecurityGroupEgressRule")}
    targets = {name: each.get("referencedSecurityGroupId") or each.get("prefixListId") for name, each in rules.items()}
    assert targets == {
        "balancer-to-endpoints-tasks": f"{NAME}-endpoints-tasks-id",
        "endpoints-tasks-to-endpoints": f"{NAME}-endpoints-id",
        "endpoints-tasks-to-s3": f"pl-{NAME}-endpoints-s3",
    }
    assert {rules[name]["toPort"] for name in targets if name.startswith("endpoints")} == {443}
    services = {each.inputs["serviceName"].split(".", 3)[3] for each in world.of_type(":VpcEndpoint")}
    assert services == {"ecr.api", "ecr.dkr", "logs", "s3"}
    assert tasks_in(world, "blue")["securityGroups"] == [f"{NAME}-endpoints-tasks-id"]


def test_a_team_adds_services_of_aws_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(INFRA, tmp_path / "infra")
    network = tmp_path / "infra/network.py"
    network.write_text(
        network.read_text().replace("private_subnets(lane, self)", 'private_subnets(lane, self, ["sqs"])')
    )
    for path in INFRA.glob("[a-z]*.py"):
        monkeypatch.delitem(sys.modules, path.stem, raising=False)
    world = World(outputs=ARTIFACTS, observed=observed(image=FIRST))
    run(world, config(imageDigest=FIRST, network={"egress": "endpoints"}), program=tmp_path / "infra")
    for path in INFRA.glob("[a-z]*.py"):
        sys.modules.pop(path.stem, None)
    assert f"{NAME}-endpoints-sqs" in {each.name for each in world.of_type(":VpcEndpoint")}


def test_the_load_balancer_reaches_tasks_only_on_whatever_port_a_release_brings() -> None:
    world = first()
    out = [each.inputs for each in world.of_type("SecurityGroupEgressRule") if each.name.startswith(f"{NAME}-balancer")]
    assert [(each["referencedSecurityGroupId"], each["ipProtocol"]) for each in out] == [(f"{NAME}-tasks-id", "-1")]


def test_in_china_the_endpoints_of_the_registry_have_names_of_their_own() -> None:
    world = first({"egress": "endpoints"}, **{"aws:region": "cn-north-1"})
    names = {each.inputs["serviceName"] for each in world.of_type(":VpcEndpoint")}
    registry = {f"cn.com.amazonaws.cn-north-1.ecr.{api}" for api in ("api", "dkr")}
    assert names == registry | {f"com.amazonaws.cn-north-1.{service}" for service in ("logs", "s3")}


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_roles_take_the_policies_of_their_partition(region: str, partition: str) -> None:
    attached = first(**{"aws:region": region}).one("rolePolicyAttachment:RolePolicyAttachment").inputs["policyArn"]
    assert attached == f"arn:{partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"


def test_a_store_of_secrets_has_an_endpoint_while_a_release_names_a_secret_there() -> None:
    secret = {"KEY": "arn:aws:ssm:us-east-1:000000000000:parameter/key"}
    with_one = first({"egress": "endpoints"}, secrets=secret)
    assert [
        each.name for each in with_one.of_type(":VpcEndpoint") if each.name.endswith(("ssm", "secretsmanager"))
    ] == [f"{NAME}-endpoints-ssm"]


def test_tasks_wait_for_their_way_out() -> None:
    for way in Egress:
        world = first({"egress": way})
        for each in world.of_type("service:Service"):
            before = {urn.rsplit("$", 1)[-1] for urn in world.options[each.type, each.name].before}
            routes = {
                f"{route.type}::{route.name}" for route in world.of_type("RouteTableAssociation") if way in route.name
            }
            assert routes
            assert routes <= before


# ---- From one to another


def test_an_environment_with_public_addresses_gets_private_subnets_and_its_colours_stay_where_they_are() -> None:
    world = live(standing_on(blue="", green=""))
    assert ways(world) == ["nat"]
    assert {world.options[each.type, each.name].ignored for each in world.of_type("service:Service")} == {("*",)}
    kept = {each.name for each in world.of_type("SecurityGroupEgressRule")}
    assert {f"{NAME}-balancer-out", f"{NAME}-tasks-out"} <= kept


def test_a_release_takes_its_own_colour_to_the_way_out_that_the_settings_ask_for() -> None:
    world = live(standing_on(), imageDigest=THIRD, network={"egress": "endpoints"})
    assert ways(world) == ["endpoints", "nat"]
    assert tasks_in(world, "blue")["subnets"] == [f"{NAME}-endpoints-{slot}-id" for slot in "ab"]
    assert world.options["aws:ecs/service:Service", f"{NAME}-blue"].ignored == ()
    assert world.options["aws:ecs/service:Service", f"{NAME}-green"].ignored == ("*",)


def test_what_a_colour_still_uses_stays_and_is_protected() -> None:
    for state in (standing_on(), standing_on(blue="endpoints"), standing_on(green="endpoints")):
        world = live(state, network={"egress": "endpoints"})
        assert ways(world) == ["endpoints", "nat"]
        assert protected(world, Egress.NAT) == {True}


def test_the_update_that_moves_the_last_colour_takes_the_protection_away() -> None:
    world = live(standing_on(green="endpoints"), imageDigest=THIRD, network={"egress": "endpoints"})
    assert ways(world) == ["endpoints", "nat"]
    assert protected(world, Egress.NAT) == {False}
    assert protected(world, Egress.ENDPOINTS) == {True}


def test_what_no_colour_uses_any_more_is_dropped_by_the_next_update() -> None:
    state = standing_on(blue="endpoints", green="endpoints")
    old = standing_on()
    state |= {urn: each for urn, each in old.items() if "infra:Nat$" in urn}
    world = live(state, network={"egress": "endpoints"})
    assert ways(world) == ["endpoints"]


def test_a_way_out_that_was_made_and_never_used_is_dropped_without_being_asked_for() -> None:
    """The release that should have gone there was refused, and the setting was taken back."""
    state = standing_on() | {
        urn: each for urn, each in standing_on(blue="endpoints", green="endpoints").items() if "infra:Endpoints$" in urn
    }
    made = live(state, network={"egress": "endpoints"})
    assert protected(made, Egress.ENDPOINTS) == {False}
    assert ways(live(state)) == ["nat"]


def test_a_colour_that_is_only_scaled_stays_in_its_subnets() -> None:
    world = live(standing_on(), idle={"afterWatch": 1}, network={"egress": "endpoints"})
    assert "networkConfiguration" in world.options["aws:ecs/service:Service", f"{NAME}-blue"].ignored
    assert protected(world, Egress.NAT) == {True}


def test_a_rollback_waits_for_no_new_way_out() -> None:
    """Tasks that it starts go where their colour has been."""
    back = live(standing_on(), imageDigest=FIRST, rollbackFrom=SECOND, network={"egress": "endpoints"})
    assert ways(back) == ["nat"]
    assert ways(live(standing_on(), network={"egress": "endpoints"})) == ["endpoints", "nat"]
    made = standing_on() | {
        urn: each for urn, each in standing_on(blue="endpoints", green="endpoints").items() if "infra:Endpoints$" in urn
    }
    kept = live(made, imageDigest=FIRST, rollbackFrom=SECOND, network={"egress": "endpoints"})
    assert ways(kept) == ["endpoints", "nat"], "the next update would make them again"
    zone = live(standing_on(), imageDigest=FIRST, rollbackFrom=SECOND, network={"zones": 3})
    assert {each.name for each in zone.of_type("subnet:Subnet")} == {
        f"{NAME}-{of}{z}" for of in ("", "nat-") for z in "ab"
    }


def test_a_third_zone_is_added_and_the_others_stay() -> None:
    two, three = live(standing_on()), live(standing_on(), network={"zones": 3})
    before = {(each.type, each.name): each.inputs for each in two.of_type("subnet:Subnet")}
    after = {(each.type, each.name): each.inputs for each in three.of_type("subnet:Subnet")}
    assert before.items() <= after.items()
    assert sorted(name.removeprefix(f"{NAME}-") for _, name in after.keys() - before.keys()) == ["c", "nat-c"]
    (urn,) = [urn for urn in standing_on() if urn.endswith(f"::{NAME}-b")]
    third = {"type": "aws:ec2/subnet:Subnet", "outputs": {"availabilityZone": "us-east-1c"}}
    state = standing_on() | {urn.removesuffix("b") + "c": third}
    with pytest.raises(Refused, match=r"network\.zones from us-east-1a, us-east-1b, us-east-1c to 2"):
        live(state, network={"zones": 2})


# ---- A network that exists


def found(**over: Any) -> dict[str, Any]:
    """What EC2 has of it."""
    public = {
        id: {"vpc": VPC, "zone": f"us-east-1{zone}", "way": "igw-1"} for id, zone in zip(PUBLIC, "ab", strict=True)
    }
    private = {
        id: {"vpc": VPC, "zone": f"us-east-1{zone}", "way": "nat-1"} for id, zone in zip(PRIVATE, "ab", strict=True)
    }
    return {"cidr": "10.99.0.0/16", "subnets": {**public, **private, **over}}


def test_nothing_of_a_network_that_exists_is_made_but_security_groups() -> None:
    world = first({"existing": EXISTING})
    made = {each.type.rsplit(":", 1)[-1] for each in world.registered if each.type.startswith(("aws:ec2", "aws:vpc"))}
    assert made == {"SecurityGroup", "SecurityGroupIngressRule", "SecurityGroupEgressRule"}
    assert {each.inputs["vpcId"] for each in world.of_type(":SecurityGroup")} == {VPC}
    assert world.one("loadBalancer:LoadBalancer").inputs["subnets"] == PUBLIC
    assert tasks_in(world, "blue") | {"securityGroups": []} == {
        "subnets": PRIVATE,
        "securityGroups": [],
        "assignPublicIp": False,
    }
    inside = [each for each in world.of_type("SecurityGroupIngressRule") if "-test-9001-" in each.name]
    assert [each.inputs["cidrIpv4"] for each in inside] == ["10.99.0.0/16"]
    assert world.asked_for_zones is None


def test_a_network_that_cannot_be_used_is_refused_with_every_problem_before_anything_is_registered() -> None:
    elsewhere = {"vpc": "vpc-2", "zone": "us-east-1a", "way": ""}
    world = World(outputs=ARTIFACTS, observed=observed(), network=found(**{PUBLIC[1]: elsewhere}))
    with pytest.raises(Refused, match=r"network\.existing cannot be used") as refused:
        run(world, config(network={"existing": EXISTING}))
    assert f"publicSubnets: {PUBLIC[1]} is in vpc-2" in refused.value.what
    assert "publicSubnets: all are in us-east-1a" in refused.value.what
    assert not world.registered


@pytest.mark.parametrize(
    ("state", "network", "said"),
    [
        (standing_on(), {"existing": EXISTING}, f"network.existing from a network of its own to {VPC}"),
        (
            {urn: each for urn, each in standing_on().items() if "infra:Network" not in urn},
            {},
            "network.existing from vpc-1 to a network of its own",
        ),
    ],
    ids=["into one", "out of one"],
)
def test_no_environment_with_users_changes_networks(state: Any, network: Any, said: str) -> None:
    with pytest.raises(Refused, match="would replace what live users stand on") as refused:
        live(state, network=network)
    assert said in refused.value.what


@pytest.mark.parametrize(
    ("existing", "said"),
    [
        ({**EXISTING, "vpcId": ""}, "network.existing.vpcId: is missing"),
        ({**EXISTING, "privateSubnets": PRIVATE[:1]}, "privateSubnets: should name 2 to 16 subnets"),
        ({**EXISTING, "privateSubnets": PUBLIC}, f"privateSubnets: {PUBLIC[0]} is in publicSubnets as well"),
    ],
)
def test_a_network_that_exists_is_named_whole(existing: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        first({"existing": existing})
