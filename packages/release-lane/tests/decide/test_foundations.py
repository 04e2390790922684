"""What an environment stands on, as its state has it and as settings want it; and what decisions make of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.choice import Verdict
from release_lane.decide.decision import Deploy, Heal, Keep, Prepare, Refuse, Requested, TrafficOnly, decide
from release_lane.decide.foundations import Egress, Foundations, Site, moved, zones_of
from release_lane.errors import ReleaseError, Users
from release_lane.record.hold import Hold
from release_lane.record.journal import Phase
from release_lane.record.records import GroupCheck, Observed, Recorded
from tests.decide.situations import BLUE, GREEN, SERVICE, SICK, A, B, C, journal, observed, recorded, side

pytestmark = pytest.mark.pure
HERE = Site(region="us-east-1", cidr="10.20.0.0/16")
ELSEWHERE = replace(HERE, cidr="10.30.0.0/16")
BUILT = Foundations(
    region="us-east-1",
    cidr="10.20.0.0/16",
    zones=("us-east-1a", "us-east-1b"),
    vpc="vpc-1",
    load_balancer="arn:balancer",
    balancer_vpc="vpc-1",
    group_vpcs=frozenset({"vpc-1"}),
)
TORN = replace(BUILT, vpc="vpc-2", cidr="10.30.0.0/16", balancer_vpc="vpc-2")
HALF_BUILT = replace(BUILT, vpc="vpc-2", cidr="10.30.0.0/16")
CHECK = GroupCheck(path="/health", interval=5, timeout=2, healthy=3, unhealthy=4)
RECORD = recorded(GREEN, A, B)
LIVE = observed(A, B, GREEN)


def decided(
    record: Recorded | None = RECORD, seen: Observed = LIVE, *, built: Foundations = BUILT, **asked: Any
) -> Verdict:
    return decide(record, seen, Requested(**{"service": SERVICE, "site": HERE, **asked}), (), built)


def refusal(verdict: Verdict) -> ReleaseError:
    assert isinstance(verdict.decision, Refuse)
    return verdict.decision.error


# ---- The state as it is read


def test_users_stand_on_all_rules_but_those_of_testers_whatever_the_project_is_called() -> None:
    at, rule = (
        "urn:pulumi:staging::a-test-lane::release-lane:infra:Network$",
        "aws:vpc/securityGroupIngressRule:Security",
    )
    rule += "GroupIngressRule"
    names = ("users", "from-balancer", "test-9001-1", "test-9002-10.20.0.0-16")
    found = {f"{at}{rule}::a-test-lane-staging-{name}": {"type": rule, "outputs": {}} for name in names}
    held = Foundations.from_resources(found).held
    assert held == {f"{rule} a-test-lane-staging-{name}" for name in ("users", "from-balancer")}


def test_a_states_resources_say_what_an_environment_stands_on() -> None:
    at = "urn:pulumi:staging::release-lane::release-lane:infra:"
    rule = {"fromPort": 9001, "cidrIpv4": "192.0.2.0/24"}
    found = {
        f"{at}Network$aws:ec2/vpc:Vpc::x": {
            "type": "aws:ec2/vpc:Vpc",
            "outputs": {"arn": "arn:aws:ec2:::vpc/vpc-1", "cidrBlock": "10.20.0.0/16", "region": "us-east-1"},
        },
        f"{at}Network$aws:ec2/subnet:Subnet::x-b": {
            "type": "aws:ec2/subnet:Subnet",
            "outputs": {"availabilityZone": "us-east-1c"},
        },
        f"{at}Network$aws:ec2/subnet:Subnet::x-a": {
            "type": "aws:ec2/subnet:Subnet",
            "outputs": {"availabilityZone": "us-east-1a"},
        },
        f"{at}Network$aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule::x-test-9001-1": {
            "type": "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            "outputs": rule,
        },
        f"{at}Balancer$aws:lb/loadBalancer:LoadBalancer::x": {
            "type": "aws:lb/loadBalancer:LoadBalancer",
            "outputs": {"arn": "arn:balancer", "vpcId": "vpc-1"},
        },
        f"{at}Balancer$aws:lb/targetGroup:TargetGroup::x-blue": {
            "type": "aws:lb/targetGroup:TargetGroup",
            "outputs": {
                "vpcId": "vpc-1",
                "name": "x-blue",
                "healthCheck": {
                    **{"path": "/health", "interval": 5.0, "timeout": 2.0, "matcher": "200"},
                    **{"healthyThreshold": 3.0, "unhealthyThreshold": 4.0},
                },
            },
        },
        f"{at}Balancer$aws:lb/listener:Listener::x-test-blue": {
            "type": "aws:lb/listener:Listener",
            "outputs": {"port": 9001.0},
        },
        f"{at}Colour$aws:ecs/service:Service::x-blue": {
            "type": "aws:ecs/service:Service",
            "outputs": {"name": "x-blue"},
        },
        # A team's own network next to it is none of ours.
        "urn:pulumi:staging::release-lane::aws:ec2/vpc:Vpc::database": {
            "type": "aws:ec2/vpc:Vpc",
            "outputs": {"arn": "arn:aws:ec2:::vpc/vpc-9", "cidrBlock": "10.99.0.0/16"},
        },
    }
    assert Foundations.from_resources(found) == replace(
        BUILT,
        zones=("us-east-1a", "us-east-1c"),
        doors={(9001, "192.0.2.0/24"): "x-test-9001-1"},
        checks={"x-blue": CHECK},
        parts=frozenset({"target group x-blue", "listener 9001", "service x-blue"}),
        held=frozenset(
            {
                "aws:ec2/vpc:Vpc x",
                "aws:ec2/subnet:Subnet x-a",
                "aws:ec2/subnet:Subnet x-b",
                "aws:lb/loadBalancer:LoadBalancer x",
                "aws:lb/targetGroup:TargetGroup x-blue",
                "aws:lb/listener:Listener x-test-blue",
            }
        ),
    )


def test_a_range_with_host_bits_that_an_earlier_version_took_is_the_one_that_aws_keeps() -> None:
    kind = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    outputs = {"fromPort": 9001, "cidrIpv4": "192.0.2.7/24"}
    found = {f"urn:pulumi:s::p::release-lane:infra:Network${kind}::x-test-9001-1": {"type": kind, "outputs": outputs}}
    assert Foundations.from_resources(found).doors == {(9001, "192.0.2.0/24"): "x-test-9001-1"}


OTHER = replace(CHECK, interval=30)


@pytest.mark.parametrize(
    ("state", "aws", "wanted", "overlooked"),
    [
        (CHECK, OTHER, CHECK, True),
        (CHECK, CHECK, CHECK, False),
        (CHECK, OTHER, OTHER, False),
        (OTHER, OTHER, CHECK, False),
        (CHECK, None, CHECK, False),
        (None, OTHER, CHECK, False),
    ],
    ids=["claimed only", "there", "wanted as it is", "to be written", "no target group", "not in the state"],
)
def test_a_health_check_that_only_the_state_has_is_one_that_no_update_writes(
    state: GroupCheck | None, aws: GroupCheck | None, wanted: GroupCheck, overlooked: bool
) -> None:
    known = Foundations(checks={"x-blue": state} if state else {})
    assert known.overlooks("x-blue", aws, wanted) is overlooked


def test_a_state_with_nothing_in_it_stands_on_nothing() -> None:
    assert Foundations.from_resources({}) == Foundations()
    assert not moved(Foundations(), HERE)
    assert not Foundations().torn


@pytest.mark.parametrize(
    ("built", "pinned", "zones"),
    [
        (BUILT, (), BUILT.zones),
        (BUILT, ("us-east-1b", "us-east-1a"), BUILT.zones),
        (BUILT, ("us-east-1b", "us-east-1c"), ("us-east-1b", "us-east-1c")),
        (Foundations(), ("us-east-1b", "us-east-1c"), ("us-east-1b", "us-east-1c")),
        (Foundations(), (), ()),
        (replace(BUILT, zones=("us-east-1a",)), (), ()),
        (BUILT, ("us-east-1c", "us-east-1b", "us-east-1a"), (*BUILT.zones, "us-east-1c")),
    ],
    ids=["kept", "the same two", "others", "pinned", "to be asked for", "half a network", "one more"],
)
def test_what_exists_keeps_its_zones(built: Foundations, pinned: tuple[str, ...], zones: tuple[str, ...]) -> None:
    assert zones_of(built, pinned) == zones


THREE = replace(BUILT, zones=("us-east-1a", "us-east-1b", "us-east-1c"))


@pytest.mark.parametrize(
    ("built", "wanted"),
    [
        (BUILT, replace(HERE, zones=THREE.zones)),
        (BUILT, replace(HERE, count=3)),
        (BUILT, replace(HERE, count=2)),
        (THREE, HERE),
        (replace(BUILT, vpc=""), replace(ELSEWHERE, vpc="vpc-1", count=3)),
    ],
    ids=["a third by name", "a third", "two", "three that are kept", "a network that exists"],
)
def test_what_only_adds_to_the_network_moves_nothing(built: Foundations, wanted: Site) -> None:
    assert moved(replace(built, cidr=built.cidr if built.vpc else ""), wanted) == ()


@pytest.mark.parametrize(
    ("built", "wanted", "said"),
    [
        (THREE, replace(HERE, count=2), "network.zones from us-east-1a, us-east-1b, us-east-1c to 2"),
        (THREE, replace(HERE, zones=BUILT.zones), "to us-east-1a, us-east-1b"),
        (BUILT, replace(HERE, vpc="vpc-9"), "network.existing from a network of its own to vpc-9"),
        (replace(BUILT, vpc=""), HERE, "network.existing from vpc-1 to a network of its own"),
        (replace(BUILT, vpc=""), replace(HERE, vpc="vpc-9"), "network.existing from vpc-1 to vpc-9"),
    ],
)
def test_a_zone_that_would_go_and_another_network_are_moves(built: Foundations, wanted: Site, said: str) -> None:
    (change,) = moved(
        replace(built, cidr=built.cidr if built.vpc else "", zones=built.zones if built.vpc else ()), wanted
    )
    assert said in str(change)


SUBNET, SERVICE_TYPE = "aws:ec2/subnet:Subnet", "aws:ecs/service:Service"


def with_ways(blue: str, green: str) -> dict[str, Any]:
    """A state with a subnet of each way out, and both services in subnets of these ids."""
    at, found = "urn:pulumi:s::p::", {}
    for way in Egress:
        outputs = {"arn": f"arn:aws:ec2:::subnet/{way}"}
        found[f"{at}{way.component}${SUBNET}::x-{way}-a"] = {"type": SUBNET, "outputs": outputs}
    for name, subnet in (("x-blue", blue), ("x-green", green)):
        inside = {"networkConfiguration": {"subnets": [subnet, "other"]}}
        found[f"{at}release-lane:infra:Colour${SERVICE_TYPE}::{name}"] = {"type": SERVICE_TYPE, "outputs": inside}
    return found


def test_a_services_way_out_is_that_of_its_subnets_and_users_stand_on_those_alone() -> None:
    found = Foundations.from_resources(with_ways("nat", "endpoints"))
    assert found.egress == {"x-blue": Egress.NAT, "x-green": Egress.ENDPOINTS}
    assert found.held == {f"{SUBNET} x-nat-a", f"{SUBNET} x-endpoints-a"}


def test_tasks_in_public_subnets_have_no_way_out_of_their_own() -> None:
    found = Foundations.from_resources(with_ways("public", "public"))
    assert (dict(found.egress), found.held) == ({}, frozenset())


def test_endpoints_of_secret_stores_come_and_go_with_releases() -> None:
    kind = "aws:ec2/vpcEndpoint:VpcEndpoint"
    at = f"urn:pulumi:s::p::{Egress.ENDPOINTS.component}${kind}::x-endpoints"
    state = with_ways("endpoints", "endpoints")
    state |= {f"{at}-{name}": {"type": kind, "outputs": {}} for name in ("ssm", "secretsmanager", "logs")}
    assert Foundations.from_resources(state).held == {f"{SUBNET} x-endpoints-a", f"{kind} x-endpoints-logs"}


# ---- What is decided


@pytest.mark.parametrize("asked", [{}, {"digest": C.digest}, {"digest": A.digest, "rollback_from": B.digest}])
@pytest.mark.parametrize(
    ("site", "said"),
    [
        (ELSEWHERE, "network.cidr from 10.20.0.0/16 to 10.30.0.0/16"),
        (replace(HERE, region="eu-west-1"), "aws:region from us-east-1 to eu-west-1"),
        (replace(HERE, zones=("us-east-1b", "us-east-1c")), "to us-east-1b, us-east-1c"),
    ],
)
def test_under_users_other_foundations_are_refused(asked: dict[str, Any], site: Site, said: str) -> None:
    error = refusal(decided(site=site, **asked))
    assert said in error.what
    assert "new environment" in (error.next_step or "")
    assert "allowReplace" in (error.next_step or "")


def test_another_region_is_refused_although_nothing_is_found_there() -> None:
    nowhere = observed(None, None, None, listener=False)
    assert "aws:region" in refusal(decided(seen=nowhere, site=replace(HERE, region="eu-west-1"))).what


@pytest.mark.parametrize("built", [BUILT, TORN, HALF_BUILT])
def test_without_users_settings_are_free(built: Foundations) -> None:
    empty = observed(None, None, None)
    assert isinstance(decided(None, empty, built=built, site=ELSEWHERE).decision, Prepare)
    first = decided(None, empty, built=built, site=ELSEWHERE, digest=A.digest).decision
    assert isinstance(first, Deploy)
    assert not first.rebuilds


def test_where_the_state_was_not_read_nothing_is_compared() -> None:
    assert isinstance(decide(RECORD, LIVE, Requested(service=SERVICE, site=ELSEWHERE)).decision, Keep)


def test_leave_to_replace_builds_the_live_release_anew() -> None:
    decision = decided(site=ELSEWHERE, allow_replace=True).decision
    assert isinstance(decision, Deploy)
    assert (decision.release, decision.target, decision.live, decision.rebuilds) == (B, GREEN, None, True)


def test_leave_to_replace_builds_the_release_that_was_asked_for() -> None:
    decision = decided(site=ELSEWHERE, allow_replace=True, digest=C.digest).decision
    assert isinstance(decision, Deploy)
    assert (decision.release.digest, decision.rebuilds) == (C.digest, True)


def test_leave_to_replace_is_no_leave_for_what_must_not_happen() -> None:
    assert "rollback" in refusal(decided(site=ELSEWHERE, allow_replace=True, digest=A.digest)).what


def test_leave_to_replace_does_nothing_where_nothing_changes() -> None:
    assert isinstance(decided(allow_replace=True).decision, Keep)
    assert isinstance(decided(allow_replace=True, digest=A.digest, rollback_from=B.digest).decision, TrafficOnly), (
        "a rollback still moves weights only"
    )


@pytest.mark.parametrize(
    "seen",
    [observed(A, B, BLUE), observed(A, B, BLUE, journal((GREEN, B), (BLUE, A), Phase.MOVING))],
    ids=["drift", "an interrupted switch"],
)
def test_users_have_to_be_where_they_are_recorded_before_everything_is_built_anew(seen: Observed) -> None:
    assert "built anew" in refusal(decided(seen=seen, site=ELSEWHERE, allow_replace=True)).what


def test_a_network_that_was_replaced_under_users_refuses_releases_and_says_the_way_out() -> None:
    for asked in ({"digest": C.digest}, {"seen": observed(side(A, **SICK), B, GREEN)}):
        error = refusal(decided(built=TORN, site=ELSEWHERE, **asked))
        assert "vpc-2" in error.what
        assert "vpc-1" in error.what
        assert "allowReplace" in (error.next_step or "")


def test_traffic_on_a_torn_network_stays_and_can_be_rolled_back() -> None:
    assert isinstance(decided(built=TORN, site=ELSEWHERE).decision, Keep)
    back = decided(built=TORN, site=ELSEWHERE, digest=A.digest, rollback_from=B.digest).decision
    assert isinstance(back, TrafficOnly)


def test_a_rebuild_that_was_killed_after_the_network_goes_on() -> None:
    decision = decided(built=HALF_BUILT, site=ELSEWHERE, allow_replace=True).decision
    assert isinstance(decision, Deploy)
    assert decision.rebuilds


# ---- The name that users come by

SHOP, NEW = "shop.example.com", "new.example.com"
NAMED = replace(BUILT, domain=SHOP)


def renamed(*certified: str, seen: Observed = LIVE, built: Foundations = NAMED, **asked: Any) -> Verdict:
    """`https.domain` says NEW; the certificate that the settings name is for these names."""
    found = replace(seen, certificate_names=certified)
    return decided(seen=found, built=built, **{"site": replace(HERE, domain=NEW), **asked})


@pytest.mark.parametrize("certified", [(), (NEW,), ("*.other.example.com", NEW)], ids=str)
@pytest.mark.parametrize("asked", [{}, {"digest": C.digest}, {"digest": A.digest, "rollback_from": B.digest}], ids=str)
def test_a_certificate_that_is_not_of_the_name_users_come_by_is_refused(
    certified: tuple[str, ...], asked: dict[str, Any]
) -> None:
    error = refusal(renamed(*certified, **asked))
    assert f"they come by https://{SHOP}, https.domain says {NEW}" in error.what
    assert f"--domain-name {SHOP} --subject-alternative-names {NEW}" in error.next_step
    assert error.users is Users.UNTOUCHED


@pytest.mark.parametrize("certified", [(SHOP, NEW), (NEW, SHOP), ("*.example.com",)], ids=str)
def test_a_certificate_of_both_names_takes_users_from_one_to_the_other(certified: tuple[str, ...]) -> None:
    verdict = renamed(*certified)
    assert isinstance(verdict.decision, Keep)
    assert [note for note in verdict.notes if "the certificate is of both" in note] == [*verdict.notes]
    assert verdict.notes


def test_leave_to_replace_takes_the_old_name_and_builds_nothing_anew() -> None:
    verdict = renamed(allow_replace=True)
    assert isinstance(verdict.decision, Keep)
    assert any(f"who comes by https://{SHOP} gets a certificate error" in note for note in verdict.notes)


@pytest.mark.parametrize(
    "asked",
    [
        {"site": replace(HERE, domain=SHOP)},
        {"built": BUILT},
        {"seen": observed(None, None, None)},
    ],
    ids=["the same name, by another certificate", "they come by plain HTTP", "no user is served"],
)
def test_where_no_user_loses_a_name_any_certificate_will_do(asked: dict[str, Any]) -> None:
    verdict = renamed(NEW, **asked)
    assert not any("https.domain" in note for note in verdict.notes)
    if isinstance(verdict.decision, Refuse):
        assert "certificate" not in verdict.decision.error.what


@pytest.mark.parametrize(
    ("url", "domain"), [(f"https://{SHOP}", SHOP), ("http://lb-7.example", ""), (None, "")], ids=str
)
def test_the_switch_of_a_state_says_by_which_name_users_come(url: str | None, domain: str) -> None:
    switch = "release:index:TrafficSwitch"
    state = {f"urn:pulumi:staging::p::{switch}::x": {"type": switch, "outputs": {"url": url} if url else {}}}
    assert Foundations.from_resources(state).domain == domain


# ---- A state that does not know what serves


@pytest.mark.parametrize("asked", [{}, {"digest": C.digest}, {"on_drift": "restore", "digest": C.digest}])
@pytest.mark.parametrize("record", [None, RECORD])
def test_a_state_that_does_not_know_what_serves_is_refused_naming_it(
    asked: dict[str, Any], record: Recorded | None
) -> None:
    seen = replace(LIVE, load_balancer="lb-7.example")
    error = refusal(decided(record, seen, built=Foundations(), **asked))
    assert "lb-7.example" in error.what
    assert f"green (sha256:{'b' * 12})" in error.what
    assert "PULUMI_BACKEND_URL" in (error.why or "")


def test_a_load_balancer_without_traffic_is_not_taken_for_an_environment() -> None:
    assert isinstance(decided(None, observed(None, None, None), built=Foundations()).decision, Prepare)


# ---- What somebody deleted

LOST = ("listener 9001", "target group x-blue")


def without(*parts: str) -> Observed:
    """B serves from green, and of blue these parts are gone."""
    return observed(side(A, missing=parts), B, GREEN)


@pytest.mark.parametrize(
    "asked", [{"digest": C.digest}, {"digest": A.digest, "rollback_from": B.digest}], ids=["deploy", "traffic-only"]
)
def test_what_is_missing_is_named_before_an_update_needs_it(asked: dict[str, Any]) -> None:
    error = refusal(decided(seen=without(*LOST), built=replace(BUILT, parts=frozenset(LOST)), **asked))
    assert error.what.startswith("The listener 9001 and the target group x-blue no longer exist")
    assert "pulumi refresh" in (error.next_step or "")


def test_a_missing_part_is_reported_while_nothing_needs_it() -> None:
    verdict = decided(seen=without(*LOST), built=replace(BUILT, parts=frozenset(LOST)))
    assert isinstance(verdict.decision, Keep)
    assert [note.split(" no longer exists")[0] for note in verdict.notes] == list(LOST)


def test_what_the_state_does_not_have_either_is_made_by_the_update() -> None:
    verdict = decided(seen=without(*LOST), digest=C.digest)
    assert isinstance(verdict.decision, Deploy)
    assert not verdict.notes


# ---- The idle colour


def test_an_idle_colour_that_is_too_large_is_scaled_in_and_nothing_else() -> None:
    decision = decided(idle_tasks=1).decision
    assert isinstance(decision, Heal)
    assert (decision.target, decision.tasks, decision.scales_in, decision.retry_of) == (BLUE, 1, True, "")


def test_an_idle_colour_that_is_not_fully_healthy_is_started_again_even_where_fewer_tasks_are_wanted() -> None:
    decision = decided(seen=observed(side(A, **SICK), B, GREEN), idle_tasks=1).decision
    assert isinstance(decision, Heal)
    assert not decision.scales_in


def test_while_a_hold_stands_nothing_is_built_anew() -> None:
    held = replace(RECORD, hold=Hold(percent=10, colour=BLUE, release=C, since=""))
    seen = observed(C, B, {BLUE: 10, GREEN: 90})
    assert "while a hold stands" in refusal(decided(held, seen, site=ELSEWHERE, allow_replace=True)).what
    assert isinstance(decided(held, seen).decision, Keep)
