"""Why an alarm is in its state, in AWS's words and as AWS's JSON. Pure.

The wording is that of StateReason and StateReasonData in AWS's examples:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from local_aws.emulator.cloudwatch.evaluation import Point, Verdict, breaches, needed
from local_aws.emulator.cloudwatch.model import ALARM, BREACHING, INSUFFICIENT, NOT_BREACHING, Alarm

WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
TREATED = {BREACHING: "Breaching", NOT_BREACHING: "NonBreaching"}
LONGEST = 1023


def reason(alarm: Alarm, verdict: Verdict) -> str:
    gaps = [point for point in verdict.evaluated if point.value is None]
    if verdict.state == INSUFFICIENT:
        return f"Insufficient Data: {_datapoints(len(gaps))} {_were(len(gaps))} unknown."
    real = [point for point in verdict.evaluated if point.value is not None]
    text = f"Threshold Crossed: {_received(alarm, verdict, real)}"
    if gaps and alarm.missing in TREATED:
        missing = f"{len(gaps)} missing datapoint{_s(len(gaps))} {_were(len(gaps))} treated as"
        text += f" and {missing} [{TREATED[alarm.missing]}]"
    if real and alarm.needed is not None:
        text += f" ({_transition(alarm, verdict.state)})"
    return f"{text}."[:LONGEST]


def _received(alarm: Alarm, verdict: Verdict, real: Sequence[Point]) -> str:
    if not real:
        count = len(verdict.evaluated)
        return f"no datapoints were received for {count} period{_s(count)}"
    alarming = verdict.state == ALARM
    telling = [point for point in real if breaches(alarm, point) == alarming] or list(real)
    said = breaches(alarm, telling[0])
    listed = ", ".join(f"{_number(point.value)} ({_short(point.at)})" for point in telling)
    how_many = _datapoints(len(telling))
    if alarm.needed is not None:
        how_many = f"{len(telling)} out of the last {alarm.periods} datapoints"
    compared = f"{'' if said else 'not '}{WORDS[alarm.operator]} the threshold ({_number(alarm.threshold)})"
    return f"{how_many} [{listed}] {_were(len(telling))} {compared}"


def _transition(alarm: Alarm, state: str) -> str:
    least = needed(alarm) if state == ALARM else alarm.periods - needed(alarm) + 1
    way = "OK -> ALARM" if state == ALARM else "ALARM -> OK"
    return f"minimum {_datapoints(least)} for {way} transition"


def reason_data(alarm: Alarm, verdict: Verdict, now: float) -> str:
    """StateReasonData: JSON, recent datapoints oldest first, evaluated ones newest first."""
    real = [point for point in verdict.evaluated if point.value is not None]
    stat = alarm.watched.stat
    document: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now)}
    if real:
        document["startDate"] = stamp(real[-1].at)
    if stat is not None and stat.unit is not None:
        document["unit"] = stat.unit
    if stat is not None:
        document["statistic"] = stat.statistic
    document |= {
        "period": alarm.period,
        "recentDatapoints": [point.value for point in reversed(real)],
        "threshold": alarm.threshold,
        "evaluatedDatapoints": [_evaluated(point) for point in verdict.evaluated],
    }
    return json.dumps(document, separators=(",", ":"))


def _evaluated(point: Point) -> dict[str, Any]:
    shown = {"timestamp": stamp(point.at), "sampleCount": point.samples, "value": point.value}
    return {key: value for key, value in shown.items() if value is not None}


def stamp(at: float) -> str:
    """As in AWS's JSON: 2026-11-21T11:00:00.000+0000."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def _short(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S}"


def _number(value: float | None) -> str:
    return str(float(value or 0))


def _datapoints(count: int) -> str:
    return f"{count} datapoint{_s(count)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
