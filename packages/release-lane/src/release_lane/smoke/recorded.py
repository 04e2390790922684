"""Recorded requests, answered by the new release and by the live one: which differences are allowed. Pure.

`smoke/recorded.json` is the team's: the requests, and what may differ. `release_lane.smoke.comparing` sends them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from release_lane.record.table import Table

FILE = "recorded.json"
"""In the folder of the smoke checks."""

MOST_REQUESTS, MOST_ROUNDS = 100, 20

HEAD = ("what", "live", "new", "verdict")


class Malformed(ValueError):
    """The file is not as it should be; the message names every problem by its place."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request. `body` is text as it is sent, None for none.

    `expected`: what is right for the metric's field (None: not given). `differs`: why the new release answers it in
    another way on purpose ("" where it must not).
    """

    name: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    expected: Any = None
    differs: str = ""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """The new release's median may be `ratio` times the live one's and `plus` seconds."""

    ratio: float
    plus: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure over all answers of the new release, against `baseline`.

    The share of the answers in which `field` is what its request expects; without such requests the mean of the
    field's numbers. `better` is "higher", "lower" or "": then it may differ by `tolerance` in either direction.
    """

    field: str
    baseline: float
    tolerance: float = 0.0
    better: str = ""

    def holds(self, value: float) -> bool:
        """Is it no worse than the baseline allows?"""
        below = value < self.baseline - self.tolerance and not math.isclose(value, self.baseline - self.tolerance)
        above = value > self.baseline + self.tolerance and not math.isclose(value, self.baseline + self.tolerance)
        return not (below and self.better != "lower") and not (above and self.better != "higher")

    @property
    def words(self) -> str:
        """What it is held against."""
        better = f", {self.better} is better" if self.better else ""
        return f"baseline {self.baseline:g}, tolerance {self.tolerance:g}{better}"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The file. `tolerances`: by how much a number in a JSON field may differ; `ignored`: fields that may differ.

    A field is named by its keys with dots between them, `*` for any key or place in a list: `items.*.score`.
    """

    requests: tuple[Request, ...] = ()
    tolerances: Mapping[str, float] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    latency: Latency | None = None
    metric: Metric | None = None
    rounds: int = 3


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came for one request: `seconds` until it was there. `problem`: why none came, "" if one did."""

    status: int = 0
    body: str = ""
    seconds: float = 0.0
    problem: str = ""

    @property
    def failed(self) -> bool:
        """Was there none, or one that says that the service could not answer?"""
        return bool(self.problem) or self.status >= 500

    @property
    def words(self) -> str:
        """In a cell of the table."""
        return self.problem or str(self.status)


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request, and the answers of each round."""

    request: Request
    live: tuple[Answer, ...]
    new: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`failures` are sentences; `compared` counts the requests to which both had an answer."""

    table: Table
    failures: tuple[str, ...]
    compared: int


# ---- Comparing


@dataclass(frozen=True)
class _Row:
    what: str
    live: str
    new: str
    verdict: str
    failed: bool = False

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.what, self.live, self.new, f"FAILED: {self.verdict}" if self.failed else self.verdict)


def compare(recording: Recording, exchanges: Sequence[Exchange]) -> Comparison:
    """What differs by more than is allowed. A request that the live release failed to answer is not compared."""
    rows = [_answers(recording, each) for each in exchanges]
    more = [_latency(recording.latency, exchanges), _metric(recording.metric, exchanges)]
    rows += [row for row in more if row]
    # Failures first: the table is cut at its end.
    table = Table(title=TITLE, head=HEAD, rows=tuple(row.cells for row in sorted(rows, key=lambda row: not row.failed)))
    return Comparison(
        table=Table.from_dict(table.as_dict()),
        failures=tuple(f"{row.what}: {row.verdict} (live {row.live}, new {row.new})" for row in rows if row.failed),
        compared=sum(not any(answer.failed for answer in each.live) for each in exchanges),
    )


TITLE = "Recorded requests, answered by the live release and by the new one"


def _answers(recording: Recording, exchange: Exchange) -> _Row:
    found = [_pair(recording, live, new) for live, new in zip(exchange.live, exchange.new, strict=True)]
    # Several tasks stand behind one address: the worst round counts.
    live, new, verdict, failed = max(found, key=lambda one: (one[3], one[2] != SAME))
    if failed and exchange.request.differs and not any(answer.failed for answer in exchange.new):
        verdict, failed = f"differs on purpose: {exchange.request.differs}", False
    return _Row(exchange.request.name, live, new, verdict, failed)


SAME = "same"


