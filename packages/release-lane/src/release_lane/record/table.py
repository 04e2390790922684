"""A table that a smoke check reports: it is shown when the check ends, and kept as evidence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_ROWS, MOST_COLUMNS, MOST_LETTERS = 30, 8, 80
"""What is kept of one table: evidence lies in the stack's outputs, fifty proofs of it."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows below headings, all of them texts; the first cell of a row says what the row is about."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; `from_dict` is the inverse."""
        return {"title": self.title, "head": list(self.head), "rows": [list(row) for row in self.rows]}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Table:
        """Read what `as_dict` or a check wrote, cut to what is kept. ValueError for what is no table."""
        head, rows = value.get("head"), value.get("rows")
        if not isinstance(head, list) or not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise ValueError("a table has a title, a head (a list) and rows (a list of lists)")
        kept = tuple(_cells(row, len(head)) for row in rows[:MOST_ROWS])
        more = len(rows) - len(kept)
        last = (_cells([f"and {more} more"], len(head)),) if more > 0 else ()
        return Table(title=_cut(value.get("title") or ""), head=_cells(head, len(head)), rows=(*kept, *last))

    @property
    def lines(self) -> tuple[str, ...]:
        """As aligned text, the title first."""
        whole = (self.head, *self.rows)
        widths = [max(len(row[at]) for row in whole) for at in range(len(self.head))]
        aligned = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in whole)
        return (self.title, *(f"  {line.rstrip()}" for line in aligned))


def _cells(row: list[Any], count: int) -> tuple[str, ...]:
    """As many cells as the head has, a missing one empty."""
    return tuple(_cut(cell) for cell in [*row, *[""] * count][: min(count, MOST_COLUMNS)])


def _cut(cell: Any) -> str:
    text = " ".join(str(cell).split())
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"
