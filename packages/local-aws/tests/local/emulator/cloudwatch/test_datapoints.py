"""Datapoints: by period, late, and not for ever."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.cloudwatch.datapoints import Datapoints
from local_aws.emulator.cloudwatch.model import Metric
from local_aws.emulator.cloudwatch.statistics import Summary
from tests.local.emulator.cloudwatch.alarms import START

pytestmark = pytest.mark.pure

METRIC = Metric("N", "M", (("a", "b"),))
ONE = Summary.of({1.0: 1.0})


def sums(
    data: Datapoints, period: int = 60, now: float = START + 10_000, end: float = START + 6000
) -> dict[int, float]:
    found = data.read(METRIC, period=period, start=START, end=end, now=now)
    return {at - START: one.total for at, one in found.items()}


def test_observations_of_a_period_are_one_datapoint_at_its_start() -> None:
    data = Datapoints()
    for second in (0.5, 30.5, 59.5, 60.5):
        data.add(METRIC, "Count", START + second, ONE, resolution=60)
    assert sums(data) == {0: 3.0, 60: 1.0}


def test_a_datapoint_cannot_be_read_before_its_time() -> None:
    data = Datapoints()
    data.add(METRIC, "Count", START + 1, ONE, resolution=60, visible_from=START + 150)
    assert sums(data, now=START + 149.9) == {}
    assert data.metrics(START + 149.9) == []
    assert sums(data, now=START + 150) == {0: 1.0}
    assert data.metrics(START + 150) == [METRIC]


def test_a_minute_asked_for_in_tens_of_seconds_is_one_datapoint_in_six() -> None:
    data = Datapoints()
    data.add(METRIC, "Count", START + 45, ONE, resolution=60)
    assert sums(data, period=10) == {0: 1.0}


def test_tens_of_seconds_add_up_to_a_minute() -> None:
    data = Datapoints()
    for second in range(0, 60, 10):
        data.add(METRIC, "Count", START + second, ONE, resolution=10)
    assert sums(data, period=10) == dict.fromkeys(range(0, 60, 10), 1.0)
    assert sums(data) == {0: 6.0}


def test_the_end_is_not_included_and_the_start_is() -> None:
    data = Datapoints()
    for minute in range(4):
        data.add(METRIC, "Count", START + minute * 60, ONE, resolution=60)
    assert sums(data, end=START + 120) == {0: 1.0, 60: 1.0}
    assert sums(data, end=START + 120.5) == {0: 1.0, 60: 1.0, 120: 1.0}


def test_units_are_kept_apart_and_read_together_unless_one_is_asked_for() -> None:
    data = Datapoints()
    data.add(METRIC, "Count", START, ONE, resolution=60)
    data.add(METRIC, "Seconds", START, ONE, resolution=60)
    assert sums(data) == {0: 2.0}
    one = data.read(METRIC, period=60, start=START, end=START + 60, now=START + 60, unit="Seconds")
    assert one[START].total == 1.0


def test_old_datapoints_are_forgotten_short_ones_first() -> None:
    data = Datapoints()
    data.add(METRIC, "Count", START, ONE, resolution=10)
    data.add(METRIC, "Count", START + 60, ONE, resolution=60)
    data.forget_old(START + 3 * 3600 + 1)
    assert sums(data) == {60: 1.0}
    data.forget_old(START + 24 * 3600 + 61)
    assert data.metrics(START + 10) == []


@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from([1.0, 2.5]), st.sampled_from([1, 60])), max_size=30))
def test_what_is_stored_comes_back(added: list[tuple[int, float, int]]) -> None:
    data = Datapoints()
    for second, value, resolution in added:
        data.add(METRIC, "Count", START + second, Summary.of({value: 2.0}), resolution=resolution, visible_from=START)
    data.add(METRIC, "None", START, Summary.statistic_set(2, 10, 1, 9), resolution=60)
    again = Datapoints.from_document(json.loads(json.dumps(data.document())))
    for period in (1, 60, 300):
        for now in (START - 1.0, START + 9999.0):
            asked = {"period": period, "start": START, "end": START + 3600.0, "now": now}
            assert again.read(METRIC, **asked) == data.read(METRIC, **asked)  # type: ignore[arg-type]
