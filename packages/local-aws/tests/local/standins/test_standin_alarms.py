"""Alarms and topics: what goes to CloudWatch and SNS, and which alarms are no alarms."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.standins.aws.alarms import ONE_METRIC, MetricAlarm
from local_aws.standins.aws.sns import Topic
from provider_kit import UNKNOWN, Props, State
from provider_kit.diffs import structural
from tests.local.standins.examples import MORE_EXAMPLES
from tests.local.standins.test_standin_types import CONTEXT, checked, standin

pytestmark = pytest.mark.pure

SIMPLE: Props = {
    "name": "slow",
    "comparisonOperator": "GreaterThanThreshold",
    "evaluationPeriods": 3,
    "metricName": "TargetResponseTime",
    "namespace": "AWS/ApplicationELB",
    "dimensions": {"TargetGroup": "targetgroup/a/1", "LoadBalancer": "app/a/1"},
    "period": 60,
    "statistic": "Average",
}
QUERIES = {"metricQueries": [{"id": "all", "expression": "a + b", "returnData": True}]}


def test_an_alarm_on_one_metric_goes_out_as_aws_names_it() -> None:
    resource, aws = standin(MetricAlarm)
    id, _ = resource.create(CONTEXT, checked(resource, SIMPLE | {"tags": {"team": "a"}}))
    assert id == "slow"
    (call,) = aws.named("cloudwatch.put_metric_alarm")
    assert call == {
        "AlarmName": "slow",
        "ActionsEnabled": True,
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 3,
        "TreatMissingData": "missing",
        "MetricName": "TargetResponseTime",
        "Namespace": "AWS/ApplicationELB",
        "Dimensions": [
            {"Name": "LoadBalancer", "Value": "app/a/1"},
            {"Name": "TargetGroup", "Value": "targetgroup/a/1"},
        ],
        "Period": 60,
        "Statistic": "Average",
        "Threshold": 0.0,
        "Tags": [{"Key": "team", "Value": "a"}],
    }


def test_an_alarm_on_an_expression_goes_out_as_queries_and_comes_back() -> None:
    _, example = MORE_EXAMPLES[-1]
    resource, aws = standin(MetricAlarm)
    inputs = checked(resource, example)
    resource.create(CONTEXT, inputs)
    (call,) = aws.named("cloudwatch.put_metric_alarm")
    assert call["Metrics"] == [
        {
            "Id": "band",
            "Expression": "ANOMALY_DETECTION_BAND(errors)",
            "Label": "expected",
            "ReturnData": False,
        },
        {
            "Id": "errors",
            "AccountId": "000000000000",
            "Period": 60,
            "ReturnData": True,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/ApplicationELB",
                    "MetricName": "HTTPCode_Target_5XX_Count",
                    "Dimensions": [{"Name": "LoadBalancer", "Value": "app/a/1"}],
                },
                "Period": 60,
                "Stat": "Sum",
                "Unit": "Count",
            },
        },
    ]
    assert "Threshold" not in call
    aws.script["cloudwatch.describe_alarms"] = {"MetricAlarms": [call | {"AlarmArn": "arn:alarm"}]}
    found = resource.read(CONTEXT, "slow", inputs, inputs)
    assert found is not None
    assert structural(inputs, found[1]) == []


SHORT = {name: value for name, value in SIMPLE.items() if name not in ONE_METRIC} | {
    "metricQueries": [
        {"id": "a", "expression": "b", "period": 7},
        {"id": "b", "metric": {"metricName": "x", "stat": "Sum", "period": 7}},
        {"id": "c", "metric": {"metricName": "x", "stat": "Sum", "period": 1}},
    ]
}


@pytest.mark.parametrize(
    ("inputs", "where"),
    [
        (SIMPLE, []),
        (SIMPLE | {"extendedStatistic": "p95"}, ["statistic"]),
        ({name: value for name, value in SIMPLE.items() if name != "statistic"}, ["statistic"]),
        (SIMPLE | QUERIES, ["metricName", "namespace", "period", "statistic", "dimensions"]),
        (SIMPLE | {"threshold": 1, "thresholdMetricId": "band"}, ["threshold"]),
        ({"name": "slow"} | QUERIES, ["comparisonOperator", "evaluationPeriods"]),
        (SIMPLE | {"evaluationCriteria": {}}, ["evaluationCriteria"]),
        *((SIMPLE | {"period": period}, ["period"]) for period in (1, 5, 90)),
        *((SIMPLE | {"period": period}, []) for period in (10, 20, 30, 300, UNKNOWN)),
        (SHORT, ["metricQueries[0].period", "metricQueries[1].metric.period"]),
        (SIMPLE | {"alarmActions": [UNKNOWN], "threshold": UNKNOWN}, []),
    ],
)
def test_an_alarm_that_pulumi_aws_refuses_is_refused(inputs: Props, where: list[str]) -> None:
    resource, _ = standin(MetricAlarm)
    _, wrong = resource.check(CONTEXT, inputs, None)
    assert [path for path, _ in wrong] == where


def test_an_alarm_is_read_with_the_default_that_the_api_leaves_out() -> None:
    alarm: dict[str, Any] = {"AlarmName": "slow", "AlarmArn": "arn:alarm", "Threshold": 0.5}
    resource, _ = standin(MetricAlarm, cloudwatch__describe_alarms={"MetricAlarms": [alarm]})
    found = resource.read(CONTEXT, "slow", {}, {})
    assert found is not None
    assert found[1]["treatMissingData"] == "missing"
    assert found[1]["threshold"] == 0.5


def test_a_topics_attributes_are_written_one_by_one_and_taken_away_by_an_empty_one() -> None:
    resource, aws = standin(Topic)
    before = checked(resource, {"name": "on-call", "displayName": "On call", "policy": "{}"})
    resource.update(CONTEXT, State("arn:t:1:2:3:on-call", before, before), checked(resource, {"name": "on-call"}))
    assert aws.named("sns.set_topic_attributes") == [
        {"TopicArn": "arn:t:1:2:3:on-call", "AttributeName": "DisplayName", "AttributeValue": ""}
    ]
