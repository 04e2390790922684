"""Listeners, target groups and load balancers: weights, attributes, and no drift where there is none."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.standins.aws.lb import Listener, LoadBalancer, TargetGroup
from provider_kit import PartialFailure, State, UserError
from provider_kit.diffs import structural
from tests.local.standins.examples import EXAMPLES, TARGET_GROUP
from tests.local.standins.fake_aws import refusal
from tests.local.standins.test_standin_types import CONTEXT, checked, standin

pytestmark = pytest.mark.pure


def live_listener(*actions: dict[str, Any]) -> dict[str, Any]:
    known = {"ListenerArn": "arn:l", "LoadBalancerArn": "arn:lb"}
    return {"Listeners": [known | {"Port": 80, "Protocol": "HTTP", "DefaultActions": list(actions)}]}


def test_weights_and_stickiness_go_out_as_aws_names_them() -> None:
    resource, aws = standin(Listener)
    resource.create(CONTEXT, checked(resource, EXAMPLES[Listener.token]))
    (call,) = aws.named("elbv2.create_listener")
    forward, simple, fixed, redirect = call["DefaultActions"]
    assert forward["ForwardConfig"] == {
        "TargetGroups": [
            {"TargetGroupArn": TARGET_GROUP, "Weight": 999},
            {"TargetGroupArn": f"{TARGET_GROUP}2", "Weight": 1},
        ],
        "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
    }
    assert simple == {"Type": "forward", "TargetGroupArn": TARGET_GROUP}
    assert fixed["FixedResponseConfig"]["StatusCode"] == "503"
    assert redirect["RedirectConfig"] == {
        "StatusCode": "HTTP_301",
        "Host": "#{host}",
        "Path": "/#{path}",
        "Port": "443",
        "Protocol": "HTTPS",
        "Query": "#{query}",
    }


SIMPLE = {"type": "forward", "targetGroupArn": TARGET_GROUP}
FULL = {"type": "forward", "forward": {"targetGroups": [{"arn": TARGET_GROUP}]}}
AS_AWS_ANSWERS = {
    "Type": "forward",
    "Order": 1,
    "TargetGroupArn": TARGET_GROUP,
    "ForwardConfig": {
        "TargetGroups": [{"TargetGroupArn": TARGET_GROUP, "Weight": 1}],
        "TargetGroupStickinessConfig": {"Enabled": False},
    },
}


@pytest.mark.parametrize("action", [SIMPLE, FULL], ids=["targetGroupArn", "forward"])
def test_a_forward_to_one_group_is_no_drift_however_it_was_given(action: dict[str, Any]) -> None:
    resource, _ = standin(
        Listener,
        elbv2__describe_listeners=live_listener(AS_AWS_ANSWERS),
        elbv2__describe_tags={"TagDescriptions": [{"Tags": []}]},
    )
    inputs = checked(resource, {"loadBalancerArn": "arn:lb", "port": 80, "defaultActions": [action]})
    found = resource.read(CONTEXT, "arn:l", inputs, inputs)
    assert found is not None
    assert structural(inputs, found[1]) == []


@pytest.mark.parametrize(
    ("asked", "recorded"), [(SIMPLE, "targetGroupArn"), (FULL, "forward"), (None, "targetGroupArn")]
)
def test_a_forward_is_recorded_in_the_spelling_that_was_asked_for(asked: dict[str, Any] | None, recorded: str) -> None:
    """Moved by hand from an action of another kind, in the short one."""
    resource, _ = standin(
        Listener,
        elbv2__describe_listeners=live_listener(AS_AWS_ANSWERS),
        elbv2__describe_tags={"TagDescriptions": [{"Tags": []}]},
    )
    action = asked or {"type": "fixed-response", "fixedResponse": {"contentType": "text/plain"}}
    inputs = checked(resource, {"loadBalancerArn": "arn:lb", "port": 80, "defaultActions": [action]})
    found = resource.read(CONTEXT, "arn:l", inputs, inputs)
    assert found is not None
    (live,) = found[0]["defaultActions"]
    assert live.keys() & {"targetGroupArn", "forward"} == {recorded}


def test_moved_weights_are_drift() -> None:
    moved = {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": "arn:blue", "Weight": 0},
                {"TargetGroupArn": "arn:green", "Weight": 100},
            ]
        },
    }
    resource, _ = standin(Listener, elbv2__describe_listeners=live_listener(moved))
    groups = [{"arn": "arn:blue", "weight": 100}, {"arn": "arn:green", "weight": 0}]
    action = {"type": "forward", "forward": {"targetGroups": groups}}
    inputs = checked(resource, {"loadBalancerArn": "arn:lb", "port": 80, "defaultActions": [action]})
    found = resource.read(CONTEXT, "arn:l", inputs, inputs)
    assert found is not None
    assert [change.path for change in structural(inputs, found[1])] == [
        "defaultActions[0].forward.targetGroups[0].weight",
        "defaultActions[0].forward.targetGroups[1].weight",
    ]


def test_attributes_are_sent_only_where_they_differ_from_what_is() -> None:
    resource, aws = standin(LoadBalancer)
    plain = checked(resource, {"name": "a", "subnets": ["s-1"]})
    resource.create(CONTEXT, plain)
    assert aws.named("elbv2.modify_load_balancer_attributes") == []
    resource.update(CONTEXT, State("arn", plain, plain), plain | {"idleTimeout": 65, "enableHttp2": False})
    (call,) = aws.named("elbv2.modify_load_balancer_attributes")
    assert call["Attributes"] == [
        {"Key": "idle_timeout.timeout_seconds", "Value": "65"},
        {"Key": "routing.http2.enabled", "Value": "false"},
    ]


def test_attributes_come_back_in_their_types() -> None:
    attributes = [
        {"Key": "idle_timeout.timeout_seconds", "Value": "65"},
        {"Key": "routing.http2.enabled", "Value": "false"},
        {"Key": "something.new", "Value": "x"},
    ]
    resource, _ = standin(LoadBalancer, elbv2__describe_load_balancer_attributes={"Attributes": attributes})
    found = resource.read(CONTEXT, "arn", {"name": "a"}, {"name": "a"})
    assert found is not None
    assert (found[0]["idleTimeout"], found[0]["enableHttp2"]) == (65, False)


def test_a_load_balancer_is_waited_for_until_it_is_active() -> None:
    states = ["provisioning", "provisioning", "active", "active"]

    def describe(arguments: dict[str, Any]) -> dict[str, Any]:
        if "Names" in arguments:
            raise refusal("DescribeLoadBalancers", "LoadBalancerNotFound")
        return {"LoadBalancers": [balancer | {"State": {"Code": states.pop(0)}}]}

    balancer = {
        "LoadBalancerArn": "arn",
        "LoadBalancerName": "a",
        "DNSName": "d",
        "CanonicalHostedZoneId": "z",
        "VpcId": "v",
    }
    resource, aws = standin(LoadBalancer, elbv2__describe_load_balancers=describe)
    resource.create(CONTEXT, checked(resource, {"name": "a", "subnets": ["s-1"]}))
    assert len(aws.named("elbv2.describe_load_balancers")) == 1 + 3 + 1


def test_a_health_check_is_changed_as_a_whole() -> None:
    resource, aws = standin(TargetGroup)
    before = checked(resource, EXAMPLES[TargetGroup.token])
    after = checked(resource, EXAMPLES[TargetGroup.token] | {"healthCheck": {"path": "/other", "matcher": 204}})
    resource.update(CONTEXT, State("arn", before, before), after)
    (call,) = aws.named("elbv2.modify_target_group")
    assert call == {
        "TargetGroupArn": "arn",
        "HealthCheckEnabled": True,
        "HealthyThresholdCount": 3,
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckPath": "/other",
        "HealthCheckPort": "traffic-port",
        "HealthCheckProtocol": "HTTP",
        "UnhealthyThresholdCount": 3,
        "Matcher": {"HttpCode": "204"},
    }


def test_a_port_replaces_a_target_group_and_a_health_path_does_not() -> None:
    resource, _ = standin(TargetGroup)
    inputs = checked(resource, EXAMPLES[TargetGroup.token])
    after = inputs | {"port": 81, "healthCheck": inputs["healthCheck"] | {"path": "/other"}}
    changes = resource.diff(CONTEXT, State("arn", inputs, inputs), after, [])
    assert {change.path: change.replace for change in changes} == {"port": True, "healthCheck.path": False}


def test_a_failed_create_of_something_named_is_reported_before_anything_is_made() -> None:
    there = {"TargetGroups": [{"TargetGroupName": "a"}]}
    resource, aws = standin(TargetGroup, elbv2__describe_target_groups=there)
    with pytest.raises(UserError, match="there is a target group a already"):
        resource.create(CONTEXT, checked(resource, {"name": "a"}))
    assert aws.changes == []


def test_a_target_group_in_use_is_tried_again() -> None:
    answers: list[Any] = [refusal("DeleteTargetGroup", "ResourceInUse"), {}]

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        one = answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return dict(one)

    resource, aws = standin(TargetGroup, elbv2__delete_target_group=answer)
    resource.delete(CONTEXT, State("arn", {}, {}))
    assert len(aws.named("elbv2.delete_target_group")) == 2


def test_what_was_created_and_could_not_be_set_up_is_kept_with_its_id() -> None:
    resource, _ = standin(
        TargetGroup,
        elbv2__modify_target_group_attributes=refusal(
            "ModifyTargetGroupAttributes", "InvalidConfigurationRequest", "delay must be 0-3600"
        ),
        elbv2__create_target_group={"TargetGroups": [{"TargetGroupArn": "arn:made"}]},
    )
    with pytest.raises(PartialFailure, match="delay must be 0-3600") as failed:
        resource.create(CONTEXT, checked(resource, {"name": "a", "deregistrationDelay": 9999}))
    assert failed.value.id == "arn:made"
