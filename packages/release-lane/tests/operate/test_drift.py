"""What counts as changed outside the lane, and whose call it is put down to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from release_lane.engine.events import EngineLog, Step, read_log
from release_lane.engine.state import StackState
from release_lane.operate.drift import (
    CALLS,
    TASKS,
    TRAFFIC,
    Call,
    Finding,
    attributed,
    calls_about,
    notes,
    of_resources,
    of_traffic,
)
from release_lane.record.journal import Phase
from release_lane.record.names import Access, Names
from release_lane.record.records import Located, Observed, Recorded, Scaling
from tests.decide.situations import BLUE, GREEN, A, B, C, journal, observed, recorded, side

pytestmark = pytest.mark.pure

NAMES = Names.of_stack("shop", "staging", access=Access(region="r", account="0" * 12))
RECORD = recorded(GREEN, A, B)
SETTLED = observed(A, B, GREEN, located=Located(rule="arn:rule", listener="arn:listener"))
SERVICE, GROUP = "aws:ecs/service:Service", "aws:ec2/securityGroup:SecurityGroup"
NOTHING = StackState()


def step(op: str, type_: str = GROUP, name: str = "tasks", **more: Any) -> Step:
    return Step(op=op, urn=f"urn:pulumi:staging::shop::{type_}::{name}", type=type_, **more)


def ignoring(*steps: Step, what: str = "*") -> StackState:
    """A state by which the last update ignored this of the resources."""
    resources = [{"urn": each.urn, "ignoreChanges": [what]} for each in steps]
    return StackState(exported={"deployment": {"resources": resources}})


def found(*steps: Step, cloud: Observed = SETTLED, state: StackState = NOTHING) -> list[tuple[str, str]]:
    return [(each.name, each.what) for each in of_resources(steps, cloud, NAMES, state)]


# ---- traffic and tasks


@pytest.mark.parametrize(
    ("cloud", "shown"),
    [
        (SETTLED, ""),
        (observed(A, B, {BLUE: 50, GREEN: 50}), "users are served blue 50%, green 50%, recorded is green"),
        (observed(A, C, GREEN), "green runs sha256:cccccccccccc"),
        (observed(C, B, GREEN), ""),
        (observed(A, B, BLUE, journal((GREEN, B), (BLUE, A), Phase.MOVED)), ""),
    ],
    ids=["as recorded", "weights", "live tasks", "the idle colour", "an interrupted switch"],
)
def test_weights_and_live_tasks_that_nothing_explains_are_drift(cloud: Observed, shown: str) -> None:
    drift = of_traffic(RECORD, cloud, NAMES)
    assert [each.what[: len(shown)] for each in drift] == ([shown] if shown else [])


@pytest.mark.parametrize(
    ("cloud", "state", "shown"),
    [
        (SETTLED, NOTHING, []),
        (observed(C, B, GREEN), NOTHING, ["the standby is not as it should be: blue runs"]),
        (observed(A, B, BLUE, journal((GREEN, B), (BLUE, A), Phase.MOVED)), NOTHING, ["found an interrupted switch"]),
        (SETTLED, StackState(pending=("urn::a",)), ["an update was killed: 1 operations"]),
    ],
    ids=["as recorded", "the standby", "an interrupted switch", "a killed update"],
)
def test_what_the_lane_itself_left_is_a_note(cloud: Observed, state: StackState, shown: list[str]) -> None:
    said = notes(RECORD, cloud, state, None)
    assert [each[: len(start)] for each, start in zip(said, shown, strict=True)] == shown


# ---- everything else


def test_what_a_refresh_finds_changed_or_gone_is_drift_by_its_paths_alone() -> None:
    changed = step("update", paths=("ingress", "tags.by"), inputs={"ingress": "a secret"})
    assert found(changed, step("delete", name="gone"), step("same", name="as-it-was")) == [
        ("tasks", "ingress, tags.by changed"),
        ("gone", "does not exist any more"),
    ]


def test_of_a_colour_that_is_not_written_what_was_given_is_compared() -> None:
    """The engine says `same` of it, whatever was changed there."""
    old = {"taskDefinition": "app:1", "network": {"groups": ["a"], "__defaults": []}, "empty": "", "__defaults": []}
    new = {
        "taskDefinition": "app:9",
        "network": {"groups": ["a", "b"], "__defaults": ["y"]},
        "__defaults": ["x"],
        "unasked": 1,
    }
    left = step("same", SERVICE, old_inputs=old, inputs=new)
    assert found(left, state=ignoring(left)) == [("tasks", "network.groups, taskDefinition changed")]
    assert found(left, state=ignoring(left, what="tags")) == []


def test_what_the_provider_adds_to_what_it_was_given_is_no_drift() -> None:
    """As Terraform's AWS provider reads a listener and a service that have not changed."""
    listener = step(
        "same",
        "aws:lb/listener:Listener",
        old_inputs={"defaultActions": [{"type": "forward", "targetGroupArn": "arn:1"}], "routing": "any"},
        inputs={"defaultActions": [{"order": 1, "type": "forward", "targetGroupArn": "arn:1", "forward": {}}]},
    )
    given = {"containerName": "app", "containerPort": 8080, "targetGroupArn": "arn:1"}
    idle = step(
        "same",
        SERVICE,
        old_inputs={"loadBalancers": [given], "networkConfiguration": {"subnets": ["b", "a"]}},
        inputs={
            "loadBalancers": [{**given, "elbName": "", "advancedConfiguration": None}],
            "networkConfiguration": {"subnets": ["a", "b"], "assignPublicIp": False},
        },
    )
    moved, other = (
        step("same", SERVICE, name, old_inputs=idle.old_inputs, inputs={**idle.inputs, "loadBalancers": balancers})
        for name, balancers in (("moved", [given, given]), ("other", [{**given, "containerPort": 80}]))
    )
    assert found(listener, idle, moved, other, state=ignoring(idle, moved, other)) == [
        ("moved", "loadBalancers changed"),
        ("other", "loadBalancers[0].containerPort changed"),
    ]


