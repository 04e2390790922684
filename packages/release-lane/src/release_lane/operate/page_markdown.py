"""A page as GitHub-flavoured Markdown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from release_lane.operate.page import Alert, Bar, Bars, Block, Bullets, Cards, Page, Plots, Point, Table, Text

WIDTH = 20
"""Letters of a bar."""


def markdown(page: Page) -> str:
    """The whole page; it ends with a line's end."""
    lines = [f"# {page.title}", ""]
    for section in page.sections:
        lines += [f"## {section.title}", ""] if section.title else []
        for block in section.blocks:
            lines += [*_block(block), ""]
    return "\n".join(lines)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text=text):
            yield text
        case Alert(text=text):
            yield f"> {text}"
        case Bullets(items=items):
            for item in items:
                text, below = (item, ()) if isinstance(item, str) else item
                yield f"- {text}"
                yield from (f"  - {each}" for each in below)
        case Table(head=head, rows=rows):
            yield f"| {' | '.join(head)} |"
            yield f"|{' --- |' * len(head)}"
            yield from (f"| {' | '.join(map(_cell, row))} |" for row in rows)
        case Bars(bars=bars):
            yield from ("```text", *bars_in_letters(bars), "```")
        case Plots(plots=plots):
            for plot in plots:
                yield from (plot.title, "", "```text", *columns(plot.points), "```", "")
        case Cards(cards=cards):
            for number, card in enumerate(cards, 1):
                yield f"{number}. **{card.title}** {card.note}".rstrip()
                yield from (f"   - {item}" for item in card.items)


def _cell(text: str) -> str:
    """A bar in code would end the cell."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def bars_in_letters(bars: tuple[Bar, ...]) -> Iterator[str]:
    """Each part of a bar by the first letter of its name, so that it needs no colour."""
    width = max((len(bar.label) for bar in bars), default=0)
    for bar in bars:
        letters = "".join(name[0].upper() * round(share * WIDTH / 100) for name, share in bar.shares)
        shares = ", ".join(f"{name} {share} %" for name, share in bar.shares if share)
        yield f"{bar.label.ljust(width)}  {letters.ljust(WIDTH, '-')}  {shares or 'no users are served'}"


def columns(points: tuple[Point, ...]) -> Iterator[str]:
    """A plot as lines; what is bad has another letter."""
    label, most = max((len(each.label) for each in points), default=0), max((each.value for each in points), default=0)
    for each in points:
        full = round(WIDTH * each.value / most) if most else 0
        bad = min(full, max(1, round(WIDTH * each.bad / most))) if each.bad else 0
        yield f"{each.label.ljust(label)}  {'#' * (full - bad)}{'x' * bad} {each.said}".rstrip()