def _pair(recording: Recording, live: Answer, new: Answer) -> tuple[str, str, str, bool]:
    """Both in words, the verdict, and whether it failed."""
    if new.failed:
        return live.words, new.words, "the new release did not answer it", True
    if live.failed:
        return live.words, new.words, "not compared: the live release did not answer it", False
    if live.status != new.status:
        return live.words, new.words, "another status", True
    if live.body == new.body:
        return live.words, new.words, SAME, False
    allowed = 0
    for name, old, now in differences(live.body, new.body):
        limit = next((number for path, number in recording.tolerances.items() if _is(name, path)), None)
        if any(_is(name, path) for path in recording.ignored) or (
            limit is not None and _number(old) and _number(now) and _near(old, now, limit)
        ):
            allowed += 1
        else:
            by = f"by more than {limit:g}" if limit is not None else "and has no tolerance"
            return _said(old), _said(now), f"{name or 'the body'} differs {by}", True
    return live.words, new.words, f"within tolerances ({allowed} fields differ)" if allowed else SAME, False


def _near(old: float, now: float, limit: float) -> bool:
    return abs(old - now) <= limit or math.isclose(abs(old - now), limit)


class _Absent:
    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


def differences(live: str, new: str) -> Iterator[tuple[str, Any, Any]]:
    """Fields that differ, with both values (`ABSENT` for none). What is no JSON is one field without a name."""
    try:
        one, other = _leaves(json.loads(live)), _leaves(json.loads(new))
    except ValueError:
        yield "", live, new
        return
    for name in dict.fromkeys([*one, *other]):
        old, now = one.get(name, ABSENT), other.get(name, ABSENT)
        if old != now or isinstance(old, bool) != isinstance(now, bool):
            yield name, old, now


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    inside: Iterable[tuple[Any, Any]]
    match value:
        case dict() if value:
            inside = value.items()
        case list() if value:
            inside = enumerate(value)
        case _:
            return {path: value}
    return {
        name: leaf
        for key, each in inside
        for name, leaf in _leaves(each, f"{path}.{key}" if path else str(key)).items()
    }


def _is(name: str, pattern: str) -> bool:
    names, patterns = name.split("."), pattern.split(".")
    return len(names) == len(patterns) and all(
        wanted in ("*", got) for got, wanted in zip(names, patterns, strict=True)
    )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _said(value: Any) -> str:
    return "absent" if value is ABSENT else f"{value:g}" if _number(value) else json.dumps(value, ensure_ascii=False)


def _latency(wanted: Latency | None, exchanges: Sequence[Exchange]) -> _Row | None:
    both = [pair for each in exchanges for pair in zip(each.live, each.new, strict=True)]
    timed = [(live.seconds, new.seconds) for live, new in both if not live.failed and not new.failed]
    if wanted is None or not timed:
        return None
    live, new = (_median([pair[at] for pair in timed]) for at in (0, 1))
    allowed = live * wanted.ratio + wanted.plus
    return _Row(
        "latency, median",
        f"{live * 1000:.0f} ms",
        f"{new * 1000:.0f} ms",
        f"{'more than' if new > allowed else 'within'} {wanted.ratio:g} times and {wanted.plus:g} s",
        new > allowed,
    )


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _metric(wanted: Metric | None, exchanges: Sequence[Exchange]) -> _Row | None:
    if wanted is None:
        return None
    live = _figure(wanted.field, exchanges, lambda each: each.live)
    new = _figure(wanted.field, exchanges, lambda each: each.new)
    rated = any(each.request.expected is not None for each in exchanges)
    what = f"share of answers with the expected {wanted.field}" if rated else f"mean of {wanted.field}"
    failed = new is None or not wanted.holds(new)
    verdict = f"{'not held' if failed else 'held'}: {wanted.words}"
    return _Row(what, _figured(live), _figured(new), verdict, failed)


