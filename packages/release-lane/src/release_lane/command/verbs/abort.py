"""`release abort`: ask the switch that is under way to put users back."""

from __future__ import annotations

import argparse

from release_lane.command.releasing import add_environment
from release_lane.command.tools import Tools
from release_lane.engine.locks import Holder
from release_lane.errors import CloudError, Refused
from release_lane.operate.aborting import Back, TooLate, Unheard, Waiting, described, outcome, under_way
from release_lane.record.journal import Abort, Journal
from release_lane.record.names import Names

ORDER = 120
NAME = "abort"
HELP = "Ask the switch that is under way to put users back; its update then fails."
DETAILS = """\
It leaves a wish where the switch looks (a tag on the production rule), waits until the weights are
back, and reports. From any machine, also where the update runs elsewhere. Before users are
moved there is nothing to abort: stop the update by Ctrl-C where it runs. After the switch it
is too late: `release rollback`.

  release abort production
  release abort production --yes
"""

POLL = 1.0
ANSWERED_WITHIN = 600.0
"""Seconds within which a switch should have put users back; it looks every few seconds."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Find the switch, ask, leave the wish, wait, report."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    names = tools.project.names(environment)
    rule = tools.cloud.users_rule(names)
    switch = under_way(environment, rule, _holders(tools, environment))
    assert rule is not None
    tools.terminal.say(described(switch, rule))
    tools.terminal.confirm(
        "Roll the traffic back?", yes=arguments.yes, next_step=f"`release abort {environment} --yes`."
    )
    by = tools.origin.who or tools.machine.user()
    tools.cloud.ask_abort(names, Abort(switch.to.release_id, f"{by} {tools.origin.run}".strip()))
    tools.terminal.say("Asked the switch to put users back; waiting for it.")
    return _report(tools, environment, switch, _awaited(tools, environment, names, switch))


def _holders(tools: Tools, environment: str) -> tuple[Holder, ...] | None:
    """Of the lock, without those that are dead for sure."""
    holders = tools.backend.holders(environment)
    return None if holders is None else tuple(each for each in holders if not tools.machine.owner(each).dead)


def _awaited(tools: Tools, environment: str, names: Names, switch: Journal) -> Back | TooLate | Unheard:
    end = tools.machine.now() + ANSWERED_WITHIN
    while True:
        # The lock first: were it freed between the two looks, the rule would still be the one of the end.
        holders = _holders(tools, environment)
        seen = outcome(switch, tools.cloud.users_rule(names), running=holders is None or bool(holders))
        if not isinstance(seen, Waiting):
            return seen
        if tools.machine.now() > end:
            raise CloudError(
                f"The switch of {environment} did not answer within {ANSWERED_WITHIN:.0f} s.",
                why="it is busy, or dead without anybody here seeing it; the wish stays on the production rule",
                next_step=f"look at that update; if it is dead for sure: `release recover {environment}`.",
            )
        tools.machine.sleep(POLL)


def _report(tools: Tools, environment: str, switch: Journal, seen: Back | TooLate | Unheard) -> int:
    match seen:
        case Back(colour):
            where = f"users are back on {colour}" if colour else "nobody is served, as before"
            data = {"environment": environment, "liveColour": str(colour) if colour else None, "aborted": True}
            tools.terminal.emit(data, f"{environment}: the switch to {switch.to.colour} was aborted; {where}.")
            return 0
        case TooLate():
            raise Refused(
                f"Too late: the switch of {environment} was done before it saw the wish. Users are on "
                f"{switch.to.colour}.",
                next_step=f"`release rollback {environment}`.",
            )
        case Unheard(where):
            raise CloudError(
                f"The update of {environment} ended, but users are not back: {where}.",
                why="it was killed, or could not put them back; its own words say more",
                next_step=f"`release recover {environment}`.",
            )
