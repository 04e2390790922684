"""Times as texts and as numbers."""

from __future__ import annotations

import pytest
from release_lane.record.times import epoch, in_words

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("1970-01-02T00:00:01+00:00", 86401.0),
        ("1970-01-02T00:00:01Z", 86401.0),
        ("1970-01-02T01:00:01+01:00", 86401.0),
        ("1970-01-02T00:00:01", 86401.0),
        ("", None),
        ("noon", None),
    ],
)
def test_a_time_is_read_as_utc_unless_it_says_otherwise(text: str, second: float | None) -> None:
    assert epoch(text) == second


def test_a_time_for_people_names_day_and_zone() -> None:
    assert in_words(86401.7) == "1970-01-02 00:00:01 UTC"
