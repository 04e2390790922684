"""What is asked of CloudWatch and of Application Auto Scaling, and how their answers are read."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from release_lane.aws import patience, scaling, signals
from release_lane.aws.cloud import Balancer
from release_lane.errors import CloudError
from release_lane.record.alarms import Alarm, Watched
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour
from release_lane.record.records import Scaling
from release_lane.watch.judge import Datapoint

pytestmark = pytest.mark.pure

BLUE, GREEN = Colour.BLUE, Colour.GREEN
NOON = 43200.0
BALANCER = Balancer(
    dns_name="lb",
    listener="arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/p-s/50dc6c495c0c9188/f2f7dc8efc522ab2",
    target_groups={
        colour: f"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/p-s-{colour}/73e2d6bc24d8a067"
        for colour in Colour
    },
)


def time(second: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, datetime.UTC)


@dataclass
class FakeAws:
    """CloudWatch and Application Auto Scaling: canned answers, and what was asked."""

    alarms: list[dict[str, Any]] = field(default_factory=list)
    composite: list[dict[str, Any]] = field(default_factory=list)
    pages: list[dict[str, list[tuple[float, float]]]] = field(default_factory=list)
    failing: dict[str, str] = field(default_factory=dict)
    """Status codes of results that are not complete."""
    heals_after: int = 1000
    """So many answers."""
    targets: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def describe_alarms(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return {"MetricAlarms": self.alarms, "CompositeAlarms": self.composite}

    def describe_scalable_targets(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return {"ScalableTargets": self.targets}

    def get_paginator(self, operation: str) -> FakeAws:
        assert operation == "get_metric_data"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(asked)
        failing = self.failing if len(self.asked) <= self.heals_after else {}
        for page in self.pages:
            yield {
                "MetricDataResults": [
                    {
                        "Id": id,
                        "Timestamps": [time(at) for at, _ in points],
                        "Values": [value for _, value in points],
                        "StatusCode": failing.get(id, "Complete"),
                    }
                    for id, points in page.items()
                ]
            }


@dataclass
class FakeCloud:
    names: Names = field(
        default_factory=lambda: Names.of(
            "p-s", access=Access(region="r", account="0"), users_port=80, log_group="/p/s", repository="p/app"
        )
    )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    for module in (signals, scaling):
        monkeypatch.setattr(module, "client", lambda *_: fake)
    return fake


CLOUD: Any = FakeCloud()


# ---- alarms


def test_alarms_are_read_with_whose_they_are_and_since_when(aws: FakeAws) -> None:
    plain = {"StateUpdatedTimestamp": time(7), "StateReason": "7 > 5"}
    aws.alarms = [
        {"AlarmName": "p-s-green-errors", "StateValue": "ALARM", "StateTransitionedTimestamp": time(5), **plain},
        {"AlarmName": "p-s-blue-errors", "StateValue": "INSUFFICIENT_DATA", **plain},
    ]
    aws.composite = [{"AlarmName": "orders", "StateValue": "OK", **plain}]
    watched = Watched(own={"p-s-green-errors": GREEN, "p-s-blue-errors": BLUE}, theirs=("orders", "gone"))
    found = signals.alarms(CLOUD, watched)
    assert found == (
        Alarm(name="p-s-green-errors", firing=True, since=5, colour=GREEN, why="7 > 5"),
        Alarm(name="p-s-blue-errors", firing=False, since=7, colour=BLUE, why="7 > 5", no_data=True),
        Alarm(name="orders", firing=False, since=7, colour=None, why="7 > 5"),
    )
    assert watched.missing(found) == ("gone",)
    (asked,) = aws.asked
    assert asked["AlarmNames"] == ["p-s-green-errors", "p-s-blue-errors", "orders", "gone"]
    assert set(asked["AlarmTypes"]) == {"MetricAlarm", "CompositeAlarm"}


def test_without_alarms_nothing_is_asked(aws: FakeAws) -> None:
    assert signals.alarms(CLOUD, Watched()) == ()
    assert aws.asked == []


def test_alarms_of_the_template_beyond_a_hundred_are_asked_for_in_another_call(aws: FakeAws) -> None:
    """The settings count only those that they know of."""
    own = {f"own-{number:03}": BLUE for number in range(104)}
    signals.alarms(CLOUD, Watched(own=own))
    assert [len(asked["AlarmNames"]) for asked in aws.asked] == [100, 4]
    assert {name for asked in aws.asked for name in asked["AlarmNames"]} == {*own}


# ---- traffic


def test_datapoints_of_both_colours_are_put_together_from_all_pages(aws: FakeAws) -> None:
    aws.pages = [
        {"green_requests": [(NOON, 100.0), (NOON + 60, 50.0)], "green_errors": [(NOON, 3.0)]},
        {"green_p95": [(NOON, 0.2)], "blue_requests": [(NOON, 900.0)]},
    ]
    found = signals.traffic(CLOUD, BALANCER, since=NOON + 10, until=NOON + 200, period=60)
    assert found.colours == {
        GREEN: (
            Datapoint(at=NOON, requests=100, errors=3, p95=0.2),
            Datapoint(at=NOON + 60, requests=50, errors=0, p95=None),
        ),
        BLUE: (Datapoint(at=NOON, requests=900, errors=0, p95=None),),
    }
    assert found.unanswered == {}


def test_what_the_load_balancer_answered_itself_is_also_read_of_the_minutes_before(aws: FakeAws) -> None:
    aws.pages = [
        {"green_requests": [(NOON - 60, 800.0), (NOON, 100.0)]},
        {"balancer_errors": [(NOON - 120, 4.0), (NOON, 9.0)]},
    ]
    found = signals.traffic(CLOUD, BALANCER, since=NOON + 10, until=NOON + 200, period=60)
    assert found.unanswered == {NOON: 9.0}
    assert found.before == Datapoint(at=NOON - 300, requests=800, errors=4)
    assert [point.at for point in found.colours[GREEN]] == [NOON]


def test_it_is_asked_from_the_start_of_a_period_for_target_groups_by_name(aws: FakeAws) -> None:
    signals.traffic(CLOUD, BALANCER, since=NOON + 10, until=NOON + 200, period=60)
    (asked,) = aws.asked
    assert (asked["StartTime"], asked["EndTime"]) == (time(NOON - 300), time(NOON + 200))
    queries = {each["Id"]: each["MetricStat"] for each in asked["MetricDataQueries"]}
    whose = {f"{colour}_{what}" for colour in Colour for what in ("requests", "errors", "p95")}
    assert set(queries) == {*whose, "balancer_errors"}
    own = queries["balancer_errors"]["Metric"]
    assert own["MetricName"] == "HTTPCode_ELB_5XX_Count"
    assert own["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/p-s/50dc6c495c0c9188"}]
    errors = queries["green_errors"]
    assert (errors["Period"], errors["Stat"], errors["Metric"]["MetricName"]) == (
        60,
        "Sum",
        "HTTPCode_Target_5XX_Count",
    )
    assert {each["Name"]: each["Value"] for each in errors["Metric"]["Dimensions"]} == {
        "TargetGroup": "targetgroup/p-s-green/73e2d6bc24d8a067",
        "LoadBalancer": "app/p-s/50dc6c495c0c9188",
    }


@pytest.mark.parametrize("status", ["InternalError", "Forbidden"])
def test_errors_that_cloudwatch_could_not_read_are_not_no_errors(
    aws: FakeAws, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(patience.SECONDS_VARIABLE, "0.5")
    aws.pages = [{"green_requests": [(NOON, 100.0)], "green_errors": []}]
    aws.failing = {"green_errors": status}
    with pytest.raises(CloudError, match=f"HTTPCode_Target_5XX_Count of green: {status}"):
        signals.traffic(CLOUD, BALANCER, since=NOON, until=NOON + 200, period=60)
    aws.pages, aws.failing = [{"balancer_errors": []}], {"balancer_errors": status}
    with pytest.raises(CloudError, match=f"HTTPCode_ELB_5XX_Count of the load balancer: {status}"):
        signals.traffic(CLOUD, BALANCER, since=NOON, until=NOON + 200, period=60)


def test_metrics_that_cannot_be_read_for_a_moment_are_read_again(aws: FakeAws) -> None:
    aws.pages = [{"green_requests": [(NOON, 100.0)], "green_errors": [(NOON, 7.0)]}]
    aws.failing = {"green_errors": "InternalError"}
    aws.heals_after = 2
    found = signals.traffic(CLOUD, BALANCER, since=NOON, until=NOON + 200, period=60, pause=0.0)
    assert [point.errors for point in found.colours[GREEN]] == [7]
    assert len(aws.asked) == 3


def test_data_of_which_more_pages_follow_is_read(aws: FakeAws) -> None:
    aws.pages = [{"green_requests": [(NOON, 100.0)]}, {"green_requests": [(NOON + 60, 50.0)]}]
    aws.failing = {"green_requests": "PartialData"}
    found = signals.traffic(CLOUD, BALANCER, since=NOON, until=NOON + 200, period=60)
    assert [point.requests for point in found.colours[GREEN]] == [100, 50]


# ---- scaling


def test_scalable_targets_are_those_of_the_two_services(aws: FakeAws) -> None:
    aws.targets = [{"ResourceId": "service/p-s/p-s-green", "MinCapacity": 2, "MaxCapacity": 9}]
    assert scaling.scaling(CLOUD) == {GREEN: Scaling(least=2, most=9)}
    (asked,) = aws.asked
    assert asked["ResourceIds"] == ["service/p-s/p-s-blue", "service/p-s/p-s-green"]
    assert (asked["ServiceNamespace"], asked["ScalableDimension"]) == ("ecs", "ecs:service:DesiredCount")
