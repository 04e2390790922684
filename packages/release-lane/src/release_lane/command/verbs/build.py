"""`release build`: the image of one commit."""

from __future__ import annotations

import argparse
from pathlib import Path

from release_lane.command.options import add_lock_wait
from release_lane.command.releasing import update
from release_lane.command.tools import Tools
from release_lane.engine.outcome import failure
from release_lane.errors import CloudError, Interrupted

ORDER = 10
NAME = "build"
IN_LEDGER = True
HELP = "Build and push the image of the checked-out commit; print its digest."
DETAILS = """\
It builds the service's folder (app.folder of the artifacts stack, app/ by default) of the commit,
not of the working directory: other files do not matter, and uncommitted changes in that folder
are refused. A commit whose image is already in the registry is not built again; the answer is
the registry's digest.

  release build
  digest=$(release build --source ../service)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("--source", metavar="DIR", help="the git checkout to build from (default: this project)")
    add_lock_wait(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the artifacts stack; print the digest."""
    source = Path(arguments.source).resolve() if arguments.source else tools.project.root
    stack = tools.project.builds
    commit = tools.git.to_build(source, tools.project.stacks[stack].app)  # refused before the engine starts
    tools.engine.ready()
    tools.existing(stack)
    tools.terminal.say(f"Building commit {commit} of {source}.")
    done = update(tools, stack, {"source": str(source)}, f"release build {commit}", wait=arguments.lock_wait)
    if done.signal is not None:
        raise Interrupted(
            f"The build was stopped by {done.signal.name}.", next_step="run `release build` again; it does the rest."
        )
    if done.exit_code != 0:
        raise failure(done.log, done.stderr)
    outputs = tools.existing(stack).outputs
    if outputs.get("commit") != commit or not outputs.get("imageDigest"):
        raise CloudError(
            f"The build succeeded, but the stack {stack} has no digest of commit {commit}.",
            why=f"its outputs name commit {outputs.get('commit') or '(none)'}",
            next_step="build again; if the error persists, look at the stack's outputs.",
        )
    keys = ("imageDigest", "commit", "otherCommits", "imageUri", "repositoryUrl")
    tools.terminal.emit({key: outputs.get(key) for key in keys}, str(outputs["imageDigest"]))
    return 0
