"""What each action changes, answers and refuses: pure, against a state in memory."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.emulator.elbv2.actions.target_groups import drained
from local_aws.emulator.elbv2.model import TargetHealth
from local_aws.emulator.wire import ServiceError
from tests.local.emulator.elbv2.requests import EVERYTHING, FIXED, Account, forward

pytestmark = pytest.mark.pure


@pytest.fixture
def account() -> Account:
    return Account()


def refused(account: Account, code: str, action: str, **members: Any) -> str:
    """The message; and nothing has changed."""
    before = account.state
    with pytest.raises(ServiceError) as caught:
        account.do(action, **members)
    assert caught.value.code == code
    assert account.state is before
    return caught.value.message


# ---------------------------------------------------------------- load balancers


def test_each_load_balancer_gets_an_address_of_its_own(account: Account) -> None:
    first, second = account.load_balancer("one"), account.load_balancer("two")
    shown = account.do("DescribeLoadBalancers")["LoadBalancers"]
    assert [one["DNSName"] for one in shown] == ["127.0.10.1", "127.0.10.2"]
    account.do("DeleteLoadBalancer", LoadBalancerArn=first)
    account.load_balancer("three")
    shown = {one["LoadBalancerName"]: one["DNSName"] for one in account.do("DescribeLoadBalancers")["LoadBalancers"]}
    assert shown == {"two": "127.0.10.2", "three": "127.0.10.1"}
    assert second.endswith("0000000000000002")


def test_clouds_of_one_machine_have_load_balancers_at_different_addresses(account: Account) -> None:
    account.load_balancer("one")
    account.block = "127.0.13"
    assert account.load_balancer("one").endswith("0000000000000001")  # what exists stays where it is
    account.load_balancer("two")
    shown = account.do("DescribeLoadBalancers")["LoadBalancers"]
    assert [one["DNSName"] for one in shown] == ["127.0.10.1", "127.0.13.2"]


def test_the_vpc_and_zones_are_those_of_the_subnets(account: Account) -> None:
    account.load_balancer()
    (shown,) = account.do("DescribeLoadBalancers", Names=["lb"])["LoadBalancers"]
    assert shown["VpcId"] == "vpc-1"
    assert [zone["ZoneName"] for zone in shown["AvailabilityZones"]] == ["us-east-1a", "us-east-1b"]
    assert shown["State"] == {"Code": "active"}


def test_creating_again_in_the_same_words_returns_what_exists(account: Account) -> None:
    arn = account.load_balancer()
    assert account.load_balancer() == arn
    group = account.target_group()
    assert account.target_group() == group


def test_creating_again_in_other_words_is_refused(account: Account) -> None:
    account.load_balancer()
    account.target_group()
    subnets = ["subnet-a", "subnet-c"]
    refused(account, "DuplicateLoadBalancerName", "CreateLoadBalancer", Name="lb", Subnets=subnets)
    wanted = {"Protocol": "HTTP", "Port": 9999, "VpcId": "vpc-1", "TargetType": "ip"}
    refused(account, "DuplicateTargetGroupName", "CreateTargetGroup", Name="blue", **wanted)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"Name": "x" * 33}, "ValidationError", "longer than '32'"),
        ({"Name": "a_b"}, "ValidationError", "alphanumeric"),
        ({"Name": "-a"}, "ValidationError", "hyphen"),
        ({"Name": "internal-a"}, "ValidationError", "internal-"),
        ({"Subnets": ["subnet-a"]}, "ValidationError", "At least two subnets"),
        ({"Subnets": ["subnet-b", "subnet-c"]}, "ValidationError", "two different Availability Zones"),
        ({"Subnets": ["subnet-a", "subnet-b", "subnet-c"]}, "InvalidConfigurationRequest", "the same Availability"),
        ({"Subnets": ["subnet-a", "subnet-z"]}, "SubnetNotFound", "subnet-z"),
        ({"Subnets": []}, "ValidationError", "At least two subnets"),
        ({"Type": "network"}, "ValidationError", "does not carry load balancers of type 'network'"),
        ({"IpAddressType": "dualstack"}, "ValidationError", "does not carry"),
        ({"CustomerOwnedIpv4Pool": "x"}, "ValidationError", "parameter CustomerOwnedIpv4Pool"),
        ({"Scheme": "public"}, "ValidationError", "enum value set"),
    ],
)
def test_load_balancers_that_are_refused(account: Account, given: Any, code: str, said: str) -> None:
    wanted = {"Name": "lb", "Subnets": ["subnet-a", "subnet-b"], **given}
    assert said in refused(account, code, "CreateLoadBalancer", **wanted)


def test_a_load_balancer_is_moved_to_no_two_subnets_of_one_zone(account: Account) -> None:
    arn, three = account.load_balancer(), ["subnet-a", "subnet-b", "subnet-c"]
    refused(account, "InvalidConfigurationRequest", "SetSubnets", LoadBalancerArn=arn, Subnets=three)
    account.do("SetSubnets", LoadBalancerArn=arn, Subnets=["subnet-a", "subnet-c"])


def test_a_load_balancer_takes_its_listeners_and_rules_along(account: Account) -> None:
    arn = account.load_balancer()
    account.rule(account.listener(arn), 1)
    account.do("DeleteLoadBalancer", LoadBalancerArn=arn)
    assert account.state == Account().state
    account.do("DeleteLoadBalancer", LoadBalancerArn=arn)  # once more is no error


def test_deletion_protection_protects(account: Account) -> None:
    arn = account.load_balancer()
    protect = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    account.do("ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=protect)
    refused(account, "OperationNotPermitted", "DeleteLoadBalancer", LoadBalancerArn=arn)


def test_what_does_not_exist_is_not_found(account: Account) -> None:
    gone = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
    lost: dict[str, tuple[str, dict[str, Any]]] = {
        "DescribeLoadBalancers": ("LoadBalancerNotFound", {"Names": ["x"]}),
        "DescribeLoadBalancerAttributes": ("LoadBalancerNotFound", {"LoadBalancerArn": f"{gone}loadbalancer/app/x/1"}),
        "CreateListener": (
            "LoadBalancerNotFound",
            {"LoadBalancerArn": f"{gone}loadbalancer/app/x/1", "Port": 80, "DefaultActions": [FIXED]},
        ),
        "DescribeListeners": ("ListenerNotFound", {"ListenerArns": [f"{gone}listener/app/x/1/2"]}),
        "ModifyListener": ("ListenerNotFound", {"ListenerArn": f"{gone}listener/app/x/1/2"}),
        "DeleteListener": ("ListenerNotFound", {"ListenerArn": f"{gone}listener/app/x/1/2"}),
        "CreateRule": (
            "ListenerNotFound",
            {"ListenerArn": f"{gone}x", "Priority": 1, "Conditions": [EVERYTHING], "Actions": [FIXED]},
        ),
        "DescribeRules": ("RuleNotFound", {"RuleArns": [f"{gone}listener-rule/app/x/1/2/3"]}),
        "ModifyRule": ("RuleNotFound", {"RuleArn": f"{gone}listener-rule/app/x/1/2/3", "Actions": [FIXED]}),
        "DeleteRule": ("RuleNotFound", {"RuleArn": f"{gone}listener-rule/app/x/1/2/3"}),
        "DescribeTargetGroups": ("TargetGroupNotFound", {"Names": ["x"]}),
        "ModifyTargetGroup": ("TargetGroupNotFound", {"TargetGroupArn": f"{gone}targetgroup/x/1"}),
        "RegisterTargets": ("TargetGroupNotFound", {"TargetGroupArn": f"{gone}targetgroup/x/1"}),
        "DescribeTargetHealth": ("TargetGroupNotFound", {"TargetGroupArn": f"{gone}targetgroup/x/1"}),
        "AddTags": ("RuleNotFound", {"ResourceArns": [f"{gone}listener-rule/app/x/1/2/3"]}),
        "DescribeTags": ("LoadBalancerNotFound", {"ResourceArns": [f"{gone}loadbalancer/app/x/1"]}),
    }
    for action, (code, members) in lost.items():
        refused(account, code, action, **members)


def test_other_regions_do_not_show(account: Account) -> None:
    account.load_balancer()
    account.target_group()
    account.region = "eu-west-1"
    assert account.do("DescribeLoadBalancers")["LoadBalancers"] == []
    assert account.do("DescribeTargetGroups")["TargetGroups"] == []
    account.target_group()  # the same name is free there


def test_pages_follow_their_marker(account: Account) -> None:
    for name in ("a", "b", "c"):
        account.target_group(name)
    first = account.do("DescribeTargetGroups", PageSize=2)
    rest = account.do("DescribeTargetGroups", PageSize=2, Marker=first["NextMarker"])
    assert [one["TargetGroupName"] for one in [*first["TargetGroups"], *rest["TargetGroups"]]] == ["a", "b", "c"]
    assert "NextMarker" not in rest


# ---------------------------------------------------------------- listeners and rules


def test_a_listener_has_a_default_rule_that_follows_it(account: Account) -> None:
    group = account.target_group()
    listener = account.listener(account.load_balancer())
    account.do("ModifyListener", ListenerArn=listener, DefaultActions=[forward((group, 5))])
    (rule,) = account.do("DescribeRules", ListenerArn=listener)["Rules"]
    (shown,) = account.do("DescribeListeners", ListenerArns=[listener])["Listeners"]
    assert (rule["Priority"], rule["IsDefault"]) == ("default", True)
    assert rule["Actions"] == shown["DefaultActions"]
    assert shown["DefaultActions"][0]["ForwardConfig"]["TargetGroups"] == [{"TargetGroupArn": group, "Weight": 5}]
    permitted = {"RuleArn": rule["RuleArn"], "Actions": [FIXED]}
    refused(account, "OperationNotPermitted", "ModifyRule", **permitted)
    refused(account, "OperationNotPermitted", "DeleteRule", RuleArn=rule["RuleArn"])


def test_one_listener_per_port_of_a_load_balancer(account: Account) -> None:
    balancer = account.load_balancer()
    account.listener(balancer)
    other = account.listener(balancer, port=81)
    members = {"LoadBalancerArn": balancer, "Port": 80, "DefaultActions": [FIXED]}
    refused(account, "DuplicateListener", "CreateListener", **members)
    refused(account, "DuplicateListener", "ModifyListener", ListenerArn=other, Port=80)
    account.do("ModifyListener", ListenerArn=other, Port=81)
    account.listener(account.load_balancer("other"))  # has an address of its own


def test_what_no_listener_here_speaks_is_refused_and_not_half_done(account: Account) -> None:
    members = {"LoadBalancerArn": account.load_balancer(), "Port": 443, "DefaultActions": [FIXED], "Protocol": "TLS"}
    assert "does not carry TLS" in refused(account, "UnsupportedProtocol", "CreateListener", **members)


def test_rules_are_shown_by_priority_with_the_default_last(account: Account) -> None:
    listener = account.listener(account.load_balancer())
    for priority in (20, 5, 100):
        account.rule(listener, priority)
    shown = account.do("DescribeRules", ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in shown] == ["5", "20", "100", "default"]


def test_a_priority_is_given_once(account: Account) -> None:
    listener = account.listener(account.load_balancer())
    first, second = account.rule(listener, 1), account.rule(listener, 2)
    wanted = {"ListenerArn": listener, "Priority": 1, "Conditions": [EVERYTHING], "Actions": [FIXED]}
    refused(account, "PriorityInUse", "CreateRule", **wanted)
    refused(account, "ValidationError", "CreateRule", **{**wanted, "Priority": 0})
    refused(account, "ValidationError", "CreateRule", **{**wanted, "Priority": 50001})
    moves = [{"RuleArn": first, "Priority": 2}]
    refused(account, "PriorityInUse", "SetRulePriorities", RulePriorities=moves)
    account.do("SetRulePriorities", RulePriorities=[*moves, {"RuleArn": second, "Priority": 1}])
    assert [rule.arn for rule in account.state.rules_of(listener)][:2] == [second, first]


def test_a_rule_shows_its_weights_as_they_were_set(account: Account) -> None:
    blue, green = account.target_group("blue"), account.target_group("green")
    rule = account.rule(account.listener(account.load_balancer()), 1, forward((blue, 100), (green, 0)))
    account.do("ModifyRule", RuleArn=rule, Actions=[forward((blue, 0), (green, 100))])
    (shown,) = account.do("DescribeRules", RuleArns=[rule])["Rules"]
    weights = [(one["TargetGroupArn"], one["Weight"]) for one in shown["Actions"][0]["ForwardConfig"]["TargetGroups"]]
    assert weights == [(blue, 0), (green, 100)]
    assert "TargetGroupArn" not in shown["Actions"][0]
    refused(account, "ValidationError", "ModifyRule", RuleArn=rule)


def test_a_target_group_belongs_to_one_load_balancer(account: Account) -> None:
    group = account.target_group()
    account.listener(account.load_balancer("one"), forward((group, 0)))
    other = account.load_balancer("two")
    members = {"LoadBalancerArn": other, "Port": 80, "DefaultActions": [forward((group, 1))]}
    refused(account, "TargetGroupAssociationLimit", "CreateListener", **members)
    listener = account.listener(other)
    rule = {"ListenerArn": listener, "Priority": 1, "Conditions": [EVERYTHING], "Actions": [forward((group, 1))]}
    refused(account, "TargetGroupAssociationLimit", "CreateRule", **rule)


# ---------------------------------------------------------------- target groups and targets


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TargetType": "instance"}, "target type 'instance'"),
        ({"Protocol": "HTTPS"}, "target protocol 'HTTPS'"),
        ({"ProtocolVersion": "GRPC"}, "protocol version 'GRPC'"),
        ({"Port": 0}, "greater than or equal to 1"),
        ({"Name": "a b"}, "alphanumeric"),
        ({"TargetControlPort": 1}, "parameter TargetControlPort"),
    ],
)
def test_target_groups_that_are_refused(account: Account, given: Any, said: str) -> None:
    wanted = {"Name": "g", "Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1", "TargetType": "ip", **given}
    assert said in refused(account, "ValidationError", "CreateTargetGroup", **wanted)


def test_a_target_group_in_use_stays(account: Account) -> None:
    group = account.target_group()
    listener = account.listener(account.load_balancer(), forward((group, 0)))
    (shown,) = account.do("DescribeTargetGroups")["TargetGroups"]
    assert len(shown["LoadBalancerArns"]) == 1
    refused(account, "ResourceInUse", "DeleteTargetGroup", TargetGroupArn=group)
    account.do("DeleteListener", ListenerArn=listener)
    account.do("DeleteTargetGroup", TargetGroupArn=group)
    account.do("DeleteTargetGroup", TargetGroupArn=group)  # once more is no error


def test_attributes_are_known_checked_and_complete(account: Account) -> None:
    group = account.target_group()

    def modify(key: str, value: str) -> dict[str, Any]:
        return {"TargetGroupArn": group, "Attributes": [{"Key": key, "Value": value}]}

    account.do("ModifyTargetGroupAttributes", **modify("deregistration_delay.timeout_seconds", "30"))
    shown = {
        one["Key"]: one["Value"]
        for one in account.do("DescribeTargetGroupAttributes", TargetGroupArn=group)["Attributes"]
    }
    assert shown["deregistration_delay.timeout_seconds"] == "30"
    assert shown["stickiness.enabled"] == "false"
    account.do("ModifyTargetGroupAttributes", **modify("stickiness.enabled", "false"))
    for key, value, said in [
        ("stickiness.enabled", "true", "does not carry 'stickiness.enabled' other than 'false'"),
        ("slow_start.duration_seconds", "30", "does not carry"),
        ("deregistration_delay.timeout_seconds", "3601", "between '0' and '3600'"),
        ("load_balancing.algorithm.type", "fastest", "must be one of"),
        ("colour", "blue", "not recognized"),
    ]:
        assert said in refused(account, "ValidationError", "ModifyTargetGroupAttributes", **modify(key, value))


def test_targets_are_addresses_with_the_groups_port_unless_they_name_one(account: Account) -> None:
    group = account.target_group()
    account.do("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}, {"Id": "10.0.0.1", "Port": 99}])
    assert [one.address for one in account.state.targets[group]] == [("10.0.0.1", 8080), ("10.0.0.1", 99)]
    members = {"TargetGroupArn": group, "Targets": [{"Id": "i-0123"}]}
    refused(account, "InvalidTarget", "RegisterTargets", **members)


def test_a_deregistered_target_drains_and_then_is_gone(account: Account) -> None:
    group = account.target_group()
    account.listener(account.load_balancer(), forward((group, 1)))
    account.do("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}, {"Id": "10.0.0.2"}])
    account.do("DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}])
    until = account.now + 300 * 0.1
    assert [one.draining_until for one in account.state.targets[group]] == [until, None]
    account.now += 5
    account.do("DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}])
    assert account.state.targets[group][0].draining_until == until  # a second call does not prolong it
    assert drained(account.state, until - 1) is account.state
    assert [one.ip for one in drained(account.state, until).targets[group]] == ["10.0.0.2"]


def test_a_target_that_comes_back_while_it_drains_begins_anew(account: Account) -> None:
    group = account.target_group()
    account.listener(account.load_balancer(), forward((group, 1)))
    for action in ("RegisterTargets", "DeregisterTargets", "RegisterTargets"):
        account.do(action, TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}])
    assert [one.draining_until for one in account.state.targets[group]] == [None]


def test_without_a_load_balancer_there_is_nothing_to_drain(account: Account) -> None:
    group = account.target_group()
    account.do("RegisterTargets", TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}])
    account.do("DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}])
    assert account.state.targets[group] == ()


def test_health_is_reported_in_awss_words(account: Account) -> None:
    group = account.target_group()
    why = TargetHealth("unhealthy", "Target.Timeout", "Request timed out")
    account.healths = {("10.0.0.1", 8080): TargetHealth("healthy"), ("10.0.0.2", 8080): why}
    shown = account.do("DescribeTargetHealth", TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [one["TargetHealth"] for one in shown] == [
        {"State": "healthy", "Reason": None, "Description": None},
        {"State": "unhealthy", "Reason": "Target.Timeout", "Description": "Request timed out"},
    ]
    asked = {"TargetGroupArn": group, "Targets": [{"Id": "10.0.0.9"}]}
    (stranger,) = account.do("DescribeTargetHealth", **asked)["TargetHealthDescriptions"]
    assert stranger["TargetHealth"]["Reason"] == "Target.NotRegistered"


# ---------------------------------------------------------------- tags


def test_tags_of_everything(account: Account) -> None:
    balancer = account.load_balancer()
    listener = account.listener(balancer)
    arns = [balancer, listener, account.rule(listener, 1), account.target_group()]
    account.do("AddTags", ResourceArns=arns, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    account.do("AddTags", ResourceArns=arns[:1], Tags=[{"Key": "a", "Value": "3"}])
    account.do("RemoveTags", ResourceArns=arns, TagKeys=["b", "nothing"])
    shown = account.do("DescribeTags", ResourceArns=arns)["TagDescriptions"]
    assert [one["ResourceArn"] for one in shown] == arns
    assert [one["Tags"][0]["Value"] for one in shown] == ["3", "1", "1", "1"]
    assert all(len(one["Tags"]) == 1 for one in shown)


def test_tags_given_at_creation_are_kept_and_go_with_the_resource(account: Account) -> None:
    listener = account.listener(account.load_balancer())
    wanted = {"ListenerArn": listener, "Priority": 1, "Conditions": [EVERYTHING], "Actions": [FIXED]}
    made = account.do("CreateRule", Tags=[{"Key": "switch", "Value": "blue to green"}], **wanted)
    arn = made["Rules"][0]["RuleArn"]
    assert account.state.tags[arn] == {"switch": "blue to green"}
    account.do("DeleteRule", RuleArn=arn)
    assert arn not in account.state.tags
