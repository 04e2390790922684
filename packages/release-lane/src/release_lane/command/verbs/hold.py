"""`release hold end`: one of the two releases that a hold keeps side by side gets all users."""

from __future__ import annotations

import argparse

from release_lane.command.halting import reason
from release_lane.command.options import (
    add_environment,
    add_lock_wait,
    add_on_alarm,
    add_through_freeze,
    add_without_ledger,
    through_freeze,
)
from release_lane.command.releasing import Change, carry_out
from release_lane.command.reporting import named
from release_lane.command.tools import Tools
from release_lane.decide.refusals import no_hold
from release_lane.record.hold import Winner

ORDER = 51
NAME = "hold"
IN_LEDGER = True
HELP = "End a hold: one of the two releases that serve side by side gets all users."
DETAILS = """\
With `shift.hold` in the stack file an update of a new release ends at that percent, and both
releases serve until this ends it. Nothing else is released meanwhile.

  --winner new  the held release gets all users, by the steps above the hold, watched as any.
                It goes forward, so a freeze window or a stopped line refuses it; it needs no
                seal, since it was approved for the hold
  --winner old  all users go back at once, as by `release rollback`

  release hold end production --winner new --reason "more orders, as many errors"
  release hold end production --winner old --reason "fewer orders"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("action", choices=("end",), metavar="end", help="give all users to one of the two releases")
    add_environment(parser)
    parser.add_argument(
        "--winner",
        choices=[str(each) for each in Winner],
        required=True,
        help="new: the held release; old: the one that was live before it",
    )
    parser.add_argument("--reason", metavar="TEXT", required=True, type=reason, help="why this one, for the ledger")
    parser.add_argument(
        "--yes", "-y", action="store_true", help="do not ask for a confirmation (asked where promotesFrom is set)"
    )
    add_through_freeze(parser)
    add_on_alarm(parser)
    add_lock_wait(parser)
    add_without_ledger(parser)
    # Nothing is built anew while two releases serve; afterwards the idle colour is reduced as after any release.
    parser.set_defaults(allow_replace=False, no_heal=False)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the environment with the winner."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    before = tools.existing(environment)
    recorded = before.recorded
    if recorded is None or recorded.hold is None:
        raise no_hold(environment)
    new = arguments.winner == Winner.NEW
    won = recorded.hold.release if new else recorded.live
    held = {"holdOf": won.digest} if new else {}
    change = Change(
        verb=NAME,
        environment=environment,
        config={"holdEnd": str(arguments.winner), **held, **through_freeze(arguments)},
        says=f"End the hold in {environment}: all users to {named(won)}.",
    )
    return carry_out(tools, change, arguments, before)
