"""`release rollback`: back to an earlier release."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from release_lane.command.options import add_environment, add_options, add_seal
from release_lane.command.releasing import Change, carried_out, carry_out, refuse_same
from release_lane.command.tools import Tools
from release_lane.decide.difference import settings_apart
from release_lane.engine.state import StackState
from release_lane.errors import Refused
from release_lane.record.digest import Digest, parse_digest, short
from release_lane.record.records import Recorded

ORDER = 50
NAME = "rollback"
IN_LEDGER = True
HELP = "Go back to a digest that was live in the environment before; by default the previous one."
DETAILS = """\
While the idle colour still runs the previous release, only the traffic moves: no build, no new
task. Otherwise the release is deployed again, through the same gates. `release status` shows
which of the two it would be.

  release rollback production
  release rollback production --to sha256:… --yes
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument("--to", metavar="sha256:…", help="the digest to go back to (default: the previous release)")
    add_options(parser)
    add_seal(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the environment with the old digest, marked as a rollback."""
    environment = tools.project.route.check(arguments.environment)
    given = parse_digest(arguments.to) if arguments.to is not None else None
    tools.engine.ready()
    before = tools.existing(environment)
    digest, recorded = goal(given, before.recorded, environment)
    return carry_out(tools, _change(environment, digest, recorded), arguments, before)


def goal(given: Digest | None, recorded: Recorded | None, environment: str) -> tuple[Digest, Recorded]:
    """The digest that a rollback goes to, and the record it starts from; `Refused` where there is none."""
    if recorded is None:
        raise Refused(
            f"Nothing is live in {environment}, so there is nothing to roll back.",
            next_step=f"`release deploy {environment}`, or `release promote {environment}`, first.",
        )
    return (_known(given, recorded, environment) if given else previous_of(recorded, environment)), recorded


def back_to(
    tools: Tools, environment: str, digest: Digest, before: StackState, recorded: Recorded, *, wait: float
) -> tuple[dict[str, Any], str]:
    """Roll back without asking; the report, as data and in words."""
    acting = tools.acting(replace(tools.actor, verb=NAME, reason="`release watch` saw a failing signal"))
    return carried_out(acting, _change(environment, digest, recorded), before, wait=wait, heals=True)


def _change(environment: str, digest: Digest, recorded: Recorded) -> Change:
    config = {"imageDigest": digest, "rollbackFrom": recorded.live.digest}
    return Change(verb=NAME, environment=environment, digest=digest, config=config)


def previous_of(recorded: Recorded, environment: str) -> Digest:
    """The digest that a rollback goes to; `Refused` where there is none, or only the configuration differs."""
    previous = recorded.previous
    if previous is None:
        raise Refused(
            f"{environment} has had only one release: there is no previous one to go back to.",
            next_step="release a fixed digest instead.",
        )
    if previous.digest == recorded.live.digest:
        raise Refused(
            f"The previous release of {environment} has the same image ({short(previous.digest)}).",
            why=f"only its configuration differs ({settings_apart(previous.service, recorded.live.service)}), "
            "and the configuration comes from the stack file",
            next_step=f"restore the old configuration in Pulumi.{environment}.yaml, then "
            f"`release deploy {environment} --digest {previous.digest}`; or give an older digest with --to.",
        )
    return previous.digest


def _known(digest: Digest, recorded: Recorded, environment: str) -> Digest:
    refuse_same(digest, recorded, environment)
    if recorded.was_live(digest) is None:
        past = ", ".join(dict.fromkeys(short(each.digest) for each in recorded.history)) or "none"
        raise Refused(
            f"{short(digest)} was never live in {environment}, so it is not a rollback.",
            why=f"releases that were live: {past}",
            next_step=f"to release it: `release deploy {environment} --digest …`, or `release promote` "
            "where another environment has to prove it first.",
        )
    return digest
