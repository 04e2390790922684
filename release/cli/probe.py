"""`release probe`: what users get right now, counted."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from release.cli.tools import Tools
from release.errors import UsageError
from release.probe.options import add_options, settings_from, text
from release.probe.settings import Settings

NAME = "probe"
HELP = "Send requests at a steady rate and count what comes back: failed, late, mixed answers."
DETAILS = """\
An open loop: requests leave on schedule, however slow the answers are. Mixed is an answer whose
headers and body name different releases. It ends after --for, or with Ctrl-C; the report comes
either way. Exit code 1 if a request failed or an answer was mixed.

  release probe staging --rate 200 --for 1m
  release probe http://127.0.0.1:8080/api/v1/status --rate 50
"""

STATUS = "/api/v1/status"
"""Its answer names the release in headers and body, so a mixed one is seen."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("target", metavar="URL|ENVIRONMENT", help="a whole URL, or an environment's name")
    parser.add_argument(
        "--path", default=STATUS, metavar="PATH", help="what is asked for at an environment (default: %(default)s)"
    )
    add_options(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Probe, report; 1 if users would have noticed something."""
    if arguments.seconds == 0:
        raise UsageError("--for 0 would ask nothing.", next_step="give it like 30s or 5m; without it Ctrl-C ends it.")
    settings = _settings(arguments, _url(tools, arguments))
    how = f"with {settings.users} users at once" if settings.users else f"at {settings.rate:g} requests a second"
    tools.terminal.say(f"Probing {settings.url} {how}.")
    report = tools.prober.probe(settings, arguments.seconds)
    tools.terminal.emit({**asdict(report), "flawless": report.total.flawless}, text(report))
    return 0 if report.total.flawless else 1


def _url(tools: Tools, arguments: argparse.Namespace) -> str:
    target = str(arguments.target)
    if "://" in target:
        return target
    environment = tools.project.route.check(target)
    tools.engine.ready()
    base = tools.existing(environment).outputs.get("url")
    if not base:
        raise UsageError(f"{environment} has no address yet.", next_step=f"`release deploy {environment}` first.")
    return f"{str(base).rstrip('/')}/{str(arguments.path).lstrip('/')}"


def _settings(arguments: argparse.Namespace, url: str) -> Settings:
    try:
        return settings_from(arguments, url)
    except ValueError as error:
        raise UsageError(f"{error}.", next_step="see `release probe --help`.") from error
