"""`release heal`: restore the standby, and what an interrupted switch left behind."""

from __future__ import annotations

import argparse

from release_lane.command.options import add_environment, add_options
from release_lane.command.releasing import Change, carry_out
from release_lane.command.tools import Tools

ORDER = 110
NAME = "heal"
IN_LEDGER = True
HELP = "Restore an environment without releasing anything new."
DETAILS = """\
It runs one update without a digest: the idle colour gets the previous release back as a standby,
and an interrupted switch is finished or undone. Weights or live tasks that were changed by hand
are refused, unless --on-drift says what to do about them.

  release heal production
  release heal production --on-drift restore
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument(
        "--on-drift",
        choices=("adopt", "restore"),
        help="adopt: record what is there; restore: go back to the record",
    )
    add_options(parser, heals=False)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the environment without a digest."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    before = tools.existing(environment)
    config = {"onDrift": arguments.on_drift} if arguments.on_drift else {}
    return carry_out(tools, Change(verb=NAME, environment=environment, config=config), arguments, before)
