"""A page for people, without its looks: sections of text, lists, tables and pictures. Pure.

Markdown and HTML render it. Texts have four marks of Markdown: `code`, **bold**, *soft* and [words](https://…). What
comes from elsewhere goes through `quoted`, so that it is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

MARKS = re.compile(r"([\\`*<|]|\](?=\())")
"""What Markdown or HTML would take for more than a character."""


def flat(text: str) -> str:
    """In one line."""
    return " ".join(text.split())


def quoted(text: str) -> str:
    """Text from elsewhere, in one line; it can be no mark, no tag, no table's end."""
    return MARKS.sub(r"\\\1", flat(text))


def code(text: str) -> str:
    """As code; "" stays empty. Inside of code no mark counts, so a backtick is left out."""
    return f"`{flat(text).replace('`', '')}`" if text else ""


def link(words: str, url: str) -> str:
    """Words that lead to a page; only words where that is none of the web."""
    sound = re.fullmatch(r"https?://[^\s()<>\"`\\]+", url)
    return f"[{words}]({url})" if sound else words


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Alert:
    """What must not be missed."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list; an item may be a pair of a text and items below it."""

    items: tuple[str | tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Table:
    """Rows below headings; the first cell of a row says what the row is about."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Bar:
    """One bar of a picture: its label, and shares in percent that add up to 100 (or none at all)."""

    label: str
    shares: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Bars:
    """A picture of shares, one bar below the other. `title` says what it shows."""

    title: str
    bars: tuple[Bar, ...]


Block = Text | Alert | Bullets | Table | Bars


@dataclass(frozen=True)
class Section:
    """Blocks below a heading ("" for none)."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """All of it."""

    title: str
    sections: tuple[Section, ...] = field(default=())


def section(title: str, *blocks: Block | None) -> Section | None:
    """A section of those blocks that there are; None without any."""
    there = tuple(block for block in blocks if block is not None)
    return Section(title, there) if there else None


def bullets(items: Iterable[str | tuple[str, tuple[str, ...]]]) -> Bullets | None:
    """A list, None without items."""
    found = tuple(items)
    return Bullets(found) if found else None
