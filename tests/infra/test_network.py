"""The network that the program registers: zones, ranges of testers, and what has to be there before tasks start."""

from __future__ import annotations

import json
from typing import Any

import pytest
from release_lane.errors import Refused, UsageError
from release_lane.record.placement import Colour
from tests.program.mocks import (
    ARTIFACTS,
    FIRST,
    SECOND,
    Registered,
    World,
    observed,
    outputs_of,
    release,
    run,
    standing_on,
)

from colour import GIVEN

pytestmark = pytest.mark.program
OFFICE, HOME = "192.0.2.0/24", "198.51.100.0/24"
AT = "urn:pulumi:staging::release-lane::release-lane:infra:Network$"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def subnets(world: World, component: str = "Network") -> dict[str, str]:
    """Range to zone of a component's subnets."""
    found = [each for each in world.of_type("subnet:Subnet") if parent(world, each) == component]
    return {each.inputs["cidrBlock"]: each.inputs["availabilityZone"] for each in found}


def parent(world: World, each: Registered) -> str:
    return world.options[each.type, each.name].parent.split("::")[-2].rsplit(":", 1)[-1]


def zones(world: World) -> list[str]:
    """Those of the public subnets, and of the private ones as well."""
    public = sorted(subnets(world).values())
    assert sorted(subnets(world, "Nat").values()) == public
    return public


def settings(**config: Any) -> dict[str, str]:
    return {f"release-lane:{key}": json.dumps(value) for key, value in config.items()}


# ---- Zones


def test_a_new_environment_takes_the_accounts_first_two_zones_that_need_no_opting_in() -> None:
    world = World(outputs=ARTIFACTS, observed=observed(), zones=("us-east-1d", "us-east-1b", "us-east-1c"))
    assert zones(run(world)) == ["us-east-1b", "us-east-1c"]
    assert world.asked_for_zones == {
        "state": "available",
        "filters": [{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
    }


def test_an_environment_keeps_its_zones_whatever_the_account_lists_today() -> None:
    world = run(World(outputs=ARTIFACTS, observed=observed(), state=standing_on(), zones=("us-east-1e", "us-east-1f")))
    assert zones(world) == ["us-east-1a", "us-east-1b"]
    assert world.asked_for_zones is None


def test_pinned_zones_are_taken_unasked() -> None:
    world = World(outputs=ARTIFACTS, observed=observed())
    run(world, settings(network={"zones": ["us-east-1c", "us-east-1f"]}))
    assert zones(world) == ["us-east-1c", "us-east-1f"]
    assert world.asked_for_zones is None


def test_an_account_with_one_zone_is_refused_before_anything_is_registered() -> None:
    world = World(outputs=ARTIFACTS, observed=observed(), zones=("us-east-1a",))
    with pytest.raises(Refused, match="Two availability zones are needed"):
        run(world)
    assert not world.registered


@pytest.mark.parametrize(
    ("pinned", "said"),
    [
        (["us-east-1a", "us-east-1a"], "network.zones: two different ones"),
        (["us-east-1a", "eu-west-1b"], "network.zones: eu-west-1b is not in us-east-1"),
        (["us-east-1a"], "network.zones: should be 2 or 3, or so many zones by name"),
        (4, "network.zones: should be 2 or 3"),
        (True, "network.zones: should be 2 or 3"),
        (["a", "b"], "network.zones"),
    ],
)
def test_zones_that_cannot_be_are_wrong_settings(pinned: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(World(outputs=ARTIFACTS, observed=observed()), settings(network={"zones": pinned}))


# ---- Who may reach the test listeners


def doors(world: World) -> dict[str, tuple[int, str]]:
    """The test listeners' rules by logical name."""
    rules = [each for each in world.of_type("SecurityGroupIngressRule") if "-test-" in each.name]
    return {each.name: (int(each.inputs["fromPort"]), each.inputs["cidrIpv4"]) for each in rules}


def live(state: dict[str, Any], **config: Any) -> World:
    outputs = {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN)
    return run(World(outputs=outputs, observed=seen, state=state), settings(**config))


def with_rules(*ranges: str, named: str = "number") -> dict[str, Any]:
    """A state with a rule for each range, in the network's own first; named by `number` (as once) or by `range`."""
    found = standing_on()
    for port in (9001, 9002):
        for number, cidr in enumerate(("10.20.0.0/16", *ranges)):
            last = str(number) if named == "number" else cidr.replace("/", "-")
            name = f"release-lane-staging-test-{port}-{last}"
            found[f"{AT}{RULE}::{name}"] = {"type": RULE, "outputs": {"fromPort": float(port), "cidrIpv4": cidr}}
    return found


def test_removing_the_first_of_two_ranges_changes_no_other_rule() -> None:
    both, one = (doors(live(standing_on(), testAccess=ranges)) for ranges in ([OFFICE, HOME], [HOME]))
    assert one.items() <= both.items()
    assert {cidr for _, cidr in set(both.values()) - set(one.values())} == {OFFICE}


@pytest.mark.parametrize("kept", [[OFFICE, HOME], [HOME], [HOME, OFFICE]])
def test_rules_that_were_numbered_are_renamed_and_not_made_again(kept: list[str]) -> None:
    world = live(with_rules(OFFICE, HOME), testAccess=kept)
    renamed = {doors(world)[name]: world.options[RULE, name].aliases for name in doors(world)}
    numbers = {"10.20.0.0/16": 0, OFFICE: 1, HOME: 2}
    assert renamed == {
        (port, cidr): (f"release-lane-staging-test-{port}-{numbers[cidr]}",)
        for port in (9001, 9002)
        for cidr in ("10.20.0.0/16", *kept)
    }


def test_a_rule_that_has_its_name_needs_no_other() -> None:
    world = live(with_rules(OFFICE, named="range"), testAccess=[OFFICE])
    assert {world.options[RULE, name].aliases for name in doors(world)} == {()}


def test_a_range_that_is_given_twice_is_one_rule() -> None:
    assert len(doors(live(standing_on(), testAccess=[OFFICE, OFFICE, "10.20.0.0/16"]))) == 4


# ---- Order, and scaling in


def test_services_and_the_switch_wait_for_the_log_group() -> None:
    world = run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), {"release-lane:imageDigest": FIRST})
    name = world.one("LogGroup").name
    for each in (*world.of_type("service:Service"), *world.of_type("TrafficSwitch")):
        assert name in world.options[each.type, each.name].logs


def test_an_idle_colour_is_scaled_in_by_its_number_of_tasks_alone() -> None:
    world = live(standing_on(), idle={"afterWatch": 1})
    (idle,) = [each for each in world.of_type("service:Service") if each.name.endswith("blue")]
    assert idle.inputs["desiredCount"] == 1
    assert idle.inputs["forceNewDeployment"] is False
    untouched = set(world.options[idle.type, idle.name].ignored)
    assert untouched == set(GIVEN)
    assert idle.inputs.keys() - untouched == {"desiredCount", "forceNewDeployment"}, "GIVEN names all else"
    (definition,) = [each for each in world.of_type("TaskDefinition") if each.name.endswith("blue")]
    assert world.options[definition.type, definition.name].ignored == ("*",)
    gates = {kind: world.one(kind).inputs["active"] for kind in (":Image", "Rollout", "SmokeGate", "TrafficSwitch")}
    assert gates == {":Image": False, "Rollout": True, "SmokeGate": False, "TrafficSwitch": False}
    assert world.one("Rollout").inputs["starts"] is False
