"""`release smoke`: run the smoke checks against the URL of users."""

from __future__ import annotations

import argparse
from dataclasses import replace

from release_lane.command.tools import Tools
from release_lane.errors import CheckFailed, UsageError
from release_lane.probe.options import CONNECT_TO
from release_lane.record.asking import Asked, Identify
from release_lane.record.digest import short
from release_lane.record.endpoint import Endpoint, recorded_endpoint
from release_lane.record.placement import Colour, Release
from release_lane.smoke.checks import Expected

ORDER = 80
NAME = "smoke"
HELP = "Run the smoke checks against an environment's own URL, or against any other."
DETAILS = """\
Against an environment, answers must name the digest, colour and commit that are recorded as live
there, as far as its service says them (smoke.identify); while a hold stands, either release may
answer, each answer completely from one of them. The checks are those in smoke/; they
change nothing. The report names what they could not see.

  release smoke production
  release smoke --url http://127.0.0.1:8080
  release smoke --url http://127.0.0.1:3000 --health-path /healthz --status-path "" --identify none
"""

HOW = {"healthPath": "--health-path", "statusPath": "--status-path", "identify": "--identify"}
"""Settings of a release, and the options that give them for --url."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", nargs="?", help="the stack's name, such as staging")
    parser.add_argument("--url", help="check this base URL instead; any release may answer")
    parser.add_argument("--connect-to", metavar="HOST", help=CONNECT_TO)
    add = parser.add_argument_group(
        "how to ask the service at --url (an environment's release has these settings)"
    ).add_argument
    add("--health-path", metavar="PATH", help="answers 200 when the service can take traffic")
    add("--status-path", metavar="PATH", help="reports the service's status; empty for none")
    add("--identify", choices=[str(each) for each in Identify], help="how answers name their release")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """One run of the checks."""
    if bool(arguments.environment) == bool(arguments.url):
        raise UsageError("Give either an environment or --url.", next_step="see `release smoke --help`.")
    if arguments.environment and (given := _how(arguments)):
        raise UsageError(
            f"{', '.join(HOW[key] for key in given)} needs --url.",
            why="the live release of an environment has these settings",
            next_step="leave it out, or give --url.",
        )
    if arguments.connect_to and not arguments.url:
        raise UsageError("--connect-to needs --url.", next_step="leave it out: an environment's own is known.")
    at = Endpoint(str(arguments.url), arguments.connect_to or "")
    url, expected = (at, _at(arguments)) if arguments.url else _of(tools, arguments.environment)
    report = tools.smoke.run(url, expected)
    if report.failures:
        raise CheckFailed(
            f"{len(report.failures)} of {report.checks} smoke checks failed at {url}: " + "; ".join(report.failures),
            next_step="see the output of the checks above.",
        )
    if report.checks == 0:
        raise CheckFailed("There are no smoke checks in smoke/.", next_step="write one, see smoke/test_service.py.")
    both = (each for each in (expected, expected.next_to) if each and each.digest)
    name = " or ".join(f"{short(each.digest)} on {each.colour}" for each in both)
    name = f" for {name}" if name else ""
    tools.terminal.emit(
        {
            "url": str(url),
            "checks": report.checks,
            "digest": expected.digest or None,
            "colour": expected.colour or None,
            **({"nextTo": expected.next_to.digest} if expected.next_to else {}),
            "unchecked": list(report.unchecked),
            "tables": [table.as_dict() for table in report.tables],
        },
        "\n".join(
            [
                f"{report.checks} smoke checks passed at {url}{name}.",
                *(f"Not checked: {sentence}." for sentence in report.unchecked),
                *(line for table in report.tables for line in table.lines),
            ]
        ),
    )
    return 0


def _how(arguments: argparse.Namespace) -> dict[str, str]:
    """The options, as a release's configuration."""
    said = {key: getattr(arguments, option.removeprefix("--").replace("-", "_")) for key, option in HOW.items()}
    return {key: value for key, value in said.items() if value is not None}


def _at(arguments: argparse.Namespace) -> Expected:
    """Any release, asked as the options say."""
    asked = Asked.from_dict(_how(arguments))
    if asked.identify is Identify.STATUS and not asked.status_path:
        raise UsageError("--identify status needs a --status-path.", next_step="give --identify header or none.")
    return Expected(asked=asked)


def _of(tools: Tools, name: str) -> tuple[Endpoint, Expected]:
    """Where an environment's users are served, and the release that must answer; while a hold stands, one of two."""
    environment = tools.project.route.check(name)
    tools.engine.ready()
    state = tools.existing(environment)
    recorded = state.recorded
    if recorded is None:
        raise UsageError(f"Nothing is live in {environment}.", next_step=f"`release deploy {environment}` first.")
    expected, *others = (_answers(colour, release) for colour, release in recorded.serves.items())
    alike = [other for other in others if other.asked == expected.asked]
    if others and not alike:
        raise UsageError(
            f"A hold stands in {environment}, and its two releases are asked in different ways: neither can be checked "
            "at the URL of users.",
            next_step="check each at its test listener: `release smoke --url …` (testUrls of `release status`).",
        )
    return recorded_endpoint(state.outputs), replace(expected, next_to=alike[0]) if alike else expected


def _answers(colour: Colour, release: Release) -> Expected:
    return Expected(digest=release.digest, colour=str(colour), commit=release.commit, asked=release.service.asked)
