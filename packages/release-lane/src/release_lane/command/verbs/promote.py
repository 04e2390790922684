"""`release promote`: release what the environment before has proven."""

from __future__ import annotations

import argparse

from release_lane.command.options import (
    add_again,
    add_allow_older,
    add_digest,
    add_environment,
    add_exceptions_forward,
    add_hotfix,
    add_options,
    add_seal,
    add_through_freeze,
    again_allowed,
    digest_given,
    older_allowed,
    through_freeze,
)
from release_lane.command.releasing import Change, carry_out, side_by_side
from release_lane.command.tools import Tools
from release_lane.errors import UsageError
from release_lane.record.digest import Digest

ORDER = 40
NAME = "promote"
IN_LEDGER = True
HELP = "Release to an environment the digest that is live in the environment before it."
DETAILS = """\
`promotesFrom` in the stack file names the environment before. The environment takes only a
digest that was proven there. It asks for a confirmation unless --yes is given.

  release promote production
  release promote production --digest sha256:… --yes
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    add_digest(parser, "the one that is live in the environment before")
    add_options(parser)
    add_hotfix(parser)
    add_seal(parser)
    add_allow_older(parser)
    add_again(parser)
    add_through_freeze(parser)
    add_exceptions_forward(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the environment with the digest."""
    environment = arguments.environment
    source = tools.project.route.source_of(environment)
    if source is None:
        raise UsageError(
            f"{environment} promotes from no other environment: it is the first of the route.",
            next_step=f"`release deploy {environment}`.",
        )
    given = digest_given(arguments)
    tools.engine.ready()
    before, digest = side_by_side(lambda: tools.existing(environment), lambda: given or live_in(tools, source))
    config = {
        "imageDigest": digest,
        **older_allowed(arguments, before),
        **again_allowed(arguments, before),
        **through_freeze(arguments),
    }
    change = Change(verb=NAME, environment=environment, digest=digest, config=config)
    return carry_out(tools, change, arguments, before)


def live_in(tools: Tools, source: str) -> Digest:
    """What the environment has live; `UsageError` if it has nothing."""
    recorded = tools.existing(source).recorded
    if recorded is None:
        raise UsageError(f"Nothing is live in {source}.", next_step=f"`release deploy {source}` first.")
    return recorded.live.digest
