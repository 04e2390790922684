"""The probers behind a Protocol: the open loop of `release probe`, and the probes of `release watch`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Protocol

from release_lane.probe import Probe
from release_lane.probe.sampling import Place, Probing, Unheard
from release_lane.probe.settings import Settings
from release_lane.probe.tally import Report
from release_lane.probe.tally import Tally as Sums
from release_lane.record.placement import Colour
from release_lane.watch.judge import Tally
from release_lane.watch.looking import Probes


class WatchProbes(Protocol):
    """Probes that are sent while a release is watched (`probe.sampling.Probing`)."""

    def tallies(self) -> tuple[Tally, ...]:
        """The results so far. Nothing is counted while the service may be out of reach of this machine."""

    def unheard(self) -> Unheard | None:
        """Why nothing is counted yet; None once it is."""

    def own(self, colour: Colour) -> Probes:
        """Epoch second to (probes that this colour answered, with 5xx): CloudWatch counts them as users' requests."""


class Counting(Protocol):
    """Requests that are sent and counted while something else is done (`probe.Probe`)."""

    def wait_until_ready(self, seconds: float) -> bool:
        """Did a good answer come within so many seconds? From then on they are counted."""

    def mark(self, name: str) -> None:
        """Begin a step of that name."""

    def stop(self) -> Report:
        """Send no more; what was counted."""


class Prober(Protocol):
    """What `release probe`, `release drill` and `release watch` need."""

    def probe(self, settings: Settings, seconds: float | None) -> Report:
        """Ask for so many seconds, or until this process is interrupted."""

    @contextmanager
    def counting(self, settings: Settings) -> Iterator[Counting]:
        """Ask while the block lasts."""
        raise NotImplementedError

    @contextmanager
    def during(self, place: Place) -> Iterator[WatchProbes]:
        """Probe `place` while the block lasts."""
        raise NotImplementedError


class OpenLoop:
    """The real one."""

    def probe(self, settings: Settings, seconds: float | None) -> Report:
        """Ctrl-C and SIGTERM end it early; the report is there all the same."""
        from release_lane.probe.here import probe_for  # slow to load, and no other verb needs it

        return probe_for(settings, seconds)

    @contextmanager
    def counting(self, settings: Settings) -> Iterator[Counting]:
        """In a process of its own, so that nothing here slows it down."""
        options = asdict(settings)
        with Probe(options.pop("url"), options.pop("rate"), **options) as probe:
            yield probe

    @contextmanager
    def during(self, place: Place) -> Iterator[WatchProbes]:
        """In a thread that ends with the block."""
        probing = Probing([place], waits=True)
        try:
            yield probing
        finally:
            probing.stop()


@dataclass
class FakeProber:
    """Everything was answered well, but for `failed` of the first second; remembers what it was asked.

    `unready`: nothing was answered, and nothing counted. `counted` is what was asked
    for while something else was done, `marks` its steps.
    `sums` are what the probes of a watch come to, look by look; the last one stays.
    """

    failed: int = 0
    unnamed: int = 0
    unready: str = ""
    asked: list[tuple[Settings, float | None]] = field(default_factory=list)
    sums: list[Tally] = field(default_factory=list)
    watched: list[Place] = field(default_factory=list)
    silence: Unheard | None = None
    counted: list[Settings] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

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
    def counting(self, settings: Settings) -> Iterator[Counting]:
        """As given, in one second."""
        self.counted.append(settings)
        yield self

    def wait_until_ready(self, seconds: float) -> bool:
        """Unless it is `unready`."""
        del seconds
        return not self.unready

    def mark(self, name: str) -> None:
        """Remembered."""
        self.marks.append(name)

    def stop(self) -> Report:
        """Of what was asked for last."""
        return self.probe(self.counted[-1], None)

    @contextmanager
    def during(self, place: Place) -> Iterator[WatchProbes]:
        """As given."""
        self.watched.append(place)
        yield self

    def unheard(self) -> Unheard | None:
        """As given."""
        return self.silence

    def tallies(self) -> tuple[Tally, ...]:
        """The next one."""
        if len(self.sums) > 1:
            return (self.sums.pop(0),)
        return (self.sums[0] if self.sums else Tally(place="the live URL"),)

    def own(self, colour: Colour) -> Probes:
        """None are known."""
        del colour
        return {}
