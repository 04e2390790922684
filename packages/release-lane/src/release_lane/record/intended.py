"""What an update is about to do, as the program hands it to the provider for the ledger; and how what came of an
earlier intent is read from the record, if its outcome was never written. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from release_lane.errors import CheckFailed, Interrupted, Refused, ReleaseError, UsageError, Users
from release_lane.record.chain import MOVED, PROVEN, proven_at
from release_lane.record.digest import short
from release_lane.record.journal import Journal, Phase
from release_lane.record.ledger import Entry, Result
from release_lane.record.names import Access
from release_lane.record.placement import Release
from release_lane.record.records import Recorded


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What stands when an update begins: the live release with the time of its proof, the journal's last word, and the
    release that a hold keeps next to it.

    All "" where there is none.
    """

    live: str = ""
    proven: str = ""
    switched_to: str = ""
    phase: str = ""
    held: str = ""

    @staticmethod
    def of(recorded: Recorded | None, journal: Journal | None) -> Standing:
        """By the record of a stack and the tags of its production rule."""
        live, proven = (recorded.live.id, proven_at(recorded)) if recorded else ("", "")
        to, phase = (journal.to.release_id, str(journal.phase)) if journal else ("", "")
        held = recorded.hold.release.id if recorded and recorded.hold else ""
        return Standing(live=live, proven=proven, switched_to=to, phase=phase, held=held)

    def as_dict(self) -> dict[str, str]:
        """Plain JSON value; `from_dict` is the inverse."""
        held = {"held": self.held} if self.held else {}
        return {"live": self.live, PROVEN: self.proven, "switchedTo": self.switched_to, "phase": self.phase, **held}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Standing:
        """Read what `as_dict` wrote."""
        keys = ("live", PROVEN, "switchedTo", "phase", "held")
        live, proven, to, phase, held = (str(value.get(key) or "") for key in keys)
        return Standing(live=live, proven=proven, switched_to=to, phase=phase, held=held)


@dataclass(frozen=True, kw_only=True)
class Intended:
    """An update of `environment` that is about to begin, or that was refused.

    `ledger` is its URL, `access` the way to it. `release`: what is to be live, or what a heal restores; None where the
    decision names none. `details`: decision, colours, course, as plain JSON.
    """

    ledger: str
    access: Access
    environment: str
    release: Release | None = None
    digest: str = ""
    standing: Standing = field(default_factory=Standing)
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; `from_dict` is the inverse."""
        return {
            "ledger": self.ledger,
            "access": self.access.as_dict(),
            "environment": self.environment,
            "release": self.release.as_dict() if self.release else None,
            "digest": self.digest,
            "standing": self.standing.as_dict(),
            "details": dict(self.details),
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Intended:
        """Read what `as_dict` wrote."""
        return Intended(
            ledger=str(value["ledger"]),
            access=Access.from_dict(value["access"]),
            environment=str(value["environment"]),
            release=Release.from_dict(value["release"]) if value.get("release") else None,
            digest=str(value.get("digest") or ""),
            standing=Standing.from_dict(value.get("standing") or {}),
            details=dict(value.get("details") or {}),
        )

    @property
    def names(self) -> tuple[str, str, str]:
        """Digest, commit and release id, as far as they are known."""
        release = self.release
        return (release.digest, release.commit, release.id) if release else (self.digest, "", "")


VOID_SEAL = "voidSeal"
"""Of a refusal: an approval or a seal was missing or no longer held, which says nothing of the release."""
STANDING, GOES_BACK, OVERRIDES = "standing", "goesBack", "overrides"
"""In the details of an intent: what stood when it began; that it goes to a release that was live before; and the rules
that it was asked to override, by their keys."""

HOLD, HOLD_END = "hold", "holdEnd"
"""In the details of an intent: at how many percent a hold begins; and which release wins the one that ends (`Winner`).
"""

MOVED_AT = "movedAt"
"""In the details of an outcome: when the first users met the release (ISO 8601)."""


def came_of(intent: Entry, now: Standing) -> tuple[Result, str, dict[str, Any]]:
    """What came of an intent whose outcome was not written, by what stands now; why it is taken for that, and details.

    The record tells a success: it changed since, and the release is live. The journal tells a rollback in the same way.
    """
    then = Standing.from_dict(intent.details.get(STANDING) or {})
    if now.live == intent.release and (now.live, now.proven) != (then.live, then.proven):
        return Result.DONE, f"{BY_THE_RECORD}: {short(intent.digest)} became live", {MOVED: True, PROVEN: now.proven}
    if now.held == intent.release and now.held != then.held:
        return Result.DONE, f"{BY_THE_RECORD}: {short(intent.digest)} is held", {MOVED: True, PROVEN: now.proven}
    switched = (now.switched_to, now.phase) != (then.switched_to, then.phase)
    if switched and now.switched_to == intent.release and now.phase == Phase.RESTORED:
        return Result.ROLLED_BACK, f"{BY_THE_RECORD}: its traffic was rolled back", {}
    return Result.INTERRUPTED, "it ended without an outcome: it was killed, or its ledger was away and it failed", {}


BY_THE_RECORD = "completed by the next update, from what the environment recorded"


LOGS = "last log lines"
"""Begins the last part of an error, which quotes the log of a task."""


def why_of(error: ReleaseError) -> str:
    """What an entry keeps of an error: not the log that it quotes, since an application may log what must not be kept
    for years."""
    return " ".join(filter(None, (error.what.partition(f"\n  {LOGS}")[0], error.why)))


def result_of(error: ReleaseError) -> Result:
    """What an update that failed with this came to."""
    match error.users:
        case Users.UNSURE:
            return Result.UNKNOWN
        case Users.RESTORED:
            return Result.ROLLED_BACK
        case Users.UNTOUCHED | None:
            pass
    match error:
        case Interrupted():
            return Result.INTERRUPTED
        case Refused() | UsageError() | CheckFailed():
            return Result.REFUSED
        case _:
            return Result.FAILED