def _figured(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _figure(name: str, exchanges: Sequence[Exchange], of: Callable[[Exchange], Sequence[Answer]]) -> float | None:
    rated = [each for each in exchanges if each.request.expected is not None]
    found = [(_field(name, answer), each.request.expected) for each in rated or exchanges for answer in of(each)]
    values = (
        [float(got == right) for got, right in found] if rated else [float(got) for got, _ in found if _number(got)]
    )
    return sum(values) / len(values) if values else None


def _field(name: str, answer: Answer) -> Any:
    if answer.failed:
        return ABSENT
    try:
        return _leaves(json.loads(answer.body)).get(name, ABSENT)
    except ValueError:
        return ABSENT


# ---- Reading the file


def read(text: str) -> Recording:
    """Read `recorded.json`; `Malformed` names every problem."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Malformed(f"it is no JSON: {error}") from None
    problems: list[str] = []
    top = _object(value, "", {"requests", "tolerances", "ignored", "latency", "metric", "rounds"}, problems)
    listed = _typed(top, "requests", list, [], "", problems)
    if len(listed) > MOST_REQUESTS:
        problems.append(f"requests: {len(listed)}, should be at most {MOST_REQUESTS}")
    tolerances = _typed(top, "tolerances", dict, {}, "", problems)
    ignored = _typed(top, "ignored", list, [], "", problems)
    rounds = _typed(top, "rounds", int, 3, "", problems)
    problems += [
        *(
            f"tolerances.{path}: should be a number from 0"
            for path, number in tolerances.items()
            if not _from_zero(number)
        ),
        *(["ignored: should be names of fields"] if not all(isinstance(path, str) for path in ignored) else []),
        *([f"rounds: should be from 1 to {MOST_ROUNDS}"] if not 1 <= rounds <= MOST_ROUNDS else []),
    ]
    recording = Recording(
        requests=tuple(_request(each, f"requests.{number}", problems) for number, each in enumerate(listed)),
        tolerances=tolerances,
        ignored=tuple(ignored),
        latency=_read_latency(top.get("latency"), problems),
        metric=_read_metric(top.get("metric"), problems),
        rounds=rounds,
    )
    if problems:
        raise Malformed("; ".join(problems))
    return recording


def _request(value: Any, place: str, problems: list[str]) -> Request:
    known = {"name", "path", "method", "headers", "body", "expected", "differs"}
    given = _object(value, place, known, problems)
    path = _typed(given, "path", str, "", place, problems)
    method = _typed(given, "method", str, "GET", place, problems)
    headers = _typed(given, "headers", dict, {}, place, problems)
    if not path.startswith("/"):
        problems.append(f"{place}.path: should begin with /")
    if not all(isinstance(each, str) for each in headers.values()):
        problems.append(f"{place}.headers: should be texts")
    body = given.get("body")
    if body is not None and not isinstance(body, str):
        body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
    return Request(
        name=_typed(given, "name", str, f"{method} {path}", place, problems),
        path=path,
        method=method,
        headers=headers,
        body=body,
        expected=given.get("expected"),
        differs=_typed(given, "differs", str, "", place, problems),
    )


def _read_latency(value: Any, problems: list[str]) -> Latency | None:
    if value is None:
        return None
    given = _object(value, "latency", {"ratio", "plusSeconds"}, problems)
    ratio, plus = _figures(given, {"ratio": None, "plusSeconds": 0.0}, "latency", problems)
    return Latency(ratio=ratio, plus=plus)


def _read_metric(value: Any, problems: list[str]) -> Metric | None:
    if value is None:
        return None
    given = _object(value, "metric", {"field", "baseline", "tolerance", "better"}, problems)
    name, better = _typed(given, "field", str, "", "metric", problems), given.get("better", "")
    if not name:
        problems.append("metric.field: is missing")
    if better not in ("", "higher", "lower"):
        problems.append("metric.better: should be higher or lower")
    baseline = given["baseline"] if _number(given.get("baseline")) else math.nan
    if math.isnan(baseline):
        problems.append("metric.baseline: should be a number")
    (tolerance,) = _figures(given, {"tolerance": 0.0}, "metric", problems)
    return Metric(field=name, baseline=baseline, tolerance=tolerance, better=better)


def _figures(
    given: Mapping[str, Any], keys: Mapping[str, float | None], place: str, problems: list[str]
) -> list[float]:
    """Numbers from 0, each with its default (None: it has to be given)."""
    found = {key: given.get(key, default) for key, default in keys.items()}
    problems += [f"{place}.{key}: should be a number from 0" for key, number in found.items() if not _from_zero(number)]
    return [number if _from_zero(number) else 0.0 for number in found.values()]


def _from_zero(value: Any) -> bool:
    return _number(value) and math.isfinite(value) and value >= 0


def _object(value: Any, place: str, known: set[str], problems: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        problems.append(f"{place or 'the file'}: should be an object")
        return {}
    problems += [f"{place}{'.' if place else ''}{key}: is not known" for key in value if key not in known]
    return value


def _typed(given: Mapping[str, Any], key: str, kind: type, default: Any, place: str, problems: list[str]) -> Any:
    value = given.get(key, default)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    word = {list: "a list", dict: "an object", str: "a text", int: "a whole number"}[kind]
    problems.append(f"{place}{'.' if place else ''}{key}: should be {word}")
    return default
