"""The image's contract: what an image declares by its labels that it needs to run. Pure.

Labels of an image are part of its configuration, so they are of its digest and never change (OCI image specification,
image configuration: `config.Labels`; its annotations: keys are reverse domain names).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from release_lane.errors import Refused

PREFIX = "dev.release-lane."
"""With which every label of the contract begins."""

NOT_DECLARED = "the image does not declare its"
"""How the sentence begins that evidence keeps of an image that says less than it could."""

ANY: Literal["any"] = "any"
"""The port of an image that listens where PORT says."""

Read = TypeVar("Read")


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The labels of an image that are of its contract. `unread`: why the registry did not hand them out ("" if it
    did)."""

    found: Mapping[str, str] = field(default_factory=dict)
    unread: str = ""

    @staticmethod
    def of(labels: Mapping[str, str]) -> Labels:
        """Those of the contract, among all labels of an image."""
        return Labels(found={key: text for key, text in labels.items() if key.startswith(PREFIX)})

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; the inverse is `from_dict`."""
        return {"found": dict(self.found), "unread": self.unread}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Labels:
        """Read what `as_dict` wrote."""
        found = {str(key): str(text) for key, text in (value.get("found") or {}).items()}
        return Labels(found=found, unread=str(value.get("unread") or ""))


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Names that an image knows, those that it does not start without, and those that it does."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return frozenset({*self.required, *self.optional})

    def as_dict(self) -> dict[str, list[str]]:
        """Plain JSON value, for people."""
        return {"required": list(self.required), "optional": list(self.optional)}


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What an image declares; None for what it says nothing about.

    `env` and `secrets` are variables of its process. `status_path` is "" where it has none. `schema_needs` are the
    revisions of a database that it can live with, `schema_provides` the one that its migration leads to. `flags` are
    those that it knows. `unknown` are labels of a contract that this version does not read.
    """

    env: Declared | None = None
    secrets: Declared | None = None
    port: int | Literal["any"] | None = None
    health_path: str | None = None
    status_path: str | None = None
    schema_needs: tuple[str, ...] | None = None
    schema_provides: str | None = None
    flags: tuple[str, ...] | None = None
    unknown: tuple[str, ...] = ()

    @staticmethod
    def of(labels: Mapping[str, str], image: str) -> Contract:
        """Read the labels of an image, which `image` names; `Refused` with all that cannot be read.

        An empty list declares that there is none. Where there is no such thing as none (a port, the health path, a
        revision), an empty label declares nothing: an image takes back by it what the one it is made from declares.
        """
        problems: list[str] = []

        def read(label: str, reader: Callable[[str], Read]) -> Read | None:
            try:
                return reader(labels[label]) if label in labels and (labels[label] or label in MAY_BE_EMPTY) else None
            except ValueError as error:
                problems.append(f"{label}={labels[label]!r}: {error}")
                return None

        env, secrets = (
            _declared(read(required, _variables), read(optional, _variables))
            for required, optional in ((ENV_REQUIRED, ENV_OPTIONAL), (SECRETS_REQUIRED, SECRETS_OPTIONAL))
        )
        contract = Contract(
            env=env,
            secrets=secrets,
            port=read(PORT, _port),
            health_path=read(HEALTH_PATH, _path),
            status_path=read(STATUS_PATH, lambda text: _path(text) if text else ""),
            schema_needs=read(SCHEMA_NEEDS, _words),
            schema_provides=read(SCHEMA_PROVIDES, _word),
            flags=read(FLAGS, _words),
            unknown=tuple(sorted({key for key in labels if key.startswith(PREFIX)} - KNOWN)),
        )
        problems += _twice(contract)
        if problems:
            raise unreadable(image, problems)
        return contract

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What a stack file says and no label can be compared with, in short sentences."""
        said = {
            "variables": self.env,
            "secrets": self.secrets,
            "port": self.port,
            "health path": self.health_path,
            "status path": self.status_path,
        }
        missing = [what for what, declared in said.items() if declared is None]
        sentences = [f"the label {name} is not known to this version" for name in self.unknown]
        if missing:
            sentences.append(f"{NOT_DECLARED} {_listed(missing)} (labels {PREFIX}…): compared with nothing")
        return tuple(sentences)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value, for people; None for what is not declared."""
        return {
            "env": self.env.as_dict() if self.env else None,
            "secrets": self.secrets.as_dict() if self.secrets else None,
            "port": self.port,
            "healthPath": self.health_path,
            "statusPath": self.status_path,
            "schema": {
                "needs": None if self.schema_needs is None else list(self.schema_needs),
                "provides": self.schema_provides,
            },
            "flags": None if self.flags is None else list(self.flags),
            "unknown": list(self.unknown),
        }


