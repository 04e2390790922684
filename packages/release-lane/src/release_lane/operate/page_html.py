"""A page as one self-contained HTML file: nothing is loaded, no script; light and dark, desktop and phone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from release_lane.operate.page import (
    INLINE,
    Alert,
    Bar,
    Bars,
    Block,
    Bullets,
    Card,
    Cards,
    Page,
    Plot,
    Plots,
    Point,
    Section,
    Table,
    Text,
)

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --soft: #505862; --line: #c9d0d8; --back: #ffffff; --code: #f0f2f5;
  --link: #0a50b0; --warn: #fff3d6; --edge: #8a5a00; --blue: #1f5fbf; --green: #1c7a3f; --on: #ffffff }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ee; --soft: #aab3be; --line: #3b434d; --back: #14181d;
  --code: #232a32; --link: #8ab8ff; --warn: #3a2e12; --edge: #e0b04c;
  --blue: #7fb0ff; --green: #6fd391; --on: #10141a } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.6rem; margin: .5rem 0 } h2 { font-size: 1.15rem; margin: 1.6rem 0 .4rem }
p, ul { margin: .5rem 0 } ul { padding-left: 1.3rem } li { overflow-wrap: anywhere }
code { background: var(--code); border-radius: .25rem; padding: .1rem .3rem; font-size: .875em;
  overflow-wrap: anywhere }
a { color: var(--link) }
.alert { background: var(--warn); border-left: .35rem solid var(--edge); padding: .6rem .8rem; margin: .6rem 0;
  overflow-wrap: anywhere }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line) }
td.long, th.long, .long code { overflow-wrap: anywhere } td.text { min-width: 12rem }
th { color: var(--soft); font-weight: 600 } tbody th { white-space: nowrap }
figure { margin: .6rem 0 } figcaption { color: var(--soft) } svg { width: 100%; max-width: 28rem; height: auto }
svg text { font: 13px system-ui, sans-serif; fill: var(--text) } svg .on { fill: var(--on) }
.blue { fill: var(--blue) } .green { fill: var(--green) } .none { fill: none; stroke: var(--line) }
@media (max-width: 40rem) { table, thead, tbody, tr, th, td { display: block } thead { position: absolute;
  width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) } tr { padding: .4rem 0;
  border-bottom: 1px solid var(--line) } th, td { border: 0; padding: .1rem 0; overflow-wrap: anywhere }
  td[data-of]::before {
  content: attr(data-of) ": "; color: var(--soft) } }
h1, h2, h3, p { overflow-wrap: anywhere } @media (min-width: 40.01rem) { th code, td code { white-space: nowrap }
  .long code { white-space: normal } }
@media (max-width: 40rem) { tbody th { white-space: normal; overflow-wrap: anywhere } }
main.wide { max-width: 84rem } .note { color: var(--soft); font-weight: 400 }
.cards { display: flex; gap: 2.2rem; padding: 0; list-style: none }
.cards > li { flex: 1 1 0; min-width: 0; position: relative; border: 1px solid var(--line); border-radius: .5rem;
  padding: .7rem .9rem } .cards ul { padding: 0; list-style: none } .cards h3 { font-size: 1rem; margin: 0 }
.cards ul li { margin: .3rem 0 } .cards > li + li::before { content: "\\2192" / ""; position: absolute; left: -1.7rem;
  top: .6rem; color: var(--soft); font-size: 1.2rem }
.plot { max-width: 27rem } svg.plot text { font-size: 11px }
.plot rect { fill: var(--blue) } .plot .bad { fill: none; stroke: var(--edge); stroke-width: 2;
  stroke-dasharray: 4 3 } .plots { display: flex; flex-wrap: wrap; gap: 0 2rem }
.plots figure { flex: 1 1 20rem; min-width: 0 } summary { color: var(--soft) }
@media (max-width: 48rem) { .cards { flex-direction: column } .cards > li + li::before { content: "\\2193" / "";
  left: 50%; top: -2rem } }
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Content-Security-Policy: a text from elsewhere that got past `escape` could neither run nor load anything."""


