"""CloudWatch as boto3 sees it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.emulator.cloudwatch.model import Clock
from tests.local.emulator.cloudwatch.alarms import START
from tests.local.emulator.cloudwatch.serve import DIMENSIONS, TOPIC, Running, running

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


def refused(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


# ---------------------------------------------------------------- load balancers, late


def test_a_minute_of_a_load_balancer_can_be_read_only_when_it_is_late_enough(cw: Running) -> None:
    cw.carry(60, requests=10)
    cw.carry(89)
    assert cw.values("RequestCount") == {}
    cw.carry(1)
    assert cw.values("RequestCount") == {0: 600.0}


def test_a_minute_is_whole_when_it_appears(cw: Running) -> None:
    seen = set()
    for _ in range(180):
        cw.carry(1, requests=1)
        seen.add(cw.values("RequestCount").get(0))
    assert seen == {None, 60.0}


def test_a_group_without_requests_has_no_datapoint_but_its_hosts_are_counted(cw: Running) -> None:
    cw.carry(60, requests=1)
    cw.carry(60)
    cw.carry(90)
    assert cw.values("RequestCount") == {0: 60.0}
    assert cw.values("HTTPCode_Target_5XX_Count") == {}
    assert cw.values("HealthyHostCount", "Minimum") == {0: 1.0, 60: 1.0}


def test_percentiles_of_response_times_are_there(cw: Running) -> None:
    cw.carry(60, requests=100, times={0.01: 94.0, 0.5: 6.0})
    cw.carry(90)
    assert cw.values("TargetResponseTime", "p90") == {0: 0.01}
    assert cw.values("TargetResponseTime", "p95") == {0: 0.5}
    assert cw.values("TargetResponseTime", "SampleCount") == {0: 6000.0}


def test_short_periods_give_what_aws_gives_one_datapoint_in_six(cw: Running) -> None:
    cw.carry(60, requests=10)
    cw.carry(90)
    assert cw.values("RequestCount", period=10) == {0: 600.0}


def test_a_quicker_clock_gives_short_periods_early(quick: Running) -> None:
    quick.carry(10, requests=10)
    quick.carry(14)
    assert quick.values("RequestCount", period=10) == {}
    quick.carry(1)
    assert quick.values("RequestCount", period=10) == {0: 100.0}


def test_the_clock_is_told_and_set_over_the_api(cw: Running) -> None:
    from local.metrics import MetricsClock, clock, quick, set_clock

    endpoint = cw.client.meta.endpoint_url
    assert clock(endpoint) == MetricsClock(60, 90.0)
    with quick(endpoint, 10) as now:
        assert now == MetricsClock(10, 15.0)
        cw.carry(10, requests=1)
        cw.carry(15)
        assert cw.values("RequestCount", period=10) == {0: 10.0}
    assert clock(endpoint) == MetricsClock(60, 90.0)
    assert set_clock(endpoint, 5, 0.5) == MetricsClock(5, 0.5)


def test_a_clock_that_makes_no_sense_is_refused(cw: Running) -> None:
    from local.errors import LocalError
    from local.metrics import set_clock

    with pytest.raises(LocalError, match="one of 1, 5, 10, 20, 30, 60, not 7"):
        set_clock(cw.client.meta.endpoint_url, 7)
    with pytest.raises(LocalError, match="0 to 3600"):
        set_clock(cw.client.meta.endpoint_url, 10, -1)


def test_metrics_are_listed_once_they_can_be_read(cw: Running) -> None:
    cw.carry(60, requests=1, five=1)
    assert cw.client.list_metrics()["Metrics"] == []
    cw.carry(90)
    found = cw.client.list_metrics(
        Namespace="AWS/ApplicationELB", MetricName="RequestCount", Dimensions=[{"Name": "TargetGroup"}]
    )["Metrics"]
    assert found == [{"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount", "Dimensions": DIMENSIONS}]
    names = {metric["MetricName"] for metric in cw.client.list_metrics()["Metrics"]}
    assert names >= {"RequestCount", "HTTPCode_Target_5XX_Count", "HealthyHostCount"}
    assert cw.client.list_metrics(Dimensions=[{"Name": "TargetGroup", "Value": "x"}])["Metrics"] == []


# ---------------------------------------------------------------- reading


def window(cw: Running) -> dict[str, Any]:
    return {
        "StartTime": datetime.fromtimestamp(START, UTC),
        "EndTime": datetime.fromtimestamp(cw.outside.now, UTC),
    }


def metric(name: str, id: str, statistic: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    of = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": DIMENSIONS}
    return {"Id": id, "MetricStat": {"Metric": of, "Period": period, "Stat": statistic}, **more}


def test_expressions_are_calculated_and_what_is_not_to_be_returned_is_not(cw: Running) -> None:
    cw.carry(60, requests=10, five=1)
    cw.carry(60, requests=10)
    cw.carry(90)
    found = cw.client.get_metric_data(
        MetricDataQueries=[
            metric("HTTPCode_Target_5XX_Count", "errors", ReturnData=False),
            metric("RequestCount", "requests", ReturnData=False),
            {"Id": "rate", "Expression": "100 * errors / requests", "Label": "error rate"},
        ],
        **window(cw),
    )["MetricDataResults"]
    assert [(one["Id"], one["Label"], one["Values"], one["StatusCode"]) for one in found] == [
        ("rate", "error rate", [0.0, 10.0], "Complete")
    ]


def test_the_newest_datapoint_comes_first_unless_asked_otherwise(cw: Running) -> None:
    cw.carry(60, requests=1)
    cw.carry(60, requests=2)
    cw.carry(90)
    asked = {"MetricDataQueries": [metric("RequestCount", "m")], **window(cw)}
    down = cw.client.get_metric_data(**asked)["MetricDataResults"][0]
    up = cw.client.get_metric_data(ScanBy="TimestampAscending", **asked)["MetricDataResults"][0]
    assert down["Values"] == [120.0, 60.0]
    assert up["Values"] == [60.0, 120.0]
    assert up["Timestamps"][0] == datetime.fromtimestamp(START, UTC)


@pytest.mark.parametrize(
    ("queries", "code", "why"),
    [
        ([{"Id": "e", "Expression": "x + 1"}], "ValidationError", "id: x"),
        ([{"Id": "e", "Expression": "e + 1"}], "ValidationError", "need each other"),
        ([{"Id": "e", "Expression": "1 + 1"}], "ValidationError", "time series"),
        ([{"Id": "e", "Expression": "SUM(METRICS())"}], "ValidationError", "does not carry the function SUM"),
        ([metric("M", "m"), metric("M", "m")], "ValidationError", "not unique"),
        ([metric("M", "M")], "ValidationError", "pattern"),
        ([metric("M", "m", statistic="tm90")], "InvalidParameterValue", "does not carry the statistic tm90"),
        ([metric("M", "m", period=7)], "InvalidParameterValue", "multiple of 60"),
        ([{"Id": "m"}], "InvalidParameterCombination", "Exactly one of"),
        (
            [metric("M", "a", period=60), metric("M", "b", period=300), {"Id": "e", "Expression": "a+b"}],
            "InvalidParameterValue",
            "different periods",
        ),
    ],
)
def test_queries_that_cannot_be_answered_are_refused(cw: Running, queries: Any, code: str, why: str) -> None:
    cw.outside.now += 600
    said = refused(cw.client.get_metric_data, MetricDataQueries=queries, **window(cw))
    assert said[0] == code
    assert why in said[1]


def test_statistics_come_together_with_their_unit(cw: Running) -> None:
    cw.carry(60, requests=10, times={0.25: 10.0})
    cw.carry(90)
    asked = {"Namespace": "AWS/ApplicationELB", "Dimensions": DIMENSIONS, "Period": 60, **window(cw)}
    found = cw.client.get_metric_statistics(
        MetricName="TargetResponseTime", Statistics=["Average", "Maximum", "SampleCount"], **asked
    )
    assert found["Label"] == "TargetResponseTime"
    point = found["Datapoints"][0]
    assert point.pop("Timestamp").timestamp() == START
    assert point == {"Average": 0.25, "Maximum": 0.25, "SampleCount": 600.0, "Unit": "Seconds"}
    found = cw.client.get_metric_statistics(MetricName="TargetResponseTime", ExtendedStatistics=["p95"], **asked)
    assert found["Datapoints"][0]["ExtendedStatistics"] == {"p95": 0.25}


def test_what_is_asked_beside_the_limits_is_refused(cw: Running) -> None:
    cw.outside.now += 100_000
    asked = {"Namespace": "N", "MetricName": "M", **window(cw)}
    call = cw.client.get_metric_statistics
    assert refused(call, Period=60, Statistics=["Sum"], **asked)[0] == "InvalidParameterCombination"
    assert refused(call, Period=300, **asked)[0] == "InvalidParameterCombination"
    assert refused(call, Period=70, Statistics=["Sum"], **asked)[0] == "InvalidParameterValue"
    backwards = {**asked, "StartTime": asked["EndTime"], "EndTime": asked["StartTime"]}
    assert "must be less than" in refused(call, Period=300, Statistics=["Sum"], **backwards)[1]


# ---------------------------------------------------------------- custom metrics


def own(cw: Running, statistic: str = "Sum", period: int = 60) -> list[float]:
    stat = {"Metric": {"Namespace": "Shop", "MetricName": "Orders"}, "Period": period, "Stat": statistic}
    found = cw.client.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
        StartTime=datetime.fromtimestamp(START - 3600, UTC),
        EndTime=datetime.fromtimestamp(cw.outside.now + 3600, UTC),
        ScanBy="TimestampAscending",
    )
    values: list[float] = found["MetricDataResults"][0]["Values"]
    return values


def test_what_is_put_can_be_read_at_once(cw: Running) -> None:
    data = [
        {"MetricName": "Orders", "Value": 3.0},
        {"MetricName": "Orders", "Values": [1.0, 2.0], "Counts": [4.0, 1.0]},
        {"MetricName": "Orders", "StatisticValues": {"SampleCount": 2, "Sum": 8, "Minimum": 4, "Maximum": 4}},
        {"MetricName": "Orders", "Value": 5.0, "Timestamp": datetime.fromtimestamp(START - 600, UTC)},
    ]
    cw.client.put_metric_data(Namespace="Shop", MetricData=data)
    assert own(cw) == [5.0, 17.0]
    assert own(cw, "SampleCount") == [1.0, 8.0]
    assert own(cw, "p100") == [5.0, 4.0]


def test_a_large_request_which_boto3_packs_is_understood(cw: Running) -> None:
    data = [{"MetricName": "Orders", "Values": [float(one) for one in range(150)]} for _ in range(100)]
    cw.client.put_metric_data(Namespace="Shop", MetricData=data)
    assert own(cw, "SampleCount") == [15_000.0]


def test_high_resolution_is_kept_by_the_second(cw: Running) -> None:
    for second in (0, 1, 12):
        at = datetime.fromtimestamp(START + second, UTC)
        datum = {"MetricName": "Orders", "Value": 1.0, "StorageResolution": 1, "Timestamp": at}
        cw.client.put_metric_data(Namespace="Shop", MetricData=[datum])
    assert own(cw, period=1) == [1.0, 1.0, 1.0]
    assert own(cw, period=10) == [2.0, 1.0]


@pytest.mark.parametrize(
    ("namespace", "datum", "code", "why"),
    [
        ("AWS/ECS", {"Value": 1.0}, "InvalidParameterValue", "The value AWS/ECS for parameter Namespace is invalid"),
        ("Shop", {}, "MissingParameter", "MetricData.member.1.Value is required"),
        ("Shop", {"Value": 1.0, "Values": [1.0]}, "InvalidParameterCombination", "mutually exclusive"),
        ("Shop", {"Values": [1.0], "Counts": [1.0, 2.0]}, "InvalidParameterValue", "same size"),
        ("Shop", {"Value": 1e200}, "InvalidParameterValue", "2^360"),
        ("Shop", {"Value": 1.0, "Unit": "Apples"}, "ValidationError", "enum value set"),
        ("Shop", {"Value": 1.0, "StorageResolution": 5}, "InvalidParameterValue", "StorageResolution"),
        ("Shop", {"Value": 1.0, "Timestamp": START + 8000}, "InvalidParameterValue", "two hours in the future"),
        ("Shop", {"Value": 1.0, "Timestamp": START - 15 * 86_400}, "InvalidParameterValue", "past two weeks"),
        ("Shop", {"Value": 1.0, "Dimensions": [{"Name": "a", "Value": "ü"}]}, "InvalidParameterValue", "ASCII"),
        ("x" * 256, {"Value": 1.0}, "ValidationError", "length less than or equal to 255"),
    ],
)
def test_data_that_aws_refuses_is_refused_and_none_of_it_kept(
    cw: Running, namespace: str, datum: dict[str, Any], code: str, why: str
) -> None:
    good = {"MetricName": "Orders", "Value": 1.0}
    said = refused(cw.client.put_metric_data, Namespace=namespace, MetricData=[{"MetricName": "Orders", **datum}, good])
    assert said[0] == code
    assert why in said[1]
    assert cw.client.list_metrics()["Metrics"] == []


# ---------------------------------------------------------------- alarms


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
