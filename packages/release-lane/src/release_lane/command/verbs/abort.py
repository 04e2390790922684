"""`release abort`: request that the switch under way rolls its traffic back."""

from __future__ import annotations

import argparse

from release_lane.command.options import add_environment
from release_lane.command.tools import Tools
from release_lane.engine.locks import Holder
from release_lane.errors import CloudError, Refused
from release_lane.operate.aborting import Back, NotBack, Outcome, TooLate, Waiting, described, outcome, under_way
from release_lane.record.journal import Abort, Journal
from release_lane.record.names import Names

ORDER = 120
NAME = "abort"
IN_LEDGER = True
HELP = "Abort the switch that is under way: its traffic is rolled back and its update fails."
DETAILS = """\
It leaves an abort request where the switch looks for one (a tag on the production rule), waits
until the weights are back, and reports. It works from any machine. Before any traffic has moved
there is nothing to abort: stop the update with Ctrl-C where it runs. After the switch it is too
late: use `release rollback`.

  release abort production
  release abort production --yes
"""

POLL = 1.0
ANSWERED_WITHIN = 600.0
"""Seconds within which a switch should have rolled the traffic back; it looks every few seconds."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Find the switch, confirm, leave the request, wait, report."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    names = tools.project.names(environment)
    rule = tools.cloud.production_rule(names)
    switch = under_way(environment, rule, _holders(tools, environment))
    assert rule is not None
    tools.terminal.say(described(switch, rule))
    tools.terminal.confirm(
        "Roll the traffic back?", yes=arguments.yes, next_step=f"`release abort {environment} --yes`."
    )
    tools.cloud.ask_abort(names, Abort(switch.to.release_id, f"{tools.who} {tools.origin.run}".strip()))
    tools.terminal.say("Requested the abort; waiting for the switch to roll the traffic back.")
    return _report(tools, environment, switch, _awaited(tools, environment, names, switch))


def _holders(tools: Tools, environment: str) -> tuple[Holder, ...] | None:
    """Holders of the lock, without those that are known to be dead."""
    holders = tools.backend.holders(environment)
    return None if holders is None else tuple(each for each in holders if not tools.machine.owner(each).dead)


def _awaited(tools: Tools, environment: str, names: Names, switch: Journal) -> Back | TooLate | NotBack:
    end = tools.machine.now() + ANSWERED_WITHIN
    before: Outcome | None = None
    while True:
        # Read the lock first: if it is freed between the two reads, the rule is still the final one.
        holders = _holders(tools, environment)
        running = holders is None or bool(holders)
        seen = outcome(switch, tools.cloud.production_rule(names), running=running)
        # Weights are read before tags: while an update runs, those may be of before the way back, these of after it.
        torn = running and isinstance(seen, NotBack) and seen != before
        if not torn and not isinstance(seen, Waiting):
            return seen
        before = seen
        if tools.machine.now() > end:
            raise CloudError(
                f"The switch of {environment} did not answer within {ANSWERED_WITHIN:.0f} s.",
                why="it is busy, or died unnoticed; the abort request stays on the production rule",
                next_step=f"look at that update; if it is dead: `release recover {environment}`.",
            )
        tools.machine.sleep(POLL)


def _report(tools: Tools, environment: str, switch: Journal, seen: Back | TooLate | NotBack) -> int:
    match seen:
        case Back(colour):
            where = f"users are back on {colour}" if colour else "no users are served, as before"
            data = {"environment": environment, "liveColour": str(colour) if colour else None, "aborted": True}
            tools.terminal.emit(data, f"{environment}: the switch to {switch.to.colour} was aborted; {where}.")
            return 0
        case TooLate():
            raise Refused(
                f"Too late: the switch of {environment} ended before it saw the request. Users are on "
                f"{switch.to.colour}, or a hold keeps some of them there.",
                next_step=f"`release rollback {environment}`.",
            )
        case NotBack(where):
            raise CloudError(
                f"The update of {environment} ended, but the traffic is not back: {where}.",
                why="it was killed, or could not roll it back; its own output says more",
                next_step=f"`release recover {environment}`.",
            )
