"""What load balancers carried -> observations of the namespace AWS/ApplicationELB. Pure.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html

Dimensions: LoadBalancer alone, and LoadBalancer with TargetGroup. There are no zones here, so nothing is published for
AvailabilityZone. A metric without a value in a period has no datapoint then; that also holds for RequestCount, which
that page calls "always reported" in one place and reported "only when requests are flowing" in another. The numbers of
healthy and unhealthy targets are there in every period, looked at once a second.

Where a target breaks a request off, HAProxy answers 502 on a new connection. One that was used before it closes without
an answer, as HTTP allows, and counts nothing; AWS answers and counts 502 on both.

A fixed response or redirect of a rule counts as an answer of the load balancer (HTTPCode_ELB_…), as its access log
shows it on AWS. Not published: what is not in `GROUP`, `TARGET_CODES`, `OWN_CODES` below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from local_aws.emulator.cloudwatch.model import Dimensions, Metric, Scope
from local_aws.emulator.cloudwatch.statistics import Summary
from local_aws.emulator.elbv2.traffic import Count, GroupTraffic, Times, Traffic

NAMESPACE = "AWS/ApplicationELB"
REQUESTS, UNREACHABLE, TIME = "RequestCount", "TargetConnectionErrorCount", "TargetResponseTime"
HEALTHY, UNHEALTHY = "HealthyHostCount", "UnHealthyHostCount"
GROUP = (REQUESTS, UNREACHABLE, TIME, HEALTHY, UNHEALTHY)
TARGET_CODES = {digit: f"HTTPCode_Target_{digit}XX_Count" for digit in (2, 3, 4, 5)}
OWN_CODES = {digit: f"HTTPCode_ELB_{digit}XX_Count" for digit in (3, 4, 5)}


@dataclass(frozen=True)
class Observation:
    scope: Scope
    metric: Metric
    unit: str
    summary: Summary


def observations(traffic: Traffic) -> Iterator[Observation]:
    for group in traffic.groups:
        yield from _of_group(group)
    for balancer, groups in _by_balancer(traffic.groups).items():
        dimensions = (("LoadBalancer", suffix(balancer)),)
        for group in groups:
            yield from _carried(balancer, dimensions, group.count, group.times)
    for one in traffic.balancers:
        dimensions = (("LoadBalancer", suffix(one.load_balancer)),)
        for digit, name in OWN_CODES.items():
            yield from _counted(one.load_balancer, name, dimensions, one.own.get(digit, 0))


def _of_group(group: GroupTraffic) -> Iterator[Observation]:
    balancer = group.load_balancer
    dimensions = (("LoadBalancer", suffix(balancer)), ("TargetGroup", suffix(group.target_group)))
    yield from _carried(balancer, dimensions, group.count, group.times)
    for name, hosts in ((HEALTHY, group.healthy), (UNHEALTHY, group.unhealthy)):
        if hosts is not None:
            yield _observed(balancer, name, dimensions, "Count", {float(hosts): 1.0})


def _carried(balancer: str, dimensions: Dimensions, count: Count, times: Times) -> Iterator[Observation]:
    yield from _counted(balancer, REQUESTS, dimensions, count.requests)
    yield from _counted(balancer, UNREACHABLE, dimensions, count.unreachable)
    for digit, name in TARGET_CODES.items():
        yield from _counted(balancer, name, dimensions, count.answers.get(digit, 0))
    if times:
        yield _observed(balancer, TIME, dimensions, "Seconds", times)


def _counted(balancer: str, name: str, dimensions: Dimensions, count: int) -> Iterator[Observation]:
    """Each occurrence is a sample with the value 1: Minimum, Maximum and Average are 1."""
    if count > 0:
        yield _observed(balancer, name, dimensions, "Count", {1.0: float(count)})


def _observed(
    balancer: str, name: str, dimensions: Dimensions, unit: str, values: Mapping[float, float]
) -> Observation:
    return Observation(scope_of(balancer), Metric(NAMESPACE, name, dimensions), unit, Summary.of(values))


def _by_balancer(groups: Iterable[GroupTraffic]) -> dict[str, list[GroupTraffic]]:
    found: dict[str, list[GroupTraffic]] = {}
    for group in groups:
        found.setdefault(group.load_balancer, []).append(group)
    return found


def scope_of(arn: str) -> Scope:
    _, _, _, region, account, _ = arn.split(":", 5)
    return Scope(account, region)


def suffix(arn: str) -> str:
    """What the dimensions LoadBalancer (`app/…`) and TargetGroup (`targetgroup/…`) say."""
    return arn.split(":", 5)[5].removeprefix("loadbalancer/")
