"""`release deploy`: a digest to an environment."""

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
from release_lane.record.digest import Digest, parse_digest

ORDER = 30
NAME = "deploy"
IN_LEDGER = True
HELP = "Release a digest to an environment: start it on the idle colour, pass the gates, move the traffic."
DETAILS = """\
Without --digest it takes the digest that was built or adopted last. If a gate refuses the
release, users were not touched, and the idle colour gets the previous release back at once.

  release deploy staging
  release deploy staging --digest sha256:…
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    add_digest(parser, "the one that was built or adopted last")
    add_options(parser)
    add_hotfix(parser)
    add_seal(parser)
    add_allow_older(parser)
    add_again(parser)
    add_through_freeze(parser)
    add_exceptions_forward(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the environment with the digest."""
    environment = tools.project.route.check(arguments.environment)
    given = digest_given(arguments)
    tools.engine.ready()
    before, digest = side_by_side(lambda: tools.existing(environment), lambda: given or built_last(tools, environment))
    config = {
        "imageDigest": digest,
        **older_allowed(arguments, before),
        **again_allowed(arguments, before),
        **through_freeze(arguments),
    }
    change = Change(verb=NAME, environment=environment, digest=digest, config=config)
    return carry_out(tools, change, arguments, before)


def built_last(tools: Tools, environment: str) -> Digest:
    """The artifacts stack's digest; `UsageError` if nothing was built yet."""
    stack = tools.project.artifacts_of(environment)
    built = tools.existing(stack).outputs.get("imageDigest")
    if not built:
        raise UsageError(
            f"No image was built or adopted yet: the stack {stack} has no imageDigest.",
            next_step="`release build`, `release adopt`, or --digest.",
        )
    return parse_digest(str(built))
