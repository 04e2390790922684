"""CloudWatch alarms on one metric, or on an expression over several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from provider_kit import Context, Props
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, AwsResource, tag_list, tag_map, tags_at_creation
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, Table, upstream

METRIC: Table = {
    "metricName": Prop(required=True),
    "namespace": Prop(),
    "dimensions": Prop(),
    "period": Prop("Period", required=True),
    "stat": Prop("Stat", required=True),
    "unit": Prop("Unit"),
}
QUERY: Table = {
    "id": Prop("Id", required=True),
    "accountId": Prop("AccountId"),
    "expression": Prop("Expression"),
    "label": Prop("Label"),
    "metric": Prop(fields=METRIC),
    "period": Prop("Period"),
    "returnData": Prop("ReturnData", default=False),
}
ONE_METRIC = ("metricName", "namespace", "period", "statistic", "extendedStatistic", "dimensions")
"""The properties of a single metric, which exclude `metricQueries`."""


class MetricAlarm(AwsResource):
    """Its id is its name. The API writes an alarm as a whole, so a change sends everything again."""

    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    service = "cloudwatch"
    source = upstream("cloudwatch/metricalarm", "cloudwatch/metric_alarm")
    props = (
        {
            "name": Prop("AlarmName", replace=True),
            "alarmDescription": Prop("AlarmDescription"),
            "actionsEnabled": Prop("ActionsEnabled", default=True),
            "alarmActions": Prop("AlarmActions", unordered=True),
            "okActions": Prop("OKActions", unordered=True),
            "insufficientDataActions": Prop("InsufficientDataActions", unordered=True),
            "comparisonOperator": Prop("ComparisonOperator", required=True),
            "evaluationPeriods": Prop("EvaluationPeriods", required=True),
            "datapointsToAlarm": Prop("DatapointsToAlarm"),
            "evaluateLowSampleCountPercentiles": Prop("EvaluateLowSampleCountPercentile", computed=True),
            "treatMissingData": Prop("TreatMissingData", default="missing"),
            "metricName": Prop("MetricName"),
            "namespace": Prop("Namespace"),
            "dimensions": Prop(),
            "period": Prop("Period"),
            "statistic": Prop("Statistic"),
            "extendedStatistic": Prop("ExtendedStatistic"),
            "threshold": Prop("Threshold"),
            "thresholdMetricId": Prop("ThresholdMetricId"),
            "unit": Prop("Unit"),
            "metricQueries": Prop(fields=QUERY, unordered=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn"})
    autoname = AutoName(longest=255)

    @override
    def wrong(self, values: Props) -> Iterator[tuple[str, str]]:
        if "metricQueries" in values:
            yield from ((name, "conflicts with metricQueries") for name in ONE_METRIC if name in values)
        elif "metricName" in values and ("statistic" in values) == ("extendedStatistic" in values):
            yield "statistic", "either it or extendedStatistic is required with metricName, and not both"
        if "threshold" in values and "thresholdMetricId" in values:
            yield "threshold", "conflicts with thresholdMetricId"
        yield from _wrong_periods(values)

    @override
    def make(self, api: Any, new: Props) -> str:
        api.put_metric_alarm(**_arguments(new), **tags_at_creation(new))
        return str(new["name"])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if _arguments(old) != _arguments(new):
            api.put_metric_alarm(**_arguments(new))

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        alarms = api.describe_alarms(AlarmNames=[id], AlarmTypes=["MetricAlarm"]).get("MetricAlarms")
        if not alarms:
            return None
        (alarm,) = alarms
        live = {"treatMissingData": "missing"} | from_api(self.props, alarm) | {"arn": alarm["AlarmArn"]}
        if alarm.get("Dimensions"):
            live["dimensions"] = _dimension_map(alarm["Dimensions"])
        if alarm.get("Metrics"):
            live["metricQueries"] = [_query(one) for one in alarm["Metrics"]]
        return live | {"tags": tag_map(api.list_tags_for_resource(ResourceARN=alarm["AlarmArn"]).get("Tags"))}

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.tag_resource(ResourceARN=known["arn"], Tags=tag_list(put))
        if drop:
            api.untag_resource(ResourceARN=known["arn"], TagKeys=drop)

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_alarms, AlarmNames=[id])


def _wrong_periods(values: Props) -> Iterator[tuple[str, str]]:
    """The provider's own rule, before any call: an alarm has fewer periods than a metric."""
    yield from _wrong_period("period", values.get("period"), (10, 20, 30))
    queries = values.get("metricQueries")
    for number, query in enumerate(queries if isinstance(queries, Sequence) else ()):
        for holder, path in ((query, ""), (_known(query).get("metric"), "metric.")):
            period = _known(holder).get("period")
            yield from _wrong_period(f"metricQueries[{number}].{path}period", period, (1, 5, 10, 20, 30))


def _known(value: Any) -> Props:
    """Nothing, where a preview does not know it yet."""
    return value if isinstance(value, dict) else {}


def _wrong_period(path: str, period: Any, short: Sequence[int]) -> Iterator[tuple[str, str]]:
    if isinstance(period, (int, float)) and period not in short and period % 60:
        yield path, f"has to be {', '.join(map(str, short))} or a multiple of 60, not {period:g}"


def _arguments(values: Props) -> dict[str, Any]:
    """PutMetricAlarm's arguments, without tags, which it takes at creation only."""
    arguments = to_api(MetricAlarm.props, values)
    if values.get("dimensions"):
        arguments["Dimensions"] = _dimension_list(values["dimensions"])
    if values.get("metricQueries"):
        arguments["Metrics"] = [_metric_data_query(one) for one in values["metricQueries"]]
    if "thresholdMetricId" not in values:
        arguments.setdefault("Threshold", 0.0)  # as pulumi-aws does
    return arguments


def _metric_data_query(query: Props) -> dict[str, Any]:
    data = to_api(QUERY, query)
    metric = query.get("metric")
    if metric:
        names = {"Namespace": metric.get("namespace"), "MetricName": metric["metricName"]}
        which: dict[str, Any] = {key: value for key, value in names.items() if value}
        if metric.get("dimensions"):
            which["Dimensions"] = _dimension_list(metric["dimensions"])
        data["MetricStat"] = {"Metric": which} | to_api(METRIC, metric)
    return data


def _query(data: Mapping[str, Any]) -> Props:
    """The inverse of `_metric_data_query`."""
    query: Props = {"returnData": False} | from_api(QUERY, data)
    stat = data.get("MetricStat")
    if stat:
        which = stat["Metric"]
        names = {"namespace": which.get("Namespace"), "metricName": which.get("MetricName")}
        metric: Props = from_api(METRIC, stat) | {key: value for key, value in names.items() if value}
        if which.get("Dimensions"):
            metric["dimensions"] = _dimension_map(which["Dimensions"])
        query["metric"] = metric
    return query


def _dimension_list(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in sorted(dimensions.items())]


def _dimension_map(dimensions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {one["Name"]: one["Value"] for one in dimensions}
