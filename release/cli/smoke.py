"""`release smoke`: the smoke checks against what users get."""

from __future__ import annotations

import argparse

from release.cli.tools import Tools
from release.digest import short
from release.errors import CheckFailed, UsageError
from release.smoking import Expected

NAME = "smoke"
HELP = "Run the smoke checks against an environment's own URL, or against any other."
DETAILS = """\
Against an environment the answers must name the digest, colour and commit that are recorded
as live there. The checks are those of smoke/; they change nothing.

  release smoke production
  release smoke --url http://127.0.0.1:8080
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", nargs="?", help="the stack's name, such as staging")
    parser.add_argument("--url", help="check this base URL instead, whatever release answers there")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """One run of the checks."""
    if bool(arguments.environment) == bool(arguments.url):
        raise UsageError("Give either an environment or --url.", next_step="see `release smoke --help`.")
    url, expected = (arguments.url, Expected()) if arguments.url else _of(tools, arguments.environment)
    report = tools.smoke.run(url, expected)
    if report.failures:
        raise CheckFailed(
            f"{len(report.failures)} of {report.checks} smoke checks failed at {url}: " + "; ".join(report.failures),
            next_step="see the checks' own words above.",
        )
    if report.checks == 0:
        raise CheckFailed("There are no smoke checks in smoke/.", next_step="write one: smoke/README.md.")
    name = f" for {short(expected.digest)} on {expected.colour}" if expected.digest else ""
    tools.terminal.emit(
        {"url": url, "checks": report.checks, "digest": expected.digest or None, "colour": expected.colour or None},
        f"{report.checks} smoke checks passed at {url}{name}.",
    )
    return 0


def _of(tools: Tools, name: str) -> tuple[str, Expected]:
    """An environment's URL, and what must answer there."""
    environment = tools.project.route.check(name)
    tools.engine.ready()
    state = tools.existing(environment)
    live = state.recorded
    if live is None:
        raise UsageError(f"Nothing is live in {environment}.", next_step=f"`release deploy {environment}` first.")
    expected = Expected(digest=live.live.digest, colour=str(live.live_colour), commit=live.live.commit)
    return str(state.outputs["url"]), expected
