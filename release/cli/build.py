"""`release build`: the image of one commit."""

from __future__ import annotations

import argparse
from pathlib import Path

from release.cli.releasing import add_lock_wait, update
from release.cli.tools import Tools
from release.errors import CloudError, Interrupted, UsageError
from release.outcome import failure

NAME = "build"
HELP = "Build and push the image of the commit that is checked out; its digest goes to stdout."
DETAILS = """\
An image is built once for each commit and never again; asked for a second time, the registry's
digest is the answer. Changes below app/ that are in no commit are refused.

  release build
  digest=$(release build --source ../service)
"""

CONTEXT = "app"
"""The folder that is built, in the checkout."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("--source", metavar="DIR", help="the git checkout to build from (default: this project)")
    add_lock_wait(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the artifacts stack; print the digest."""
    source = Path(arguments.source).resolve() if arguments.source else tools.project.root
    commit = _commit(tools, source)
    stack = tools.project.builds
    tools.engine.ready()
    tools.existing(stack)
    tools.terminal.say(f"Building commit {commit} of {source}.")
    done = update(tools, stack, {"source": str(source)}, f"release build {commit}", wait=arguments.lock_wait)
    if done.signal is not None:
        raise Interrupted(f"The build was stopped by {done.signal.name}.", next_step="`release build` does the rest.")
    if done.exit_code != 0:
        raise failure(done.log, done.stderr)
    outputs = tools.existing(stack).outputs
    if outputs.get("commit") != commit or not outputs.get("imageDigest"):
        raise CloudError(
            f"The build ended well, but the stack {stack} has no digest of commit {commit}.",
            why=f"its outputs name commit {outputs.get('commit') or '(none)'}",
            next_step="build again; if it stays so, look at the stack's outputs.",
        )
    keys = ("imageDigest", "commit", "imageUri", "repositoryUrl")
    tools.terminal.emit({key: outputs.get(key) for key in keys}, str(outputs["imageDigest"]))
    return 0


def _commit(tools: Tools, source: Path) -> str:
    """The commit that is built; refused here already, before the engine starts, where there is none."""
    commit = tools.git.head(source)
    if not commit:
        raise UsageError(
            f"{source} is no git checkout with a commit.",
            why="the image's tag is its commit",
            next_step="commit first, or give another checkout with --source.",
        )
    changed = tools.git.changed(source, CONTEXT)
    if changed:
        raise UsageError(
            f"{CONTEXT}/ has changes that are in no commit: {', '.join(changed[:5])}.",
            why="an image must be traceable to a commit",
            next_step="commit them, then build.",
        )
    return commit
