"""Amazon CloudWatch: what load balancers report, and alarms on it."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from local_aws import metrics
from tests.contract.aws import Aws
from tests.contract.balancing import Actor, Balancing, forward
from tests.contract.contracts import contract
from tests.contract.stage import Stage

pytestmark = pytest.mark.cloud

BALANCERS = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html"
GUIDE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring"
API = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference"
WATCH = "release_lane/watch/judge.py"
NAMESPACE = "AWS/ApplicationELB"
GOOD, MISSING, BROKEN, SLOW, SECONDS = 12, 3, 5, 4, 0.4


@dataclass(frozen=True)
class Watched:
    """A group with an actor that got requests of all kinds, one without requests, and an alarm on the first."""

    aws: Aws
    balancer: str
    group: str
    quiet: str
    url: str
    alarm: str
    filled: str
    """Another alarm; its expression fills gaps in all metrics."""

    period: int
    """Seconds between two reports: a minute on AWS; the local cloud can be made quicker."""

    begun: float
    ended: float

    def read(self, metric: str, statistic: str, group: str = "") -> dict[float, float]:
        """Datapoints since the first request: their beginning to their value."""
        return read(self.aws, self.balancer, group or self.group, metric, statistic, self.begun, self.period)

    def total(self, metric: str) -> float:
        """The sum of all datapoints."""
        return sum(self.read(metric, "Sum").values())

    def history(self, alarm: str) -> str:
        """All changes of an alarm's state so far, a line each."""
        found = self.aws.client("cloudwatch").describe_alarm_history(AlarmName=alarm, HistoryItemType="StateUpdate")
        return "\n".join(str(item["HistorySummary"]) for item in found["AlarmHistoryItems"])

    def described(self) -> dict[str, Any]:
        """The alarm as it is now."""
        found: dict[str, Any] = self.aws.client("cloudwatch").describe_alarms(
            AlarmNames=[self.alarm], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )["MetricAlarms"][0]
        return found


def dimensions(balancer: str, group: str) -> list[dict[str, str]]:
    """As AWS writes them: the last parts of the ARNs."""
    return [
        {"Name": "LoadBalancer", "Value": balancer.partition(":loadbalancer/")[2]},
        {"Name": "TargetGroup", "Value": group.rpartition(":")[2]},
    ]


def stat(balancer: str, group: str, metric: str, statistic: str, period: int) -> dict[str, Any]:
    named = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions(balancer, group)}
    return {"Metric": named, "Period": period, "Stat": statistic}


def read(
    aws: Aws, balancer: str, group: str, metric: str, statistic: str, begun: float, period: int
) -> dict[float, float]:
    query = {"Id": "one", "MetricStat": stat(balancer, group, metric, statistic, period)}
    found = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=moment(begun // period * period), EndTime=moment(time.time() + period)
    )["MetricDataResults"][0]
    times = [each.timestamp() for each in found["Timestamps"]]
    return dict(zip(times, found["Values"], strict=True))


def moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


@pytest.fixture(scope="module")
def period(aws: Aws) -> Iterator[int]:
    """Seconds. The local cloud's clock of metrics is quick for this file alone."""
    with contextlib.ExitStack() as stack:
        yield 60 if aws.where.real else stack.enter_context(metrics.quick(aws.where.endpoint, 1, 1.0)).period


