"""Words for tests that read a ledger: what was begun when, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from release_lane.ledger.memory import Memory, in_memory
from release_lane.ledger.store import Ledger
from release_lane.record.ledger import Draft, Entry, EntryKind, Result

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0
CI = "https://ci.example/run/1"


def at(second: float) -> str:
    """So many seconds after START, as the ledger has it."""
    return datetime.fromtimestamp(START + second, UTC).isoformat()


@dataclass
class Chronicle:
    """A ledger that is filled by sentences; times are seconds after START."""

    objects: Memory = field(default_factory=Memory)
    number: int = 0

    @property
    def ledger(self) -> Ledger:
        """On these objects."""
        return in_memory(self.objects)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All of them."""
        return self.ledger.entries()

    def add(self, kind: EntryKind, second: float, environment: str = "production", **more: Any) -> Entry:
        """Any entry."""
        self.number += 1
        return self.ledger.append(Draft(id=f"{self.number}", kind=kind, at=at(second), environment=environment, **more))

    def began(self, second: float, of: str = "a", *, verb: str = "promote", run: str = CI, **more: Any) -> Entry:
        """An intent for the image of a letter."""
        known = {"digest": f"sha256:{of * 64}", "commit": of * 40, "release": of * 12, "who": "ann"}
        return self.add(EntryKind.INTENT, second, verb=verb, run=run, **{**known, **more})

    def ended(self, intent: Entry, second: float, result: Result = Result.DONE, **details: Any) -> Entry:
        """Its outcome; one that is done moved users."""
        moved = {"moved": True} if result is Result.DONE else {}
        return self.add(
            EntryKind.OUTCOME, second, intent.environment, verb=intent.verb, digest=intent.digest, of=intent.sequence,
            commit=intent.commit, release=intent.release, result=result, details={**moved, **details}, run=intent.run,
        )  # fmt: skip

    def released(self, second: float, of: str = "a", *, takes: float = 300, **more: Any) -> Entry:
        """A release that went live."""
        return self.ended(self.began(second, of, **more), second + takes)

    def back(self, second: float, of: str = "0", *, takes: float = 20, result: Result = Result.DONE) -> Entry:
        """A rollback, to a release of long ago."""
        return self.ended(self.began(second, of, verb="rollback"), second + takes, result)
