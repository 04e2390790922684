"""`release heal`: put an environment in order without releasing anything."""

from __future__ import annotations

import argparse

from release_lane.command.releasing import Change, add_environment, add_options, carry_out
from release_lane.command.tools import Tools

ORDER = 110
NAME = "heal"
HELP = "Put an environment in order without releasing anything new."
DETAILS = """\
One update without a digest: the idle colour gets the previous release back, an interrupted
switch is finished or undone. Weights or live tasks that somebody changed by hand are refused,
unless --on-drift says what to do about them.

  release heal production
  release heal production --on-drift restore
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument(
        "--on-drift",
        choices=("adopt", "restore"),
        help="adopt: record what is; restore: go back to what was recorded",
    )
    add_options(parser, heals=False)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the environment without a digest."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    before = tools.existing(environment)
    config = {"onDrift": arguments.on_drift} if arguments.on_drift else {}
    return carry_out(tools, Change(verb=NAME, environment=environment, config=config), arguments, before)