def test_the_record_and_what_only_groups_others_are_no_resources() -> None:
    one = {"old_inputs": {"a": 1}, "inputs": {"a": 2}}
    assert found(step("same", "release:index:TrafficSwitch", **one), step("same", "pulumi:pulumi:Stack", **one)) == []
    assert found(step("update", custom=False, paths=("a",))) == []


@pytest.mark.parametrize("scaled", [True, False])
def test_how_many_tasks_run_is_drift_unless_aws_scales_them(scaled: bool) -> None:
    green = side(B, scaling=Scaling(least=1, most=9) if scaled else None)
    changed = step("same", SERVICE, "shop-staging-green", old_inputs={"desiredCount": 2}, inputs={"desiredCount": 5})
    drift = found(changed, cloud=observed(A, green, GREEN), state=ignoring(changed))
    assert drift == ([] if scaled else [("shop-staging-green", "desiredCount changed")])


def test_a_refresh_is_read_from_what_the_engine_says_after_reading_a_resource() -> None:
    """As `pulumi refresh --preview-only --event-log` of 3.259 writes it."""
    meta = {"urn": "urn:pulumi:s::p::t:i:T::a", "type": "t:i:T", "old": {"custom": True, "inputs": {"size": 1}}}
    ended = {**meta, "op": "update", "new": {"custom": True, "inputs": {"size": 9}}, "detailedDiff": {"size": {}}}
    created = {**meta, "op": "create", "urn": "urn:pulumi:s::p::t:i:T::new", "new": meta["old"]}
    log = read_log(
        json.dumps(each)
        for each in (
            {"resourcePreEvent": {"metadata": {**meta, "op": "refresh", "new": meta["old"]}, "planning": True}},
            {"resOutputsEvent": {"metadata": ended, "planning": True}},
            {"resOutputsEvent": {"metadata": created, "planning": True}},
        )
    )
    assert [(each.op, each.name, each.paths, each.inputs) for each in log.refreshed] == [
        ("update", "a", ("size",), {"size": 9})
    ]
    assert not log.touched
    assert EngineLog().refreshed == ()


# ---- who


