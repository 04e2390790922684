"""Durations on the command line."""

from __future__ import annotations

import pytest
from release_lane.errors import UsageError
from release_lane.operate.duration import parse_duration, spoken

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("1.5", 1.5),
        ("90s", 90),
        ("0.5s", 0.5),
        ("5m", 300),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1H 5M".replace(" ", ""), 3900),
        (" 2m30s ", 150),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", " ", "soon", "5 minutes", "-5", "5d", "30m1h", "m", "1e3", "inf", "nan"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration") as refused:
        parse_duration(text)
    assert "30m" in refused.value.next_step


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (59.6, "1 min"),
    ],
)
def test_people_read_at_most_two_units(seconds: float, words: str) -> None:
    assert spoken(seconds) == words
