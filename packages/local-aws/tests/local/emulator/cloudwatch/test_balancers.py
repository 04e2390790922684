"""What load balancers carried, as metrics."""

from __future__ import annotations

import pytest
from local_aws.emulator.cloudwatch.balancers import Observation, observations
from local_aws.emulator.cloudwatch.model import Scope
from local_aws.emulator.elbv2.traffic import BalancerTraffic, Count, GroupTraffic, Traffic

pytestmark = pytest.mark.pure

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
BALANCER, BLUE, GREEN = f"{ARN}loadbalancer/app/lb/1", f"{ARN}targetgroup/blue/2", f"{ARN}targetgroup/green/3"


def group(arn: str, count: Count = Count(), times: dict[float, float] | None = None, healthy: int = 1) -> GroupTraffic:
    return GroupTraffic(
        load_balancer=BALANCER, target_group=arn, count=count, times=times or {}, healthy=healthy, unhealthy=0
    )


def table(traffic: Traffic) -> dict[tuple[str, str], Observation]:
    """(metric, target group or "") -> observation."""
    return {(one.metric.name, dict(one.metric.dimensions).get("TargetGroup", "")): one for one in observations(traffic)}


TRAFFIC = Traffic(
    (
        group(BLUE, Count(10, {2: 7, 4: 2, 5: 0}, 1), {0.1: 7.0, 0.2: 2.0}),
        group(GREEN, Count(5, {2: 5}), {0.3: 5.0}, healthy=0),
    ),
    (BalancerTraffic(load_balancer=BALANCER, own={5: 1}),),
)


def test_each_group_and_the_whole_load_balancer_have_their_metrics() -> None:
    found = table(TRAFFIC)
    blue, green, both = "targetgroup/blue/2", "targetgroup/green/3", ""
    requests = {of: found["RequestCount", of].summary.total for of in (blue, green)}
    assert requests == {blue: 10.0, green: 5.0}
    assert found["HTTPCode_Target_4XX_Count", blue].summary.total == 2.0
    assert found["TargetConnectionErrorCount", blue].summary.total == 1.0
    assert found["TargetResponseTime", blue].summary.values == {0.1: 7.0, 0.2: 2.0}
    assert found["HTTPCode_ELB_5XX_Count", both].summary.total == 1.0
    sums: dict[str, float] = {}
    for one in observations(TRAFFIC):
        if len(one.metric.dimensions) == 1:
            sums[one.metric.name] = sums.get(one.metric.name, 0.0) + one.summary.count
    assert sums["RequestCount"] == 15.0
    assert sums["HTTPCode_Target_2XX_Count"] == 12.0
    assert sums["TargetResponseTime"] == 14.0


def test_what_did_not_happen_is_not_reported_but_the_numbers_of_hosts_are() -> None:
    idle = table(Traffic((group(BLUE, healthy=2),), (BalancerTraffic(load_balancer=BALANCER, own={}),)))
    assert {name for name, _ in idle} == {"HealthyHostCount", "UnHealthyHostCount"}
    assert idle["HealthyHostCount", "targetgroup/blue/2"].summary.total == 2.0
    assert idle["UnHealthyHostCount", "targetgroup/blue/2"].summary.high == 0.0


def test_each_request_is_a_sample_of_the_value_1() -> None:
    one = table(TRAFFIC)["RequestCount", "targetgroup/blue/2"].summary
    assert (one.count, one.low, one.high) == (10.0, 1.0, 1.0)


def test_metrics_belong_to_the_account_and_region_of_the_load_balancer() -> None:
    assert {one.scope for one in observations(TRAFFIC)} == {Scope("123456789012", "eu-west-1")}
    assert all(dict(one.metric.dimensions)["LoadBalancer"] == "app/lb/1" for one in observations(TRAFFIC))
    assert {one.unit for one in observations(TRAFFIC) if one.metric.name == "TargetResponseTime"} == {"Seconds"}