def call(name: str, **event: Any) -> Call:
    return Call.of(
        {
            "EventName": name,
            "EventTime": "2026-01-02T03:04:05+00:00",
            "Username": "ann",
            "CloudTrailEvent": json.dumps({"userIdentity": {"arn": "arn:aws:iam::1:user/ann"}, **event}),
        }
    )


DRIFT = Finding(type=TRAFFIC, name=TRAFFIC, what="x", known_as=("arn:rule",))
BY_HAND = call("ModifyRule", requestParameters={"ruleArn": "arn:rule"}, sourceIPAddress="192.0.2.1")


def who(*calls: Call, drift: Finding = DRIFT) -> Call | None:
    (one,) = attributed([drift], calls)
    return one.who


def test_the_newest_call_that_names_the_resource_is_who_did_it() -> None:
    other = call("ModifyRule", requestParameters={"ruleArn": "arn:another"})
    assert who(other, BY_HAND, call("ModifyRule", requestParameters={"ruleArn": "arn:rule"})) is BY_HAND
    assert BY_HAND.words() == ("ModifyRule by arn:aws:iam::1:user/ann at 2026-01-02T03:04:05+00:00, from 192.0.2.1")


SCALING = "arn:aws:sts::1:assumed-role/AWSServiceRoleForApplicationAutoScaling_ECSService/AutoScaling-UpdateService"


@pytest.mark.parametrize(
    "unfit",
    [
        call("DescribeRules", requestParameters={"ruleArn": "arn:rule"}),
        call("ModifyRule", requestParameters={"ruleArn": "arn:rule"}, userAgent="Boto3/1 release-lane"),
        call("ModifyRule", requestParameters={"ruleArn": "arn:rule"}, userAgent="APN/1.0 Pulumi/1.0"),
        call("ModifyRule", requestParameters={"ruleArn": "arn:rule"}, userIdentity={"arn": SCALING}),
        call("ModifyRule", requestParameters={"ruleArn": "arn:rule"}, errorCode="AccessDenied"),
        call("ModifyRule", requestParameters={"ruleArn": "arn:rule-of-another"}),
        Call(name="ModifyRule", at="", by="", event="no JSON"),
    ],
    ids=["reads", "the lane", "its AWS provider", "AWS's scaling", "failed", "of another", "unreadable"],
)
def test_calls_that_cannot_have_done_it_are_not_blamed(unfit: Call) -> None:
    assert who(unfit) is None


def test_another_task_definition_of_the_live_service_is_put_down_to_who_updated_that_service() -> None:
    (drift,) = of_traffic(RECORD, observed(A, C, GREEN), NAMES)
    assert drift.type == TASKS
    live, idle = (call("UpdateService", requestParameters={"service": NAMES.services[each]}) for each in (GREEN, BLUE))
    assert who(idle, live, BY_HAND, drift=drift) is live


def test_a_resource_that_cloudtrail_names_apart_from_the_request_is_found() -> None:
    named = call("UpdateService", requestParameters={}, resources=[{"ARN": "arn:service"}])
    service = Finding(type=SERVICE, name="x", what="y", known_as=("arn:service",))
    assert who(named, drift=service) is named


def test_cloudtrail_is_asked_for_the_calls_that_change_such_resources() -> None:
    unknown = Finding(type="aws:sns/topic:Topic", name="x", what="y")
    assert calls_about([DRIFT, unknown, DRIFT]) == CALLS[TRAFFIC]
    assert calls_about([unknown]) == ()


def test_a_resource_is_known_by_its_id_arn_and_name_of_the_state() -> None:
    changed = step("update", paths=("a",))
    outputs = {"arn": "arn:group", "name": "shop-tasks"}
    state = StackState(exported={"deployment": {"resources": [{"urn": changed.urn, "id": "sg-1", "outputs": outputs}]}})
    (one,) = of_resources([changed], SETTLED, NAMES, state)
    assert one.known_as == ("sg-1", "arn:group", "shop-tasks")


def test_before_the_first_release_there_is_no_traffic_to_compare() -> None:
    nothing: Recorded | None = None
    assert of_traffic(nothing, observed(None, None, None), NAMES) == ()