ENV_REQUIRED, ENV_OPTIONAL = f"{PREFIX}env.required", f"{PREFIX}env.optional"
SECRETS_REQUIRED, SECRETS_OPTIONAL = f"{PREFIX}secrets.required", f"{PREFIX}secrets.optional"
PORT, HEALTH_PATH, STATUS_PATH = f"{PREFIX}port", f"{PREFIX}health-path", f"{PREFIX}status-path"
SCHEMA_NEEDS, SCHEMA_PROVIDES = f"{PREFIX}schema.needs", f"{PREFIX}schema.provides"
FLAGS = f"{PREFIX}flags"

KNOWN = frozenset(
    {
        *(ENV_REQUIRED, ENV_OPTIONAL, SECRETS_REQUIRED, SECRETS_OPTIONAL),
        *(PORT, HEALTH_PATH, STATUS_PATH, SCHEMA_NEEDS, SCHEMA_PROVIDES, FLAGS),
    }
)
"""Every label that is read. What this version does not know may be a later version's, or mistyped: it is reported."""

MAY_BE_EMPTY = KNOWN - {PORT, HEALTH_PATH, SCHEMA_PROVIDES}

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def unreadable(image: str, problems: Iterable[str]) -> Refused:
    """Labels that say something else than they may."""
    listed = "".join(f"\n  {problem}" for problem in problems)
    return Refused(
        f"The labels of {image} cannot be read. Nothing was changed.{listed}",
        why="they are the image's contract: what it needs is compared with the stack file before it is released",
        next_step="correct them in the Dockerfile (docs/guides/bring-your-own-service.md), and build it again.",
    )


def _words(text: str) -> tuple[str, ...]:
    """Between commas, blanks, or both; each once."""
    return tuple(dict.fromkeys(filter(None, re.split(r"[,\s]+", text))))


def _word(text: str) -> str:
    words = _words(text)
    if len(words) != 1:
        raise ValueError("should be one word")
    return words[0]


def _variables(text: str) -> tuple[str, ...]:
    names = _words(text)
    if bad := [name for name in names if not _VARIABLE.fullmatch(name)]:
        raise ValueError(f"{', '.join(bad)}: not a name of an environment variable")
    return names


def _port(text: str) -> int | Literal["any"]:
    if text == ANY:
        return ANY
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"should be a port, or {ANY!r} for an image that listens where PORT says")
    return int(text)


def _path(text: str) -> str:
    if not re.fullmatch(r"/[\x21-\x7e]*", text):
        raise ValueError("should begin with /, and have printable ASCII characters without a blank")
    return text


def _declared(required: tuple[str, ...] | None, optional: tuple[str, ...] | None) -> Declared | None:
    if required is None and optional is None:
        return None
    return Declared(required=required or (), optional=optional or ())


def _twice(contract: Contract) -> list[str]:
    """Names of which two labels say different things."""
    env, secrets = contract.env or Declared(), contract.secrets or Declared()
    both = {
        f"{PREFIX}env.*": set(env.required) & set(env.optional),
        f"{PREFIX}secrets.*": set(secrets.required) & set(secrets.optional),
    }
    found = [f"{labels}: {', '.join(sorted(names))}: required and optional" for labels, names in both.items() if names]
    if shared := env.names & secrets.names:
        found.append(f"{PREFIX}env.* and secrets.*: {', '.join(sorted(shared))}: a variable and a secret")
    return found


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