@pytest.fixture(scope="module")
def watched(
    aws: Aws, stage: Stage, shared_elb: Balancing, actors: tuple[Actor, Actor], period: int
) -> Iterator[Watched]:
    group, quiet = shared_elb.group("watched"), shared_elb.group("quiet")
    url = shared_elb.listener(forward((group, 1), (quiet, 0))).url
    shared_elb.register(group, actors[0])
    shared_elb.register(quiet, actors[1])
    for each in (group, quiet):
        shared_elb.until(each, "healthy")
    balancer, alarm, filled = stage.balancer["LoadBalancerArn"], aws.named("errors"), aws.named("filled")
    put_alarm(aws, alarm, balancer, group, period, "requests")
    put_alarm(aws, filled, balancer, group, period, "FILL(requests, 0)")
    begun = time.time()
    asked = ["/", "/status?code=404", "/status?code=500", f"/slow?seconds={SECONDS}"]
    for path, times in zip(asked, (GOOD, MISSING, BROKEN, SLOW), strict=True):
        for _ in range(times):
            requests.get(url + path, timeout=10)
    yield Watched(aws, balancer, group, quiet, url, alarm, filled, period, begun, time.time())
    aws.client("cloudwatch").delete_alarms(AlarmNames=[alarm, filled])


def put_alarm(aws: Aws, name: str, balancer: str, group: str, period: int, all_requests: str) -> None:
    """Rings when more than 10 percent of a period's requests are errors; silence is no breach."""
    share = f"IF({all_requests} >= 1, 100 * FILL(errors, 0) / {all_requests}, 0)"
    parts = [("requests", "RequestCount"), ("errors", "HTTPCode_Target_5XX_Count")]
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Metrics=[
            {"Id": "share", "Expression": share, "ReturnData": True},
            *(
                {"Id": id, "MetricStat": stat(balancer, group, metric, "Sum", period), "ReturnData": False}
                for id, metric in parts
            ),
        ],
        ComparisonOperator="GreaterThanThreshold",
        Threshold=10.0,
        EvaluationPeriods=1,
        TreatMissingData="notBreaching",
        Tags=aws.tags(),
    )


