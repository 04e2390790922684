"""What is kept of many values, and the statistics of it. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html

Percentiles need the values themselves. AWS does not say how it computes them; here it is the smallest value that is
not below the asked share of all values (nearest rank). Trimmed means, percentile ranks and the like are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

BASIC = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,10})?)")


@dataclass(frozen=True)
class Summary:
    """`values`: value -> how often; None where only a statistic set was published, whose values are unknown."""

    count: float
    total: float
    low: float
    high: float
    values: Mapping[float, float] | None

    @classmethod
    def of(cls, values: Mapping[float, float]) -> Summary:
        """`values` has at least one entry; how often may be a fraction, but is above 0."""
        total = sum(value * often for value, often in values.items())
        return cls(sum(values.values()), total, min(values), max(values), dict(values))

    @classmethod
    def statistic_set(cls, count: float, total: float, low: float, high: float) -> Summary:
        """Of one value, repeated: then the value is known."""
        known = low == high and total == low * count
        return cls(count, total, low, high, {low: count} if known else None)


def merged(parts: Iterable[Summary]) -> Summary:
    """All of them as one; there is at least one."""
    parts = list(parts)
    if len(parts) == 1:
        return parts[0]
    return Summary(
        count=sum(part.count for part in parts),
        total=sum(part.total for part in parts),
        low=min(part.low for part in parts),
        high=max(part.high for part in parts),
        values=_together([part.values for part in parts]),
    )


def _together(parts: list[Mapping[float, float] | None]) -> Mapping[float, float] | None:
    together: dict[float, float] = {}
    for part in parts:
        if part is None:
            return None
        for value, often in part.items():
            together[value] = together.get(value, 0.0) + often
    return together


def percentile_of(name: str) -> float | None:
    """The number in `p95` or `p99.9`, 0 to 100; None for anything else."""
    found = PERCENTILE.fullmatch(name)
    number = float(found[1]) if found else -1.0
    return number if 0 <= number <= 100 else None


def is_known(name: str) -> bool:
    return name in BASIC or percentile_of(name) is not None


def statistic(summary: Summary, name: str) -> float | None:
    """None: a percentile that cannot be known. `name` is one that `is_known`."""
    match name:
        case "SampleCount":
            return summary.count
        case "Sum":
            return summary.total
        case "Average":
            return summary.total / summary.count
        case "Minimum":
            return summary.low
        case "Maximum":
            return summary.high
    asked = percentile_of(name)
    if asked is None:
        raise ValueError(f"{name} is no statistic")
    if summary.values is None or summary.low < 0:
        return None
    return _percentile(summary.values, asked)


def _percentile(values: Mapping[float, float], asked: float) -> float:
    needed = sum(values.values()) * asked / 100
    seen = 0.0
    for value in sorted(values):
        seen += values[value]
        if seen >= needed * (1 - 1e-12):  # sums of fractions are not exact
            return value
    return max(values)