def html(page: Page, *, wide: bool = False) -> str:
    """The whole file. `wide`: for a page with boxes in a row."""
    title = escape(page.title)
    main = '<main class="wide">' if wide else "<main>"
    body = "\n".join(part for section in page.sections for part in _section(section))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="referrer" content="no-referrer">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{main}\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def inline(text: str) -> str:
    """The marks as tags; everything else escaped."""
    parts, at = [], 0
    for found in INLINE.finditer(text):
        parts += [escape(text[at : found.start()]), _marked(found)]
        at = found.end()
    return "".join([*parts, escape(text[at:])])


def _marked(found: re.Match[str]) -> str:
    if found["plain"] is not None:
        return escape(found["plain"])
    if found["code"] is not None:
        return f"<code>{escape(found['code'])}</code>"
    if found["soft"] is not None:
        return f"<em>{inline(found['soft'])}</em>"
    if found["bold"] is not None:
        return f"<strong>{inline(found['bold'])}</strong>"
    return f'<a href="{escape(found["url"])}">{inline(found["words"])}</a>'


def _section(section: Section) -> Iterator[str]:
    if section.title:
        yield f"<h2>{escape(section.title)}</h2>"
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text=text):
            yield f"<p>{inline(text)}</p>"
        case Alert(text=text):
            yield f'<div class="alert" role="note">{inline(text)}</div>'
        case Bullets(items=items):
            yield "<ul>"
            yield from (_item(item) for item in items)
            yield "</ul>"
        case Table():
            yield from _table(block)
        case Plots(plots=plots):
            yield f'<div class="plots">{"".join(map(_plot, plots))}</div>'
        case Cards(title=title, cards=cards):
            yield f'<ol class="cards" aria-label="{escape(title, quote=True)}">{"".join(map(_card, cards))}</ol>'
        case Bars(title=title, bars=bars):
            yield f"<figure>{_svg(title, bars)}<figcaption>{escape(title)}</figcaption></figure>"


def _item(item: str | tuple[str, tuple[str, ...]]) -> str:
    if isinstance(item, str):
        return f"<li>{inline(item)}</li>"
    text, below = item
    return f"<li>{inline(text)}<ul>{''.join(f'<li>{inline(each)}</li>' for each in below)}</ul></li>"


def _table(table: Table) -> Iterator[str]:
    """A row begins with its heading. On a phone each cell names its column, as the headings are out of sight."""
    yield '<div class="scroll" role="group" tabindex="0" aria-label="Table"><table><thead><tr>'
    yield "".join(f'<th scope="col">{inline(each)}</th>' if each else "<td></td>" for each in table.head)
    yield "</tr></thead><tbody>"
    for first, *cells in table.rows:
        rest = "".join(
            f'<td{_kind(cell)} data-of="{escape(_plain(of), quote=True)}">{inline(cell)}</td>'
            for of, cell in zip(table.head[1:], cells, strict=True)
        )
        yield f'<tr><th{_kind(first)} scope="row">{inline(first)}</th>{rest}</tr>'
    yield "</tbody></table></div>"


LONG, SENTENCE = 24, 60
"""Letters of a word that may be broken, and of a cell that needs the width of a line."""


def _kind(cell: str) -> str:
    """The class of a cell: only a long word is broken into lines, such as a whole digest."""
    said = INLINE.sub(lambda found: found["code"] or found["words"] or found[0], cell)
    found = ["long"] * any(len(word) > LONG for word in said.split()) + ["text"] * (len(said) > SENTENCE + LONG)
    return f' class="{" ".join(found)}"' if found else ""


def _plain(text: str) -> str:
    return re.sub(r"[`*\\]", "", text)


LABEL, BAR, HEIGHT, GAP = 58, 300, 24, 6


def _svg(title: str, bars: tuple[Bar, ...]) -> str:
    """Every part has its words, so that it needs no colour."""
    height = len(bars) * (HEIGHT + GAP)
    words = "; ".join(f"{bar.label}: {_shares(bar)}" for bar in bars)
    parts = "".join(_bar(number * (HEIGHT + GAP), bar) for number, bar in enumerate(bars))
    said = escape(f"{title}. {words}", quote=True)
    return f'<svg viewBox="0 0 {LABEL + BAR + 10} {height}" role="img" aria-label="{said}">{parts}</svg>'


