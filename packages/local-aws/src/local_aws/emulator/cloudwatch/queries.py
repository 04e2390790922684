"""Queries -> time series, for GetMetricData and for alarms. Pure, given the datapoints.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from local_aws.emulator.cloudwatch import expression
from local_aws.emulator.cloudwatch.datapoints import MINUTE, Datapoints
from local_aws.emulator.cloudwatch.errors import invalid, unsupported, wrong
from local_aws.emulator.cloudwatch.model import MetricStat, Query
from local_aws.emulator.cloudwatch.parts import in_order
from local_aws.emulator.cloudwatch.statistics import statistic

MOST_PERIODS = 100_800  # as many datapoints as one answer of AWS's may have


@dataclass(frozen=True)
class Found:
    """By start of period. `samples`: of how many values a metric's datapoint is made."""

    period: int
    values: Mapping[int, float]
    samples: Mapping[int, float] = field(default_factory=dict)


def rounded(start: float, period: int) -> int:
    """Down to the minute, or to a division of it for a shorter period: https://docs.aws.amazon.com/… as above."""
    step = min(period, MINUTE)
    return int(start // step) * step


def run(queries: Sequence[Query], datapoints: Datapoints, *, start: float, end: float, now: float) -> dict[str, Found]:
    """The series of every query by its id. Raises ServiceError ValidationError where an expression has none."""
    found: dict[str, Found] = {}
    for query, tree in in_order(queries):
        if query.stat is not None:
            found[query.id] = read(query.stat, datapoints, start=start, end=end, now=now)
        elif tree is not None:
            found[query.id] = _calculated(query, tree, found, start, end)
    return found


def read(stat: MetricStat, datapoints: Datapoints, *, start: float, end: float, now: float) -> Found:
    first = rounded(start, stat.period)
    summaries = datapoints.read(stat.metric, period=stat.period, start=first, end=end, now=now, unit=stat.unit)
    values = {at: value for at, one in summaries.items() if (value := statistic(one, stat.statistic)) is not None}
    return Found(stat.period, values, {at: summaries[at].count for at in values})


def _calculated(
    query: Query, tree: expression.Expression, found: Mapping[str, Found], start: float, end: float
) -> Found:
    used = expression.references(tree)
    periods = {found[id].period for id in used} or {query.period or MINUTE}
    if len(periods) > 1:
        raise unsupported(f"the expression '{query.id}' on metrics of different periods")
    period = periods.pop()
    grid = range(rounded(start, period), -int(-end // 1), period)
    if len(grid) > MOST_PERIODS:
        raise invalid(f"The time range has more than {MOST_PERIODS:,} periods of {period} seconds.")
    try:
        series = expression.evaluate(tree, {id: found[id].values for id in used}, grid)
    except expression.Invalid as error:
        raise wrong(f"Error in expression '{query.id}': {error}") from error
    if not isinstance(series, Mapping):
        raise wrong(f"Error in expression '{query.id}': an expression has to result in a time series")
    return Found(period, dict(sorted(series.items())))
