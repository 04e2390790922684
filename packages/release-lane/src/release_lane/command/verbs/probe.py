"""`release probe`: count what users get right now."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace

from release_lane.command.tools import Tools
from release_lane.errors import UsageError
from release_lane.probe.options import add_options, settings_from, text, unchecked
from release_lane.probe.settings import Settings
from release_lane.record.asking import Identify
from release_lane.record.endpoint import recorded_endpoint

ORDER = 90
NAME = "probe"
HELP = "Send requests at a steady rate and count failed, late and mixed answers."
DETAILS = """\
It is an open loop: requests are sent on schedule, however slow the answers are. An answer is
mixed if its headers and its body name different releases. Answers of an environment must name
their release as its smoke.identify says, or they have failed; the report names what they do not
say. The probe ends after --for or with Ctrl-C, and reports in both cases. Exit code 1 if a
request failed or an answer was mixed.

  release probe staging --rate 200 --for 1m
  release probe http://127.0.0.1:8080/api/v1/status --rate 50
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("target", metavar="URL|ENVIRONMENT", help="a full URL, or the name of an environment")
    parser.add_argument(
        "--path", metavar="PATH", help="what to ask for at an environment (default: its service.statusPath, or else its"
        " service.healthPath)",
    )  # fmt: skip
    add_options(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Probe and report; 1 if users would have noticed a fault."""
    if arguments.seconds == 0:
        raise UsageError(
            "--for 0 would send no request.", next_step="write it like 30s or 5m; without --for, Ctrl-C ends it."
        )
    settings, known = _asked(tools, arguments)
    how = f"with {settings.users} users at once" if settings.users else f"at {settings.rate:g} requests a second"
    tools.terminal.say(f"Probing {settings.url} {how}.")
    report = tools.prober.probe(settings, arguments.seconds)
    data = {**asdict(report), "flawless": report.flawless, "unchecked": [*known, *unchecked(report)]}
    tools.terminal.emit(data, "\n".join([text(report), *(f"  not checked: {sentence}" for sentence in known)]))
    return 0 if report.flawless else 1


def _asked(tools: Tools, arguments: argparse.Namespace) -> tuple[Settings, tuple[str, ...]]:
    """What to ask for, and what the answers of an environment's service are known not to say."""
    target = str(arguments.target)
    if "://" in target:
        if arguments.path is not None:
            raise UsageError("--path needs an environment.", next_step=f"write it into the URL {target}.")
        return _settings(arguments, target), ()
    environment = tools.project.route.check(target)
    tools.engine.ready()
    state = tools.existing(environment)
    at, live = recorded_endpoint(state.outputs), state.recorded
    if not at.url or live is None:
        raise UsageError(f"{environment} has no address yet.", next_step=f"`release deploy {environment}` first.")
    asked = live.live.service.asked
    path = "/" + str(arguments.path or asked.path).lstrip("/")
    settings = _settings(arguments, at.url + path, at.connect_to)
    if path != asked.path:  # a status is said by its own path only, headers by every one
        named = "" if asked.identify is Identify.STATUS else str(asked.identify)
        return replace(settings, identify=settings.identify or named), ()
    how = settings.identify or str(asked.identify)
    return replace(settings, identify=how, well=bool(asked.status_path)), asked.unchecked


def _settings(arguments: argparse.Namespace, url: str, connect_to: str = "") -> Settings:
    try:
        return settings_from(arguments, url, connect_to)
    except ValueError as error:
        raise UsageError(f"{error}.", next_step="see `release probe --help`.") from error
