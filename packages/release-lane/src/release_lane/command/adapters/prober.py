"""The prober behind a Protocol: counts what users of one URL get, for a while or beside something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from release_lane.probe.process import Probe
from release_lane.probe.settings import Settings
from release_lane.probe.tally import Counts, Report
from release_lane.probe.tally import Tally as Sums
from release_lane.record.asking import Asked
from release_lane.watch.judge import Tally

RATE = 5.0
"""Probes a second while a release is watched, as while it is switched to."""
ANSWER_WITHIN = 3.0
"""Seconds for one of them."""


@dataclass(frozen=True)
class Unheard:
    """Why nothing was counted; `reached`: something answered, but never as the release that is probed."""

    why: str
    reached: bool


class Beside(Protocol):
    """Probes that are sent beside something else."""

    def tally(self) -> Tally:
        """What came of them so far.

        Nothing is counted before the first answer that names its release (or is good, where none does): the service
        may be out of reach.
        """

    def unheard(self) -> Unheard | None:
        """Why nothing is counted yet; None once it is."""

    def own(self) -> Mapping[int, tuple[int, int]]:
        """Epoch second to (probes sent, answered with 5xx): CloudWatch counts them among the users' requests."""


class Prober(Protocol):
    """What `release probe` and `release watch` need."""

    def probe(self, settings: Settings, seconds: float | None) -> Report:
        """Ask for so many seconds, or until this process is interrupted."""

    @contextmanager
    def beside(self, url: str, digest: str, asked: Asked) -> Iterator[Beside]:
        """Probe `asked.path` while the block lasts; an answer that names another image than `digest` has failed."""
        raise NotImplementedError


class OpenLoop:
    """The real one: in this process, or in one of its own beside it."""

    def probe(self, settings: Settings, seconds: float | None) -> Report:
        """Ctrl-C and SIGTERM end it early; the report is there all the same."""
        from release_lane.probe.here import probe_for  # slow to load, and no other verb needs it

        return probe_for(settings, seconds)

    @contextmanager
    def beside(self, url: str, digest: str, asked: Asked) -> Iterator[Beside]:
        """In a process that ends with this one."""
        url = url.rstrip("/") + asked.path
        how = {"identify": str(asked.identify), "well": bool(asked.status_path)}
        with Probe(url, RATE, timeout=ANSWER_WITHIN, wait_named=True, **how) as probe:
            yield Counting(probe, url, digest)


@dataclass
class Counting:
    """Turns the prober's sums into what the judgement of a watch takes."""

    probe: Probe
    url: str
    digest: str
    _last: Tally | None = None

    def tally(self) -> Tally:
        """Since the beginning; failures in a row as far as two looks tell."""
        self._last = tally_of(self.url, self.probe.snapshot().total, self.digest, self._last)
        return self._last

    def unheard(self) -> Unheard | None:
        """By what came of the first attempts."""
        report = self.probe.snapshot()
        return Unheard(report.unready, report.reached) if report.unready else None

    def own(self) -> Mapping[int, tuple[int, int]]:
        """Evenly: probes leave on schedule. Which of them failed when is not known."""
        total = self.probe.snapshot().total
        if not total.sent:
            return {}
        first = int(total.began)
        return {first + second: (round(RATE), 0) for second in range(int(total.sent / RATE) + 1)}


def tally_of(place: str, counts: Counts, digest: str, before: Tally | None) -> Tally:
    """Sums as a tally. Mixed answers and those of another image have failed, too."""
    other = sum(seen.count for seen in counts.releases if seen.digest != digest)
    failed = counts.failed + counts.mixed + other
    sent, last = counts.sent - counts.in_flight, before or Tally(place=place)
    newly, now = failed - last.failed, sent - last.sent
    in_a_row = 0 if newly < now else last.in_a_row + newly
    return Tally(place=place, sent=sent, failed=failed, in_a_row=in_a_row, last=_how(counts, digest, other))


def _how(counts: Counts, digest: str, other: int) -> str:
    if counts.failures:
        return counts.failures[-1].reason
    if counts.mixed:
        return "headers and body of one answer name different releases"
    stranger = next((seen.digest for seen in counts.releases if seen.digest != digest), "")
    return f"it was answered by {stranger[:19] or 'something that does not say which release it is'}" if other else ""


@dataclass
class FakeProber:
    """Everything was answered well, but for `failed` of the first second; remembers what it was asked.

    `unready`: nothing was answered, and nothing counted.
    `tallies` are what probes beside something else come to, look by look; the last one stays.
    """

    failed: int = 0
    unnamed: int = 0
    unready: str = ""
    asked: list[tuple[Settings, float | None]] = field(default_factory=list)
    tallies: list[Tally] = field(default_factory=list)
    watched: list[tuple[str, str, Asked]] = field(default_factory=list)
    silence: Unheard | None = None

    def probe(self, settings: Settings, seconds: float | None) -> Report:
        """As given."""
        self.asked.append((settings, seconds))
        sums = Sums("start", 0.0, seconds or 0.0)
        sums.sent = 0 if self.unready else round(settings.rate * (seconds or 1.0))
        sums.ok, sums.unnamed = sums.sent - self.failed, self.unnamed
        for number in range(self.failed):
            sums.failed(float(number), "status 500")
        counts = sums.counts()
        return Report(
            url=settings.url, rate=settings.rate, at=0.0, behind_ms=0.0, total=counts, steps=(counts,),
            unready=self.unready,
        )  # fmt: skip

    @contextmanager
    def beside(self, url: str, digest: str, asked: Asked) -> Iterator[Beside]:
        """As given."""
        self.watched.append((url, digest, asked))
        yield self

    def unheard(self) -> Unheard | None:
        """As given."""
        return self.silence

    def tally(self) -> Tally:
        """The next one."""
        if len(self.tallies) > 1:
            return self.tallies.pop(0)
        return self.tallies[0] if self.tallies else Tally(place="the live URL")

    def own(self) -> Mapping[int, tuple[int, int]]:
        """None are told."""
        return {}
