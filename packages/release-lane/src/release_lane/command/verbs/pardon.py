"""`release pardon`: a digest in quarantine may be released again."""

from __future__ import annotations

import argparse

from release_lane.command.halting import needed_ledger, require_reason, say_of_digest
from release_lane.command.tools import Tools
from release_lane.errors import Refused
from release_lane.ledger.halts import halts_in
from release_lane.record.digest import parse_digest, short
from release_lane.record.halts import State, why

ORDER = 133
NAME = "pardon"
IN_LEDGER = True
HELP = "Pardon a digest that is in quarantine: it may be released again."
DETAILS = """\
For a fault that was not the release's own. It still needs its proof, as every release.

  release pardon sha256:… --reason "the payment provider was down"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("digest", metavar="sha256:…", help="the image")
    require_reason(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Say it to the ledger; `Refused` where it is not in quarantine."""
    digest = parse_digest(arguments.digest)
    store = needed_ledger(tools)
    fault = halts_in(store, "", digest).quarantined
    if fault is None:
        raise Refused(f"{short(digest)} is not in quarantine.", next_step="nothing: it may be released.")
    entry = say_of_digest(tools, store, digest, State.PARDONED)
    tools.terminal.emit(
        {"digest": digest, "quarantined": False, "entry": entry.sequence},
        f"{short(digest)} may be released again (entry {entry.sequence}). It was in quarantine: {why(fault)}.",
    )
    return 0
