"""`release stop-the-line`: from now on nothing goes forward in an environment."""

from __future__ import annotations

import argparse

from release_lane.command.halting import needed_ledger, require_reason, say_of_line
from release_lane.command.options import add_environment
from release_lane.command.tools import Tools
from release_lane.ledger.halts import halts_in
from release_lane.record.halts import State, why

ORDER = 130
NAME = "stop-the-line"
IN_LEDGER = True
HELP = "Stop the line: from now on nothing goes forward in the environment."
DETAILS = """\
The program asks the ledger, so it holds for a plain `pulumi up` as well, and in previews. Going
back, healing and finishing always pass. An update that has not moved traffic yet is refused by its
switch; one that has goes on, and `release abort` rolls its traffic back. `release resume` ends it.

  release stop-the-line production --reason "orders are lost, we do not know why yet"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    require_reason(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Say it to the ledger, unless it is stopped already."""
    environment = tools.project.route.check(arguments.environment)
    store = needed_ledger(tools, environment)
    entry = halts_in(store, environment, "").stopped
    text = f"The line of {environment} is stopped already: {why(entry)}." if entry else ""
    if entry is None:
        entry = say_of_line(tools, store, environment, State.STOPPED)
        text = (
            f"The line of {environment} is stopped (entry {entry.sequence}): nothing goes forward there until "
            f"`release resume {environment} --reason …`. A switch that has moved traffic goes on; "
            f"`release abort {environment}` ends it."
        )
    tools.terminal.emit({"environment": environment, "stopped": True, "entry": entry.sequence}, text)
    return 0
