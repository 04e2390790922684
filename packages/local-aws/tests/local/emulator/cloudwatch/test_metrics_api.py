"""Metrics as boto3 sees them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from local_aws.__main__ import _parser, _run
from local_aws.emulator.cloudwatch.model import Clock
from local_aws.errors import LocalError
from local_aws.metrics import MetricsClock, clock, set_clock
from local_aws.metrics import quick as quick_clock
from local_aws.places import FIRST_PORT, Places
from tests.local.emulator.cloudwatch.alarms import START
from tests.local.emulator.cloudwatch.serve import DIMENSIONS, Running, metric, refused, running

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


def test_the_clock_is_read_and_set_over_the_api(cw: Running) -> None:
    endpoint = cw.client.meta.endpoint_url
    assert clock(endpoint) == MetricsClock(60, 90.0)
    with quick_clock(endpoint, 10) as now:
        assert now == MetricsClock(10, 15.0)
        cw.carry(10, requests=1)
        cw.carry(15)
        assert cw.values("RequestCount", period=10) == {0: 10.0}
    assert clock(endpoint) == MetricsClock(60, 90.0)
    assert set_clock(endpoint, 5, 0.5) == MetricsClock(5, 0.5)


def test_a_clock_that_makes_no_sense_is_refused(cw: Running) -> None:
    with pytest.raises(LocalError, match="one of 1, 5, 10, 20, 30, 60, not 7"):
        set_clock(cw.client.meta.endpoint_url, 7)
    with pytest.raises(LocalError, match="0 to 3600"):
        set_clock(cw.client.meta.endpoint_url, 10, -1)


def test_the_clock_is_read_and_set_by_the_command(cw: Running, capsys: pytest.CaptureFixture[str]) -> None:
    port = int(cw.client.meta.endpoint_url.rpartition(":")[2])
    here = Places(root=cw.folder, runtime=cw.folder, cache=cw.folder, slot=port - FIRST_PORT)
    command = lambda *given: _run(_parser().parse_args(["metrics", *given]), here)  # noqa: E731
    assert command() == 0
    assert command("--period", "10") == 0
    assert capsys.readouterr().out.splitlines() == [
        "Load balancers report every 60 s; that can be read 90 s later.",
        "Load balancers report every 10 s; that can be read 15 s later.",
    ]
    with pytest.raises(LocalError, match="--delay needs --period"):
        command("--delay", "1")


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


def test_what_is_asked_next_to_the_limits_is_refused(cw: Running) -> None:
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
