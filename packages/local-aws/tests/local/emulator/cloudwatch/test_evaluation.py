"""When an alarm changes its state: AWS's own tables, and what holds for any data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.cloudwatch.evaluation import Point, judge, looked_at
from local_aws.emulator.cloudwatch.model import ALARM, INSUFFICIENT, OK
from tests.local.emulator.cloudwatch.alarms import START, alarm, points

pytestmark = pytest.mark.pure

RETAIN = None
ORDER = ("missing", "ignore", "breaching", "notBreaching")

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
THREE_OF_THREE = [
    ("0 - X - X", OK, OK, OK, OK),
    ("0 - - - -", OK, OK, OK, OK),
    ("- - - - -", INSUFFICIENT, RETAIN, ALARM, OK),
    ("0 X X - X", ALARM, ALARM, ALARM, ALARM),
    ("- - X - -", ALARM, RETAIN, ALARM, OK),
]
TWO_OF_THREE = [
    ("0 - X - X", ALARM, ALARM, ALARM, ALARM),
    ("0 0 X 0 X", ALARM, ALARM, ALARM, ALARM),
    ("0 - X - -", OK, OK, ALARM, OK),
    ("- - - - 0", OK, OK, ALARM, OK),
    ("- - - X -", ALARM, RETAIN, ALARM, OK),
]
# too young to alarm; the page says that it does not alarm "immediately", an older edition what it does instead
PREMATURE = [
    ("- - - - X", INSUFFICIENT, RETAIN, ALARM, OK),
    ("- - - X -", INSUFFICIENT, RETAIN, ALARM, OK),
    ("- - - X 0", OK, OK, OK, OK),
    ("- - X - 0", OK, OK, OK, OK),
]


def rows(table: list[tuple[str | None, ...]]) -> list[tuple[str, str, str | None]]:
    return [(str(row[0]), how, row[place]) for row in table for place, how in enumerate(ORDER, 1)]


@pytest.mark.parametrize(("data", "missing", "state"), [*rows(THREE_OF_THREE), *rows(PREMATURE)])
def test_three_of_three_are_judged_as_aws_tables_say(data: str, missing: str, state: str | None) -> None:
    verdict = judge(alarm(periods=3, missing=missing), points(data))
    assert (verdict.state if verdict else RETAIN) == state


@pytest.mark.parametrize(("data", "missing", "state"), rows(TWO_OF_THREE))
def test_two_of_three_are_judged_as_aws_tables_say(data: str, missing: str, state: str | None) -> None:
    verdict = judge(alarm(periods=3, needed=2, missing=missing), points(data))
    assert (verdict.state if verdict else RETAIN) == state


@pytest.mark.parametrize(
    ("operator", "breaching"),
    [
        ("GreaterThanThreshold", {6.0}),
        ("GreaterThanOrEqualToThreshold", {5.0, 6.0}),
        ("LessThanThreshold", {4.0}),
        ("LessThanOrEqualToThreshold", {4.0, 5.0}),
    ],
)
def test_each_operator_compares_the_statistic_with_the_threshold(operator: str, breaching: set[float]) -> None:
    watching = alarm(operator=operator, threshold=5.0)
    verdicts = {value: judge(watching, [Point(0), Point(60), Point(120, value)]) for value in (4.0, 5.0, 6.0)}
    assert {value for value, verdict in verdicts.items() if verdict and verdict.state == ALARM} == breaching


def test_data_that_is_late_is_still_looked_at() -> None:
    now = START + 600.0
    for period, delay in ((60, 90.0), (60, 300.0), (10, 15.0), (300, 90.0)):
        periods = looked_at(alarm(period=period), now, delay)
        assert periods.stop <= now < periods.stop + period  # the newest period is over
        newest_visible = int(now - delay) // period * period - period
        assert newest_visible in periods


def test_a_percentile_of_few_samples_leaves_the_state_where_that_is_asked_for() -> None:
    watching = alarm(statistic="p95", low_samples="ignore")
    breaching = Point(120, 5.0, 199.0)
    assert judge(watching, [Point(0), Point(60), breaching]) is None
    enough = judge(watching, [Point(0), Point(60), replace(breaching, samples=200.0)])
    assert enough is not None
    assert enough.state == ALARM
    always = judge(replace(watching, low_samples="evaluate"), [Point(0), Point(60), breaching])
    assert always is not None
    assert always.state == ALARM


LETTERS = st.lists(st.sampled_from("X0-"), min_size=5, max_size=5).map(" ".join)


@given(LETTERS, st.integers(1, 3), st.sampled_from(ORDER))
def test_enough_real_data_makes_the_treatment_of_missing_data_irrelevant(data: str, needed: int, missing: str) -> None:
    if sum(letter != "-" for letter in data.split()) >= 3:
        verdicts = {judge(alarm(periods=3, needed=needed, missing=how), points(data)) for how in (missing, "missing")}
        assert len(verdicts) == 1


@given(LETTERS, st.integers(1, 3), st.sampled_from(ORDER))
def test_every_real_datapoint_counts_when_there_are_few(data: str, needed: int, missing: str) -> None:
    given_points = points(data)
    real = {point for point in given_points if point.value is not None}
    verdict = judge(alarm(periods=3, needed=needed, missing=missing), given_points)
    if verdict is not None and len(real) <= 3:
        assert real <= set(verdict.evaluated)
        assert len(verdict.evaluated) == 3
        assert [point.at for point in verdict.evaluated] == sorted((p.at for p in verdict.evaluated), reverse=True)


@given(LETTERS, st.integers(1, 3))
def test_good_missing_data_never_alarms_more_than_bad_missing_data(data: str, needed: int) -> None:
    good = judge(alarm(periods=3, needed=needed, missing="notBreaching"), points(data))
    bad = judge(alarm(periods=3, needed=needed, missing="breaching"), points(data))
    assert good is not None
    assert bad is not None
    assert not (good.state == ALARM and bad.state == OK)