def _shares(bar: Bar) -> str:
    return ", ".join(f"{name} {share} %" for name, share in bar.shares if share) or "no users are served"


def _bar(top: int, bar: Bar) -> str:
    middle = top + HEIGHT // 2 + 5
    drawn = [
        f'<text x="0" y="{middle}">{escape(bar.label)}</text>'
        f'<rect class="none" x="{LABEL}" y="{top + 1}" width="{BAR}" height="{HEIGHT}"/>'
    ]
    at = LABEL
    for name, share in bar.shares:
        width = BAR * share // 100
        if share:
            drawn.append(f'<rect class="{escape(name)}" x="{at}" y="{top + 1}" width="{width}" height="{HEIGHT}"/>')
            drawn.append(f'<text class="on" x="{at + 6}" y="{middle}">{escape(_fitting(name, share, width))}</text>')
        at += width
    if at == LABEL:
        drawn.append(f'<text x="{LABEL + 6}" y="{middle}">no users are served</text>')
    return "".join(drawn)


def _fitting(name: str, share: int, width: int) -> str:
    """What fits into a part: name and share, the share alone, or nothing; the label of the picture has all of it."""
    return next((words for words in (f"{name} {share} %", f"{share} %") if width >= 8 * len(words)), "")


def _card(card: Card) -> str:
    note = f' <span class="note">{inline(card.note)}</span>' if card.note else ""
    items = "".join(f"<li>{inline(item)}</li>" for item in card.items)
    return f"<li><h3>{inline(card.title)}{note}</h3><ul>{items}</ul></li>"


# ---- A plot: columns of SVG, and the same figures as a table for who cannot see it

WIDE, HIGH, ABOVE, BELOW = 340, 110, 16, 20


def _plot(plot: Plot) -> str:
    most = max((each.value for each in plot.points), default=0) or 1
    wide = WIDE / max(len(plot.points), 6)
    columns = "".join(_column(number * wide, wide, each, most) for number, each in enumerate(plot.points))
    figures = "".join(_table(Table(("", "Figure"), tuple((each.label, each.said) for each in plot.points))))
    return (
        f'<figure><figcaption>{inline(plot.title)}</figcaption><svg class="plot" aria-hidden="true" '
        f'viewBox="0 0 {WIDE} {ABOVE + HIGH + BELOW}">{columns}'
        f'<rect y="{ABOVE + HIGH}" width="{WIDE}" height="1"/>{_ends(plot, wide)}</svg>'
        f"<details><summary>The figures</summary>{figures}</details></figure>"
    )


def _ends(plot: Plot, wide: float) -> str:
    """Where all of it begins and ends, below the columns; in one text where these are few."""
    first, last = plot.ends
    right = wide * len(plot.points) - 4
    if right < WIDE / 2:
        return f'<text x="4" y="{ABOVE + HIGH + 15}">{escape(f"{first} to {last}" if last else first)}</text>'
    return (
        f'<text x="4" y="{ABOVE + HIGH + 15}">{escape(first)}</text>'
        f'<text x="{right:.1f}" y="{ABOVE + HIGH + 15}" text-anchor="end">{escape(last)}</text>'
    )


def _column(left: float, wide: float, point: Point, most: float) -> str:
    """The bad part is on top: empty, within a dashed line."""
    high, bad = HIGH * point.value / most, HIGH * point.bad / most
    top, x, width = ABOVE + HIGH - high, left + wide * 0.15, wide * 0.7
    drawn = f'<rect x="{x:.1f}" y="{top + bad:.1f}" width="{width:.1f}" height="{high - bad:.1f}"/>'
    if point.bad:
        drawn += f'<rect class="bad" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bad:.1f}"/>'
    middle = left + wide / 2
    return f'{drawn}<text x="{middle:.1f}" y="{top - 4:.1f}" text-anchor="middle">{escape(point.short)}</text>'
