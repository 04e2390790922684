"""Watching a release after its update: what is watched, and the verdict at each look. Pure.

The judgement is the one of the switch (`release.watch`): all that is new here is that users may stay away for a
while, which is no fault of the release. Then nobody can tell: no data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from release_lane.decide.whereabouts import percent
from release_lane.operate.aborting import UsersRule
from release_lane.record.alarms import Alarm, alarms_named
from release_lane.record.placement import Colour, whole
from release_lane.record.records import Recorded
from release_lane.watch.judge import Bake, Breach, Calm, Signals, Waiting, deleted, judge
from release_lane.watch.looking import Reading


@dataclass(frozen=True, kw_only=True)
class Look(Reading):
    """All signals at one moment, and where users are sent."""

    rule: UsersRule | None


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

    An alarm that rang before that already is about what was before; one that rings since then counts at once. One of
    the live colour itself is excused only for `Bake.alarm_delay`: after that it can only mean the users' time.
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
