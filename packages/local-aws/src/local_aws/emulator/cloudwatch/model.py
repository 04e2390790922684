"""What CloudWatch knows, as values: metrics, alarms, their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Dimensions = tuple[tuple[str, str], ...]  # sorted by name

OK, ALARM, INSUFFICIENT = "OK", "ALARM", "INSUFFICIENT_DATA"
STATES = (OK, ALARM, INSUFFICIENT)
MISSING, IGNORE, BREACHING, NOT_BREACHING = "missing", "ignore", "breaching", "notBreaching"


@dataclass(frozen=True, order=True)
class Metric:
    """Each combination of dimensions is a metric of its own."""

    namespace: str
    name: str
    dimensions: Dimensions = ()


@dataclass(frozen=True)
class Scope:
    account: str
    region: str


@dataclass(frozen=True)
class Clock:
    """How often load balancers report, and how late that can be read: seconds.

    AWS: every 60 seconds, and a minute's datapoint is there one to three minutes later. A shorter period is what makes
    rehearsals quick; see `cloudwatch/__init__.py`.
    """

    period: int = 60
    delay: float = 90.0

    @classmethod
    def of(cls, period: int, delay: float | None = None) -> Clock:
        """`delay` is one and a half periods unless given. Raises ValueError."""
        if period not in PERIODS:
            raise ValueError(f"the period of metrics should be one of {', '.join(map(str, PERIODS))}, not {period}")
        if delay is not None and not 0 <= delay <= 3600:
            raise ValueError(f"the delay of metrics should be 0 to 3600 seconds, not {delay}")
        return cls(period, 1.5 * period if delay is None else delay)


PERIODS = (1, 5, 10, 20, 30, 60)  # what AWS takes for high-resolution metrics, and its usual minute


@dataclass(frozen=True, kw_only=True)
class MetricStat:
    metric: Metric
    period: int
    statistic: str
    unit: str | None = None


@dataclass(frozen=True, kw_only=True)
class Query:
    """One line of GetMetricData or of an alarm: either `stat` or `expression`."""

    id: str
    stat: MetricStat | None = None
    expression: str | None = None
    label: str | None = None
    returns: bool = True
    period: int | None = None


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Its configuration and its state. `queries` has one entry, called m1, where the alarm watches a single metric."""

    arn: str
    name: str
    description: str | None
    queries: tuple[Query, ...]
    single: bool
    periods: int  # N
    needed: int | None  # M, where it was given
    threshold: float
    operator: str
    missing: str = MISSING
    missing_given: bool = False
    low_samples: str | None = None
    actions_enabled: bool = True
    ok_actions: tuple[str, ...] = ()
    alarm_actions: tuple[str, ...] = ()
    insufficient_actions: tuple[str, ...] = ()
    configured: float  # seconds since the epoch, as all times here
    state: str = INSUFFICIENT
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str | None = None
    updated: float
    transitioned: float

    @property
    def watched(self) -> Query:
        return next(query for query in self.queries if query.returns)

    @property
    def period(self) -> int:
        """Of all its metrics, which have the same one."""
        return next((query.stat.period for query in self.queries if query.stat), self.watched.period or 60)

    @property
    def statistic(self) -> str | None:
        """Of a single metric."""
        return self.watched.stat.statistic if self.watched.stat else None

    def actions_for(self, state: str) -> tuple[str, ...]:
        return {OK: self.ok_actions, ALARM: self.alarm_actions, INSUFFICIENT: self.insufficient_actions}[state]


@dataclass(frozen=True, kw_only=True)
class HistoryItem:
    """`kind`: ConfigurationUpdate, StateUpdate or Action; `data` is JSON."""

    arn: str
    name: str
    at: float
    kind: str
    summary: str
    data: str


@dataclass(frozen=True)
class State:
    """What survives a restart for certain; alarms and tags by arn, history oldest first."""

    alarms: Mapping[str, Alarm] = field(default_factory=dict)
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    history: tuple[HistoryItem, ...] = ()
