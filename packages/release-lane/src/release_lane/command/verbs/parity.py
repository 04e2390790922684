"""`release parity`: in what an environment differs from the one that it promotes from."""

from __future__ import annotations

import argparse

from release_lane.command.looking import need_quiet
from release_lane.command.options import add_environment
from release_lane.command.releasing import side_by_side
from release_lane.command.reviewing import compared
from release_lane.command.terminal import table
from release_lane.command.tools import Tools
from release_lane.errors import CheckFailed, UsageError
from release_lane.operate.parity import Comparison, Row, Standing, compare

ORDER = 76
NAME = "parity"
HELP = "Show in what an environment differs from the one that it promotes from."
DETAILS = """\
What staging proves counts for production only as far as the two are alike. Compared are the stack
files with their defaults, the live releases, their task definitions and all other resources in the
states. What has to differ (names, accounts, domains, address ranges) is left out. A difference that
is meant is declared in the stack file, with the reason (parity.expect). Values of variables and
secrets are never shown. It changes nothing and takes no lock. Exit code 1 if a difference is not
declared.

  release parity production
  release parity production --with preproduction --json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument(
        "--with",
        dest="other",
        metavar="ENVIRONMENT",
        help="compare with this environment (default: the one before it, promotesFrom)",
    )


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Read both states, compare; 1 if a difference is not declared."""
    route = tools.project.route
    here, there = route.check(arguments.environment), arguments.other or route.source_of(arguments.environment)
    if there is None:
        nothing: list[str] = []
        data = {"environment": here, "with": None, "differences": nothing, "gone": nothing, "unchecked": nothing}
        tools.terminal.emit(data, f"{here}: the first of its route, so there is nothing to compare it with.")
        return 0
    if route.check(there) == here:
        raise UsageError(f"{here} cannot be compared with itself.", next_step="name another environment (--with).")
    tools.engine.ready()
    _need_quiet(tools, there, here)
    before, state = side_by_side(lambda: tools.existing(there), lambda: tools.existing(here))
    _need_quiet(tools, there, here)
    found = compare(compared(tools, there, before), compared(tools, here, state))
    reported = {
        "environment": here,
        "with": there,
        "differences": [row.as_dict() for row in found.rows],
        "gone": [each.what for each in found.gone],
        "unchecked": list(found.unchecked),
    }
    tools.terminal.emit(reported, _text(there, here, found))
    return CheckFailed.exit_code if found.undeclared else 0


def _need_quiet(tools: Tools, *environments: str) -> None:
    """Before the states are read and after it: one of an update half done is like no environment."""
    for each in environments:
        need_quiet(tools, each)


def _text(there: str, here: str, found: Comparison) -> str:
    count = len(found.undeclared)
    differences = "1 difference is" if count == 1 else f"{count} differences are"
    head = f"{differences} not declared" if count else "no difference that is not declared"
    parts = [f"{here} and {there}: {head}."]
    if found.undeclared:
        parts += ["", table(["WHAT", there.upper(), here.upper()], [_cells(row) for row in found.undeclared])]
    if declared := found.of(Standing.DECLARED):
        rows = [(*_cells(row), row.why) for row in declared]
        parts += ["", "Declared:", table(["WHAT", there.upper(), here.upper(), "WHY"], rows)]
    if waits := found.of(Standing.WAITS):
        parts += ["", f"Not released in both yet ({waits[0].why}):", *(f"  {row.difference.what}" for row in waits)]
    if follows := found.of(Standing.FOLLOWS):
        parts += ["", *_following(follows)]
    parts += [""] if found.gone or found.unchecked else []
    parts += [f"Declared, but there is no such difference: {each.what} ({each.why})." for each in found.gone]
    parts += [f"Not compared: {each}." for each in found.unchecked]
    return "\n".join([*parts, *_next(there, here, found)])


def _cells(row: Row) -> tuple[str, str, str]:
    return row.difference.what, row.difference.there, row.difference.here


def _following(rows: tuple[Row, ...]) -> list[str]:
    """Each setting once, with how much of what is built follows from it."""
    causes = sorted({row.why for row in rows})
    counts = [(cause, sum(row.why == cause for row in rows)) for cause in causes]
    return ["Follow from a setting (--json names them):", *(f"  {cause}: {count}" for cause, count in counts)]


def _next(there: str, here: str, found: Comparison) -> list[str]:
    if not found.undeclared:
        return []
    return [
        "",
        f"Next: make {here} and {there} alike, or declare what is meant under `parity.expect` in "
        f"Pulumi.{here}.yaml, as {{ what: {found.undeclared[0].difference.what}, why: … }}.",
    ]
