"""Watching a release after its update: what is watched, and the verdict at each look. Pure.

The judgement is the one of the switch (`release.watch`): all that is new here is that users may stay away for a
while, which is no fault of the release. Then nobody can tell: no data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from release_lane.decide.whereabouts import percent
from release_lane.operate.aborting import UsersRule
from release_lane.record.alarms import Alarm, Kind, Watched, alarms_named
from release_lane.record.names import Names
from release_lane.record.placement import Colour, whole
from release_lane.record.records import Recorded
from release_lane.watch.judge import Bake, Breach, Calm, Datapoint, Health, Signals, Waiting, deleted, judge


@dataclass(frozen=True, kw_only=True)
class Look:
    """The environment at one moment. `traffic` is empty where it was not read."""

    rule: UsersRule | None
    health: Mapping[Colour, Health]
    alarms: tuple[Alarm, ...] = ()
    traffic: Mapping[Colour, tuple[Datapoint, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Alarming:
    """The stack file's `alarms`: which have a say, and how coarse and how late what they look at is (seconds)."""

    kinds: frozenset[Kind] = frozenset()
    names: tuple[str, ...] = ()
    period: float = 60.0
    datapoints: int = 1
    lateness: float = 120.0

    def watched(self, names: Names) -> Watched:
        """By the names that they have in this environment."""
        return Watched.of(names, self.kinds, self.names)

    @staticmethod
    def read(raw: Any) -> Alarming:
        """Read the key's value as far as a watch needs it; the program judges it (release_lane/settings/model.py)."""
        value = raw if isinstance(raw, Mapping) else {}
        thresholds = {
            Kind.ERRORS: "errorPercent", Kind.LATENCY: "latencySeconds", Kind.UNHEALTHY: "unhealthyTargets"
        }  # fmt: skip
        plain = Alarming()
        return Alarming(
            kinds=frozenset(kind for kind, key in thresholds.items() if value.get(key) is not None),
            names=_names(value.get("names")),
            period=float(value.get("periodSeconds", plain.period)),
            datapoints=int(value.get("datapoints", plain.datapoints)),
            lateness=float(value.get("lateSeconds", plain.lateness)),
        )


def _names(value: Any) -> tuple[str, ...]:
    if value is not None and not isinstance(value, list):
        raise ValueError("names is no list of names")
    return tuple(map(str, value or ()))


def bake_of(live: Colour, alarming: Alarming, alarms: Iterable[Alarm], *, seconds: float, released: float) -> Bake:
    """What is watched for so many seconds. `released` is when the release was recorded as live (epoch seconds).

    An alarm that rang before that already is about what was before; one that rings since then counts at once. One of
    the live colour itself is excused only for `Bake.alarm_delay`: after that it can only mean the users' time.
    """
    return Bake(
        receiving=live,
        seconds=seconds,
        period=alarming.period,
        lateness=alarming.lateness,
        began=released,
        alarm_delay=alarming.datapoints * alarming.period + alarming.lateness,
        before=frozenset(
            alarm.episode for alarm in alarms if alarm.firing and alarm.since < released and alarm.colour is not live
        ),
    )


# ---- The verdict


@dataclass(frozen=True)
class NoData:
    """The time is over and nothing speaks against the release, but too little was seen to call it tried.

    Too few users were, or an alarm was not there.
    """

    reason: str


@dataclass(frozen=True)
class Superseded:
    """Users are no longer, or not only, on what is watched: somebody else is at work."""

    where: str


Verdict = Calm | Waiting | Breach | NoData | Superseded


def verdict(look: Look, signals: Signals, bake: Bake, recorded: Recorded) -> Verdict:
    """One look. Only a breach of this very release, while it alone serves, is one to roll back from.

    An alarm that somebody deleted is no fault of the release; but what it would have said nobody knows.
    """
    if elsewhere := _elsewhere(look.rule, recorded):
        return Superseded(elsewhere)
    gone = deleted(signals, bake)
    signals = replace(signals, unseen={name: looks for name, looks in signals.unseen.items() if name not in gone})
    quiet = judge(signals, replace(bake, asks_traffic=False))
    if not isinstance(quiet, Calm):
        return quiet
    if gone:
        return NoData(f"{alarms_named(gone)} cannot be watched: deleted, or never made")
    tried = judge(signals, bake)
    return NoData(tried.reason) if isinstance(tried, Breach) else tried


def _elsewhere(rule: UsersRule | None, recorded: Recorded) -> str:
    """Where users are, "" if they all are on the recorded release, as far as the rule tells."""
    if rule is None:
        return "the production rule is gone"
    if rule.moving:
        return "a switch is under way"
    if whole(rule.weights) is not recorded.live_colour:
        return f"users are served {percent(rule.weights)}"
    journal = rule.journal
    ends = [end.release_id for end in (journal.source, journal.to) if end] if journal else []
    return "" if not ends or recorded.live.id in ends else "another release was switched to meanwhile"
