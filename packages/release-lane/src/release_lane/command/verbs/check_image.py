"""`release check-image`: what an image declares by its labels, and what each environment's stack file lacks of it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from release_lane.command.terminal import table
from release_lane.command.tools import Tools
from release_lane.decide.contract import differences, not_read
from release_lane.errors import CheckFailed
from release_lane.record.adoption import parse_reference
from release_lane.record.contract import Contract, Declared, Labels
from release_lane.record.digest import parse_digest, short

ORDER = 28
NAME = "check-image"
HELP = "Show what an image declares that it needs, and what the stack files lack of it."
DETAILS = """\
The labels dev.release-lane.… of an image are its contract: variables, secrets, port, paths. They are
read from the registry by its digest; of an index, those of the platform that runs. The same
comparison is a part of every release and its preview. An image that your CI pushed elsewhere is
asked for there, by skopeo with this machine's logins. It changes nothing. Exit code 1 if an
environment lacks something.

  release check-image sha256:…
  release check-image ghcr.io/acme/shop@sha256:… production --json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("image", metavar="[IMAGE@]sha256:…", help="in our registry, or by its full name in another one")
    parser.add_argument(
        "environment", metavar="ENVIRONMENT", nargs="?", help="compare with this one only (default: with all)"
    )


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Read its labels, compare, and report; 1 if an environment lacks something."""
    route, image = tools.project.route, str(arguments.image)
    wanted = (route.check(arguments.environment),) if arguments.environment else route.environments
    digest, labels = _asked(tools, image)
    if labels.unread:
        raise not_read(digest, labels.unread)
    contract = Contract.of(labels.found, short(digest))
    settings = {each: tools.project.stacks[each].settings for each in wanted}
    lacks = {each: differences(contract, of.release_service(), of.all_given) for each, of in settings.items()}
    data: dict[str, Any] = {
        "image": image,
        "digest": digest,
        "declares": contract.as_dict(),
        "lacks": {environment: list(found) for environment, found in lacks.items()},
        "unchecked": list(contract.unchecked),
    }
    tools.terminal.emit(data, _text(digest, contract, lacks))
    return CheckFailed.exit_code if any(lacks.values()) else 0


def _asked(tools: Tools, image: str) -> tuple[str, Labels]:
    """The digest, and the labels that the image's registry hands out."""
    stack = tools.project.stacks[tools.project.builds]
    if "@" in image:
        reference = parse_reference(image)
        return reference.digest, tools.cloud.labels_elsewhere(stack.access, reference)
    digest = parse_digest(image)
    return digest, tools.cloud.labels(stack.access, stack.repository, digest)


def _text(digest: str, contract: Contract, lacks: Mapping[str, Sequence[str]]) -> str:
    parts = [f"{short(digest)} declares:", "", table(["WHAT", "DECLARED"], _rows(contract)), ""]
    for environment, found in lacks.items():
        parts.append(f"{environment}: {'lacks what it declares:' if found else 'as declared.'}")
        parts += [f"  {each}" for each in found]
    parts += [f"Not checked: {sentence}." for sentence in contract.unchecked]
    if lacking := [environment for environment, found in lacks.items() if found]:
        files = ", ".join(f"Pulumi.{environment}.yaml" for environment in lacking)
        parts += ["", f"Next: correct {files}, or the labels in the Dockerfile."]
    return "\n".join(parts)


def _rows(contract: Contract) -> list[tuple[str, str]]:
    said = {
        "required variables": _names(contract.env, "required"),
        "optional variables": _names(contract.env, "optional"),
        "required secrets": _names(contract.secrets, "required"),
        "optional secrets": _names(contract.secrets, "optional"),
        "port": None if contract.port is None else str(contract.port),
        "health path": contract.health_path,
        "status path": contract.status_path,
        "schema it can live with": _listed(contract.schema_needs),
        "schema it provides": contract.schema_provides,
        "flags": _listed(contract.flags),
    }
    return [(what, "–" if text is None else text or "none") for what, text in said.items()]


def _names(declared: Declared | None, kind: str) -> str | None:
    if declared is None:
        return None
    return _listed(declared.required if kind == "required" else declared.optional)


def _listed(names: Sequence[str] | None) -> str | None:
    return None if names is None else ", ".join(names)
