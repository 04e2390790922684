"""A colour's CloudWatch alarms: those that the stack file gives a threshold. They have a say in a switch.

A colour without traffic is quiet: missing data is not breaching. Sources: AWS, "CloudWatch metrics for your Application
Load Balancer" and "Using metric math".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch

from release_lane.program.components.balancer import Balancer
from release_lane.record.alarms import Kind, alarm_name
from release_lane.record.names import Names
from release_lane.record.placement import Colour
from release_lane.settings.model import AlarmSettings
from release_lane.watch.judge import LIMITS

NAMESPACE = "AWS/ApplicationELB"


@dataclass(frozen=True, kw_only=True)
class AlarmArgs:
    """`settings` is the stack file's `alarms`."""

    names: Names
    colour: Colour
    balancer: Balancer
    settings: AlarmSettings


def colour_alarms(args: AlarmArgs) -> list[cloudwatch.MetricAlarm]:
    """One alarm for each threshold that is given."""
    return [_alarm(args, kind, threshold) for kind, threshold in args.settings.thresholds().items()]


def _alarm(args: AlarmArgs, kind: Kind, threshold: float) -> cloudwatch.MetricAlarm:
    name, settings = alarm_name(args.names, args.colour, kind), args.settings
    about = {
        Kind.ERRORS: f"more than {threshold:g} % of the answers of {args.colour} are 5xx",
        Kind.LATENCY: f"{args.colour} takes longer than {threshold:g} s (p95)",
        Kind.UNHEALTHY: f"{threshold:g} or more targets of {args.colour} fail their health check",
    }
    return cloudwatch.MetricAlarm(
        name,
        name=name,
        alarm_description=about[kind],
        comparison_operator="GreaterThanOrEqualToThreshold" if kind is Kind.UNHEALTHY else "GreaterThanThreshold",
        threshold=threshold,
        evaluation_periods=settings.datapoints,
        datapoints_to_alarm=settings.datapoints,
        treat_missing_data="notBreaching",
        alarm_actions=list(settings.actions),
        ok_actions=list(settings.actions),
        **_metric(args, kind),
    )


def _metric(args: AlarmArgs, kind: Kind) -> dict[str, Any]:
    """What the alarm looks at, as arguments of MetricAlarm."""
    period = args.settings.period_seconds
    match kind:
        case Kind.ERRORS:
            return {"metric_queries": _error_share(args)}
        case Kind.LATENCY:
            statistic = {"extended_statistic": "p95", "evaluate_low_sample_count_percentiles": "ignore"}
            return {**_one(args, "TargetResponseTime"), **statistic, "period": period}
        case Kind.UNHEALTHY:
            return {**_one(args, "UnHealthyHostCount"), "statistic": "Maximum", "period": period}


def _one(args: AlarmArgs, metric: str) -> dict[str, Any]:
    return {"namespace": NAMESPACE, "metric_name": metric, "dimensions": _dimensions(args)}


def _error_share(args: AlarmArgs) -> list[cloudwatch.MetricAlarmMetricQueryArgs]:
    """Percent of answers that are 5xx; too few requests are no share at all.

    `requests` has to keep its gaps: data is late, and an alarm looks at the newest periods first, which would always be
    filled ones (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html, FILL).
    """
    enough = LIMITS.least_requests
    share = f"IF(requests >= {enough}, 100 * FILL(errors, 0) / requests, 0)"
    return [
        cloudwatch.MetricAlarmMetricQueryArgs(id="share", expression=share, label="5xx in percent", return_data=True),
        _sum(args, "requests", "RequestCount"),
        _sum(args, "errors", "HTTPCode_Target_5XX_Count"),
    ]


def _sum(args: AlarmArgs, id: str, metric: str) -> cloudwatch.MetricAlarmMetricQueryArgs:
    return cloudwatch.MetricAlarmMetricQueryArgs(
        id=id,
        return_data=False,
        metric=cloudwatch.MetricAlarmMetricQueryMetricArgs(
            **_one(args, metric), stat="Sum", period=args.settings.period_seconds
        ),
    )


def _dimensions(args: AlarmArgs) -> dict[str, pulumi.Output[str]]:
    balancer = args.balancer
    return {
        "TargetGroup": balancer.target_groups[args.colour].arn_suffix,
        "LoadBalancer": balancer.balancer.arn_suffix,
    }
