"""The loop that watches: when traffic is read, what is remembered of it, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from release_lane.record.alarms import Alarm
from release_lane.record.placement import Colour
from release_lane.watch.judge import Bake, Calm, Datapoint, Health, Signals, Tally, Waiting
from release_lane.watch.looking import Looking, Reading, Traffic
from release_lane.watch.remembered import RollCall

pytestmark = pytest.mark.pure

GREEN, BLUE = Colour.GREEN, Colour.BLUE
BEGAN = 90.0
"""In the middle of a period."""
LATER = 400.0
"""When the datapoints below are over, and nothing more of them can come."""
HEALTH = {colour: Health(wanted=2, healthy=2) for colour in Colour}
POINTS = {
    GREEN: tuple(Datapoint(at=at, requests=100, errors=4) for at in (60.0, 120.0)),
    BLUE: (Datapoint(at=120.0, requests=50, errors=0),),
}
TRAFFIC = Traffic(colours=POINTS, unanswered={60.0: 2.0}, before=Datapoint(at=0.0, requests=9.0, errors=1.0))


@dataclass
class Scene:
    """A watch of `looks` looks, 5 s apart; remembers what it was asked and what it was shown."""

    looks: int
    readings: list[Reading] = field(default_factory=lambda: [Reading(health=HEALTH, traffic=TRAFFIC)])
    now: float = LATER
    due: list[bool] = field(default_factory=list)
    seen: list[Signals] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self, metrics_every: float = 30) -> Calm:
        looking = Looking(
            bake=Bake(receiving=GREEN, seconds=600, began=BEGAN),
            roll=RollCall(("orders-low",)),
            clock=lambda: self.now,
            note=self.notes.append,
            began=BEGAN,
            metrics_every=metrics_every,
        )
        return looking.until_decided(BEGAN, self._read, self._decide, self._go_on)[0]

    def _read(self, now: float, due: bool) -> Reading:
        assert now == self.now
        self.due.append(due)
        reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        return reading if due else replace(reading, traffic=None)

    def _decide(self, reading: Reading, signals: Signals) -> Calm | Waiting:
        del reading
        self.seen.append(signals)
        return Calm() if len(self.seen) == self.looks else Waiting("too early")

    def _go_on(self, waiting: Waiting, signals: Signals) -> None:
        assert (waiting.why, signals) == ("too early", self.seen[-1])
        self.now += 5


def test_it_ends_with_what_was_decided() -> None:
    scene = Scene(looks=3)
    assert scene.run() == Calm()
    assert len(scene.seen) == 3


def test_traffic_is_read_when_it_is_due_and_remembered_in_between() -> None:
    scene = Scene(looks=8)
    scene.run()
    assert scene.due == [True, *[False] * 5, True, False]
    assert all(signals.traffic[BLUE] == POINTS[BLUE] for signals in scene.seen)
    assert all((signals.unanswered, signals.before) == (TRAFFIC.unanswered, TRAFFIC.before) for signals in scene.seen)


def test_before_a_step_is_said_to_have_no_traffic_it_is_read_once_more() -> None:
    """Until 870 s it may be waited for: a bake of 600 s from 90 s on, a period and the lateness."""
    scene = Scene(looks=6, now=855.0)
    scene.run()
    assert scene.due == [True, False, False, True, False, False]


def test_a_period_that_had_begun_before_the_watch_is_not_its_own() -> None:
    """Requests of the smoke checks are counted there, or users of the release before."""
    scene = Scene(looks=1)
    scene.run()
    assert [point.at for point in scene.seen[0].traffic[GREEN]] == [120.0]


def test_a_period_that_was_not_over_when_it_was_read_is_shown_once_it_is_read_again() -> None:
    """In between, probes would be subtracted that were sent after the reading."""
    scene = Scene(looks=8, now=150.0)
    scene.run()
    counted = [len(signals.traffic[GREEN]) for signals in scene.seen]
    assert (counted, scene.due.index(True, 1)) == ([0] * 6 + [1, 1], 6)


def test_while_a_datapoint_may_be_late_own_probes_need_not_be_in_it() -> None:
    """200 s is 20 s after its minute, and it may be 120 s late."""
    own = {GREEN: {125: (10, 3)}}
    scene = Scene(looks=1, now=200.0, readings=[Reading(health=HEALTH, traffic=TRAFFIC, own=own)])
    scene.run()
    (point,) = scene.seen[0].traffic[GREEN]
    assert (point.requests, point.errors) == (90, 1)
    assert (point.least.requests, point.least.errors) == (97, 1)
    assert (point.most.requests, point.most.errors) == (93, 4)


def test_own_probes_are_no_users() -> None:
    own = {GREEN: {125: (10, 3)}}
    scene = Scene(looks=1, readings=[Reading(health=HEALTH, traffic=TRAFFIC, own=own)])
    scene.run()
    (point,) = scene.seen[0].traffic[GREEN]
    assert (point.requests, point.errors) == (90, 1)


def test_what_a_single_look_does_not_tell_is_added() -> None:
    short = {**HEALTH, GREEN: Health(wanted=2, healthy=1)}
    tallies = tuple(Tally(place="live", sent=sent) for sent in (10, 30))
    readings = [Reading(health=short, tallies=(tally,)) for tally in tallies]
    scene = Scene(looks=2, readings=readings)
    scene.run()
    assert scene.seen[1].health[GREEN].short_for == 5
    assert scene.seen[1].unseen == {"orders-low": 2}
    assert scene.seen[1].probes[0].lately == (30, 0)


def test_an_alarm_that_loses_its_data_is_noted_once() -> None:
    silent = Alarm(name="orders-low", firing=False, since=0.0, no_data=True)
    scene = Scene(looks=3, readings=[Reading(health=HEALTH, alarms=(silent,))])
    scene.run()
    (note,) = scene.notes
    assert "orders-low" in note
