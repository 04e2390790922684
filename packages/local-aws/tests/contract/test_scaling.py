"""Application Auto Scaling: who keeps a service at how many tasks besides us."""

from __future__ import annotations

import pytest
from tests.contract.aws import Aws
from tests.contract.contracts import contract

pytestmark = pytest.mark.cloud

API = "https://docs.aws.amazon.com/autoscaling/application/APIReference"


@contract(
    says="DescribeScalableTargets of ECS services that have no scalable target lists none, and is no error.",
    source=f"{API}/API_DescribeScalableTargets.html",
    otherwise="no release could begin where the services are not scaled",
    used_by=("release_lane/aws/scaling.py", "release_lane/decide/conditions.py"),
    note="that a registered one is listed with its capacities is tried by tests/stories/test_stepped.py alone, on "
    "the local cloud",
)
def test_services_without_scaling_have_no_scalable_target(aws: Aws) -> None:
    found = aws.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs",
        ResourceIds=[f"service/{aws.named('none')}/{aws.named(colour)}" for colour in ("blue", "green")],
        ScalableDimension="ecs:service:DesiredCount",
    )
    assert found["ScalableTargets"] == []
