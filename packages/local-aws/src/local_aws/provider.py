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


def wanted(asked: str, before: Serves | None) -> Kind:
    """What was asked for, by option or variable ("" if by neither), else the one of before, else the stand-in."""
    if asked:
        return parse_kind(asked)
    return before.kind if before else "stand-in"


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
