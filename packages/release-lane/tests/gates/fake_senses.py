"""Stand-ins for time, checks, probes and CloudWatch while a switch is watched. Nothing sleeps here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from provider_kit import Cancelled, Context
from release_lane.aws.cloud import Balancer
from release_lane.gates.timing import Timing
from release_lane.gates.watching import Senses
from release_lane.probe.sampling import Place
from release_lane.record.alarms import Alarm, Watched
from release_lane.record.endpoint import Endpoint
from release_lane.record.placement import Colour
from release_lane.smoke.checks import Expected, Report
from release_lane.watch.judge import Datapoint, Tally
from release_lane.watch.looking import Probes, Traffic
from tests.gates.fake_cloud import FakeCloud

AT_ONCE = Timing(settles_within=0.0, looks_again_for=0.0)
"""A fake cloud never answers with what was true a moment ago."""

NOON = 43200.0
"""12:00:00 on the first day of the epoch: a whole minute."""


class FakeClock:
    """Time passes only where somebody waits. `at` lets something happen at an hour."""

    def __init__(self) -> None:
        self.time = NOON
        self._due: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def at(self, after: float, happens: Callable[[], None]) -> None:
        """So many seconds after noon."""
        self._due.append((NOON + after, happens))

    def wait(self, ctx: Context, seconds: float) -> None:
        self.time += seconds
        for hour, happens in [due for due in self._due if due[0] <= self.time]:
            self._due.remove((hour, happens))
            happens()
        if ctx.cancelled.is_set():
            raise Cancelled("watching the switch was cancelled")


@dataclass
class FakeProber:
    """Counts as many good probes as the clock allows, until `failing` says what is wrong."""

    places: Sequence[Place]
    clock: FakeClock
    failing: dict[str, str] = field(default_factory=dict)
    since: float = 0.0
    stopped: bool = False
    counted_anew: int = 0

    def fresh(self) -> None:
        self.counted_anew += 1
        self.since = self.clock.now()

    def tallies(self) -> tuple[Tally, ...]:
        return tuple(self._tally(place) for place in self.places)

    def _tally(self, place: Place) -> Tally:
        sent = int(self.clock.now() - self.since) * 2
        problem = self.failing.get(place.name, "")
        failed = 3 if problem else 0
        return Tally(place=place.name, sent=sent + failed, failed=failed, in_a_row=failed, last=problem)

    def own(self, colour: Colour) -> Probes:
        del colour
        return {}

    def stop(self) -> None:
        self.stopped = True


@dataclass
class FakeSenses:
    """`per_minute` requests of each colour, of which `errors` fail; known `late` seconds after their minute."""

    clock: FakeClock = field(default_factory=FakeClock)
    firing: dict[str, float] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    no_data: set[str] = field(default_factory=set)
    per_minute: dict[Colour, float] = field(default_factory=lambda: dict.fromkeys(Colour, 600.0))
    errors: dict[Colour, float] = field(default_factory=dict)
    unanswered: float = 0.0
    """A minute, which the load balancer answered itself."""
    late: float = 0.0
    checked: list[tuple[str, Expected]] = field(default_factory=list)
    on_check: Callable[[int], None] = lambda _: None
    """Called with the number of each run of the checks, from 1; may raise."""
    asked: list[tuple[float, float]] = field(default_factory=list)
    prober: FakeProber | None = None
    failing: dict[str, str] = field(default_factory=dict)

    def of(self, cloud: FakeCloud, balancer: Balancer, watched: Watched, period: float) -> Senses:
        """As `Senses.of`."""
        del cloud, balancer
        assert period == 60

        def alarms() -> tuple[Alarm, ...]:
            return tuple(
                Alarm(
                    name=name,
                    firing=name in self.firing,
                    since=self.firing.get(name, 0.0),
                    colour=colour,
                    no_data=name in self.no_data,
                )
                for name, colour in [*watched.own.items(), *((name, None) for name in watched.theirs)]
                if name not in self.deleted
            )

        return Senses(clock=self.clock, alarms=alarms, traffic=self._traffic, probes=self._probes, checks=self._check)

    def _traffic(self, since: float, until: float) -> Traffic:
        self.asked.append((since, until))
        minutes = range(int(since // 60 * 60), int(until), 60)
        known = [minute for minute in minutes if minute + 60 + self.late <= until]
        colours = {
            colour: tuple(
                Datapoint(at=minute, requests=requests, errors=self.errors.get(colour, 0.0), p95=0.1)
                for minute in known
                if requests
            )
            for colour, requests in self.per_minute.items()
        }
        return Traffic(colours=colours, unanswered=dict.fromkeys(known, self.unanswered))

    def _probes(self, places: Sequence[Place]) -> FakeProber:
        assert self.prober is None, "one prober for the whole switch"
        self.prober = FakeProber(places, self.clock, self.failing, self.clock.now())
        return self.prober

    def _check(self, ctx: Context, endpoint: Endpoint, expected: Expected, deadline: float) -> Report:
        del ctx, deadline
        self.checked.append((endpoint.url, expected))
        self.on_check(len(self.checked))
        return Report(checks=7)
