"""Application Auto Scaling as far as the local cloud carries it: targets are registered, listed, and taken away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.scaling import Targets, answer
from local_aws.emulator.wire import ServiceError, StateFile

SCOPE = "us-east-1:000000000000"
GREEN = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/p-s/p-s-green",
    "ScalableDimension": "ecs:service:DesiredCount",
}
BLUE = {**GREEN, "ResourceId": "service/p-s/p-s-blue"}


@pytest.fixture
def targets(tmp_path: Path) -> Targets:
    return Targets(StateFile(tmp_path / "targets.json"))


def described(targets: Targets, scope: str = SCOPE, **asked: Any) -> list[tuple[str, int, int]]:
    found = targets.perform("DescribeScalableTargets", {"ServiceNamespace": "ecs", **asked}, scope)
    return [(each["ResourceId"], each["MinCapacity"], each["MaxCapacity"]) for each in found["ScalableTargets"]]


def register(targets: Targets, which: dict[str, str], **limits: int) -> None:
    targets.perform("RegisterScalableTarget", {**which, **limits}, SCOPE)


@pytest.mark.pure
def test_nothing_is_scaled_until_somebody_says_so(targets: Targets) -> None:
    assert described(targets, ResourceIds=[GREEN["ResourceId"]]) == []


@pytest.mark.pure
def test_a_target_is_registered_changed_and_taken_away(targets: Targets, tmp_path: Path) -> None:
    register(targets, GREEN, MinCapacity=2, MaxCapacity=9)
    register(targets, BLUE, MinCapacity=1, MaxCapacity=4)
    register(targets, GREEN, MaxCapacity=12)
    again = Targets(StateFile(tmp_path / "targets.json"))
    assert described(again, ResourceIds=[GREEN["ResourceId"]]) == [(GREEN["ResourceId"], 2, 12)]
    assert len(described(again)) == 2
    again.perform("DeregisterScalableTarget", GREEN, SCOPE)
    assert described(again) == [(BLUE["ResourceId"], 1, 4)]


@pytest.mark.pure
def test_other_accounts_regions_and_dimensions_are_others(targets: Targets) -> None:
    register(targets, GREEN, MinCapacity=2, MaxCapacity=9)
    assert described(targets, "us-east-1:999999999999") == []
    assert described(targets, ScalableDimension="ecs:service:Other") == []


@pytest.mark.pure
@pytest.mark.parametrize(
    ("action", "body", "code"),
    [
        ("RegisterScalableTarget", {**GREEN, "MinCapacity": 1}, "ValidationException"),
        ("RegisterScalableTarget", {**GREEN, "MinCapacity": 3, "MaxCapacity": 2}, "ValidationException"),
        ("RegisterScalableTarget", {"MinCapacity": 1, "MaxCapacity": 2}, "ValidationException"),
        ("DeregisterScalableTarget", GREEN, "ObjectNotFoundException"),
        ("PutScalingPolicy", GREEN, "UnknownOperationException"),
    ],
)
def test_what_makes_no_sense_or_is_not_carried_is_refused(
    targets: Targets, action: str, body: dict[str, Any], code: str
) -> None:
    with pytest.raises(ServiceError) as refused:
        targets.perform(action, body, SCOPE)
    assert refused.value.code == code
    status, _, content = answer(targets, action, json.dumps(body).encode(), SCOPE)
    assert (status, json.loads(content)["__type"]) == (400, code)
    assert described(targets) == []
