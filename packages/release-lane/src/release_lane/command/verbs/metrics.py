"""`release metrics`: how often, how fast and how well releases reach users."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from release_lane.command.files import write_into
from release_lane.command.looking import chained_entries
from release_lane.command.tools import Tools
from release_lane.errors import UsageError
from release_lane.operate.duration import parse_since
from release_lane.operate.metrics import Metrics, measured
from release_lane.operate.metrics_page import metrics_page
from release_lane.operate.page_html import html
from release_lane.operate.page_text import text
from release_lane.record.ledger import Entry

ORDER = 74
NAME = "metrics"
HELP = "Count from the ledger how often, how fast and how well releases reach users."
DETAILS = """\
Deployment frequency, lead time, change failures and time to restore are those of DORA; the page
says what each figure means, and what it cannot know. Lead times need the commits in this
checkout: a shallow clone has few. It changes nothing, and asks neither AWS nor the engine.

  release metrics
  release metrics production --since 2026-01-01 --json
  release metrics --since 12w --out public     # metrics.html and metrics.json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", nargs="?", help="only this environment (default: all)")
    parser.add_argument("--since", metavar="DAY|DURATION", default="90d", help="2026-01-31, 90d, 12w (default: 90d)")
    parser.add_argument("--out", metavar="FOLDER", help="write metrics.html and metrics.json there")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Read the ledger, ask git for the times of its commits, count."""
    route = tools.project.route
    wanted = (route.check(arguments.environment),) if arguments.environment else route.environments
    now = tools.machine.clock()
    since = parse_since(arguments.since, now)
    if since >= now:
        raise UsageError(f"--since {arguments.since} is not in the past.", next_step="name an earlier day.")
    entries, unsound = entries_of(tools)
    found = metrics_of(tools, entries, wanted, since, now)
    page = metrics_page(tools.project.name, found, unsound)
    data = {"ledgerNotIntact": unsound or None, "environments": [each.as_dict() for each in found]}
    if arguments.out:
        write_into(arguments.out, {"metrics.html": html(page), "metrics.json": json.dumps(data, indent=2)})
        tools.terminal.say(f"The metrics are in {arguments.out}: metrics.html, metrics.json.")
    tools.terminal.emit(data, text(page))
    return 0


def entries_of(tools: Tools) -> tuple[tuple[Entry, ...], str]:
    """The ledger, and that it is not intact; `UsageError` where no stack file names one."""
    store = tools.ledger()
    if store is None:
        raise UsageError(
            "There is no ledger to count from.",
            why="no stack file says where it is, so updates leave no entries",
            next_step=tools.project.to_name_a_ledger,
        )
    return chained_entries(tools, store)


def metrics_of(
    tools: Tools, entries: tuple[Entry, ...], environments: Iterable[str], since: float, now: float
) -> tuple[Metrics, ...]:
    """The figures of each environment."""
    committed = tools.git.committed(tools.project.root, {each.commit for each in entries if each.commit})
    return tuple(measured(entries, each, since=since, until=now, committed=committed) for each in environments)
