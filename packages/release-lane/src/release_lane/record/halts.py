"""What the ledger says against a release: its digest is in quarantine, or its environment's line is stopped. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from release_lane.record.ledger import Entry, Mark, MarkKind

FAULT = "fault"
"""In the details of an entry: why a release is in quarantine, where the entry is about more than that."""


class State(StrEnum):
    """The newest word of the ledger about a digest or a line."""

    QUARANTINED = "quarantined"
    PARDONED = "pardoned"
    STOPPED = "stopped"
    RESUMED = "resumed"


def of_digest(digest: str, state: State) -> Mark:
    """The mark by which every environment finds that a digest is in quarantine, or is no more."""
    return Mark(kind=MarkKind.RELEASE, subject=subject_of(digest), state=state)


def of_line(environment: str, state: State) -> Mark:
    """The mark by which an environment's updates find that its line is stopped, or is no more."""
    return Mark(kind=MarkKind.LINE, subject=environment, state=state)


def subject_of(digest: str) -> str:
    """A digest as marks name it: its hex digits."""
    return digest.removeprefix("sha256:")


@dataclass(frozen=True, kw_only=True)
class Halts:
    """The entries that put the digest into quarantine and stopped the line; None where that does not hold."""

    quarantined: Entry | None = None
    stopped: Entry | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; `from_dict` is the inverse."""
        return {name: entry.as_bytes().decode() if entry else "" for name, entry in self._all.items()}

    @property
    def _all(self) -> Mapping[str, Entry | None]:
        return {"quarantined": self.quarantined, "stopped": self.stopped}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Halts:
        """Read what `as_dict` wrote; {} for none."""
        return Halts(**{name: _entry(str(value.get(name) or "")) for name in ("quarantined", "stopped")})


def _entry(text: str) -> Entry | None:
    return Entry.from_bytes(text.encode()) if text else None


def why(entry: Entry) -> str:
    """Why it was put into quarantine, or stopped; who said so, when, and where it can be read."""
    reason = str(entry.details.get(FAULT) or entry.reason or "no reason is given")
    return f"{reason} ({entry.who or 'unknown'}, {entry.at}, entry {entry.sequence} of the ledger)"
