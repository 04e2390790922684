"""Alarms as boto3 sees them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.cloudwatch.model import Clock
from tests.local.emulator.cloudwatch.alarms import START
from tests.local.emulator.cloudwatch.serve import DIMENSIONS, TOPIC, Running, metric, refused, running

pytestmark = pytest.mark.provider


@pytest.fixture
def cw(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as one:
        yield one


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Running]:
    """Load balancers report every 10 seconds, and that can be read after 15."""
    with running(tmp_path, Clock.of(10)) as one:
        yield one


def test_an_alarm_goes_from_ok_to_alarm_and_back_and_tells_its_topics(cw: Running) -> None:
    cw.put_alarm(AlarmActions=[TOPIC], OKActions=[TOPIC])
    assert (cw.alarm()["StateValue"], cw.alarm()["StateReason"]) == (
        *("INSUFFICIENT_DATA",),
        "Unchecked: Initial alarm creation",
    )
    cw.carry(60, requests=10)
    assert cw.alarm()["StateValue"] == "OK"
    cw.carry(60, requests=10, five=1)
    cw.carry(119)
    assert cw.alarm()["StateValue"] == "OK"  # the bad minute is over, but cannot be read yet
    cw.carry(1)
    alarm = cw.alarm()
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateReason"] == (
        "Threshold Crossed: 1 datapoint [60.0 (21/11/26 11:01:00)] was greater than the threshold (0.0)."
    )
    assert alarm["StateTransitionedTimestamp"] == alarm["StateUpdatedTimestamp"]
    assert alarm["StateUpdatedTimestamp"].timestamp() == cw.outside.now
    cw.carry(60)
    assert cw.alarm()["StateValue"] == "OK"
    assert [subject for _, subject, _ in cw.outside.published] == [
        'OK: "errors" in US East (N. Virginia)',
        'ALARM: "errors" in US East (N. Virginia)',
        'OK: "errors" in US East (N. Virginia)',
    ]
    assert cw.history() == [
        'Alarm "errors" created',
        "Alarm updated from INSUFFICIENT_DATA to OK",
        f"Successfully executed action {TOPIC}",
        "Alarm updated from OK to ALARM",
        f"Successfully executed action {TOPIC}",
        "Alarm updated from ALARM to OK",
        f"Successfully executed action {TOPIC}",
    ]


def test_the_message_of_an_alarm_is_awss_json(cw: Running) -> None:
    cw.put_alarm(AlarmActions=[TOPIC], AlarmDescription="too many errors", DatapointsToAlarm=1)
    cw.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    cw.act()
    message = json.loads(cw.outside.published[0][2])
    trigger = message.pop("Trigger")
    stamp = "2026-11-21T11:00:00.000+0000"
    assert message == {
        "AlarmName": "errors",
        "AlarmDescription": "too many errors",
        "AWSAccountId": "000000000000",
        "AlarmConfigurationUpdatedTimestamp": stamp,
        "NewStateValue": "ALARM",
        "NewStateReason": "a test",
        "StateChangeTime": stamp,
        "Region": "US East (N. Virginia)",
        "AlarmArn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:errors",
        "OldStateValue": "INSUFFICIENT_DATA",
        "OKActions": [],
        "AlarmActions": [TOPIC],
        "InsufficientDataActions": [],
    }
    assert trigger == {
        "MetricName": "HTTPCode_Target_5XX_Count",
        "Namespace": "AWS/ApplicationELB",
        "StatisticType": "Statistic",
        "Statistic": "SUM",
        "Unit": None,
        "Dimensions": [{"value": one["Value"], "name": one["Name"]} for one in DIMENSIONS],
        "Period": 60,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0.0,
        "TreatMissingData": "notBreaching",
        "EvaluateLowSampleCountPercentile": "",
    }


def test_an_alarm_on_an_expression_watches_its_result(cw: Running) -> None:
    cw.put_alarm(
        **dict.fromkeys(("Namespace", "MetricName", "Dimensions", "Statistic", "Period")),
        Threshold=5,
        Metrics=[
            metric("HTTPCode_Target_5XX_Count", "errors", ReturnData=False),
            metric("RequestCount", "requests", ReturnData=False),
            {"Id": "rate", "Expression": "IF(requests > 20, 100 * FILL(errors, 0) / requests, 0)", "ReturnData": True},
        ],
    )
    cw.carry(60, requests=10)
    cw.carry(120)
    assert cw.alarm()["StateValue"] == "OK"
    cw.carry(60, requests=10, five=1)
    cw.carry(120)
    alarm = cw.alarm()
    assert alarm["StateValue"] == "ALARM"
    assert "10.0" in alarm["StateReason"]
    assert [query["Id"] for query in alarm["Metrics"]] == ["errors", "requests", "rate"]
    assert "MetricName" not in alarm


def test_an_alarm_on_a_percentile(cw: Running) -> None:
    cw.put_alarm(MetricName="TargetResponseTime", Statistic=None, ExtendedStatistic="p95", Threshold=0.3)
    cw.carry(60, requests=100, times={0.01: 94.0, 0.5: 6.0})
    cw.carry(120)
    assert cw.alarm()["StateValue"] == "ALARM"
    assert cw.alarm()["ExtendedStatistic"] == "p95"


def test_an_alarm_of_seconds_lapses_where_data_comes_by_the_minute(cw: Running) -> None:
    cw.put_alarm(MetricName="RequestCount", Period=10, TreatMissingData="missing")
    cw.carry(240, requests=10)
    assert cw.alarm()["StateValue"] == "INSUFFICIENT_DATA"


def test_an_alarm_of_seconds_works_with_a_quicker_clock(quick: Running) -> None:
    quick.put_alarm(Period=10)
    quick.carry(10, requests=10, five=1)
    quick.carry(20)
    assert quick.alarm()["StateValue"] == "ALARM"
    quick.carry(10)
    assert quick.alarm()["StateValue"] == "OK"


def test_a_state_that_was_set_lasts_until_the_next_evaluation(cw: Running) -> None:
    cw.put_alarm()
    cw.carry(60)
    cw.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test", StateReasonData='{"a":1}')
    assert cw.alarm()["StateValue"] == "ALARM"
    assert cw.alarm()["StateReasonData"] == '{"a":1}'
    cw.carry(60)
    assert cw.alarm()["StateValue"] == "OK"


def test_disabled_actions_are_not_done(cw: Running) -> None:
    cw.put_alarm(AlarmActions=[TOPIC])
    cw.client.disable_alarm_actions(AlarmNames=["errors"])
    assert cw.alarm()["ActionsEnabled"] is False
    cw.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    cw.act()
    assert cw.outside.published == []
    cw.client.enable_alarm_actions(AlarmNames=["errors"])
    assert cw.alarm()["ActionsEnabled"] is True


def test_an_action_that_fails_is_in_the_history_and_the_next_one_is_done(cw: Running) -> None:
    other = f"{TOPIC}-2"
    cw.put_alarm(AlarmActions=[TOPIC, other])
    cw.outside.refuses = TOPIC
    cw.client.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
    cw.act()
    assert [topic for topic, _, _ in cw.outside.published] == [other]
    assert cw.history()[-2:] == [
        f"Failed to execute action {TOPIC}. Received error: Topic does not exist",
        f"Successfully executed action {other}",
    ]


def test_an_update_leaves_the_state_and_the_tags_of_an_alarm(cw: Running) -> None:
    cw.put_alarm(Tags=[{"Key": "team", "Value": "shop"}])
    cw.carry(60)
    before = cw.alarm()
    assert before["StateValue"] == "OK"
    cw.put_alarm(Threshold=9, Tags=[{"Key": "team", "Value": "other"}])
    after = cw.alarm()
    assert (after["Threshold"], after["StateValue"]) == (9.0, "OK")
    assert after["StateUpdatedTimestamp"] == before["StateUpdatedTimestamp"]
    assert after["AlarmConfigurationUpdatedTimestamp"] > before["AlarmConfigurationUpdatedTimestamp"]
    tags = cw.client.list_tags_for_resource(ResourceARN=after["AlarmArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "shop"}]


def test_tags_are_added_and_removed(cw: Running) -> None:
    cw.put_alarm()
    arn = cw.alarm()["AlarmArn"]
    cw.client.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    cw.client.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert cw.client.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "b", "Value": ""}]
    assert refused(cw.client.list_tags_for_resource, ResourceARN=f"{arn}x")[0] == "ResourceNotFound"
    assert (
        refused(cw.client.tag_resource, ResourceARN=arn, Tags=[{"Key": "aws:x", "Value": ""}])[0] == "ValidationError"
    )


def test_alarms_are_found_by_name_prefix_state_and_action_page_by_page(cw: Running) -> None:
    for name in ("shop-a", "shop-b", "other"):
        cw.put_alarm(AlarmName=name, AlarmActions=[f"{TOPIC}-{name}"])
    cw.client.set_alarm_state(AlarmName="shop-b", StateValue="ALARM", StateReason="a test")

    def names(**members: Any) -> list[str]:
        return [alarm["AlarmName"] for alarm in cw.client.describe_alarms(**members)["MetricAlarms"]]

    assert names(AlarmNames=["shop-a", "missing"]) == ["shop-a"]
    assert names(AlarmNamePrefix="shop-") == ["shop-a", "shop-b"]
    assert names(StateValue="ALARM") == ["shop-b"]
    assert names(ActionPrefix=f"{TOPIC}-other") == ["other"]
    assert names(AlarmTypes=["CompositeAlarm"]) == []
    pages = cw.client.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 2})
    assert [[alarm["AlarmName"] for alarm in page["MetricAlarms"]] for page in pages] == [
        ["other", "shop-a"],
        ["shop-b"],
    ]
    found = cw.client.describe_alarms_for_metric(
        Namespace="AWS/ApplicationELB", MetricName="HTTPCode_Target_5XX_Count", Dimensions=DIMENSIONS
    )
    assert len(found["MetricAlarms"]) == 3


def test_alarms_are_deleted_together_or_not_at_all(cw: Running) -> None:
    cw.put_alarm(AlarmName="a")
    cw.put_alarm(AlarmName="b")
    assert refused(cw.client.delete_alarms, AlarmNames=["a", "missing"])[0] == "ResourceNotFound"
    assert len(cw.client.describe_alarms()["MetricAlarms"]) == 2
    cw.client.delete_alarms(AlarmNames=["a", "b"])
    assert cw.client.describe_alarms()["MetricAlarms"] == []
    assert cw.history()[-1] == 'Alarm "b" deleted'


def test_history_is_found_by_alarm_kind_and_time(cw: Running) -> None:
    cw.put_alarm(AlarmName="a")
    cw.outside.now += 100
    cw.put_alarm(AlarmName="b")
    cw.client.set_alarm_state(AlarmName="b", StateValue="OK", StateReason="a test")

    def found(**members: Any) -> list[tuple[str, str]]:
        items = cw.client.describe_alarm_history(**members)["AlarmHistoryItems"]
        return [(item["AlarmName"], item["HistoryItemType"]) for item in items]

    assert found() == [("b", "StateUpdate"), ("b", "ConfigurationUpdate"), ("a", "ConfigurationUpdate")]
    assert found(AlarmName="a") == [("a", "ConfigurationUpdate")]
    assert found(HistoryItemType="StateUpdate") == [("b", "StateUpdate")]
    assert found(EndDate=datetime.fromtimestamp(START + 50, UTC)) == [("a", "ConfigurationUpdate")]
    assert found(MaxRecords=1) == [("b", "StateUpdate")]


def test_accounts_and_regions_do_not_see_each_other(cw: Running) -> None:
    cw.put_alarm()
    cw.client.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Orders", "Value": 1.0}])
    for other in (cw.speaking(region="eu-west-1"), cw.speaking(account="123456789012")):
        assert other.describe_alarms()["MetricAlarms"] == []
        assert other.list_metrics()["Metrics"] == []
        assert other.describe_alarm_history()["AlarmHistoryItems"] == []


NO_SINGLE: dict[str, Any] = dict.fromkeys(("Namespace", "MetricName", "Dimensions", "Statistic", "Period"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"AlarmName": "x" * 256}, "length less than or equal to 255"),
        ({"Period": 45}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"Period": 5}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"Period": None}, "Period is required"),
        ({"EvaluationPeriods": None}, "EvaluationPeriods is required"),
        ({"Threshold": None}, "Threshold is required"),
        ({"EvaluationPeriods": 1441}, "EvaluationPeriods * Period must be <= 86400"),
        ({"Period": 86_400, "EvaluationPeriods": 8}, "EvaluationPeriods * Period must be <= 604800"),
        ({"DatapointsToAlarm": 2}, "less than or equal to EvaluationPeriods"),
        ({"Statistic": None}, "Exactly one of Statistic and ExtendedStatistic"),
        ({"ExtendedStatistic": "p95"}, "Exactly one of Statistic and ExtendedStatistic"),
        ({"Statistic": None, "ExtendedStatistic": "tm99"}, "does not carry the statistic tm99"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "does not carry anomaly detection"),
        ({"TreatMissingData": "panic"}, "enum value set"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "percentiles only"),
        ({"AlarmActions": ["arn:aws:lambda:us-east-1:1:function:f"]}, "only SNS topics"),
        ({"AlarmActions": ["topic"]}, "Invalid arn syntax: topic"),
        ({"AlarmActions": ["arn:aws:sns:eu-west-1:1:t"]}, "Invalid region eu-west-1 specified"),
        ({"AlarmActions": [TOPIC] * 6}, "length less than or equal to 5"),
        ({"ThresholdMetricId": "m1"}, "does not carry the parameter ThresholdMetricId"),
        ({"MetricName": None}, "Exactly one of MetricName and Metrics"),
        ({"Metrics": [metric("M", "m")]}, "must not be given together with Metrics"),
        ({**NO_SINGLE, "Metrics": [metric("M", "a"), metric("M", "b")]}, "Exactly one element"),
        (
            {**NO_SINGLE, "Metrics": [metric("M", "a"), metric("M", "b", period=300, ReturnData=False)]},
            "the same period",
        ),
        ({**NO_SINGLE, "Metrics": [metric("M", "a", period=5)]}, "Period must be 10, 20, 30"),
        ({**NO_SINGLE, "Metrics": [{"Id": "e", "Expression": "1"}]}, "At least one element"),
    ],
)
def test_an_alarm_that_aws_refuses_or_that_is_not_carried_is_refused(
    cw: Running, given: dict[str, Any], why: str
) -> None:
    code, said = refused(cw.put_alarm, **given)
    assert code in ("ValidationError", "InvalidParameterValue", "MissingParameter")
    assert why in said
    assert cw.client.describe_alarms()["MetricAlarms"] == []


def test_operations_that_are_not_carried_are_refused_loudly(cw: Running) -> None:
    code, said = refused(cw.client.put_dashboard, DashboardName="d", DashboardBody="{}")
    assert code == "UnknownOperationException"
    assert "does not carry the operation PutDashboard" in said
    assert refused(cw.client.set_alarm_state, AlarmName="x", StateValue="OK", StateReason="r")[0] == "ResourceNotFound"


def test_after_a_restart_alarms_go_on_where_they_were(cw: Running) -> None:
    cw.put_alarm(Tags=[{"Key": "a", "Value": "b"}])
    cw.carry(60, requests=1, five=1)
    cw.carry(120)
    before, history = cw.alarm(), cw.history()
    assert before["StateValue"] == "ALARM"
    cw.begin(Clock())
    after = cw.alarm()
    assert {key: after[key] for key in before} == before
    assert cw.history() == history
    assert cw.values("RequestCount") == {0: 60.0}  # stored within the last minute
    cw.carry(60)
    assert cw.alarm()["StateValue"] == "OK"


def test_its_threads_work_by_themselves(tmp_path: Path) -> None:
    """The only test here with the real time."""
    with running(tmp_path, Clock.of(1, 0.0), now=time.time) as one:
        one.service.start()
        one.put_alarm(Namespace="Shop", MetricName="Orders", Dimensions=None, Period=1, AlarmActions=[TOPIC])
        datum = {"MetricName": "Orders", "Value": 1.0, "StorageResolution": 1}
        deadline = time.monotonic() + 60  # a safety net, far beyond what it takes
        while not one.outside.published and time.monotonic() < deadline:
            one.client.put_metric_data(Namespace="Shop", MetricData=[datum])
            time.sleep(0.05)
        one.service.stop()
        assert [topic for topic, _, _ in one.outside.published] == [TOPIC]
