"""A page in Markdown and HTML: what comes from elsewhere stays text, nothing needs colour, nothing is loaded."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

import pytest
from release_lane.operate.page import (
    Alert,
    Bar,
    Bars,
    Block,
    Bullets,
    Page,
    Table,
    Text,
    bullets,
    code,
    link,
    quoted,
    section,
    sentences,
)
from release_lane.operate.page_html import html, inline
from release_lane.operate.page_markdown import markdown
from release_lane.operate.page_text import plain

pytestmark = pytest.mark.pure

HOSTILE = "<img src=x onerror=alert(1)> **bold** `code` [x](https://evil.test) | a\\b *soft*"
BARS = Bars("How the traffic moves", (Bar("now", (("blue", 90), ("green", 10))), Bar("none", (("blue", 0),))))


def page(*blocks: Block) -> Page:
    found = section("A title <b>", *blocks)
    assert found
    return Page("A & B", (found,))


class Tags(HTMLParser):
    """Tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "block",
    [
        Text(quoted(HOSTILE)),
        Alert(quoted(HOSTILE)),
        Bullets((quoted(HOSTILE), ("a", (quoted(HOSTILE),)))),
        Table(("", "Now"), ((quoted(HOSTILE), quoted(HOSTILE)),)),
        Text(code(HOSTILE)),
        Bars(HOSTILE, (Bar(HOSTILE, (("blue", 100),)),)),
    ],
    ids=lambda block: type(block).__name__,
)
def test_what_comes_from_elsewhere_is_shown_as_it_is(block: Block) -> None:
    found = Tags(html(page(block)))
    named = {tag for tag, _ in found.tags}
    assert not named & {"img", "script", "b", "strong", "em"}
    assert not [attributes for tag, attributes in found.tags if tag == "a" or "onerror" in attributes]
    assert "onerror=alert(1)" in found.text or isinstance(block, Bars)


def test_in_markdown_it_can_be_no_tag_no_link_and_no_cell() -> None:
    (row,) = [
        line for line in markdown(page(Table(("", "x"), ((quoted(HOSTILE), "b"),)))).splitlines() if "img" in line
    ]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert "\\<img" in row
    assert "\\](https://evil" in row


def test_code_in_the_words_of_an_error_is_code_and_the_rest_stays_as_it_is() -> None:
    assert inline(sentences("`freeze` in the stack file: <b>*why*</b>; then `release rollback`, or wait")) == (
        "<code>freeze</code> in the stack file: &lt;b&gt;*why*&lt;/b&gt;; then <code>release rollback</code>, or wait"
    )
    assert sentences("one ` alone") == "one \\` alone"
    assert plain(sentences(HOSTILE)) == HOSTILE.replace("`", "")


def test_a_link_leads_to_the_web_or_nowhere() -> None:
    assert inline(link("`abc`", "https://a.test/x?y=1")) == '<a href="https://a.test/x?y=1"><code>abc</code></a>'
    assert link("words", "javascript:alert(1)") == "words"
    assert link("words", 'https://a.test/"onclick=') == "words"


def test_a_name_in_brackets_leads_where_its_link_does() -> None:
    bot = link(quoted("dependabot[bot]"), "https://ci.test/7")
    assert inline(bot) == '<a href="https://ci.test/7">dependabot[bot]</a>'
    assert plain(bot) == "dependabot[bot] (https://ci.test/7)"


@pytest.mark.parametrize("given", ["fix __init__.py", "a _word_", "~~gone~~", "&lt;b&gt;", "&#60;"])
def test_markdown_shows_every_character_that_comes_from_elsewhere(given: str) -> None:
    said = quoted(given)
    assert not re.search(r"(?<!\\)[_~&]", said)
    assert inline(said) == escape(given)
    assert plain(said) == given


def test_a_name_with_an_underscore_inside_is_no_mark_and_stays_readable() -> None:
    assert quoted("release_lane & more") == "release_lane & more"


def test_marks_are_tags() -> None:
    assert inline("**CAREFUL: `a`** and *soft*") == "<strong>CAREFUL: <code>a</code></strong> and <em>soft</em>"


def test_the_file_loads_nothing_and_runs_nothing() -> None:
    found = Tags(html(page(Text("a"), BARS)))
    assert not [tag for tag, attributes in found.tags if tag in ("script", "link", "img") or "src" in attributes]
    assert "url(" not in html(page(Text("a")))
    assert "@import" not in html(page(Text("a")))


def test_a_picture_is_readable_without_colour_in_both() -> None:
    lines = markdown(page(BARS)).splitlines()
    assert f"now   {'B' * 18}GG  blue 90 %, green 10 %" in lines
    assert f"none  {'-' * 20}  no users are served" in lines
    (picture,) = [attributes for tag, attributes in Tags(html(page(BARS))).tags if tag == "svg"]
    assert picture["role"] == "img"
    assert picture["aria-label"] == ("How the traffic moves. now: blue 90 %, green 10 %; none: no users are served")


def test_cells_name_their_column_where_the_headings_are_out_of_sight() -> None:
    cells = [a for tag, a in Tags(html(page(Table(("", "Now"), (("Digest", "`a`"),))))).tags if tag == "td"]
    assert {"data-of": "Now"} in cells


def test_a_section_without_a_block_is_none() -> None:
    assert section("Title", None, bullets([])) is None
