"""Answers to recorded requests: which differences between the live release and the new one are allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from release_lane.smoke.recorded import (
    Answer,
    Exchange,
    Latency,
    Malformed,
    Metric,
    Recording,
    Request,
    compare,
    differences,
    read,
)

pytestmark = pytest.mark.pure


def answer(body: Any = None, status: int = 200, seconds: float = 0.01) -> Answer:
    return Answer(status=status, body=body if isinstance(body, str) else json.dumps(body), seconds=seconds)


def exchange(live: Any, new: Any, **request: Any) -> Exchange:
    """One round; values are JSON bodies."""
    one, other = (each if isinstance(each, Answer) else answer(each) for each in (live, new))
    return Exchange(request=Request(**{"name": "it", "path": "/", **request}), live=(one,), new=(other,))


def verdict(live: Any, new: Any, recording: Recording | None = None, **request: Any) -> str:
    """The last cell of the only row."""
    ((*_, said),) = compare(recording or Recording(), [exchange(live, new, **request)]).table.rows
    return said


SCORES = Recording(tolerances={"items.*.score": 0.1}, ignored=("took",))


@pytest.mark.parametrize(
    ("live", "new", "said"),
    [
        ({"a": 1}, {"a": 1}, "same"),
        ({"a": 1}, {"a": 1.0}, "same"),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "same"),
        ({"a": 1}, {"a": True}, "FAILED: a differs and has no tolerance"),
        ({"a": 1}, {"a": None}, "FAILED: a differs and has no tolerance"),
        ({"a": 1}, {}, "FAILED: a differs and has no tolerance"),
        ({"b": 1}, {"b": 1, "a": 1}, "FAILED: a differs and has no tolerance"),
        ([1, 2], [1, 3], "FAILED: 1 differs and has no tolerance"),
        ("text", "text", "same"),
        ("text", "other", "FAILED: the body differs and has no tolerance"),
        ({"items": [{"score": 0.5}]}, {"items": [{"score": 0.6}]}, "within tolerances (1 fields differ)"),
        ({"items": [{"score": 0.5}]}, {"items": [{"score": 0.61}]}, "FAILED: items.0.score differs by more than 0.1"),
        ({"items": [{"score": 0.5}]}, {"items": [{"score": "0.5"}]}, "FAILED: items.0.score differs by more than 0.1"),
        ({"score": 0.5}, {"score": 0.6}, "FAILED: score differs and has no tolerance"),
        ({"took": 3}, {"took": 9}, "within tolerances (1 fields differ)"),
        (answer({}, 200), answer({}, 201), "FAILED: another status"),
        (answer({}, 404), answer({}, 404), "same"),
        (answer({}, 503), answer({"a": 1}), "not compared: the live release did not answer it"),
        (Answer(problem="no answer"), answer({}), "not compared: the live release did not answer it"),
        (answer({}), Answer(problem="no answer"), "FAILED: the new release did not answer it"),
        (answer({}, 503), answer({}, 503), "FAILED: the new release did not answer it"),
    ],
)
def test_a_difference_that_no_tolerance_allows_fails(live: Any, new: Any, said: str) -> None:
    assert verdict(live, new, SCORES) == said


def test_what_is_no_number_any_more_differs() -> None:
    assert [*differences('{"a": NaN}', '{"a": NaN}')]
    assert [*differences('{"a": [1]}', '{"a": []}')] != []


def test_a_request_may_differ_on_purpose_and_the_table_says_why() -> None:
    assert verdict({"a": 1}, {"a": 2}, differs="rounds half up, ticket 12") == (
        "differs on purpose: rounds half up, ticket 12"
    )
    assert verdict({"a": 1}, answer({}, 500), differs="rounds half up").startswith("FAILED: the new release did not")


def test_the_worst_of_all_rounds_counts() -> None:
    good, bad = answer({"a": 1}), answer({"a": 2})
    for rounds in ((good, bad), (bad, good)):
        found = compare(Recording(), [Exchange(request=Request(name="it", path="/"), live=(good, good), new=rounds)])
        assert found.failures == ("it: a differs and has no tolerance (live 1, new 2)",)


@pytest.mark.parametrize(
    ("new", "fails"),
    [(0.01, False), (0.07, False), (0.0701, True), (1.0, True)],
)
def test_latency_is_held_against_the_live_ones(new: float, fails: bool) -> None:
    recording = Recording(latency=Latency(ratio=2, plus=0.05))
    found = compare(recording, [exchange(answer({}, seconds=0.01), answer({}, seconds=new))])
    assert bool(found.failures) is fails
    assert found.table.rows[0 if fails else 1][0] == "latency, median"


@pytest.mark.parametrize(
    ("better", "value", "fails"),
    [
        ("", 0.9, False),
        ("", 0.88, False),
        ("", 0.87, True),
        ("", 0.93, True),
        ("higher", 0.99, False),
        ("higher", 0.87, True),
        ("lower", 0.5, False),
        ("lower", 0.93, True),
    ],
)
def test_the_metric_is_held_against_its_baseline(better: str, value: float, fails: bool) -> None:
    recording = Recording(
        metric=Metric(field="score", baseline=0.9, tolerance=0.02, better=better), tolerances={"score": 1}
    )
    assert bool(compare(recording, [exchange({"score": 0.9}, {"score": value})]).failures) is fails


def test_with_expected_answers_the_metric_is_the_share_of_right_ones() -> None:
    recording = Recording(metric=Metric(field="label", baseline=0.5, better="higher"), ignored=("label",))
    right, wrong = (exchange({"label": "spam"}, {"label": each}, expected="spam") for each in ("spam", "ham"))
    unrated = exchange({"label": "ham"}, {"label": "ham"})
    assert not compare(recording, [right, wrong, unrated]).failures
    (failure,) = compare(recording, [right, wrong, wrong, unrated]).failures
    assert failure == (
        "share of answers with the expected label: not held: baseline 0.5, tolerance 0, higher is better "
        "(live 1, new 0.3333)"
    )


def test_a_metric_of_which_no_answer_has_the_field_is_not_held() -> None:
    recording = Recording(metric=Metric(field="score", baseline=0))
    assert compare(recording, [exchange({}, {})]).failures


def test_failures_come_first_in_the_table() -> None:
    good, bad = exchange({}, {}, name="good"), exchange({"a": 1}, {"a": 2}, name="bad")
    assert [row[0] for row in compare(Recording(), [good, bad]).table.rows] == ["bad", "good"]


def test_requests_that_the_live_release_failed_are_not_counted_as_compared() -> None:
    assert compare(Recording(), [exchange({}, {}), exchange(answer({}, 500), {})]).compared == 1


# ---- the file


def test_a_whole_file_is_read() -> None:
    text = json.dumps(
        {
            "requests": [
                {"path": "/a"},
                {"name": "b", "method": "POST", "path": "/b", "body": {"x": 1}, "expected": 3, "differs": "why"},
                {"path": "/c", "body": "plain", "headers": {"Accept": "text/plain"}},
            ],
            "tolerances": {"score": 0.1},
            "ignored": ["took"],
            "latency": {"ratio": 1.5, "plusSeconds": 0.1},
            "metric": {"field": "score", "baseline": 0.9, "tolerance": 0.02, "better": "higher"},
            "rounds": 5,
        }
    )
    assert read(text) == Recording(
        requests=(
            Request(name="GET /a", path="/a"),
            Request(
                name="b",
                method="POST",
                path="/b",
                headers={"Content-Type": "application/json"},
                body='{"x": 1}',
                expected=3,
                differs="why",
            ),
            Request(name="GET /c", path="/c", body="plain", headers={"Accept": "text/plain"}),
        ),
        tolerances={"score": 0.1},
        ignored=("took",),
        latency=Latency(ratio=1.5, plus=0.1),
        metric=Metric(field="score", baseline=0.9, tolerance=0.02, better="higher"),
        rounds=5,
    )
    assert read("{}") == Recording()


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ([], ["the file: should be an object"]),
        ({"request": []}, ["request: is not known"]),
        ({"requests": {}}, ["requests: should be a list"]),
        ({"requests": [{}, 3]}, ["requests.0.path: should begin with /", "requests.1: should be an object"]),
        ({"requests": [{"path": "a", "methods": "GET"}]}, ["requests.0.methods: is not known", "requests.0.path"]),
        ({"requests": [{"path": "/"}] * 101}, ["requests: 101, should be at most 100"]),
        ({"tolerances": {"a": -1, "b": "x"}}, ["tolerances.a: should be a number from 0", "tolerances.b"]),
        ({"ignored": [1]}, ["ignored: should be names of fields"]),
        ({"latency": {}}, ["latency.ratio: should be a number from 0"]),
        ({"metric": {}}, ["metric.field: is missing", "metric.baseline: should be a number"]),
        (
            {"metric": {"field": "a", "baseline": 1, "better": "more"}},
            ["metric.better: should be higher or lower"],
        ),
        ({"rounds": 0}, ["rounds: should be from 1 to 20"]),
        ({"rounds": True}, ["rounds: should be a whole number"]),
    ],
)
def test_every_problem_of_the_file_is_named_by_its_place(value: Any, problems: list[str]) -> None:
    with pytest.raises(Malformed) as said:
        read(json.dumps(value))
    assert not [each for each in problems if each not in str(said.value)]


def test_what_is_no_json_is_said() -> None:
    with pytest.raises(Malformed, match="it is no JSON"):
        read("{")
