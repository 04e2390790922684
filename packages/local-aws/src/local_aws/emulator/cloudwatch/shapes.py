"""Values -> the structures of answers."""

from __future__ import annotations

from typing import Any

from local_aws.emulator.cloudwatch.cbor import Moment
from local_aws.emulator.cloudwatch.model import Alarm, HistoryItem, Metric, Query


def pairs(dimensions: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions]


def metric(one: Metric) -> dict[str, Any]:
    return {"Namespace": one.namespace, "MetricName": one.name, "Dimensions": pairs(one.dimensions)}


def alarm(one: Alarm) -> dict[str, Any]:
    """A MetricAlarm; absent members are None."""
    return {
        "AlarmName": one.name,
        "AlarmArn": one.arn,
        "AlarmDescription": one.description,
        "AlarmConfigurationUpdatedTimestamp": Moment(one.configured),
        "ActionsEnabled": one.actions_enabled,
        "OKActions": list(one.ok_actions),
        "AlarmActions": list(one.alarm_actions),
        "InsufficientDataActions": list(one.insufficient_actions),
        "StateValue": one.state,
        "StateReason": one.reason,
        "StateReasonData": one.reason_data,
        "StateUpdatedTimestamp": Moment(one.updated),
        "StateTransitionedTimestamp": Moment(one.transitioned),
        "EvaluationPeriods": one.periods,
        "DatapointsToAlarm": one.needed,
        "Threshold": one.threshold,
        "ComparisonOperator": one.operator,
        "TreatMissingData": one.missing if one.missing_given else None,
        "EvaluateLowSampleCountPercentile": one.low_samples,
        **(_watched(one.watched) if one.single else {"Metrics": [query(each) for each in one.queries]}),
    }


def _watched(one: Query) -> dict[str, Any]:
    stat = one.stat
    assert stat is not None
    extended = stat.statistic.startswith("p")
    return {
        **metric(stat.metric),
        "ExtendedStatistic" if extended else "Statistic": stat.statistic,
        "Period": stat.period,
        "Unit": stat.unit,
    }


def query(one: Query) -> dict[str, Any]:
    """A MetricDataQuery."""
    shown = {"Id": one.id, "Expression": one.expression, "Label": one.label, "ReturnData": one.returns}
    if one.stat is None:
        return {**shown, "Period": one.period}
    stat = {
        "Metric": metric(one.stat.metric),
        "Period": one.stat.period,
        "Stat": one.stat.statistic,
        "Unit": one.stat.unit,
    }
    return {**shown, "MetricStat": stat, "Period": one.period}


def history_item(one: HistoryItem) -> dict[str, Any]:
    return {
        "AlarmName": one.name,
        "AlarmType": "MetricAlarm",
        "Timestamp": Moment(one.at),
        "HistoryItemType": one.kind,
        "HistorySummary": one.summary,
        "HistoryData": one.data,
    }
