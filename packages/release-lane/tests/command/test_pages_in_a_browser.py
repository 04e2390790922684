"""The pages that verbs write, in a real browser: on a desktop and a phone, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from release_lane.errors import Refused
from release_lane.operate import review_page
from release_lane.operate.board_page import board_page
from release_lane.operate.page_html import html
from tests.operate import test_board, test_metrics_page, test_plan
from tests.operate.test_review_facts import SUBJECT, destructive_sample, sample

from tests.browser import DESKTOP, PHONE, Browser, axe, browser

pytestmark = pytest.mark.cli

PAGES: dict[str, Callable[[], str]] = {
    "metrics": lambda: html(test_metrics_page.page(test_metrics_page.busy())),
    "young": lambda: html(test_metrics_page.page(test_metrics_page.busy(), weeks=1)),
    "plan": lambda: html(test_plan.page(), wide=True),
    "board": lambda: html(board_page(test_board.board(pending=("urn",))), wide=True),
    "long": lambda: html(board_page(test_board.board(test_board.long_reason())), wide=True),
    "evil": lambda: html(board_page(test_board.everything_evil()), wide=True),
    "review": lambda: html(review_page.page(sample())),
    "destructive": lambda: html(review_page.page(destructive_sample())),
    "refusal": lambda: html(
        review_page.refusal(SUBJECT, Refused("It is refused.", why="a <b>", next_step="`release`."))
    ),
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all."""
    axe()
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_no_page_is_wider_than_the_screen(
    shown: Browser, tmp_path: Path, name: str, dark: bool, size: tuple[int, int]
) -> None:
    file = tmp_path / "page.html"
    file.write_text(PAGES[name]())
    shown.open(file, size=size, dark=dark)
    assert shown.hindrances() == []
    assert not shown.too_wide()


BROKEN = """[...document.querySelectorAll("td, th")].flatMap(cell => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [];
  while (walker.nextNode()) for (const word of walker.currentNode.data.matchAll(/\\S+/g)) {
    const range = document.createRange();
    range.setStart(walker.currentNode, word.index); range.setEnd(walker.currentNode, word.index + word[0].length);
    const lines = new Set([...range.getClientRects()].map(each => Math.round(each.top)));
    if (word[0].length <= 24 && !/[-/:]/.test(word[0]) && lines.size > 1) found.push(word[0]);
  } return found })"""
HIDDEN = """[...document.querySelectorAll(".scroll")].filter(each => each.scrollWidth > each.clientWidth).length"""


@pytest.mark.parametrize("name", ["review", "destructive", "board", "long", "metrics", "plan"])
@pytest.mark.parametrize("width", [1000, 1280])
def test_a_table_shows_all_of_it_and_breaks_no_word(shown: Browser, tmp_path: Path, name: str, width: int) -> None:
    """An approver sees the whole digest that is approved."""
    file = tmp_path / "page.html"
    file.write_text(PAGES[name]())
    shown.open(file, size=(width, 900))
    assert (shown.evaluate(HIDDEN), shown.evaluate(BROKEN)) == (0, [])


OVER = """[...document.querySelectorAll("svg.plot")].flatMap(plot => {
  const boxes = [...plot.querySelectorAll("text")].map(each => each.getBoundingClientRect()).filter(each => each.width);
  return boxes.filter((one, at) => boxes.slice(at + 1).some(two => one.left < two.right && two.left < one.right
    && one.top < two.bottom && two.top < one.bottom)) }).length"""


@pytest.mark.parametrize("name", ["board", "metrics", "young"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_word_of_a_plot_is_on_another_one(shown: Browser, tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    file = tmp_path / "page.html"
    file.write_text(PAGES[name]())
    shown.open(file, size=size)
    assert shown.evaluate(OVER) == 0


def test_a_page_runs_no_script_even_if_one_got_into_it(shown: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(PAGES["metrics"]().replace("</main>", "<script>window.ran = true</script></main>"))
    shown.open(file)
    assert shown.evaluate("window.ran === undefined")
    file.write_text("<script>window.ran = true</script>")
    shown.open(file)
    assert shown.evaluate("window.ran")
