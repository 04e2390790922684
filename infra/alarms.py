"""A colour's CloudWatch alarms: those that the stack file gives a threshold. They have a say in a switch.

A colour without traffic is OK: missing data is not breaching. Sources: AWS, "CloudWatch metrics for your Application
Load Balancer" and "Using metric math".

An alarm of your own: add it to what `colour_alarms` returns. The switch watches every alarm that it is handed; before
an update only those of the stack file (`alarms`) are asked.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_aws import cloudwatch
from release_lane.program import LEAST_REQUESTS, AlarmKind, Colour, Lane, alarm_name

from balancer import Balancer

OVER, AT_LEAST = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"
Alarms = dict[str, pulumi.Resource]
Arguments = dict[str, Any]
"""Of MetricAlarm."""


def colour_alarms(lane: Lane, colour: Colour, balancer: Balancer) -> Alarms:
    """By name: one alarm for each threshold that is given."""
    thresholds = lane.settings.alarms.thresholds()
    names = {kind: alarm_name(lane.names, colour, kind) for kind in thresholds}
    return {
        names[kind]: _alarm(lane, names[kind], **_about(lane, colour, balancer, kind, threshold))
        for kind, threshold in thresholds.items()
    }


def _alarm(lane: Lane, name: str, **about: Any) -> cloudwatch.MetricAlarm:
    settings = lane.settings.alarms
    return cloudwatch.MetricAlarm(
        name,
        name=name,
        evaluation_periods=settings.datapoints,
        datapoints_to_alarm=settings.datapoints,
        treat_missing_data="notBreaching",
        alarm_actions=list(settings.actions),
        ok_actions=list(settings.actions),
        **about,
    )


def _about(lane: Lane, colour: Colour, balancer: Balancer, kind: AlarmKind, threshold: float) -> Arguments:
    """What the alarm looks at, and when it fires."""
    period, over = lane.settings.alarms.period_seconds, OVER
    match kind:
        case AlarmKind.ERRORS:
            words = f"more than {threshold:g} % of the answers of {colour} are 5xx"
            look: Arguments = {"metric_queries": _error_share(colour, balancer, period)}
        case AlarmKind.LATENCY:
            words = f"{colour} takes longer than {threshold:g} s (p95)"
            statistic = {"extended_statistic": "p95", "evaluate_low_sample_count_percentiles": "ignore"}
            look = {**_metric("TargetResponseTime", colour, balancer), **statistic, "period": period}
        case AlarmKind.UNHEALTHY:
            words, over = f"{threshold:g} or more targets of {colour} fail their health check", AT_LEAST
            look = {**_metric("UnHealthyHostCount", colour, balancer), "statistic": "Maximum", "period": period}
    return {"alarm_description": words, "comparison_operator": over, "threshold": threshold, **look}


def _error_share(colour: Colour, balancer: Balancer, period: int) -> list[cloudwatch.MetricAlarmMetricQueryArgs]:
    """Percent of answers that are 5xx; too few requests are no share at all.

    `requests` has to keep its gaps: data is late, and an alarm looks at the newest periods first, which would always be
    filled ones (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html, FILL).
    """
    share = f"IF(requests >= {LEAST_REQUESTS}, 100 * FILL(errors, 0) / requests, 0)"
    return [
        cloudwatch.MetricAlarmMetricQueryArgs(id="share", expression=share, label="5xx in percent", return_data=True),
        _sum("requests", period, _metric("RequestCount", colour, balancer)),
        _sum("errors", period, _metric("HTTPCode_Target_5XX_Count", colour, balancer)),
    ]


def _sum(id: str, period: int, metric: Arguments) -> cloudwatch.MetricAlarmMetricQueryArgs:
    asked = cloudwatch.MetricAlarmMetricQueryMetricArgs(**metric, stat="Sum", period=period)
    return cloudwatch.MetricAlarmMetricQueryArgs(id=id, return_data=False, metric=asked)


def _metric(name: str, colour: Colour, balancer: Balancer) -> Arguments:
    dimensions: dict[str, pulumi.Output[str]] = {
        "TargetGroup": balancer.target_groups[colour].arn_suffix,
        "LoadBalancer": balancer.balancer.arn_suffix,
    }
    return {"namespace": "AWS/ApplicationELB", "metric_name": name, "dimensions": dimensions}
