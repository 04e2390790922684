"""Which provider of AWS a cloud's updates run: the stand-in, or the real one (`local-aws up --provider real`).

It is noted next to the cloud's state, because that is what the provider wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.standins.install import install
from local_aws.standins.versions import plugin_version
from local_aws.toolchain.cache import Say
from local_aws.toolchain.provider import Provider, ensure_provider

Kind = Literal["stand-in", "real"]
VARIABLE = "LOCAL_AWS_PROVIDER"
Ensure = Callable[[Path, Say], Provider]


@dataclass(frozen=True)
class Serves:
    """`what`: in words, as `local-aws status` says it."""

    kind: Kind
    what: str


def parse_kind(text: str) -> Kind:
    """Raises LocalError for another word."""
    match text:
        case "stand-in" | "real":
            return text
        case _:
            raise LocalError(
                f"There is no provider {text!r}.",
                why=f"{VARIABLE} and --provider know two: stand-in, real",
                next_step="unset it for the stand-in; `real` is Terraform's AWS provider behind Pulumi's bridge",
            )


def wanted(places: Places, asked: str) -> Kind:
    """What was asked for, by option or variable ("" if by neither), else the one of before, else the stand-in.

    Raises LocalError where the state is another provider's. Tried: the real one fails to refresh what the stand-in
    wrote, and the stand-in refuses properties that the real one wrote (`tagsAll`).
    """
    before = serves.kind if (serves := noted(places)) else "stand-in"
    kind = parse_kind(asked) if asked else before
    if kind != before and (made := stacks_with_resources(places)):
        raise LocalError(
            f"Stacks of this local cloud were made with the other provider ({before}): {', '.join(made)}.",
            why="neither provider can go on with what the other one wrote into a state",
            next_step=f"`local-aws down`, which removes them, then `local-aws up --provider {kind}`; "
            f"or go on with `--provider {before}`",
        )
    return kind


def stacks_with_resources(places: Places) -> list[str]:
    """Names of stacks in this cloud's own state that hold a resource of AWS."""
    states = sorted((places.state / ".pulumi/stacks").glob("*/*.json"))
    return [path.stem for path in states if _holds(path)]


def _holds(state: Path) -> bool:
    try:
        latest = json.loads(state.read_text())["checkpoint"].get("latest") or {}
    except (OSError, ValueError, KeyError):
        return False  # an engine is writing it, or it is none of ours
    return any(each["type"].startswith("aws:") for each in latest.get("resources") or ())


def noted(places: Places) -> Serves | None:
    """The one that `up` installed; None before the first `up`."""
    try:
        return Serves(**json.loads(places.provider.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def ensure(places: Places, kind: Kind, say: Say, ensure_real: Ensure = ensure_provider) -> Serves:
    """Install the plugins where this cloud's engine looks for them, and note it. Raises LocalError."""
    match kind:
        case "stand-in":
            install(places.pulumi_home)
            serves = Serves(kind, f"stand-in for pulumi-aws {plugin_version('pulumi_aws')}")
        case "real":
            real = ensure_real(places.cache, say)
            install(places.pulumi_home, real={"aws": real.folder})
            serves = Serves(kind, str(real))
    places.provider.write_text(json.dumps(asdict(serves)))
    say(serves.what)
    return serves
