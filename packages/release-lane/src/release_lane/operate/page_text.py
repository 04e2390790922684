"""A page for a terminal: no marks, aligned tables. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from release_lane.operate.page import INLINE, Alert, Bars, Block, Bullets, Cards, Page, Plots, Table, Text
from release_lane.operate.page_markdown import bars_in_letters, columns


def text(page: Page) -> str:
    """The whole page."""
    lines = [page.title, ""]
    for section in page.sections:
        lines += [section.title.upper(), ""] if section.title else []
        for block in section.blocks:
            lines += [*_block(block), ""]
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def plain(text: str) -> str:
    """Without its marks; a link shows where it leads to."""
    return INLINE.sub(_unmarked, text)


def _unmarked(found: re.Match[str]) -> str:
    if found["words"] is not None:
        return f"{plain(found['words'])} ({found['url']})"
    if (inner := found["bold"] or found["soft"]) is not None:
        return plain(inner)
    return found["code"] if found["plain"] is None else found["plain"]


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text=said):
            yield plain(said)
        case Alert(text=said):
            yield f"! {plain(said)}"
        case Bullets(items=items):
            for item in items:
                said, below = (item, ()) if isinstance(item, str) else item
                yield f"- {plain(said)}"
                yield from (f"  - {plain(each)}" for each in below)
        case Table():
            yield from _table(block)
        case Bars(bars=bars):
            yield from bars_in_letters(bars)
        case Plots(plots=plots):
            for number, plot in enumerate(plots):
                yield from ([""] if number else [])
                yield from (plain(plot.title), *columns(plot.points))
        case Cards(cards=cards):
            for number, card in enumerate(cards):
                yield from ("    |", "    v") if number else ()
                yield f"[{plain(card.title)}] {plain(card.note)}"
                yield from (f"    {plain(item)}" for item in card.items)


def _table(table: Table) -> Iterator[str]:
    """Aligned columns; where these would be too wide, one row below the other."""
    rows = [tuple(map(plain, row)) for row in table.rows]
    columns = [tuple(map(str.upper, table.head)), *rows]
    widths = [max(map(len, column)) for column in zip(*columns, strict=True)]
    if sum(widths) + 2 * len(widths) <= WIDEST:
        yield from ("  ".join(map(str.ljust, row, widths)) for row in columns)
        return
    for first, *rest in rows:
        yield first
        yield from (f"    {of}: {cell}" for of, cell in zip(table.head[1:], rest, strict=True))


WIDEST = 120
"""Letters of a line of a table."""
