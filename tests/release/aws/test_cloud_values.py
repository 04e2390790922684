"""Small readings of AWS's answers that decide much."""

from __future__ import annotations

import pytest

from release.aws.cloud import _percent

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("weight", "total", "percent"),
    [(100, 100, 100), (0, 100, 0), (1, 1, 100), (0, 0, 0), (999, 1000, 99), (1, 1000, 1), (50, 100, 50)],
)
def test_nobody_and_everybody_are_exact(weight: int, total: int, percent: int) -> None:
    assert _percent(weight, total) == percent
