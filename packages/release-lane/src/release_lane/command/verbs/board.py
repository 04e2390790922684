"""`release board`: one page on all environments."""

from __future__ import annotations

import argparse
import json

from release_lane.command.files import write_into
from release_lane.command.looking import ledger_if_any, situations
from release_lane.command.tools import Tools
from release_lane.command.verbs.metrics import metrics_of
from release_lane.errors import UsageError
from release_lane.operate.board import Board, board_data, board_of
from release_lane.operate.board_page import board_page
from release_lane.operate.metrics import DAY
from release_lane.operate.page_html import html
from release_lane.operate.page_text import text
from release_lane.record.times import iso

ORDER = 72
NAME = "board"
HELP = "Show all environments on one page: what is live, on its way, waiting, and how a rollback would be."
DETAILS = """\
Environments from left to right, with what is live on which colour and what a rollback costs;
digests on their way with their gates; reviews that wait for an approval; the last releases; the
metrics of 90 days. It reads states, locks, AWS and the ledger, and changes nothing. What does not
answer is said to be unknown.

  release board
  release board --serve 8000       # http://127.0.0.1:8000/, made anew for each request
  release board --out public       # board.html and board.json, for a pipeline to publish
"""

PERIOD = 90 * DAY


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("--out", metavar="FOLDER", help="write board.html and board.json there")
    parser.add_argument(
        "--serve", metavar="PORT", type=_port, help="serve the page on loopback until Ctrl-C (0: any free port)"
    )


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Read, write, then serve."""
    if arguments.serve is not None and not arguments.out:
        return _served(tools, arguments.serve)
    board = read(tools)
    if arguments.out:
        files = {"board.html": _html(board), "board.json": json.dumps(board_data(board), indent=2)}
        write_into(arguments.out, files)
        tools.terminal.say(f"The board is in {arguments.out}: board.html, board.json.")
    if arguments.serve is not None:
        return _served(tools, arguments.serve)
    tools.terminal.emit(board_data(board), text(board_page(board)))
    return 0


def read(tools: Tools) -> Board:
    """Everything, now."""
    now = tools.machine.clock()
    entries, without, unsound = ledger_if_any(tools)
    route = tools.project.route.environments
    metrics = metrics_of(tools, entries, route, now - PERIOD, now) if entries is not None else ()
    return board_of(tools.project.name, iso(now), situations(tools, entries), entries, metrics, without, unsound)


def _served(tools: Tools, port: int) -> int:
    try:
        tools.pages.serve(
            lambda: _html(read(tools)), port, lambda url: tools.terminal.say(f"The board is at {url}; Ctrl-C ends it.")
        )
    except KeyboardInterrupt:
        tools.terminal.say("The board is no longer served.")
    return 0


def _html(board: Board) -> str:
    return html(board_page(board), wide=True)


def _port(given: str) -> int:
    if given.isdecimal() and int(given) <= 65535:
        return int(given)
    raise UsageError(f"{given!r} is no port.", next_step="write a number from 0 (any free one) to 65535.")
