"""What is kept of many values, and the statistics of it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.cloudwatch.statistics import Summary, is_known, merged, percentile_of, statistic

pytestmark = pytest.mark.pure

MANY = st.lists(st.floats(0, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=50)


def counted(values: list[float]) -> Summary:
    return Summary.of({value: float(values.count(value)) for value in values})


@given(MANY)
def test_statistics_are_those_of_the_values(values: list[float]) -> None:
    one = counted(values)
    assert statistic(one, "SampleCount") == len(values)
    assert statistic(one, "Sum") == pytest.approx(sum(values))
    assert statistic(one, "Average") == pytest.approx(sum(values) / len(values))
    assert (statistic(one, "Minimum"), statistic(one, "Maximum")) == (min(values), max(values))


@given(MANY, st.sampled_from([0.0, 1.0, 50.0, 90.0, 95.0, 99.0, 99.9, 100.0]))
def test_a_percentile_has_that_share_of_values_at_or_below_it_and_no_smaller_one_has(
    values: list[float], asked: float
) -> None:
    found = statistic(counted(values), f"p{asked:g}")
    needed = math.ceil(len(values) * asked / 100 - 1e-9)
    assert found in values
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < max(needed, 1)


@given(MANY, MANY)
def test_parts_together_say_what_the_whole_says(one: list[float], other: list[float]) -> None:
    together, whole = merged([counted(one), counted(other)]), counted(one + other)
    for name in ("SampleCount", "Sum", "Minimum", "Maximum", "p50", "p95"):
        assert statistic(together, name) == pytest.approx(statistic(whole, name))


def test_a_sample_that_stands_for_many_weighs_as_many() -> None:
    times = Summary.of({0.001: 95.0, 0.5: 5.0})
    assert statistic(times, "p95") == 0.001
    assert statistic(times, "p96") == 0.5
    assert statistic(times, "SampleCount") == 100


def test_percentiles_of_a_statistic_set_are_unknown_unless_it_is_one_value() -> None:
    assert statistic(Summary.statistic_set(10, 50, 1, 9), "p50") is None
    assert statistic(merged([Summary.statistic_set(10, 50, 1, 9), Summary.of({1.0: 1.0})]), "p50") is None
    assert statistic(Summary.statistic_set(10, 50, 5, 5), "p50") == 5
    assert statistic(Summary.of({-1.0: 1.0}), "p50") is None


def test_only_statistics_that_are_computed_are_known() -> None:
    assert all(map(is_known, ("Sum", "Average", "p0", "p95", "p99.9", "p100")))
    assert not any(map(is_known, ("sum", "tm99", "PR(0:1)", "IQM", "p101", "p", "p-1", "")))
    assert percentile_of("p99.95") == 99.95
