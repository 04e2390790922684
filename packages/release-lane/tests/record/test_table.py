"""Tables that smoke checks report: what is kept of them, and as text."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.record.table import MOST_COLUMNS, MOST_LETTERS, MOST_ROWS, Table

pytestmark = pytest.mark.pure

TABLE = Table(title="Scores", head=("what", "live", "new"), rows=(("a", "0.5", "0.6"), ("longer", "1", "1")))


def test_it_is_read_as_it_was_written() -> None:
    assert Table.from_dict(TABLE.as_dict()) == TABLE


def test_as_text_it_is_aligned() -> None:
    assert TABLE.lines == ("Scores", "  what    live  new", "  a       0.5   0.6", "  longer  1     1")


def test_what_a_check_writes_is_cut_to_what_evidence_can_hold() -> None:
    wide, long, many = ["x"] * (MOST_COLUMNS + 1), "y" * (MOST_LETTERS + 1), MOST_ROWS + 2
    table = Table.from_dict({"title": long, "head": wide, "rows": [[1.5, "two\nlines"]] * many})
    assert {len(row) for row in (table.head, *table.rows)} == {MOST_COLUMNS}
    assert table.title == "y" * (MOST_LETTERS - 1) + "…"
    assert table.rows[0][:3] == ("1.5", "two lines", "")
    assert len(table.rows) == MOST_ROWS + 1
    assert table.rows[-1][0] == "and 2 more"


@pytest.mark.parametrize("value", [{}, {"head": ["a"]}, {"head": "a", "rows": []}, {"head": ["a"], "rows": ["b"]}])
def test_anything_else_is_no_table(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a table has a title, a head"):
        Table.from_dict(value)
