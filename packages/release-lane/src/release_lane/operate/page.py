"""A page for people, without its looks: sections of text, lists, tables and pictures. Pure.

Markdown, HTML and plain text render it. Texts have four marks of Markdown: `code`, **bold**, *soft* and
[words](https://…). What comes from elsewhere goes through `quoted`, so that it is shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

MARKS = re.compile(r"([\\`*<|~]|\](?=\()|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;))")
"""What Markdown or HTML would take for more than a character: `_` at the edge of a word, `&` of an entity."""


INLINE = re.compile(
    r"\\(?P<plain>.)"
    r"|`(?P<code>[^`]*)`"
    r"|\*\*(?P<bold>.+?)\*\*"
    r"|\*(?P<soft>[^*]+)\*"
    r"|\[(?P<words>(?:\\.|\[[^\[\]]*\]|[^\[\]\\])+)\]\((?P<url>https?://[^\s)]+)\)"
)
"""One mark in a text, by the name of its group."""


def flat(text: str) -> str:
    """In one line."""
    return " ".join(text.split())


def harmless(text: str) -> str:
    """In one line; what cannot be seen (control characters, changes of direction) is an escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in flat(text))


def quoted(text: str) -> str:
    """Text from elsewhere, in one line; it can be no mark, no tag, no table's end."""
    return MARKS.sub(r"\\\1", harmless(text))


def sentences(text: str) -> str:
    """An error's words: what stands in backticks is code, and all the rest is text from elsewhere."""
    parts = re.split(r"`([^`]*)`", flat(text))
    return "".join(code(each) if number % 2 else _spaced(each) for number, each in enumerate(parts))


def _spaced(text: str) -> str:
    """Quoted, with the blanks at its ends."""
    before, after = (" " if text[at:][:1].isspace() else "" for at in (0, -1))
    return f"{before}{quoted(text)}{after}" if text.strip() else text


def code(text: str) -> str:
    """As code; "" stays empty. Inside of code no mark counts, so a backtick is left out."""
    return f"`{harmless(text).replace('`', '')}`" if text else ""


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


@dataclass(frozen=True)
class Point:
    """One column of a plot: its label, how high it is, how much of that is `bad`, and both in words.

    `short`: some four letters above the column.
    """

    label: str
    value: float
    said: str
    bad: float = 0.0
    short: str = ""


@dataclass(frozen=True)
class Plot:
    """A picture of figures over time, one column each. `title` says what it shows, `ends` where all of it begins and
    ends."""

    title: str
    points: tuple[Point, ...]
    ends: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Plots:
    """Pictures next to each other."""

    plots: tuple[Plot, ...]


@dataclass(frozen=True)
class Card:
    """One box: what it is about, a word on that, and what is in it."""

    title: str
    note: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Cards:
    """Boxes in a row, each leading to the next one. `title` says what the row is."""

    title: str
    cards: tuple[Card, ...]


Block = Text | Alert | Bullets | Table | Bars | Plots | Cards


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
