"""`release smoke`: the smoke checks against what users get."""

from __future__ import annotations

import argparse

from release_lane.command.tools import Tools
from release_lane.errors import CheckFailed, UsageError
from release_lane.record.asking import Asked, Identify
from release_lane.record.digest import short
from release_lane.smoke.checks import Expected

ORDER = 80
NAME = "smoke"
HELP = "Run the smoke checks against an environment's own URL, or against any other."
DETAILS = """\
Against an environment the answers must name the digest, colour and commit that are recorded
as live there, as far as its service says them (smoke.identify). The checks are those of smoke/;
they change nothing. What they could not see is named.

  release smoke production
  release smoke --url http://127.0.0.1:8080
  release smoke --url http://127.0.0.1:3000 --health-path /healthz --status-path "" --identify none
"""

HOW = {"healthPath": "--health-path", "statusPath": "--status-path", "identify": "--identify"}
"""Settings of a release, and how they are given for --url."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", nargs="?", help="the stack's name, such as staging")
    parser.add_argument("--url", help="check this base URL instead, whatever release answers there")
    add = parser.add_argument_group("how the service at --url is asked (an environment's release says it)").add_argument
    add("--health-path", metavar="PATH", help="answers 200 when it is fit for traffic")
    add("--status-path", metavar="PATH", help="says whether it is well; empty for none")
    add("--identify", choices=[str(each) for each in Identify], help="how it says who it is")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """One run of the checks."""
    if bool(arguments.environment) == bool(arguments.url):
        raise UsageError("Give either an environment or --url.", next_step="see `release smoke --help`.")
    if arguments.environment and (given := _how(arguments)):
        raise UsageError(
            f"{', '.join(HOW[key] for key in given)} goes with --url.",
            why="an environment is asked as its live release says",
            next_step="leave it out, or give --url.",
        )
    url, expected = (arguments.url, _at(arguments)) if arguments.url else _of(tools, arguments.environment)
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
        {
            "url": url,
            "checks": report.checks,
            "digest": expected.digest or None,
            "colour": expected.colour or None,
            "unchecked": list(report.unchecked),
        },
        "\n".join(
            [
                f"{report.checks} smoke checks passed at {url}{name}.",
                *(f"Not checked: {sentence}." for sentence in report.unchecked),
            ]
        ),
    )
    return 0


def _how(arguments: argparse.Namespace) -> dict[str, str]:
    """What was said of how to ask, as a release's configuration."""
    said = {key: getattr(arguments, option.removeprefix("--").replace("-", "_")) for key, option in HOW.items()}
    return {key: value for key, value in said.items() if value is not None}


def _at(arguments: argparse.Namespace) -> Expected:
    """Any release, asked as the options say."""
    asked = Asked.from_dict(_how(arguments))
    if asked.identify is Identify.STATUS and not asked.status_path:
        raise UsageError("--identify status needs a --status-path.", next_step="give --identify header or none.")
    return Expected(asked=asked)


def _of(tools: Tools, name: str) -> tuple[str, Expected]:
    """An environment's URL, and what must answer there."""
    environment = tools.project.route.check(name)
    tools.engine.ready()
    state = tools.existing(environment)
    live = state.recorded
    if live is None:
        raise UsageError(f"Nothing is live in {environment}.", next_step=f"`release deploy {environment}` first.")
    expected = Expected(
        digest=live.live.digest,
        colour=str(live.live_colour),
        commit=live.live.commit,
        asked=live.live.service.asked,
    )
    return str(state.outputs["url"]), expected
