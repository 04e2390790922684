"""Property diffs: cut to what changed, and no secret in them."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.engine.events import UNKNOWN, Step
from release_lane.operate.changes import changed, folded

pytestmark = pytest.mark.pure

SERVICE, LISTENER = "aws:ecs/service:Service", "aws:lb/listener:Listener"


def words(type_: str, path: str, old: Any, new: Any) -> str:
    step = Step(op="update", urn="urn:x::a", type=type_, paths=(path,), old_inputs=old, inputs=new)
    (found,) = changed(step)
    return found.words()


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("desiredCount", {"desiredCount": 2}, {"desiredCount": 4}, "desiredCount: 2 -> 4"),
        ("desiredCount", {}, {"desiredCount": 4}, "desiredCount: none -> 4"),
        ("a[1].weight", {"a": [0, {"weight": 1}]}, {"a": [0, {"weight": 9}]}, "a[1].weight: 1 -> 9"),
        ('tags["a.b"]', {"tags": {"a.b": "x"}}, {"tags": {"a.b": "y"}}, 'tags["a.b"]: x -> y'),
        ("a[7]", {"a": []}, {"a": [1]}, "a[7]"),
        ("long", {"long": "x" * 99}, {"long": "y"}, "long"),
    ],
)
def test_a_property_is_shown_with_both_values(path: str, old: Any, new: Any, said: str) -> None:
    assert words(SERVICE, path, old, new) == said


@pytest.mark.parametrize("unknown", [UNKNOWN, [UNKNOWN], [UNKNOWN, "subnet-1"]])
def test_a_value_that_a_preview_cannot_know_is_said_to_be_so(unknown: Any) -> None:
    said = "vpcId: vpc-1 -> known after the update"
    assert words("aws:ec2/subnet:Subnet", "vpcId", {"vpcId": "vpc-1"}, {"vpcId": unknown}) == said


@pytest.mark.parametrize(
    ("type_", "path"),
    [
        ("aws:ssm/parameter:Parameter", "value"),
        ("aws:secretsmanager/secretVersion:SecretVersion", "secretString"),
        ("aws:ecs/taskDefinition:TaskDefinition", "containerDefinitions"),
        ("aws:lambda/function:Function", "environment"),
        ("aws:ec2/instance:Instance", "ami"),
        ("aws:cloudwatch/eventTarget:EventTarget", "input"),
        (LISTENER, "defaultActions[0].authenticateOidc.clientSecret"),
        (SERVICE, "password"),
    ],
)
def test_where_a_secret_may_be_only_the_path_is_shown(type_: str, path: str) -> None:
    leaf = path.rsplit(".", 1)[-1]
    old, new = {leaf: "hunter2", "defaultActions": [{"authenticateOidc": {leaf: "hunter2"}}]}, {leaf: "hunter3"}
    assert words(type_, path, old, new) == path


@pytest.mark.parametrize("value", ["[secret]", {"4dabf18193072939515e22adb298388d": "1b", "ciphertext": "v1:x"}])
def test_what_the_engine_calls_a_secret_is_not_shown(value: Any) -> None:
    assert words(SERVICE, "name", {"name": "a"}, {"name": value}) == "name"


def test_a_mapping_with_a_secret_in_it_is_not_shown() -> None:
    assert words(LISTENER, "defaultActions", {"defaultActions": []}, {"defaultActions": [{"clientSecret": "x"}]}) == (
        "defaultActions"
    )


def test_creations_are_counted_by_kind() -> None:
    steps = [Step(op="create", urn=f"urn::{n}", type=t) for n, t in enumerate((SERVICE, LISTENER, SERVICE))]
    assert folded(steps) == "1 Listener, 2 Service"