@contract(
    says="RequestCount, HTTPCode_Target_4XX_Count and HTTPCode_Target_5XX_Count count what each target group got "
    "(dimensions TargetGroup and LoadBalancer); a period without requests has no datapoint.",
    source=BALANCERS,
    otherwise="a step of a switch would be judged by the other colour's requests, or silence would be taken for health",
    used_by=(WATCH,),
    minutes=2,
)
def test_each_target_group_has_numbers_of_its_own(watched: Watched) -> None:
    wanted = GOOD + MISSING + BROKEN + SLOW
    watched.aws.eventually(lambda: watched.total("RequestCount") == wanted, "all requests")
    assert watched.total("HTTPCode_Target_4XX_Count") == MISSING
    assert watched.total("HTTPCode_Target_5XX_Count") == BROKEN
    assert watched.read("RequestCount", "Sum", watched.quiet) == {}
    first, last = (moment // watched.period * watched.period for moment in (watched.begun, watched.ended))
    assert {at for at in watched.read("RequestCount", "Sum") if not first <= at <= last} == set()


@contract(
    says="TargetResponseTime is in seconds, for each target group, with percentiles such as p95.",
    source=BALANCERS,
    otherwise="a slow release would be compared by figures of another unit, or not at all",
    used_by=(WATCH,),
)
def test_response_times_have_percentiles_in_seconds(watched: Watched) -> None:
    watched.aws.eventually(lambda: watched.total("RequestCount") >= GOOD + MISSING + BROKEN + SLOW, "all requests")
    assert SECONDS <= max(watched.read("TargetResponseTime", "p95").values()) < 10 * SECONDS
    assert min(watched.read("TargetResponseTime", "Minimum").values()) < SECONDS


@contract(
    says="HealthyHostCount and UnHealthyHostCount say how many targets of a group were healthy and unhealthy, also "
    "without requests.",
    source=BALANCERS,
    otherwise="an alarm on unhealthy targets would never fire",
    used_by=(WATCH,),
    note="the page says that they are reported if there are registered targets",
    minutes=2,
)
def test_hosts_are_counted_without_requests(watched: Watched) -> None:
    found = watched.aws.eventually(lambda: watched.read("HealthyHostCount", "Minimum", watched.quiet), "a datapoint")
    assert set(found.values()) == {1.0}
    assert set(watched.read("UnHealthyHostCount", "Maximum", watched.quiet).values()) == {0.0}


@contract(
    says="An alarm on an expression of several metrics goes to ALARM when a period breaches, says why and since when, "
    "and goes back to OK when the next periods have no data and missing data is notBreaching.",
    source=f"{GUIDE}/alarm-evaluation.html",
    otherwise="a breach would be seen too late or never; or an alarm that fired once would stop every later switch",
    used_by=(WATCH,),
    note="on expressions: Create-alarm-on-metric-math-expression.html; on missing data: alarms-and-missing-data.html",
    minutes=8,
)
def test_an_alarm_fires_and_is_ok_again(watched: Watched) -> None:
    watched.aws.eventually(lambda: "to ALARM" in watched.history(watched.alarm), "an alarm")
    watched.aws.eventually(lambda: watched.described()["StateValue"] == "OK", "silence")
    quiet = watched.described()
    assert quiet["StateReason"]
    assert quiet["StateTransitionedTimestamp"].timestamp() > watched.begun


@contract(
    says="An alarm that looks at one period of an expression with FILL sees the filled value of the newest period, "
    "whose data has not come yet, and never the data itself.",
    source=f"{GUIDE}/using-metric-math.html",
    otherwise="nothing relies on it; but an alarm written so stays OK, no matter what users get",
    used_by=(WATCH,),
    note="AWS says that it can be stuck so, and to look at M out of N periods instead; without FILL it is not",
)
def test_an_alarm_on_filled_gaps_never_fires(watched: Watched) -> None:
    watched.aws.eventually(lambda: "to ALARM" in watched.history(watched.alarm), "the other alarm")
    assert "to ALARM" not in watched.history(watched.filled)


@contract(
    says="DescribeAlarms by name leaves out alarms that do not exist; SetAlarmState puts one into a state until its "
    "next evaluation says otherwise.",
    source=f"{API}/API_DescribeAlarms.html",
    otherwise="a misspelt alarm would end in an error instead of being named; rehearsals could not ring one",
    used_by=(WATCH, "tests/stories"),
    note="what becomes of names that do not exist is not on the page; SetAlarmState: API_SetAlarmState.html",
)
def test_an_alarm_that_does_not_exist_is_left_out(watched: Watched, aws: Aws) -> None:
    cloudwatch = aws.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=[watched.alarm, aws.named("nothing")])["MetricAlarms"]
    assert [each["AlarmName"] for each in found] == [watched.alarm]
    cloudwatch.set_alarm_state(AlarmName=watched.alarm, StateValue="ALARM", StateReason="rehearsal")
    aws.eventually(lambda: watched.described()["StateValue"] == "ALARM", "the state that was set")


@contract(
    says="A load balancer reports by the minute: nothing of a minute can be read before it is over, and its datapoint "
    "is dated to its beginning.",
    source=BALANCERS,
    otherwise="a bake would judge half a minute's requests, or take old ones for new ones",
    used_by=(WATCH,),
    note="how late a datapoint comes is not on the page; one to three minutes are usual",
    minutes=5,
)
def test_nothing_can_be_read_before_its_period_is_over(watched: Watched, aws: Aws) -> None:
    """Last in this file: it sets the local cloud's clock of metrics anew."""
    with contextlib.ExitStack() as stack:
        period = 60 if aws.where.real else stack.enter_context(metrics.quick(aws.where.endpoint, 5, 1.0)).period
        first = time.time() // period * period + period

        def read_of(start: float) -> dict[float, float]:
            return read(aws, watched.balancer, watched.group, "RequestCount", "Sum", start, period)

        def over() -> bool:
            requests.get(watched.url, timeout=10)
            found = read_of(first)
            ended = time.time() >= first + period
            assert ended or not found
            return ended

        aws.eventually(lambda: time.time() >= first, "the beginning of a period")
        aws.eventually(over, "its end")
        found = aws.eventually(lambda: read_of(first), "its datapoint")
        assert {at % period for at in found} == {0}
