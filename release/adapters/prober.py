"""The prober behind a Protocol: asks one URL at a steady rate and counts what came back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from release.probe.settings import Settings
from release.probe.tally import Report, Tally


class Prober(Protocol):
    """What `release probe` needs."""

    def probe(self, settings: Settings, seconds: float | None) -> Report:
        """Ask for so many seconds, or until this process is interrupted."""


class OpenLoop:
    """The real one, in this process."""

    def probe(self, settings: Settings, seconds: float | None) -> Report:
        """Ctrl-C and SIGTERM end it early; the report is there all the same."""
        from release.probe.here import probe_for  # slow to load, and no other verb needs it

        return probe_for(settings, seconds)


@dataclass
class FakeProber:
    """Everything was answered well, but for `failures` of the first second; remembers what it was asked."""

    failed: int = 0
    asked: list[tuple[Settings, float | None]] = field(default_factory=list)

    def probe(self, settings: Settings, seconds: float | None) -> Report:
        """As given."""
        self.asked.append((settings, seconds))
        tally = Tally("start", 0.0, seconds or 0.0)
        tally.sent = round(settings.rate * (seconds or 1.0))
        tally.ok = tally.sent - self.failed
        for number in range(self.failed):
            tally.failed(float(number), "status 500")
        counts = tally.counts()
        return Report(url=settings.url, rate=settings.rate, at=0.0, behind_ms=0.0, total=counts, steps=(counts,))
