"""What CloudWatch says of real traffic through a real HAProxy. No Docker."""

from __future__ import annotations

import http.client
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator import cloudwatch, elbv2
from local_aws.emulator.cloudwatch.balancers import suffix
from local_aws.emulator.cloudwatch.service import Outside
from tests.local.emulator.edge.cloud import Cloud, Target, eventually, fixed, running, weighted
from tests.local.emulator.edge.load import Running

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.skipif(not shutil.which("haproxy", path="/usr/sbin:/usr/bin"), reason="HAProxy is not installed"),
]

# next to those of test_traffic.py, and different for each run
PORT = 10_000 + os.getpid() % 1_000 * 10
TARGET_PORT = PORT + 9
DELAY = 0.5  # seconds; load balancers report every second here
TOPIC = "arn:aws:sns:us-east-1:000000000000:alerts"


class Metered:
    """A load balancer with a rule for blue and green, one target each, and CloudWatch with a quick clock."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.published: list[str] = []
        self.cloud: Cloud = stack.enter_context(running(folder))
        cloudwatch.start(self.environ, Outside(elbv2.carried, self._publish))
        stack.callback(cloudwatch.stop)
        self.arn, self.address = self.cloud.load_balancer()
        self.blue, self.green = self.cloud.target_group("blue"), self.cloud.target_group("green")
        self.listener = self.cloud.listener(self.arn, PORT)
        self.rule = self.cloud.rule(self.listener, 10, weighted((self.blue, 100), (self.green, 0)))
        self.on_blue = Target("127.0.22.1", TARGET_PORT, name="blue")
        self.on_green = Target("127.0.22.2", TARGET_PORT, name="green")
        for group, one in ((self.blue, self.on_blue), (self.green, self.on_green)):
            stack.callback(one.stop)
            self.cloud.register(group, one)
        for group in (self.blue, self.green):
            self.cloud.until_healthy(group)
        self._connection = http.client.HTTPConnection(self.address, PORT, timeout=20)
        stack.callback(self._connection.close)
        self.begin = time.time()

    @property
    def environ(self) -> dict[str, str]:
        state = str(self.cloud.folder / "emulator")
        return {"LOCAL_EMULATOR_STATE": state, "LOCAL_METRICS_PERIOD": "1", "LOCAL_METRICS_DELAY": str(DELAY)}

    def _publish(self, _topic: str, subject: str, _message: str, _scope: object) -> None:
        self.published.append(subject)

    def get(self, path: str = "/", times: int = 1) -> Counter[int]:
        """Statuses, over one connection that stays open."""
        found: Counter[int] = Counter()
        for _ in range(times):
            self._connection.request("GET", path)
            response = self._connection.getresponse()
            response.read()
            found[response.status] += 1
        return found

    def dimensions(self, group: str | None = None) -> list[dict[str, str]]:
        found = [{"Name": "LoadBalancer", "Value": suffix(self.arn)}]
        return [*found, {"Name": "TargetGroup", "Value": suffix(group)}] if group else found

    def read(
        self, name: str, group: str | None = None, statistic: str = "Sum", period: int = 3600
    ) -> dict[float, float]:
        """Start of a period -> value, of everything since the beginning."""
        metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": self.dimensions(group)}
        found = self.cloud.metrics.get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}],
            StartTime=datetime.fromtimestamp(self.begin - 60, UTC),
            EndTime=datetime.fromtimestamp(time.time() + 60, UTC),
        )["MetricDataResults"][0]
        return {at.timestamp(): value for at, value in zip(found["Timestamps"], found["Values"], strict=True)}

    def total(self, name: str, group: str | None = None, statistic: str = "Sum") -> float:
        return sum(self.read(name, group, statistic).values())

    def until(self, name: str, wanted: float, group: str | None = None, statistic: str = "Sum") -> None:
        """Each is counted in its own moment, so one may be there a second before the other."""
        eventually(lambda: self.total(name, group, statistic) == wanted)


@pytest.fixture
def lb(tmp_path: Path) -> Iterator[Metered]:
    with ExitStack() as stack:
        yield Metered(tmp_path, stack)


def test_every_request_is_counted_once_by_what_the_target_answered(lb: Metered) -> None:
    for status, times in ((200, 7), (302, 2), (404, 3), (500, 4)):
        lb.on_blue.status = status
        assert lb.get(times=times) == {status: times}
    for group in (lb.blue, None):
        for digit, count in ((2, 7), (3, 2), (4, 3), (5, 4)):
            lb.until(f"HTTPCode_Target_{digit}XX_Count", count, group)
        lb.until("RequestCount", 16, group)
        lb.until("TargetResponseTime", 16, group, "SampleCount")
    assert lb.total("HTTPCode_ELB_5XX_Count") == 0
    assert lb.read("RequestCount", lb.green) == {}
    assert set(lb.read("HealthyHostCount", lb.green, "Maximum").values()) == {1.0}
    assert set(lb.read("UnHealthyHostCount", lb.green, "Maximum").values()) == {0.0}


def test_slow_answers_are_seen_in_the_percentiles_that_they_belong_to(lb: Metered) -> None:
    lb.on_blue.pause = 0.3
    lb.get(times=90)
    lb.get("/slow", times=10)
    lb.until("TargetResponseTime", 100, lb.blue, "SampleCount")
    assert lb.read("TargetResponseTime", lb.blue, "p90").popitem()[1] < 0.3
    assert lb.read("TargetResponseTime", lb.blue, "p95").popitem()[1] >= 0.3
    assert lb.read("TargetResponseTime", lb.blue, "p99").popitem()[1] >= 0.3


def test_what_no_target_answered_is_the_load_balancers_own(lb: Metered) -> None:
    lb.cloud.rule(lb.listener, 1, fixed(404), {"Field": "path-pattern", "Values": ["/fixed"]})
    empty = lb.cloud.target_group("empty")
    lb.cloud.rule(lb.listener, 2, weighted((empty, 1)), {"Field": "path-pattern", "Values": ["/empty"]})
    lb.on_blue.stop()
    assert lb.get("/fixed", times=3) == {404: 3}
    assert lb.get("/empty", times=2) == {503: 2}
    assert lb.get(times=4) == {502: 4}
    lb.until("HTTPCode_ELB_5XX_Count", 6)
    lb.until("HTTPCode_ELB_4XX_Count", 3)
    lb.until("TargetConnectionErrorCount", 4, lb.blue)
    lb.until("RequestCount", 4)  # a target was chosen for these alone
    lb.until("RequestCount", 4, lb.blue)
    assert lb.total("HTTPCode_Target_5XX_Count") == 0
    eventually(lambda: max(lb.read("UnHealthyHostCount", lb.blue, "Maximum").values()) == 1)


def test_no_request_is_lost_or_counted_twice_when_the_load_balancer_changes(lb: Metered) -> None:
    """Reloads leave old processes that still serve; weights move; targets come and go."""
    answered: Counter[int] = Counter()
    for round in range(4):
        answered += lb.get(times=25)
        lb.cloud.rule(lb.listener, 20 + round, fixed(404), {"Field": "path-pattern", "Values": [f"/{round}/*"]})
        answered += lb.get(times=25)
    lb.cloud.client.modify_rule(RuleArn=lb.rule, Actions=[weighted((lb.blue, 1), (lb.green, 1))])
    lb.cloud.deregister(lb.green, lb.on_green)
    answered += lb.get(times=50)  # green has no target now: its share is answered by the load balancer itself
    lb.cloud.register(lb.green, lb.on_green)
    lb.cloud.until_healthy(lb.green)
    answered += lb.get(times=50)
    lb.until("RequestCount", answered[200])
    assert answered.total() == 300
    assert lb.total("RequestCount", lb.blue) + lb.total("RequestCount", lb.green) == answered[200]
    lb.until("HTTPCode_Target_2XX_Count", answered[200])
    lb.until("HTTPCode_ELB_5XX_Count", answered[503])


def test_nothing_can_be_read_before_it_is_late_enough(lb: Metered) -> None:
    seen: set[float] = set()
    while len(seen) < 4:
        lb.get()
        there = lb.read("RequestCount", lb.blue, period=1)
        assert all(at + 1 + DELAY <= time.time() for at in there)
        seen |= there.keys()


def test_an_alarm_on_real_errors_fires_and_is_ok_again(lb: Metered) -> None:
    lb.cloud.metrics.put_metric_alarm(
        AlarmName="errors",
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=lb.dimensions(lb.blue),
        Statistic="Sum",
        Period=1,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[TOPIC],
        OKActions=[TOPIC],
    )

    def state() -> str:
        said: str = lb.cloud.metrics.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]["StateValue"]
        return said

    eventually(lambda: state() == "OK")
    lb.on_blue.status = 500

    def rings() -> bool:
        lb.get()
        return state() == "ALARM"

    eventually(rings)
    lb.on_blue.status = 200
    eventually(lambda: state() == "OK")
    eventually(lambda: [one.split(":")[0] for one in lb.published] == ["OK", "ALARM", "OK"])


def test_at_many_requests_a_second_samples_stand_for_all_of_them(lb: Metered) -> None:
    target = Running("serve", "127.0.22.3", TARGET_PORT, "quick")
    quick = lb.cloud.target_group("quick")
    lb.cloud.client.register_targets(TargetGroupArn=quick, Targets=[{"Id": "127.0.22.3", "Port": TARGET_PORT}])
    lb.cloud.client.modify_rule(RuleArn=lb.rule, Actions=[weighted((quick, 1))])
    lb.cloud.until_healthy(quick)
    client = Running("ask", lb.address, PORT, 4)
    try:
        eventually(lambda: lb.total("RequestCount", quick) > 3_000, within=120)
        done = client.result()
    finally:
        client.stop()
        target.stop()
    assert done["failed"] == {}
    lb.until("RequestCount", done["requests"], quick)
    assert 0.5 < lb.total("TargetResponseTime", quick, "SampleCount") / done["requests"] < 2


def test_after_a_restart_of_the_emulator_counting_goes_on(lb: Metered) -> None:
    lb.get(times=5)
    lb.until("RequestCount", 5, lb.blue)
    cloudwatch.stop()
    lb.get(times=5)  # counted by the load balancer meanwhile
    cloudwatch.start(lb.environ, Outside(elbv2.carried, lambda *_: None))
    lb.until("RequestCount", 10, lb.blue)


def test_what_is_read_of_targets_is_what_people_may_call_anything(lb: Metered) -> None:
    """Two groups of one name, one after the other, are two series."""
    lb.get(times=3)
    lb.until("RequestCount", 3, lb.blue)
    lb.cloud.client.modify_rule(RuleArn=lb.rule, Actions=[weighted((lb.green, 1))])
    lb.cloud.client.delete_target_group(TargetGroupArn=lb.blue)
    again: Any = lb.cloud.target_group("blue")
    lb.cloud.client.modify_rule(RuleArn=lb.rule, Actions=[weighted((again, 1))])
    assert lb.read("RequestCount", again) == {}
    assert lb.total("RequestCount", lb.blue) == 3
