"""Our CloudWatch over HTTP, reached by boto3, with a clock, load balancers and topics that a test moves by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_aws.emulator.cloudwatch import api
from local_aws.emulator.cloudwatch.model import Clock, Scope
from local_aws.emulator.cloudwatch.service import Outside, Service
from local_aws.emulator.cloudwatch.store import Store
from local_aws.emulator.elbv2.traffic import Count, GroupTraffic, Traffic
from local_aws.emulator.wire import ServiceError
from tests.local.emulator.cloudwatch.alarms import START

ARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:"
DIMENSIONS = [
    {"Name": "LoadBalancer", "Value": "app/lb/1"},
    {"Name": "TargetGroup", "Value": "targetgroup/blue/2"},
]
TOPIC = "arn:aws:sns:us-east-1:000000000000:alerts"


class _Endpoint(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers, content = asyncio.run(api.handle_request("POST", self.path, dict(self.headers), body, {}))
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class FakeOutside:
    """Time stands still, load balancers carry nothing, and topics take everything, unless a test says otherwise."""

    def __init__(self) -> None:
        self.now = float(START)
        self.traffic = Traffic()
        self.published: list[tuple[str, str, str]] = []
        self.refuses: str = ""

    def publish(self, topic: str, subject: str, message: str, _scope: Scope) -> None:
        if topic == self.refuses:
            raise ServiceError("NotFound", "Topic does not exist", 404)
        self.published.append((topic, subject, message))


class Running:
    def __init__(self, folder: Path, clock: Clock, now: Callable[[], float] | None) -> None:
        self.folder, self.outside = folder, FakeOutside()
        self._now = now or (lambda: self.outside.now)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.begin(clock)
        self.client = self.speaking()

    def begin(self, clock: Clock) -> None:
        """Also again, as after a restart."""
        outside = Outside(lambda: self.outside.traffic, self.outside.publish, self._now)
        self.service = Service(Store(self.folder), outside, clock)
        self.service.load()
        api.attach(self.service)

    def speaking(self, region: str = "us-east-1", account: str = "test") -> Any:
        return boto3.client(
            "cloudwatch",
            endpoint_url=f"http://127.0.0.1:{self._server.server_port}",
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def close(self) -> None:
        api.attach(None)
        self._server.shutdown()
        self._server.server_close()

    # ------------------------------------------------------------ the world

    def carry(self, seconds: int, requests: int = 0, five: int = 0, times: dict[float, float] | None = None) -> None:
        """Seconds go by, in each of which a target group gets as much."""
        count = Count(requests, {2: requests - five, 5: five})
        group = GroupTraffic(
            load_balancer=f"{ARN}loadbalancer/app/lb/1",
            target_group=f"{ARN}targetgroup/blue/2",
            count=count,
            times=times or {},
            healthy=1,
            unhealthy=0,
        )
        self.outside.traffic = Traffic((group,))
        for _ in range(seconds):
            self.outside.now += 1
            self.service.tick()
        self.outside.traffic = Traffic()
        self.act()

    def act(self) -> None:
        """Do the actions of alarms that are due, as the service's thread does."""
        self.service._due.put(None)
        self.service._do_actions()

    # ------------------------------------------------------------ shorthands

    def values(self, name: str, statistic: str = "Sum", period: int = 60) -> dict[int, float]:
        """Seconds after START -> value, of what can be read now."""
        metric = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": DIMENSIONS}
        stat = {"Metric": metric, "Period": period, "Stat": statistic}
        found = self.client.get_metric_data(
            MetricDataQueries=[{"Id": "m1", "MetricStat": stat}],
            StartTime=datetime.fromtimestamp(START, UTC),
            EndTime=datetime.fromtimestamp(self.outside.now, UTC),
        )["MetricDataResults"][0]
        return {
            int(at.timestamp()) - START: value for at, value in zip(found["Timestamps"], found["Values"], strict=True)
        }

    def put_alarm(self, **given: Any) -> None:
        defaults = {
            "AlarmName": "errors",
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "HTTPCode_Target_5XX_Count",
            "Dimensions": DIMENSIONS,
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
        wanted = {**defaults, **given}
        self.client.put_metric_alarm(**{key: value for key, value in wanted.items() if value is not None})

    def alarm(self, name: str = "errors") -> Any:
        return self.client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]

    def history(self) -> list[str]:
        found = self.client.describe_alarm_history(ScanBy="TimestampAscending")["AlarmHistoryItems"]
        return [item["HistorySummary"] for item in found]


@contextmanager
def running(folder: Path, clock: Clock | None = None, now: Callable[[], float] | None = None) -> Iterator[Running]:
    """`now`: the time, instead of the one that a test moves."""
    one = Running(folder, clock or Clock(), now)
    try:
        yield one
    finally:
        one.close()


def refused(call: Any, **members: Any) -> tuple[str, str]:
    """Code and message."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def metric(name: str, id: str, statistic: str = "Sum", period: int = 60, **more: Any) -> dict[str, Any]:
    """A query for the target group that `Running.carry` is about."""
    of = {"Namespace": "AWS/ApplicationELB", "MetricName": name, "Dimensions": DIMENSIONS}
    return {"Id": id, "MetricStat": {"Metric": of, "Period": period, "Stat": statistic}, **more}
