"""`release quarantine`: no environment releases a digest."""

from __future__ import annotations

import argparse

from release_lane.command.halting import needed_ledger, require_reason, say_of_digest
from release_lane.command.tools import Tools
from release_lane.ledger.halts import halts_in
from release_lane.record.digest import parse_digest, short
from release_lane.record.halts import State, why

ORDER = 132
NAME = "quarantine"
IN_LEDGER = True
HELP = "Put a digest into quarantine: no environment releases it."
DETAILS = """\
`release rollback --fault` does it for the release that is left, and so does a switch or a watch
that rolls back because of a breach. What is live stays live. `release pardon` ends it.

  release quarantine sha256:… --reason "it charges twice"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("digest", metavar="sha256:…", help="the image")
    require_reason(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Say it to the ledger, unless it is there already."""
    digest = parse_digest(arguments.digest)
    store = needed_ledger(tools)
    entry = halts_in(store, "", digest).quarantined
    text = f"{short(digest)} is in quarantine already: {why(entry)}." if entry else ""
    if entry is None:
        entry = say_of_digest(tools, store, digest, State.QUARANTINED)
        text = f"{short(digest)} is in quarantine (entry {entry.sequence}): no environment releases it."
    tools.terminal.emit({"digest": digest, "quarantined": True, "entry": entry.sequence}, text)
    return 0
