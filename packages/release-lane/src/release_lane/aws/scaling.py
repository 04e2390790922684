"""Application Auto Scaling: which services it scales, and between how many tasks.

Source: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
"""

from __future__ import annotations

from release_lane.aws.cloud import Cloud
from release_lane.aws.session import client
from release_lane.record.placement import Colour
from release_lane.record.records import Scaling


def scaling(cloud: Cloud) -> dict[Colour, Scaling]:
    """The scalable targets of the environment's services; a colour without one is left out."""
    names = cloud.names
    resources = {f"service/{names.cluster}/{service}": colour for colour, service in names.services.items()}
    found = client(names.access, "application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=list(resources), ScalableDimension="ecs:service:DesiredCount"
    )
    return {
        resources[each["ResourceId"]]: Scaling(least=each["MinCapacity"], most=each["MaxCapacity"])
        for each in found["ScalableTargets"]
    }
