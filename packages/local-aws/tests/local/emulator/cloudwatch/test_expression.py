"""Metric math: AWS's own examples, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.cloudwatch.expression import Invalid, evaluate, parse, references

pytestmark = pytest.mark.pure

GRID = range(0, 300, 60)


def series(*values: float | None) -> dict[int, float]:
    return {place * 60: value for place, value in enumerate(values) if value is not None}


def result(text: str, grid: Any = GRID, **known: dict[int, float]) -> Any:
    return evaluate(parse(text), known, grid)


def test_two_series_are_calculated_period_by_period_and_a_missing_value_is_0() -> None:
    errors, requests = series(1, None, 3), series(10, 10, None)
    assert result("e + r", e=errors, r=requests) == series(11, 10, 3)
    assert result("100 * e / r", e=errors, r=requests) == series(10, 0, None)  # nothing is divided by zero
    assert result("r - e", e=errors, r=requests) == series(9, 10, -3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("m + 2 * 3", 7.0),
        ("(m + 2) * 3", 9.0),
        ("m - 2 - 3", -4.0),
        ("8 * m / 4 / 2", 1.0),
        ("-m", -1.0),
        ("2 ^ 3 ^ 2 * m", 512.0),
        ("-2 ^ 2 * m", -4.0),
        ("m + -2", -1.0),
        ("1.5e1 * m", 15.0),
        (".5 * m", 0.5),
        ("m > 0 AND m < 2 OR m == 7", 1.0),
        ("m > 0 && m > 2 || m != 1", 0.0),
        ("m >= 1", 1.0),
        ("m <= 0", 0.0),
        ("ABS(-3 * m)", 3.0),
        ("CEIL(m / 2) + FLOOR(m / 2)", 1.0),
    ],
)
def test_operators_bind_as_in_arithmetic(text: str, value: float) -> None:
    assert result(text, m=series(1)) == series(value)


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
def test_comparisons_are_those_of_awss_example() -> None:
    one, two = series(30, 20, 0, 0), series(20, None, 20, None)
    assert result("a < b", a=one, b=two) == series(0, 0, 1, 0)
    assert result("a >= 30", a=one) == series(1, 0, 0, 0)
    assert result("a > 15 AND b > 15", a=one, b=two) == series(1, 0, 0, 0)


def test_if_is_that_of_awss_tables() -> None:
    one, two, three = series(1, 1, 0, 0, None), series(30, None, 0, 0, 30), series(0, 0, 20, None, 20)
    assert result("IF(a, b, c)", a=one, b=two, c=three) == series(30, 0, 20, None, None)
    assert result("IF(a, 5, c)", a=one, c=three) == series(5, 5, 20, None, None)
    assert result("IF(a, b, 5)", a=one, b=two) == series(30, 0, 5, 5, None)
    assert result("IF(a, b)", a=one, b=two) == series(30, 0, None, None, None)
    assert result("IF(1, b, c)", b=two, c=three) == two
    assert result("IF(0, b)", b=two) == {}


def test_a_rate_of_errors_needs_requests() -> None:
    rate = "IF(requests > 20, 100 * FILL(errors, 0) / requests, 0)"
    assert result(rate, requests=series(100, 10, None, 50), errors=series(7, 9)) == series(7, 0, None, 0)


def test_fill_fills_every_period_that_was_asked_for() -> None:
    some = series(None, 2, None, 6, None)
    assert result("FILL(m, 0)", m=some) == series(0, 2, 0, 6, 0)
    assert result("FILL(m, REPEAT)", m=some) == series(None, 2, 2, 6, 6)
    assert result("FILL(m, LINEAR)", m=some) == series(2, 2, 4, 6, 6)
    assert result("FILL(m, n)", m=some, n=series(9, 9, 9)) == series(9, 2, 9, 6, None)
    assert result("FILL(m, REPEAT)", m={}) == {}


def test_only_numbers_are_a_number_and_no_series() -> None:
    assert result("1 + 2") == 3.0
    with pytest.raises(Invalid, match="zero"):
        result("m / (1 / 0)", m=series(1))
    with pytest.raises(Invalid, match="time series"):
        result("FILL(1, 2)")


def test_the_ids_that_are_used_are_known() -> None:
    assert references(parse("IF(a > 1, b2 / FILL(c_c, REPEAT), 3)")) == {"a", "b2", "c_c"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the end"),
        ("m +", "the end"),
        ("m m", "'m'"),
        ("(m", r"'\)' was expected"),
        ("m $ 2", r"'\$ 2'"),
        ("IF(m)", "IF takes 2 or 3 arguments"),
        ("FILL(m)", "FILL takes 2 arguments"),
        ("SUM(METRICS())", "does not carry the function SUM"),
        ("SEARCH('x', 'Sum')", "''x', 'Sum'' was not expected"),
        ("REPEAT + 1", "belongs into FILL"),
        ("ABS(LINEAR)", "belongs into FILL"),
        ("IF(m, REPEAT, 1)", "belongs into FILL"),
        ("SELECT AVG(x) FROM y", "SELECT"),
        ("(" * 100 + "m" + ")" * 100, "too deeply"),
        ("-" * 100 + "m", "too deeply"),
        ("m+" * 1000 + "m", "300 words"),
        ("m+" * 2000 + "m", "2048 characters"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        result(text, m=series(1))


@given(st.text("mM1.+-*/^()<>=!&| ,IFILREPA", max_size=30))
def test_any_text_is_an_expression_or_invalid(text: str) -> None:
    try:
        tree = parse(text)
        evaluate(tree, {name: series(1, 2) for name in references(tree)}, GRID)
    except Invalid:
        pass
