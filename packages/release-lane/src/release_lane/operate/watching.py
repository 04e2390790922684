"""Watching a release after its update: what is watched, and the verdict of each look. Pure.

The judgement is that of the switch (release_lane.watch). The one addition: there may be no users for a while, which
is no failing signal. The verdict is then "no data".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from release_lane.decide.whereabouts import percent
from release_lane.operate.aborting import ProductionRule
from release_lane.record.alarms import Alarm, alarms_named
from release_lane.record.placement import Colour
from release_lane.record.records import Recorded
from release_lane.watch.judge import Bake, Breach, Calm, Signals, Waiting, deleted, judge
from release_lane.watch.looking import Reading


@dataclass(frozen=True, kw_only=True)
class Look(Reading):
    """All signals at one moment, and where users are sent."""

    rule: ProductionRule | None


def bake_of(
    live: Colour,
    alarms: Iterable[Alarm],
    *,
    seconds: float,
    released: float,
    period: float,
    datapoints: int,
    lateness: float,
) -> Bake:
    """What is watched for `seconds`. `released` is when the release was recorded as live (epoch seconds).

    An alarm looks at `datapoints` of `period` seconds, which may come `lateness` seconds late.

    An alarm that was already firing before that counts only after it has been OK once; one that has fired since counts
    at once. An alarm of the live colour itself is ignored only for `Bake.alarm_delay`; after that it counts.
    """
    return Bake(
        receiving=live,
        seconds=seconds,
        period=period,
        lateness=lateness,
        began=released,
        alarm_delay=datapoints * period + lateness,
        before=frozenset(
            alarm.episode for alarm in alarms if alarm.firing and alarm.since < released and alarm.colour is not live
        ),
    )


# ---- The verdict


@dataclass(frozen=True)
class NoData:
    """The time is over and no signal failed, but too little was seen to call the release proven.

    There were too few users, or a watched alarm does not exist.
    """

    reason: str


@dataclass(frozen=True)
class Superseded:
    """The traffic is no longer, or not only, on the watched release: somebody else moved it."""

    where: str


Verdict = Calm | Waiting | Breach | NoData | Superseded


def verdict(look: Look, signals: Signals, bake: Bake, recorded: Recorded) -> Verdict:
    """One look. Only a breach of this release, while it alone serves, is a reason to roll back.

    A deleted alarm is no failing signal, but it can never fire either: no data.
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


def _elsewhere(rule: ProductionRule | None, recorded: Recorded) -> str:
    """Where the traffic is; "" if all of it is where it is recorded to be, as far as the rule says."""
    if rule is None:
        return "the production rule does not exist"
    if rule.moving:
        return "a switch is under way"
    if not recorded.are(rule.weights):
        return f"the traffic is at {percent(rule.weights)}"
    journal = rule.journal
    ends = [end.release_id for end in (journal.source, journal.to) if end] if journal else []
    return "" if not ends or recorded.live.id in ends else "the traffic was switched to another release in the meantime"
