"""Notifications of a release that was refused, breached, rolled back or recovered. Pure.

A notification has names, digests and first sentences only: no configuration, no log line, no address that a secret
holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from release_lane.engine.locks import Origin
from release_lane.errors import CheckFailed, Interrupted, Refused, ReleaseError, Users
from release_lane.record.digest import short
from release_lane.settings.notify import Event

LONGEST_SENTENCE = 300
LONGEST_SUBJECT = 99
"""An SNS subject has fewer than 100 characters of ASCII (SNS API reference, Publish)."""


# ---- What happened ------------------------------------------------------------------------------------------


def event_of(error: ReleaseError) -> Event | None:
    """The event of a release that failed; None where no notification is sent."""
    if isinstance(error, Interrupted) and error.users is not Users.UNSURE:
        return None  # the person who interrupted it knows
    if error.users in (Users.RESTORED, Users.UNSURE):
        return Event.BREACH
    return Event.REFUSED if isinstance(error, CheckFailed | Refused) else None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One event. `what` is a sentence; `digest` the image ("" if none)."""

    event: Event
    project: str
    environment: str
    what: str
    digest: str = ""
    origin: Origin = field(default_factory=Origin)

    @property
    def subject(self) -> str:
        """Of the mail: `production: breach (release-lane)`."""
        text = f"{self.environment}: {self.event} ({self.project})"
        return text.encode("ascii", "replace").decode()[:LONGEST_SUBJECT]

    @property
    def sentence(self) -> str:
        """The first line of `what`, shortened."""
        line = self.what.strip().splitlines()[0] if self.what.strip() else str(self.event)
        return line if len(line) <= LONGEST_SENTENCE else line[: LONGEST_SENTENCE - 1] + "…"

    def as_dict(self, at: str) -> dict[str, str | None]:
        """The message; `at` is when it is sent (ISO 8601). `text` is what chats show of a webhook's message."""
        image = f" ({short(self.digest)})" if self.digest else ""
        where = f" {self.origin.run}" if self.origin.run else ""
        return {
            "event": str(self.event),
            "project": self.project,
            "environment": self.environment,
            "digest": self.digest or None,
            "what": self.sentence,
            "who": self.origin.who or None,
            "run": self.origin.run or None,
            "at": at,
            "text": f"{self.environment}: {self.event}{image}. {self.sentence}{where}",
        }
