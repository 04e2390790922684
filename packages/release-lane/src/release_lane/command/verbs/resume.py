"""`release resume`: releases go forward again after `release stop-the-line`."""

from __future__ import annotations

import argparse

from release_lane.command.halting import needed_ledger, require_reason, say_of_line
from release_lane.command.options import add_environment
from release_lane.command.tools import Tools
from release_lane.errors import Refused
from release_lane.ledger.halts import halts_in
from release_lane.record.halts import State, why

ORDER = 131
NAME = "resume"
IN_LEDGER = True
HELP = "Resume the line: what `release stop-the-line` stopped goes forward again."
DETAILS = """\
  release resume production --reason "the queue is repaired"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    require_reason(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Say it to the ledger; `Refused` where the line is not stopped."""
    environment = tools.project.route.check(arguments.environment)
    store = needed_ledger(tools, environment)
    stopped = halts_in(store, environment, "").stopped
    if stopped is None:
        raise Refused(f"The line of {environment} is not stopped.", next_step="nothing: releases go forward there.")
    entry = say_of_line(tools, store, environment, State.RESUMED)
    tools.terminal.emit(
        {"environment": environment, "stopped": False, "entry": entry.sequence},
        f"The line of {environment} goes on (entry {entry.sequence}). It was stopped: {why(stopped)}.",
    )
    return 0
