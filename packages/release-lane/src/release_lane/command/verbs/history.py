"""`release history`: what the ledger has, and whether it is intact."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from release_lane.command.looking import warn_of
from release_lane.command.terminal import table
from release_lane.command.tools import Tools
from release_lane.errors import UsageError
from release_lane.ledger.store import Store, entries_in
from release_lane.operate.history import HEADINGS, cells, passages
from release_lane.record.chain import Contents, Finding, last_done, read, verify
from release_lane.record.digest import short
from release_lane.record.flags import stack_of
from release_lane.record.ledger import Entry
from release_lane.record.records import Recorded

ORDER = 72
NAME = "history"
HELP = "Show what was begun and how it ended, in all environments or one; prove that nothing of it was changed."
DETAILS = """\
It reads the ledger that the stack files name (`ledger`). An update is one line, killed and refused
ones included; --json has all that is known of each.

--verify reads all of it: that each entry holds the hash of the one before, that none is missing,
out of order, deleted or written twice, that each mark repeats what an entry says, and that what
each environment has live is what its last outcome says. Exit code 1 if anything is wrong.

  release history
  release history production --last 5
  release history --verify
"""

INTACT, NOT_INTACT = 0, 1
LAST = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", nargs="?", help="only this environment")
    parser.add_argument(
        "--last", type=int, metavar="N", help="how many to show (default: 20, with --verify none; 0 for all)"
    )
    parser.add_argument("--verify", action="store_true", help="prove that nothing was changed or is missing")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Read; with --verify everything."""
    environment = tools.project.route.check(arguments.environment) if arguments.environment else ""
    last = LAST if arguments.last is None else arguments.last
    if last < 0:
        raise UsageError(f"--last {last}: should be a number of lines, or 0 for all.")
    store = tools.ledger()
    if store is None:
        raise UsageError(
            "No ledger is kept: the stack files name none.",
            next_step=tools.project.to_name_a_ledger,
        )
    if arguments.verify:
        return _verified(tools, store, environment, arguments.last)
    entries, more = _newest(tools, store, environment, last)
    data = {"ledger": tools.project.ledger, "cut": more, "entries": _plain(entries)}
    tools.terminal.emit(data, _table(entries, last))
    if more and arguments.last is None:
        tools.terminal.say(f"These are the last {last}; --last N shows more, --last 0 all.")
    return 0


def _newest(tools: Tools, store: Store, environment: str, last: int) -> tuple[tuple[Entry, ...], bool]:
    """So many passages of the environment, or all: entries are read from the newest one on, more and more of them.
    And are there more than are shown?"""
    size = 4 * last
    while True:
        written = store.written(size or None)
        found = tuple(each for each in entries_in(written) if _about(each, environment))
        if not last or len(passages(found)) > last or len(written) < size:
            warn_of(tools, written)
            return found, bool(last) and len(passages(found)) > last
        size *= 4


def _about(entry: Entry, environment: str) -> bool:
    """Is it about this environment ("": about any), its flags or all environments?"""
    return not environment or entry.environment in ("", environment, stack_of(environment))


def _table(entries: tuple[Entry, ...], last: int) -> str:
    rows = passages(entries)
    if not rows:
        return "The ledger is empty."
    return table(HEADINGS, [cells(each) for each in rows[-last:]])


def _plain(entries: tuple[Entry, ...]) -> list[dict[str, Any]]:
    """As they are stored."""
    return [json.loads(each.as_bytes()) for each in entries]


# ---- --verify


def _verified(tools: Tools, store: Store, environment: str, last: int | None) -> int:
    contents, live = store.contents(), _live(tools)
    found = verify(contents, live)
    entries = tuple(each for each in read(contents.entries) if _about(each, environment))
    tools.terminal.emit(
        {
            "ledger": tools.project.ledger,
            "intact": not found,
            "findings": [{"fault": str(each.fault), "entry": each.sequence, "what": each.what} for each in found],
            "keepsVersions": contents.traces.kept,
            "entries": _plain(entries),
        },
        "\n".join([*([] if last is None else [_table(entries, last), ""]), *_verdict(contents, found, live)]),
    )
    return NOT_INTACT if found else INTACT


def _live(tools: Tools) -> Mapping[str, Recorded | None]:
    """What each environment that exists recorded as live."""
    names = tools.project.route.environments
    with ThreadPoolExecutor(max_workers=8) as pool:
        states = list(pool.map(tools.engine.state, names))
    return {name: state.recorded for name, state in zip(names, states, strict=True) if state is not None}


def _verdict(contents: Contents, found: tuple[Finding, ...], live: Mapping[str, Recorded | None]) -> list[str]:
    if found:
        count = "1 finding" if len(found) == 1 else f"{len(found)} findings"
        return [f"NOT INTACT: {count}.", *(f"  {each.fault}: {each.what}." for each in found), LOOK]
    entries = read(contents.entries)
    lines = [f"Intact: {len(entries)} entries, each with the hash of the one before; nothing is missing."]
    for name, recorded in live.items():
        done = last_done(entries, name)
        if done and recorded:
            lines.append(f"  {name}: {_live_or_held(recorded)}, as entry {done.sequence} says.")
        elif recorded:
            lines.append(f"  {name}: {_live_or_held(recorded)}; no entry says since when.")
    return [*lines, KEPT if contents.traces.kept else NOT_KEPT]


def _live_or_held(recorded: Recorded) -> str:
    return f"a hold stands, {recorded.hold.words()}" if recorded.hold else f"{short(recorded.live.digest)} is live"


LOOK = "Next: docs/guides/ledger.md of release-lane says what each means. Nothing was changed by looking."
KEPT = "The bucket keeps versions: nothing was deleted or written again."
NOT_KEPT = "This store keeps no versions: that nothing was cut off at its end, only what is live shows."
