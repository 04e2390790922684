"""`release pardon`: a digest in quarantine may be released again."""

from __future__ import annotations

import argparse

from release_lane.command.halting import add_reason, needed_ledger, say_of_digest
from release_lane.command.tools import Tools
from release_lane.errors import Refused
from release_lane.ledger.halts import halts_in
from release_lane.record.digest import parse_digest, short
from release_lane.record.halts import State, why

ORDER = 133
NAME = "pardon"
HELP = "Pardon a digest that is in quarantine: it may be released again."
DETAILS = """\
For a fault that was not the release's own. It still needs its proof, as every release.

  release pardon sha256:… --reason "the payment provider was down"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("digest", metavar="sha256:…", help="the image")
    add_reason(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Say it to the ledger; `Refused` where it is not in quarantine."""
    digest = parse_digest(arguments.digest)
    store = needed_ledger(tools, tools.project.route.environments[0])
    fault = halts_in(store, "", digest).quarantined
    if fault is None:
        raise Refused(f"{short(digest)} is not in quarantine.", next_step="nothing: it may be released.")
    entry = say_of_digest(tools, store, digest, State.PARDONED, NAME, arguments.reason)
    tools.terminal.emit(
        {"digest": digest, "quarantined": False, "entry": entry.sequence},
        f"{short(digest)} may be released again (entry {entry.sequence}). It was in quarantine: {why(fault)}.",
    )
    return 0
