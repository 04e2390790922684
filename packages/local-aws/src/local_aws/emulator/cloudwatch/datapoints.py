"""Datapoints by metric, unit and time; each has a moment from which it can be read.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html

Kept for 3 hours where a datapoint covers less than a minute, as on AWS, and for a day otherwise (AWS: 15 days).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local_aws.emulator.cloudwatch.model import Metric
from local_aws.emulator.cloudwatch.statistics import Summary, merged

MINUTE = 60
FINE_KEPT, COARSE_KEPT = 3 * 3600, 24 * 3600  # seconds


@dataclass
class Datapoint:
    """`resolution`: seconds that it covers. It cannot be read before `visible_from`."""

    resolution: int
    summary: Summary
    visible_from: float


Series = dict[int, Datapoint]  # by the start of what it covers, whole seconds since the epoch


class Datapoints:
    """Of one account and region. Not thread-safe."""

    def __init__(self) -> None:
        self._series: dict[Metric, dict[str, Series]] = {}

    def add(
        self, metric: Metric, unit: str, at: float, summary: Summary, *, resolution: int, visible_from: float = 0.0
    ) -> None:
        """What was observed at a time becomes part of the datapoint that covers it."""
        start = int(at // resolution) * resolution
        series = self._series.setdefault(metric, {}).setdefault(unit, {})
        known = series.get(start)
        if known is None:
            series[start] = Datapoint(resolution, summary, visible_from)
            return
        series[start] = Datapoint(
            max(known.resolution, resolution),
            merged([known.summary, summary]),
            max(known.visible_from, visible_from),
        )

    def read(
        self, metric: Metric, *, period: int, start: int, end: float, now: float, unit: str | None = None
    ) -> dict[int, Summary]:
        """What can be read now, by periods counted from `start`; periods without data are not in it."""
        parts: dict[int, list[Summary]] = {}
        for name, series in self._series.get(metric, {}).items():
            if unit is None or name == unit:
                for at, point in _between(series, start, end):
                    if point.visible_from <= now:
                        parts.setdefault(start + (at - start) // period * period, []).append(point.summary)
        return {at: merged(parts[at]) for at in sorted(parts)}

    def units(self, metric: Metric) -> list[str]:
        return list(self._series.get(metric, {}))

    def metrics(self, now: float, within: float = COARSE_KEPT) -> list[Metric]:
        """Those with a datapoint of that many seconds that can be read."""
        return sorted(
            metric
            for metric, units in self._series.items()
            if any(
                at >= now - within and point.visible_from <= now for one in units.values() for at, point in one.items()
            )
        )

    def forget_old(self, now: float) -> None:
        for metric, units in list(self._series.items()):
            for unit, series in list(units.items()):
                for at in [at for at, point in series.items() if at < now - _kept(point)]:
                    del series[at]
                if not series:
                    del units[unit]
            if not units:
                del self._series[metric]

    # ------------------------------------------------------------ on disk

    def document(self) -> list[Any]:
        """As JSON values."""
        return [
            [
                metric.namespace,
                metric.name,
                list(metric.dimensions),
                unit,
                [_row(at, one) for at, one in series.items()],
            ]
            for metric, units in self._series.items()
            for unit, series in units.items()
        ]

    @classmethod
    def from_document(cls, document: list[Any]) -> Datapoints:
        """Raises ValueError, TypeError for what `document` never gave."""
        made = cls()
        for namespace, name, dimensions, unit, rows in document:
            metric = Metric(namespace, name, tuple((key, value) for key, value in dimensions))
            made._series.setdefault(metric, {})[unit] = dict(map(_from_row, rows))
        return made


def _kept(point: Datapoint) -> int:
    return FINE_KEPT if point.resolution < MINUTE else COARSE_KEPT


def _between(series: Series, start: int, end: float) -> Iterator[tuple[int, Datapoint]]:
    if end - start < len(series):
        return ((at, series[at]) for at in range(start, -int(-end // 1)) if at in series)
    return ((at, point) for at, point in series.items() if start <= at < end)


def _row(at: int, point: Datapoint) -> list[Any]:
    one = point.summary
    values = None if one.values is None else list(map(list, one.values.items()))
    return [at, point.resolution, point.visible_from, one.count, one.total, one.low, one.high, values]


def _from_row(row: list[Any]) -> tuple[int, Datapoint]:
    at, resolution, visible_from, count, total, low, high, values = row
    known = None if values is None else dict(map(tuple, values))
    return at, Datapoint(resolution, Summary(count, total, low, high, known), visible_from)
