"""How a service is asked for its health and its release, and what cannot be checked where it does not say.

A service needs nothing of this: which image runs is known from ECS (`imageDigest` of every task), and which colour
from the listener that was asked, whose target group holds that colour's tasks alone. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

HEALTH_PATH, STATUS_PATH = "/health", "/api/v1/status"


class Identify(StrEnum):
    """How answers say which release they are."""

    STATUS = "status"
    """The body of the status path: `digest`, `colour` and `commit`; headers, where there are any, agree with it."""
    HEADER = "header"
    """Every answer carries X-Release-Digest and X-Release-Colour."""
    NONE = "none"
    """They do not."""


@dataclass(frozen=True)
class Named:
    """Which release an answer names ("" where it names none). `mixed`: its headers and its body name different ones."""

    digest: str = ""
    colour: str = ""
    mixed: bool = False


@dataclass(frozen=True)
class Said:
    """What an answer says of its release, (digest, colour): in its headers, and in its body ("" where nothing)."""

    header: tuple[str, str]
    status: tuple[str, str]

    @staticmethod
    def of(body: Mapping[str, object], headers: Mapping[str, str]) -> Said:
        """`headers`: by names in any case."""
        by_name = {name.lower(): value for name, value in headers.items()}
        return Said(
            header=(by_name.get("x-release-digest", ""), by_name.get("x-release-colour", "")),
            status=(str(body.get("digest") or ""), str(body.get("colour") or "")),
        )

    @property
    def mixed(self) -> bool:
        """Headers and body name different releases."""
        return any(head and body and head != body for head, body in zip(self.header, self.status, strict=True))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a service is asked. `status_path` is "" where it has none: then the health path is all there is to ask."""

    health_path: str = HEALTH_PATH
    status_path: str = STATUS_PATH
    identify: Identify = Identify.STATUS

    @property
    def path(self) -> str:
        """What is probed."""
        return self.status_path or self.health_path

    @property
    def names(self) -> bool:
        """Do the answers of `path` say which release they are?"""
        return self.identify is not Identify.NONE

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What no check of this service can see, in short sentences."""
        unwell = f"the service does not say whether it is well: 200 from {self.health_path} is all that is asked"
        nameless = (
            "answers name no release: which one runs is from ECS and from the listener that was asked; "
            "mixed and late answers are not seen"
        )
        without_commit = "answers name no commit"
        return (
            *(() if self.status_path else (unwell,)),
            *((without_commit,) if self.identify is Identify.HEADER else ()),
            *(() if self.names else (nameless,)),
        )

    def named(self, body: Mapping[str, object], headers: Mapping[str, str]) -> Named:
        """The release that an answer names. `headers`: by names in any case."""
        said = Said.of(body, headers)
        match self.identify:
            case Identify.STATUS:
                return Named(*said.status, said.mixed)
            case Identify.HEADER:
                return Named(*said.header)
            case Identify.NONE:
                return Named()

    def problem(self, status: int, body: Mapping[str, object]) -> str:
        """Why an answer of `path` does not say that the service is well; "" if it does."""
        if status != 200:
            return f"HTTP {status}"
        if self.status_path and body.get("status") != "ok":
            return f"status {body.get('status')!r} ({body.get('problems', 'no problems named')})"
        return ""

    def options(self) -> list[str]:
        """As options of `pytest smoke`, as far as they are not its defaults."""
        plain = Asked()
        return [
            *(("--health-path", self.health_path) if self.health_path != plain.health_path else ()),
            *(("--status-path", self.status_path) if self.status_path != plain.status_path else ()),
            *(("--identify", str(self.identify)) if self.identify is not plain.identify else ()),
        ]

    def as_dict(self) -> dict[str, str]:
        """Plain JSON value: the `asked` input of the smoke gate."""
        return {"healthPath": self.health_path, "statusPath": self.status_path, "identify": str(self.identify)}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Asked:
        """Read what `as_dict` wrote, or a release's configuration: what is not there is the default."""
        plain = Asked()
        return Asked(
            health_path=str(value.get("healthPath", plain.health_path)),
            status_path=str(value.get("statusPath", plain.status_path)),
            identify=Identify(value.get("identify", plain.identify)),
        )
