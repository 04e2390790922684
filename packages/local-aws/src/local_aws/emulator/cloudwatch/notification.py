"""The message to an alarm's topic: AWS's JSON. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from __future__ import annotations

import json
from typing import Any

from local_aws.emulator.cloudwatch.model import Alarm, Metric, MetricStat, Query, Scope
from local_aws.emulator.cloudwatch.reasons import stamp

REGIONS = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
    "eu-central-1": "EU (Frankfurt)",
    "eu-west-1": "EU (Ireland)",
    "eu-west-2": "EU (London)",
    "eu-west-3": "EU (Paris)",
    "eu-north-1": "EU (Stockholm)",
}
STATISTICS = {
    "SampleCount": "SAMPLE_COUNT",
    "Average": "AVERAGE",
    "Sum": "SUM",
    "Minimum": "MINIMUM",
    "Maximum": "MAXIMUM",
}


def region_name(region: str) -> str:
    """As people read it; the id itself for one that is not listed here."""
    return REGIONS.get(region, region)


def subject(alarm: Alarm, scope: Scope) -> str:
    return f'{alarm.state}: "{alarm.name}" in {region_name(scope.region)}'[:100]


def message(before: Alarm, alarm: Alarm, scope: Scope) -> str:
    return json.dumps(
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": scope.account,
            "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured),
            "NewStateValue": alarm.state,
            "NewStateReason": alarm.reason,
            "StateChangeTime": stamp(alarm.updated),
            "Region": region_name(scope.region),
            "AlarmArn": alarm.arn,
            "OldStateValue": before.state,
            "OKActions": list(alarm.ok_actions),
            "AlarmActions": list(alarm.alarm_actions),
            "InsufficientDataActions": list(alarm.insufficient_actions),
            "Trigger": _trigger(alarm),
        }
    )


def _trigger(alarm: Alarm) -> dict[str, Any]:
    stat = alarm.watched.stat if alarm.single else None
    watched = _metric(stat) if stat else {"Metrics": [_query(query) for query in alarm.queries]}
    return {
        **watched,
        "Period": alarm.period,
        "EvaluationPeriods": alarm.periods,
        **({} if alarm.needed is None else {"DatapointsToAlarm": alarm.needed}),
        "ComparisonOperator": alarm.operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.missing,
        "EvaluateLowSampleCountPercentile": alarm.low_samples or "",
    }


def _metric(stat: MetricStat) -> dict[str, Any]:
    basic = STATISTICS.get(stat.statistic)
    statistic = {"StatisticType": "Statistic", "Statistic": basic}
    if basic is None:
        statistic = {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": stat.statistic}
    return {
        "MetricName": stat.metric.name,
        "Namespace": stat.metric.namespace,
        **statistic,
        "Unit": stat.unit,
        "Dimensions": _dimensions(stat.metric),
    }


def _dimensions(metric: Metric) -> list[dict[str, str]]:
    return [{"value": value, "name": name} for name, value in metric.dimensions]


def _query(query: Query) -> dict[str, Any]:
    shown: dict[str, Any] = {"Id": query.id, "Label": query.label, "ReturnData": query.returns}
    if query.expression is not None:
        return {"Expression": query.expression, **shown}
    assert query.stat is not None
    metric = query.stat.metric
    named = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": _dimensions(metric)}
    return {**shown, "MetricStat": {"Metric": named, "Period": query.stat.period, "Stat": query.stat.statistic}}
