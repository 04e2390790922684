"""`release quarantine`: no environment releases a digest."""

from __future__ import annotations

import argparse

from release_lane.command.halting import live_in_quarantine, needed_ledger, require_reason, say_of_digest
from release_lane.command.tools import Tools
from release_lane.errors import ReleaseError
from release_lane.ledger.halts import halts_in
from release_lane.record.digest import parse_digest, short
from release_lane.record.halts import State, why
from release_lane.record.records import Recorded

ORDER = 132
NAME = "quarantine"
IN_LEDGER = True
HELP = "Put a digest into quarantine: no environment releases it."
DETAILS = """\
`release rollback --fault` does it for the release that is left, and so does a switch or a watch
that rolls back because of a breach. What is live stays live; where that is this
digest, the answer says so, and what users can be brought back to. `release pardon` ends it.

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
    live = _live_in(tools, digest)
    said = {environment: each for environment in live if (each := live_in_quarantine(tools, *live[environment]))}
    careful = [f"CAREFUL: {environment}: {each}." for environment, each in said.items()]
    data = {"digest": digest, "quarantined": True, "entry": entry.sequence, "liveIn": sorted(live)}
    tools.terminal.emit(data, "\n".join([text, *careful]))
    return 0


def _live_in(tools: Tools, digest: str) -> dict[str, tuple[str, Recorded]]:
    """The environments that have it live, by what they recorded. It is in quarantine, even if that cannot be read."""
    found = {}
    for environment in tools.project.route.environments:
        try:
            state = tools.engine.state(environment)
        except ReleaseError as error:
            tools.terminal.say(f"Whether {environment} has it live is not known: {error.what_and_why}")
            continue
        if state and state.recorded and state.recorded.live.digest == digest:
            found[environment] = (environment, state.recorded)
    return found
