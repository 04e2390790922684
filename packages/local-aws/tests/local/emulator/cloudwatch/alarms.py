"""Alarms and points for tests of the pure parts."""

from __future__ import annotations

from typing import Any

from local_aws.emulator.cloudwatch.evaluation import Point
from local_aws.emulator.cloudwatch.model import Alarm, Metric, MetricStat, Query

REQUESTS = Metric("AWS/ApplicationELB", "RequestCount", (("LoadBalancer", "app/lb/1"),))
START = 1_795_258_800  # 2026-11-21T11:00:00Z


def alarm(**given: Any) -> Alarm:
    """Greater than 0, one of one, each minute."""
    stat = MetricStat(metric=REQUESTS, period=given.pop("period", 60), statistic=given.pop("statistic", "Sum"))
    defaults: dict[str, Any] = {
        "arn": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a",
        "name": "a",
        "description": None,
        "queries": (Query(id="m1", stat=stat),),
        "single": True,
        "periods": 1,
        "needed": None,
        "threshold": 0.0,
        "operator": "GreaterThanThreshold",
        "configured": 0.0,
        "updated": 0.0,
        "transitioned": 0.0,
    }
    return Alarm(**{**defaults, **given})


def points(text: str, period: int = 60) -> list[Point]:
    """Oldest first: `X` breaches (5), `0` does not, `-` is missing; as AWS's tables write them."""
    values = {"X": 5.0, "0": 0.0, "-": None}
    return [
        Point(START + place * period, values[letter], None if letter == "-" else 1.0)
        for place, letter in enumerate(text.split())
    ]
