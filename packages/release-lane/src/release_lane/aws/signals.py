"""What CloudWatch reports while users are moved: alarms, and the traffic of each colour's target group.

Sources: AWS API references of CloudWatch (DescribeAlarms, GetMetricData), and "CloudWatch metrics for your Application
Load Balancer". Datapoints come by the minute, late, and only for minutes with requests.
"""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from release_lane.aws import patience
from release_lane.aws.cloud import Balancer, Cloud
from release_lane.aws.session import client
from release_lane.errors import CloudError, Interrupted
from release_lane.record.alarms import Alarm, Watched
from release_lane.record.placement import Colour
from release_lane.watch.judge import LIMITS, Datapoint
from release_lane.watch.looking import Traffic

NAMESPACE = "AWS/ApplicationELB"
METRICS = {
    "requests": ("RequestCount", "Sum"),
    "errors": ("HTTPCode_Target_5XX_Count", "Sum"),
    "p95": ("TargetResponseTime", "p95"),
}
"""Metric and statistic that are read of each colour."""
OWN_ERRORS = ("HTTPCode_ELB_5XX_Count", "Sum")
"""Of the load balancer as a whole: what it answered itself, because a target broke off or gave no answer in time."""

READ, PASSING = ("Complete", "PartialData"), "InternalError"
"""Status codes of a result: read (partial data continues on the next page), and worth another try."""

AT_ONCE = 100
"""Names in one call of DescribeAlarms."""

PAUSE = 1.0
"""Seconds before another try."""

Series = Mapping[float, float]
"""Epoch second at which a datapoint begins, to its value."""


def alarms(cloud: Cloud, watched: Watched) -> tuple[Alarm, ...]:
    """The watched alarms that exist, as they are now.

    Those of the stack file are read in one call (settings/alarms.py); a template may have any number.
    """
    names = list(watched.names)
    calls = [names[first : first + AT_ONCE] for first in range(0, len(names), AT_ONCE)]
    return tuple(_alarm(each, watched) for asked in calls for each in _described(cloud, asked))


def _described(cloud: Cloud, names: Sequence[str]) -> list[Any]:
    found = client(cloud.names.access, "cloudwatch").describe_alarms(
        AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=AT_ONCE
    )
    return [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]


def _alarm(value: Mapping[str, Any], watched: Watched) -> Alarm:
    changed = value.get("StateTransitionedTimestamp") or value["StateUpdatedTimestamp"]
    return Alarm(
        name=value["AlarmName"],
        firing=value["StateValue"] == "ALARM",
        since=changed.timestamp(),
        colour=watched.own.get(value["AlarmName"]),
        why=str(value.get("StateReason") or ""),
        no_data=value["StateValue"] == "INSUFFICIENT_DATA",
    )


def traffic(
    cloud: Cloud, balancer: Balancer, *, since: float, until: float, period: float, pause: float = PAUSE
) -> Traffic:
    """Datapoints of both colours from the period in which `since` lies to the epoch second `until`, in one call; and
    what the load balancer answered itself, also in the periods before, which say what is usual.

    `CloudError` where CloudWatch could not read one of the metrics.
    """
    first = math.floor(since / period) * period
    begin = first - LIMITS.lately * period
    queries = [
        _query(f"{colour}_{what}", metric, [_group(balancer, colour), _whole(balancer)], period)
        for colour in balancer.target_groups
        for what, metric in METRICS.items()
    ] + [_query("balancer_errors", OWN_ERRORS, [_whole(balancer)], period)]
    pages = client(cloud.names.access, "cloudwatch").get_paginator("get_metric_data")
    until_when = time.monotonic() + patience.current().seconds
    while True:
        asked = pages.paginate(MetricDataQueries=queries, StartTime=_time(begin), EndTime=_time(until))
        results = [result for page in asked for result in page["MetricDataResults"]]
        unread = next((each for each in results if each.get("StatusCode", "Complete") not in READ), None)
        if unread is None:
            break
        if unread["StatusCode"] != PASSING or time.monotonic() + pause > until_when:
            raise _unreadable(unread, queries)
        if patience.INTERRUPTED.wait(pause):
            raise Interrupted("Interrupted while waiting for CloudWatch's metrics.")
    series: dict[str, dict[float, float]] = {query["Id"]: {} for query in queries}
    for result in results:
        times = (at.timestamp() for at in result["Timestamps"])
        series[result["Id"]] |= dict(zip(times, result["Values"], strict=True))
    colours = {colour: _points(first, *(series.get(f"{colour}_{what}", {}) for what in METRICS)) for colour in Colour}
    own, both = series["balancer_errors"], [series.get(f"{colour}_requests", {}) for colour in Colour]
    earlier = sum(count for each in both for at, count in each.items() if at < first)
    before = Datapoint(at=begin, requests=earlier, errors=sum(count for at, count in own.items() if at < first))
    return Traffic(colours=colours, unanswered={at: count for at, count in own.items() if at >= first}, before=before)


def _unreadable(result: Mapping[str, Any], queries: Sequence[Mapping[str, Any]]) -> CloudError:
    """A metric that could not be read must not pass for one without errors."""
    whose = result["Id"].partition("_")[0].replace("balancer", "the load balancer")
    metric = next(each["MetricStat"]["Metric"]["MetricName"] for each in queries if each["Id"] == result["Id"])
    return CloudError(
        f"CloudWatch could not read {metric} of {whose}: {result['StatusCode']}.",
        why="; ".join(str(each.get("Value", "")) for each in result.get("Messages") or ()),
        next_step="run the update again when CloudWatch answers, with a role that may read metrics.",
    )


def _points(first: float, requests: Series, errors: Series, p95: Series) -> tuple[Datapoint, ...]:
    """From `first` on. A minute without requests has no datapoint; one without errors has no datapoint of errors."""
    return tuple(
        Datapoint(at=at, requests=requests.get(at, 0.0), errors=errors.get(at, 0.0), p95=p95.get(at))
        for at in sorted({*requests, *errors})
        if at >= first
    )


def _query(id: str, metric: tuple[str, str], dimensions: list[dict[str, str]], period: float) -> dict[str, Any]:
    name, statistic = metric
    wanted = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": wanted, "Period": int(period), "Stat": statistic}, "ReturnData": True}


def _group(balancer: Balancer, colour: Colour) -> dict[str, str]:
    """A dimension. CloudWatch names load balancer and target group by the last parts of their ARNs."""
    return {"Name": "TargetGroup", "Value": balancer.target_groups[colour].rpartition(":")[2]}


def _whole(balancer: Balancer) -> dict[str, str]:
    parts = balancer.listener.partition(":listener/")[2].split("/")
    return {"Name": "LoadBalancer", "Value": "/".join(parts[:-1])}


def _time(second: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(second, datetime.UTC)
