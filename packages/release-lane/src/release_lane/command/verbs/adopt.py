"""`release adopt`: an image that was built elsewhere."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from release_lane.command.options import add_lock_wait
from release_lane.command.releasing import update
from release_lane.command.tools import Tools
from release_lane.engine.events import Message
from release_lane.engine.outcome import failure
from release_lane.errors import CloudError, Interrupted, UsageError
from release_lane.record.adoption import Adoption, adoption_in, parse_reference, public_address, unseen
from release_lane.record.commit import is_commit

ORDER = 20
NAME = "adopt"
IN_LEDGER = True
HELP = "Copy an image that your own CI built into the registry; print its digest."
DETAILS = """\
Use it instead of `release build`. The image keeps its digest, with all platforms, labels,
signatures and attestations; an image that is already in the registry is only referenced. Its
commit and the address of its source come from its labels (org.opencontainers.image.revision and
.source) or from the options. Gates, evidence, `release status` and `release review` name what
is unknown.

  digest=$(release adopt ghcr.io/acme/shop@sha256:…)
  release adopt ghcr.io/acme/shop@sha256:… --commit "$(git rev-parse HEAD)"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument(
        "image", metavar="IMAGE@sha256:…", help="the image by its digest, as printed by the build that pushed it"
    )
    parser.add_argument(
        "--commit",
        metavar="SHA",
        default="",
        help="the full name of the commit that it was built from (default: its label)",
    )
    parser.add_argument("--source", metavar="URL", default="", help="the address of its source (default: its label)")
    add_lock_wait(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Update the artifacts stack; print the digest, which the registry has confirmed."""
    reference = parse_reference(arguments.image)
    source = public_address(arguments.source)  # before it is an argument of the engine, and in its history
    given = {"adopt": arguments.image, "adoptCommit": _commit(arguments.commit), "adoptSource": source}
    stack = tools.project.builds
    tools.engine.ready()
    tools.existing(stack)
    tools.terminal.say(f"Adopting {reference}.")
    config = {key: value for key, value in given.items() if value}
    done = update(tools, stack, config, f"release adopt {reference}", wait=arguments.lock_wait)
    if done.signal is not None:
        raise Interrupted(
            f"It was stopped by {done.signal.name}.", next_step="run `release adopt` again; it does the rest."
        )
    if done.exit_code != 0:
        raise failure(done.log, done.stderr)
    outputs = tools.existing(stack).outputs
    adoption = adoption_in(outputs.get("adopted") or (), reference.digest)
    if adoption is None or outputs.get("imageDigest") != reference.digest:
        raise CloudError(
            f"The update succeeded, but the stack {stack} does not name {reference.digest}.",
            why=f"its output imageDigest is {outputs.get('imageDigest') or '(none)'}",
            next_step="adopt it again; if the error persists, look at the stack's outputs.",
        )
    _report(tools, adoption, outputs, done.log.warnings)
    return 0


def _commit(text: str) -> str:
    if text and not is_commit(text):
        raise UsageError(
            f"--commit: {text!r} is not the full name of a commit.",
            why="it is compared with the image's label, with git, and with what the service says",
            next_step="give the full name: `git rev-parse HEAD`.",
        )
    return text


def _report(tools: Tools, adoption: Adoption, outputs: Mapping[str, Any], shown: Sequence[Message]) -> None:
    """`shown` are the engine's warnings, which the person has seen; what is among them is not said again."""
    sentences = unseen(adoption.commit, adoption.origin)
    for sentence in sentences:
        if any(sentence in warning.text for warning in shown):
            continue
        tools.terminal.say(f"Not checked: {sentence}.")
    keys = ("imageDigest", "commit", "imageUri", "repositoryUrl")
    data = {key: outputs.get(key) for key in keys}
    tools.terminal.emit({**data, **adoption.origin.as_dict(), "unchecked": list(sentences)}, adoption.digest)
