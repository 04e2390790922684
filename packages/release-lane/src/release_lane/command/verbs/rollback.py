"""`release rollback`: back to an earlier release."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from release_lane.command.halting import check_way_back, needed_ledger, reason
from release_lane.command.options import (
    add_digest_only,
    add_environment,
    add_exceptions,
    add_on_alarm,
    add_options,
    add_seal,
    add_through_freeze,
    through_freeze,
)
from release_lane.command.releasing import Change, carried_out, carry_out
from release_lane.command.reporting import named
from release_lane.command.tools import Tools
from release_lane.decide.difference import settings_apart
from release_lane.decide.refusals import hold_stands
from release_lane.engine.state import StackState
from release_lane.errors import Refused, UsageError
from release_lane.record.digest import Digest, parse_digest, short
from release_lane.record.hold import Winner
from release_lane.record.records import Recorded

ORDER = 50
NAME = "rollback"
IN_LEDGER = True
HELP = "Go back to a digest that was live in the environment before; by default the previous one."
DETAILS = """\
While the idle colour still runs the previous release, only the traffic moves: no build, no new
task. Otherwise the release is deployed again, through the same gates. `release status` shows
which of the two it would be. While a hold stands, a rollback ends it.

After a rollback the previous release is the one that was left:
going there is no rollback, and the command calls it going forward again.

The old release comes back complete, with the configuration that it had. --digest-only takes its
image with the configuration that the stack file has now. The two never ran together, so that is a
deployment like any other: gates, steps, freeze windows and seals hold for it.

  release rollback production
  release rollback production --to sha256:… --yes
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    parser.add_argument("--to", metavar="sha256:…", help="the digest to go back to (default: the previous release)")
    _add_fault(parser)
    add_digest_only(parser)
    add_through_freeze(parser)
    add_options(parser)
    add_seal(parser)
    add_exceptions(parser, _add_fault, add_digest_only, add_through_freeze, add_on_alarm)


def _add_fault(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fault",
        metavar="REASON",
        type=reason,
        help="what is wrong with the release that is left: no environment releases it until `release pardon`",
    )


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the environment with the old digest, marked as a rollback."""
    environment = tools.project.route.check(arguments.environment)
    given = parse_digest(arguments.to) if arguments.to is not None else None
    tools.engine.ready()
    before = tools.existing(environment)
    digest, recorded = goal(given, before.recorded, environment)
    if arguments.fault and digest == recorded.newest.digest:
        raise UsageError(
            "--fault would put the image that stays live into quarantine. Nothing was changed.",
            why="both releases have the same image; only their configuration differs, and the image stays live",
            next_step=f"`release rollback {environment}` without it.",
        )
    if arguments.fault:
        needed_ledger(tools, environment)
    elif recorded.hold is None:
        check_way_back(tools, environment, digest, recorded)
    if recorded.hold and arguments.digest_only:
        raise hold_stands(recorded.hold, environment)
    change = _change(environment, digest, recorded, arguments.fault or "", digest_only=arguments.digest_only)
    change = replace(change, config={**change.config, **through_freeze(arguments)})
    return carry_out(tools, change, arguments, before)


def goal(given: Digest | None, recorded: Recorded | None, environment: str) -> tuple[Digest, Recorded]:
    """The digest that a rollback goes to, and the record it starts from; `Refused` where there is none."""
    if recorded is None:
        raise Refused(
            f"Nothing is live in {environment}, so there is nothing to roll back.",
            next_step=f"`release deploy {environment}`, or `release promote {environment}`, first.",
        )
    if recorded.hold and given not in (None, recorded.live.digest):
        raise hold_stands(recorded.hold, environment)
    if recorded.hold:
        return recorded.live.digest, recorded
    return (_known(given, recorded, environment) if given else previous_of(recorded, environment)), recorded


def back_to(
    tools: Tools, environment: str, digest: Digest, before: StackState, recorded: Recorded, *, wait: float, fault: str
) -> tuple[dict[str, Any], str]:
    """Roll back without asking; the report, as data and in words. `fault`: what was seen of what is left."""
    reason = f"`release watch` saw: {fault}"
    said = fault if digest != recorded.newest.digest and tools.ledger(environment) else ""  # of an image that is left
    acting = tools.acting(replace(tools.actor, verb=NAME, who=tools.who, run=tools.origin.run, reason=reason))
    change = _change(environment, digest, recorded, said)
    change = replace(change, unattended="it did not answer when `release watch` rolled back")
    return carried_out(acting, change, before, wait=wait, heals=True)


def going_to(digest: Digest, leaves: Recorded, *, digest_only: bool) -> dict[str, str]:
    """The keys that ask for it, and name what is live now. While a hold stands, the way back is its end."""
    if leaves.hold:
        return {"holdEnd": str(Winner.OLD)}
    complete = "forwardFrom" if leaves.left_by_rollback(digest) else "rollbackFrom"
    return {"imageDigest": digest, "redeployFrom" if digest_only else complete: leaves.live.digest}


def _change(environment: str, digest: Digest, recorded: Recorded, fault: str, *, digest_only: bool = False) -> Change:
    return Change(
        verb=NAME,
        environment=environment,
        digest=digest,
        config=going_to(digest, recorded, digest_only=digest_only),
        leaves=recorded.newest.digest,
        fault=fault,
        again=recorded.left_by_rollback(digest),
        digest_only=digest_only,
        says=f"End the hold in {environment}: all users go back to {named(recorded.live)}." if recorded.hold else "",
    )


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


def earlier_of(recorded: Recorded, environment: str) -> Digest:
    """What users are rolled back to without a question; `Refused` where the previous release is a later one."""
    if recorded.hold:
        return recorded.live.digest
    digest = previous_of(recorded, environment)
    if recorded.left_by_rollback(digest):
        raise going_forward_again(digest, recorded, environment)
    return digest


def going_forward_again(digest: Digest, recorded: Recorded, environment: str) -> Refused:
    """Users were rolled back from this release: going there is no rollback."""
    return Refused(
        f"{short(digest)} is the release that {environment} was rolled back from, so this is not a rollback.",
        why=f"what is live, {short(recorded.live.digest)}, was live before it; {_older(recorded)}",
        next_step=f"to go further back, give an earlier release with --to. To go forward again: `release deploy "
        f"{environment} --digest {digest} --again` (`release promote`, where another environment proves it).",
    )


def _older(recorded: Recorded) -> str:
    """The releases that a rollback can go to."""
    return f"earlier releases: {', '.join(short(each.digest) for each in recorded.earlier) or 'none'}"


def _known(digest: Digest, recorded: Recorded, environment: str) -> Digest:
    _refuse_same(digest, recorded, environment)
    if recorded.was_live(digest) is None:
        past = ", ".join(dict.fromkeys(short(each.digest) for each in recorded.history)) or "none"
        raise Refused(
            f"{short(digest)} was never live in {environment}, so it is not a rollback.",
            why=f"releases that were live: {past}",
            next_step=f"to release it: `release deploy {environment} --digest …`, or `release promote` "
            "where another environment has to prove it first.",
        )
    return digest


def _refuse_same(digest: Digest, recorded: Recorded, environment: str) -> None:
    """A rollback to the live release would do nothing; an error is better than a silent success."""
    if digest == recorded.live.digest:
        raise Refused(
            f"{short(digest)} is already live in {environment}.",
            next_step="`release status` lists earlier releases; give one of those with --to.",
        )
