"""What the state of an alarm should be, given what can be read of its metric. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html (both tables are tests)

More periods are looked at than the alarm asks for, in case the newest ones have no data (yet). AWS does not say how
many; its examples have two more. Here it are two more, or as many as data may be late.

Left open by that page is `- - - - X`, a lone breaching datapoint that is too young to alarm. An older edition of it
says: INSUFFICIENT_DATA where missing data is `missing`, and no change where it is ignored. So it is here.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from local_aws.emulator.cloudwatch.model import (
    ALARM,
    BREACHING,
    IGNORE,
    INSUFFICIENT,
    NOT_BREACHING,
    OK,
    Alarm,
)
from local_aws.emulator.cloudwatch.statistics import percentile_of

COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
EXTRA_PERIODS = 2


@dataclass(frozen=True)
class Point:
    """A period of the alarm's metric: its start, and `value` if there is one, of that many `samples` if known."""

    at: int
    value: float | None = None
    samples: float | None = None


@dataclass(frozen=True)
class Verdict:
    """`evaluated`: the periods that decided, newest first; those without a value were filled in."""

    state: str
    evaluated: tuple[Point, ...]
    breaching: int  # those that breach, filled ones included


def looked_at(alarm: Alarm, now: float, delay: float) -> range:
    """Starts of the periods that are looked at, oldest first: all are over."""
    period = alarm.period
    end = int(now // period) * period
    count = alarm.periods + max(EXTRA_PERIODS, math.ceil(delay / period))
    return range(end - count * period, end, period)


def judge(alarm: Alarm, points: Sequence[Point]) -> Verdict | None:
    """`points`: of every period that is looked at, oldest first. None: the alarm keeps its state."""
    real = [point for point in reversed(points) if point.value is not None]  # newest first
    if _too_few_samples(alarm, real[: alarm.periods]):
        return None
    if len(real) >= alarm.periods:
        return _counted(alarm, real[: alarm.periods], 0)
    return _with_gaps(alarm, points, real)


def _with_gaps(alarm: Alarm, points: Sequence[Point], real: list[Point]) -> Verdict | None:
    gaps = alarm.periods - len(real)
    empty = [point for point in reversed(points) if point.value is None][:gaps]
    evaluated = sorted([*real, *empty], key=lambda point: point.at, reverse=True)
    match alarm.missing:
        case str(how) if how == BREACHING:
            return _counted(alarm, evaluated, gaps)
        case str(how) if how == NOT_BREACHING:
            return _counted(alarm, evaluated, 0)
    breaching = [point for point in real if breaches(alarm, point)]
    unsure = len(breaching) == len(real) and len(breaching) < needed(alarm)
    if not unsure:
        return _counted(alarm, evaluated, 0)
    if alarm.missing == IGNORE:
        return None
    old_enough = bool(breaching) and _age(points, breaching[-1]) >= needed(alarm)
    return Verdict(ALARM if old_enough else INSUFFICIENT, tuple(evaluated), len(breaching))


def _counted(alarm: Alarm, evaluated: Sequence[Point], filled: int) -> Verdict:
    breaching = sum(breaches(alarm, point) for point in evaluated) + filled
    return Verdict(ALARM if breaching >= needed(alarm) else OK, tuple(evaluated), breaching)


def needed(alarm: Alarm) -> int:
    """M of N."""
    return alarm.periods if alarm.needed is None else alarm.needed


def breaches(alarm: Alarm, point: Point) -> bool:
    return point.value is not None and COMPARE[alarm.operator](point.value, alarm.threshold)


def _age(points: Sequence[Point], point: Point) -> int:
    """1 for the newest period."""
    return len(points) - list(points).index(point)


def _too_few_samples(alarm: Alarm, real: Sequence[Point]) -> bool:
    """Whether a percentile says too little, and the alarm is to ignore that.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
    """
    asked = percentile_of(alarm.statistic or "")
    if alarm.low_samples != "ignore" or asked is None or not real:
        return False
    share = asked / 100
    rest = min(share, 1 - share)
    enough = math.inf if rest <= 0 else 10 / rest
    return sum(point.samples or 0 for point in real) < enough - 1e-9
