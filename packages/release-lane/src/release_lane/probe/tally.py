"""Counting what users got, step by step. Pure: times come in as arguments (seconds since 1970)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 20  # failures kept word for word; all are counted

_FINENESS = 20  # buckets per factor e of latency: each is 5 % wide


@dataclass(frozen=True)
class Release:
    """One release that answered, and the times at which its first and last answer were asked for."""

    digest: str
    colour: str
    count: int
    first: float
    last: float


@dataclass(frozen=True)
class Failure:
    at: float  # when it was due to be sent
    reason: str


@dataclass(frozen=True)
class Latency:
    """Milliseconds from when a request was due until its answer was whole; right within 5 %."""

    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    worst: float = 0.0


@dataclass(frozen=True)
class Counts:
    """What became of the requests of one step, or of all. sent = ok + failed + in_flight.

    late: answered well, but after more than the threshold. mixed: headers and body of one answer name
    different releases. A late or mixed one also counts as `ok` when its status is. unnamed: answers that named no
    release, so that mixed ones among them were not seen.
    """

    name: str
    began: float
    ended: float | None
    sent: int
    ok: int
    failed: int
    late: int
    mixed: int
    in_flight: int
    reasons: Mapping[str, int]
    statuses: Mapping[str, int]
    releases: tuple[Release, ...]
    failures: tuple[Failure, ...]
    latency_ms: Latency
    unnamed: int = 0

    @property
    def flawless(self) -> bool:
        return not (self.failed or self.mixed)


@dataclass(frozen=True)
class Report:
    """All that was seen up to `at`. `behind_ms`: by how much the prober itself was late at worst.

    `unready`: why nothing is counted yet ("" once it is).
    """

    url: str
    rate: float  # requests a second, as asked for
    at: float
    behind_ms: float
    total: Counts
    steps: tuple[Counts, ...]
    unready: str = ""

    @property
    def flawless(self) -> bool:
        """All was well, and something was seen of it."""
        return self.total.flawless and self.total.ok > 0

    def step(self, name: str) -> Counts:
        """The latest step of that name; KeyError when there is none."""
        for counts in reversed(self.steps):
            if counts.name == name:
                return counts
        raise KeyError(name)


def report_from(raw: Mapping[str, Any]) -> Report:
    """The inverse of `dataclasses.asdict`, as it comes out of JSON."""
    steps = tuple(_counts_from(step) for step in raw["steps"])
    return Report(**{**raw, "total": _counts_from(raw["total"]), "steps": steps})


def _counts_from(raw: Mapping[str, Any]) -> Counts:
    nested = {
        "releases": tuple(Release(**release) for release in raw["releases"]),
        "failures": tuple(Failure(**failure) for failure in raw["failures"]),
        "latency_ms": Latency(**raw["latency_ms"]),
    }
    return Counts(**{**raw, **nested})


@dataclass
class Tally:
    """The running sums of one step; `counts()` is the value to show."""

    name: str
    began: float
    ended: float | None = None
    sent: int = 0
    ok: int = 0
    late: int = 0
    mixed: int = 0
    unnamed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    releases: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # [count, first, last]
    failures: list[Failure] = field(default_factory=list)
    buckets: Counter[int] = field(default_factory=Counter)
    worst: float = 0.0

    def answered(self, took: float, status: int) -> None:
        """An answer came; `took`: seconds."""
        self.statuses[status] += 1
        self.buckets[math.ceil(_FINENESS * math.log(max(took, 1e-6)))] += 1
        self.worst = max(self.worst, took)

    def named(self, at: float, digest: str, colour: str) -> None:
        """It names its release."""
        seen = self.releases.get((digest, colour))
        if seen is None:
            self.releases[digest, colour] = [1, at, at]
        else:
            seen[0] += 1
            seen[1], seen[2] = min(seen[1], at), max(seen[2], at)

    def failed(self, at: float, reason: str) -> None:
        self.reasons[reason] += 1
        if len(self.failures) < EXAMPLES:
            self.failures.append(Failure(at, reason))

    def counts(self) -> Counts:
        failed = self.reasons.total()
        return Counts(
            name=self.name,
            began=self.began,
            ended=self.ended,
            sent=self.sent,
            ok=self.ok,
            failed=failed,
            late=self.late,
            mixed=self.mixed,
            in_flight=self.sent - self.ok - failed,
            reasons=dict(self.reasons.most_common()),
            statuses={str(status): count for status, count in sorted(self.statuses.items())},
            releases=tuple(
                Release(digest, colour, int(count), first, last)
                for (digest, colour), (count, first, last) in self.releases.items()
            ),
            failures=tuple(self.failures),
            latency_ms=self._latency(),
            unnamed=self.unnamed,
        )

    def _latency(self) -> Latency:
        worst = round(self.worst * 1000, 1)

        def below(share: float) -> float:
            return min(round(_quantile(self.buckets, share) * 1000, 1), worst)

        return Latency(p50=below(0.5), p90=below(0.9), p99=below(0.99), worst=worst)


def _quantile(buckets: Counter[int], share: float) -> float:
    """Seconds below which `share` of them lie (upper edge of the bucket); 0 for none."""
    wanted = math.ceil(share * buckets.total())
    for bucket, count in sorted(buckets.items()):
        wanted -= count
        if wanted <= 0:
            return math.exp(bucket / _FINENESS)
    return 0.0


def merged(tallies: Iterable[Tally]) -> Tally:
    """All steps as one. ValueError when there is none."""
    first, *others = tallies
    total = Tally("total", first.began, (others or [first])[-1].ended)
    for tally in (first, *others):
        total.sent += tally.sent
        total.ok += tally.ok
        total.late += tally.late
        total.mixed += tally.mixed
        total.unnamed += tally.unnamed
        total.reasons.update(tally.reasons)
        total.statuses.update(tally.statuses)
        total.buckets.update(tally.buckets)
        total.worst = max(total.worst, tally.worst)
        total.failures = [*total.failures, *tally.failures][:EXAMPLES]
        for release, (count, began, ended) in tally.releases.items():
            seen = total.releases.setdefault(release, [0, began, ended])
            total.releases[release] = [seen[0] + count, min(seen[1], began), max(seen[2], ended)]
    return total
