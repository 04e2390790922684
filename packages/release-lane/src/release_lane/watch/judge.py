"""Does a release do well while it gets its first traffic? A judgement over one reading of all signals. Pure.

Sources: AWS, "CloudWatch metrics for your Application Load Balancer" (metrics by target group, reported every 60 s
while requests flow: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from release_lane.record.alarms import Alarm, alarms_named, newly_firing
from release_lane.record.placement import Colour


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The thresholds above which a signal is a breach. They are documented in docs/guides/stepped.md."""

    short_for: float = 30.0
    """Seconds for which fewer targets than wanted may be healthy, while ECS replaces a task that died."""
    grows_for: float = 180.0
    """The same while AWS scales the service out: no target was lost, and more are wanted than before."""
    probes_in_a_row: int = 3
    probes_share: float = 0.05
    """Share of probes of one URL that may fail, once `probes_least` were sent."""
    probes_least: int = 40
    probes_lately: float = 60.0
    """The share is also taken over the last so many seconds: good probes from long ago must not dilute it."""
    least_requests: int = 20
    """With fewer requests than this on either colour they are not compared."""
    least_errors: int = 3
    lately: int = 5
    """The last so many minutes are also compared by themselves; so many before the watch began say what is usual."""
    error_points: float = 2.0
    """Percentage points by which the share of 5xx may be higher than the live colour's."""
    latency_factor: float = 1.5
    latency_extra: float = 0.1
    """p95 may be `latency_factor` times the live colour's plus this many seconds; `latency_in_a_row` minutes above that
    are a breach."""
    latency_in_a_row: int = 2
    looks_unseen: int = 3
    """An alarm counts as deleted after it was not found so many looks in a row: one answer of AWS may be stale."""
    least_traffic: int = 20
    """User requests that a step needs before it can be judged: as many as can be compared."""


LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Health:
    """Targets of one colour: how many are wanted, how many are healthy, and for how many seconds there were too few.

    `had`: how many were wanted when all of them were last healthy (0 if they never were).
    """

    wanted: int
    healthy: int
    short_for: float = 0.0
    had: int = 0

    @property
    def grows(self) -> bool:
        """It lost no target, and more are wanted than before."""
        return 0 < self.had <= self.healthy < self.wanted


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The switch's own probes of one URL in this step; `last` says how the last failed one failed.

    `lately`: how many of them were sent and failed in the last `Limits.probes_lately` seconds.
    """

    place: str
    sent: int = 0
    failed: int = 0
    in_a_row: int = 0
    last: str = ""
    lately: tuple[int, int] = (0, 0)


@dataclass(frozen=True, kw_only=True)
class Datapoint:
    """One colour in one period that begins at the epoch second `at`; `p95` in seconds, None without requests.

    While CloudWatch may still add to it, it is not known which own probes it contains. All of them are subtracted;
    `good_in_doubt` and `errors_in_doubt` are how many of the subtracted answers may have been users'.
    """

    at: float
    requests: float
    errors: float
    p95: float | None = None
    good_in_doubt: float = 0.0
    errors_in_doubt: float = 0.0

    @property
    def least(self) -> Datapoint:
        """With the smallest share of errors that users can have had."""
        return Datapoint(at=self.at, requests=self.requests + self.good_in_doubt, errors=self.errors)

    @property
    def most(self) -> Datapoint:
        """With the largest."""
        doubt = self.errors_in_doubt
        return Datapoint(at=self.at, requests=self.requests + doubt, errors=self.errors + doubt)


NOTHING = Datapoint(at=0.0, requests=0.0, errors=0.0)


@dataclass(frozen=True, kw_only=True)
class Signals:
    """One reading. `now` and `step_began` in epoch seconds; `traffic` of the switch so far, without our own probes.

    `unanswered`: how many 5xx the load balancer answered itself, because a target gave no answer, by the epoch second
    at which a period begins; `before`: these, and the requests of both colours, in the periods before the watch began.
    `probes_failed` since then.

    The watching of a step begins when its weights are set and the smoke checks have passed. `unseen`: watched alarms
    that were not found, and in how many looks in a row.
    """

    now: float
    step_began: float
    health: Mapping[Colour, Health]
    alarms: tuple[Alarm, ...] = ()
    unseen: Mapping[str, int] = field(default_factory=dict)
    probes: tuple[Tally, ...] = ()
    traffic: Mapping[Colour, tuple[Datapoint, ...]] = field(default_factory=dict)
    unanswered: Mapping[float, float] = field(default_factory=dict)
    before: Datapoint = NOTHING
    probes_failed: int = 0


@dataclass(frozen=True, kw_only=True)
class Bake:
    """What is watched, and for how long: `seconds` after each step.

    `period` is the length of a datapoint and `lateness` how late it may come, in seconds. `before`: alarms that were
    firing when the switch began; each is excused until it was OK and fires again. `asks_traffic`: a step without user
    traffic is a breach. `had_users`: the receiving colour, in the minutes before this switch.

    `alarm_delay` is the warm-up window: for so many seconds after `began` (epoch seconds) an alarm of the receiving
    colour may be about the time before it had traffic, when its tasks were starting.
    """

    receiving: Colour
    seconds: float
    period: float = 60.0
    lateness: float = 120.0
    began: float = 0.0
    alarm_delay: float = 0.0
    before: frozenset[tuple[str, float]] = frozenset()
    asks_traffic: bool = True
    had_users: bool = False
    limits: Limits = LIMITS

    def ends(self, step_began: float) -> float:
        """When the bake of a step ends, if it had traffic."""
        return step_began + self.seconds

    def ends_at_last(self, step_began: float) -> float:
        """When it ends without traffic: one period and the lateness later.

        However short the bake is, not before the datapoint of this step's first complete period must have come.
        """
        due = math.ceil(step_began / self.period) * self.period + self.period + self.lateness
        return max(self.ends(step_began) + self.period + self.lateness, due)

    @property
    def longest(self) -> float:
        """Seconds that a step without a breach may take at most."""
        if not self.seconds:
            return 0.0
        return max(max(self.seconds, self.period) + self.period + self.lateness, self.alarm_delay)


@dataclass(frozen=True)
class Calm:
    """The bake is over, and no signal failed."""


@dataclass(frozen=True)
class Waiting:
    """No signal failed so far, but it is too early to judge; `why` is a few words for people."""

    why: str


@dataclass(frozen=True)
class Breach:
    """A signal failed; `reason` says which, in words."""

    reason: str


Judgement = Calm | Waiting | Breach

Minute = TypeVar("Minute")
Pairs = Sequence[tuple[Datapoint, Datapoint]]
"""The receiving colour and the other one in the same periods, oldest first."""


def judge(signals: Signals, bake: Bake) -> Judgement:
    """Judge one look. A breach counts at once; everything else counts when the bake is over."""
    breaches = (_unhealthy, _alarmed, _alarms_deleted, _probes_failed, _more_errors, _no_answers, _slower)
    reason = next((reason for look in breaches if (reason := look(signals, bake))), "")
    if reason:
        return Breach(reason)
    left = bake.ends(signals.step_began) - signals.now
    if left > 0:
        return Waiting(f"{left:.0f} s left")
    if signals.unseen:
        return Waiting(f"{alarms_named(signals.unseen)}: not found; looking again")
    here = signals.health[bake.receiving]
    if here.healthy < here.wanted:
        return Waiting(f"{here.healthy} of {here.wanted} targets healthy")
    if bake.seconds and (early := [alarm for alarm in _newly(signals, bake) if _warms_up(alarm, signals, bake)]):
        return Waiting(f"{early[0].words()}; ignored until the warm-up window ends, after that it is a failure")
    if bake.seconds and bake.asks_traffic:
        return _tried(signals, bake)
    return Calm()


# ---- Signals that can fail


def _unhealthy(signals: Signals, bake: Bake) -> str:
    here = signals.health[bake.receiving]
    if here.healthy == 0:
        return f"{bake.receiving} has no healthy target"
    if here.short_for > (bake.limits.grows_for if here.grows else bake.limits.short_for):
        return (
            f"{bake.receiving} has had only {here.healthy} of {here.wanted} targets healthy for {here.short_for:.0f} s"
        )
    return ""


def _alarmed(signals: Signals, bake: Bake) -> str:
    return "; ".join(alarm.words() for alarm in _newly(signals, bake) if not _warms_up(alarm, signals, bake))


def deleted(signals: Signals, bake: Bake) -> tuple[str, ...]:
    """Alarms that no longer exist. That is a failure: an alarm that does not exist can never fire."""
    return tuple(name for name, looks in signals.unseen.items() if looks >= bake.limits.looks_unseen)


def _alarms_deleted(signals: Signals, bake: Bake) -> str:
    gone = deleted(signals, bake)
    return f"{alarms_named(gone)} can no longer be watched: deleted" if gone else ""


def _newly(signals: Signals, bake: Bake) -> tuple[Alarm, ...]:
    return newly_firing(signals.alarms, bake.before)


def _warms_up(alarm: Alarm, signals: Signals, bake: Bake) -> bool:
    """May it be about the time before there was traffic? Alarms are as late as the datapoints that they look at."""
    return alarm.colour is bake.receiving and signals.now < bake.began + bake.alarm_delay


def _probes_failed(signals: Signals, bake: Bake) -> str:
    limits = bake.limits
    for tally in signals.probes:
        if tally.in_a_row >= limits.probes_in_a_row or _many(tally.sent, tally.failed, limits):
            return f"{tally.failed} of {tally.sent} probes of {tally.place} failed, the last one with: {tally.last}"
        sent, failed = tally.lately
        if _many(sent, failed, limits):
            when = f"in the last {limits.probes_lately:.0f} s"
            return f"{failed} of {sent} probes of {tally.place} {when} failed, the last one with: {tally.last}"
    return ""


def _many(sent: int, failed: int, limits: Limits) -> bool:
    return sent >= limits.probes_least and failed > limits.probes_share * sent


def _more_errors(signals: Signals, bake: Bake) -> str:
    """The share of 5xx compared, over the minutes in which both colours had traffic: all so far, and the last ones."""
    for pairs in _too_many_errors(signals, bake):
        surely = [(here.least, there.most) for here, there in pairs]
        if reason := _more_errors_in(surely, bake):
            return reason
    return ""


def _too_many_errors(signals: Signals, bake: Bake) -> list[Pairs]:
    """The same minutes where they are a breach if no count is in doubt."""
    pairs = _same_minutes(signals, bake)
    return [each for each in _windows(pairs, bake) if _more_errors_in(each, bake)]


def _more_errors_in(pairs: Pairs, bake: Bake) -> str:
    limits = bake.limits
    new, old = _sum(here for here, _ in pairs), _sum(there for _, there in pairs)
    if min(new.requests, old.requests) < limits.least_requests or new.errors < limits.least_errors:
        return ""
    if _percent(new) - _percent(old) <= limits.error_points:
        return ""
    return (
        f"{_percent(new):.1f} % of {new.requests:.0f} requests to {bake.receiving} failed, "
        f"but only {_percent(old):.1f} % of {old.requests:.0f} to {bake.receiving.other} in the same time"
    )


def _no_answers(signals: Signals, bake: Bake) -> str:
    """5xx that the load balancer answered itself, beyond what is usual: in all minutes so far, and in the last ones.

    A target that breaks off or hangs is in no count of its colour's errors.
    """
    points = complete(signals.traffic.get(bake.receiving, ()), signals.now, bake.period)
    return next((reason for each in _windows(points, bake) if (reason := _unanswered(each, signals, bake))), "")


def _unanswered(points: Sequence[Datapoint], signals: Signals, bake: Bake) -> str:
    """Which colour's they were is not known: all that are more than usual count as the receiving one's, unless it had
    users before, so that nothing is usual."""
    limits, minutes = bake.limits, {point.at for point in points}
    here = _sum(points).requests
    there = sum(each.requests for each in signals.traffic.get(bake.receiving.other, ()) if each.at in minutes)
    errors = sum(signals.unanswered.get(at, 0.0) for at in minutes)
    before = signals.before
    times = (here + there) / before.requests if before.requests else len(points) / limits.lately
    usual = 0.0 if bake.had_users else before.errors * times
    by_chance = 3 * math.sqrt(usual * (1 + times))
    more = errors - usual - signals.probes_failed
    share = limits.error_points / 100 * (here + there if bake.had_users else here)
    if here < limits.least_requests or more < max(limits.least_errors, by_chance) or more <= share:
        return ""
    return (
        f"the load balancer itself answered {errors:.0f} requests with 5xx in {len(points) * bake.period:.0f} s, "
        f"because targets broke off or gave no answer; by the minutes before, {usual:.0f} were to be expected; "
        f"{bake.receiving} had {here:.0f} requests"
    )


def _slower(signals: Signals, bake: Bake) -> str:
    """p95 compared minute by minute, over the last minutes in which both colours had enough traffic."""
    limits = bake.limits
    pairs = [
        (here.p95, there.p95)
        for here, there in _same_minutes(signals, bake)
        if min(here.requests, there.requests) >= limits.least_requests
    ]
    last = [(new, old) for new, old in pairs if new is not None and old is not None][-limits.latency_in_a_row :]
    slow = [new > old * limits.latency_factor + limits.latency_extra for new, old in last]
    if len(last) < limits.latency_in_a_row or not all(slow):
        return ""
    new, old = last[-1]
    return f"{bake.receiving} answers in {new:.2f} s (p95), {bake.receiving.other} in {old:.2f} s at the same time"


# ---- Traffic


def _windows(minutes: Sequence[Minute], bake: Bake) -> tuple[Sequence[Minute], Sequence[Minute]]:
    """All minutes so far, and the last ones by themselves."""
    return minutes, minutes[-bake.limits.lately :]


def complete(points: Sequence[Datapoint], now: float, period: float) -> tuple[Datapoint, ...]:
    """The datapoints whose period is over, oldest first."""
    return tuple(sorted((point for point in points if point.at + period <= now), key=lambda point: point.at))


def of_users(
    points: Iterable[Datapoint], own: Mapping[int, tuple[int, int]], period: float, final: float = math.inf
) -> tuple[Datapoint, ...]:
    """The same without the switch's own probes: `own` is how many were sent to that colour in an epoch second, and
    how many of these were answered with 5xx.

    Nothing is added any more to periods that ended by the epoch second `final`. In later ones errors may be reported
    before the requests that they belong to: such a datapoint is left out.
    """
    users = []
    for point in points:
        if point.at + period <= final:
            users.append(_without(point, own, period))
        elif point.errors <= point.requests:
            users.append(_in_doubt(point, _without(point, own, period)))
    return tuple(users)


def _without(point: Datapoint, own: Mapping[int, tuple[int, int]], period: float) -> Datapoint:
    """Good and failed answers are subtracted apart: their sum is never less than the failed ones."""
    inside = [counts for second, counts in own.items() if point.at <= second < point.at + period]
    sent, failed = sum(counts[0] for counts in inside), sum(counts[1] for counts in inside)
    good = max(0.0, point.requests - point.errors - (sent - failed))
    errors = max(0.0, point.errors - failed)
    return replace(point, requests=good + errors, errors=errors)


def _in_doubt(point: Datapoint, users: Datapoint) -> Datapoint:
    """What was subtracted may not be in there yet."""
    errors = point.errors - users.errors
    return replace(users, good_in_doubt=point.requests - users.requests - errors, errors_in_doubt=errors)


def _tried(signals: Signals, bake: Bake) -> Judgement:
    """Did the receiving colour get user traffic in complete periods of this step? Else the bake is extended, once.

    It is extended by the same time while errors are in doubt; after that every datapoint of the bake is final.
    """
    points = complete(signals.traffic.get(bake.receiving, ()), signals.now, bake.period)
    seen = _sum(point for point in points if point.at >= signals.step_began)
    needed = bake.limits.least_traffic
    left = bake.ends_at_last(signals.step_began) - signals.now
    if left > 0 and _too_many_errors(signals, bake):
        return Waiting("there may be too many errors; waiting for late datapoints")
    if seen.requests >= needed:
        return Calm()
    if left > 0:
        return Waiting(f"no user traffic on {bake.receiving} yet; extended, {left:.0f} s left")
    return Breach(
        f"no traffic: CloudWatch counted {seen.requests:.0f} user requests to {bake.receiving} in the complete periods "
        f"of this step; at least {needed} are needed to judge it"
    )


def _same_minutes(signals: Signals, bake: Bake) -> Pairs:
    """Complete datapoints of the same period, in pairs: the receiving colour's and the other's."""
    points = {
        colour: {each.at: each for each in complete(signals.traffic.get(colour, ()), signals.now, bake.period)}
        for colour in Colour
    }
    here, there = points[bake.receiving], points[bake.receiving.other]
    return [(here[at], there[at]) for at in sorted(here.keys() & there.keys())]


def _sum(points: Iterable[Datapoint]) -> Datapoint:
    counted = list(points)
    return Datapoint(
        at=0.0, requests=sum(each.requests for each in counted), errors=sum(each.errors for each in counted)
    )


def _percent(point: Datapoint) -> float:
    return 100 * point.errors / point.requests if point.requests else 0.0


# ---- For people


def progress(signals: Signals, bake: Bake) -> str:
    """What was seen so far, in one line: targets, user requests by CloudWatch, own probes."""
    here = signals.health[bake.receiving]
    parts = [f"{here.healthy} of {here.wanted} targets of {bake.receiving} healthy"]
    points = complete(signals.traffic.get(bake.receiving, ()), signals.now, bake.period)
    if points:
        seen = _sum(points)
        parts.append(f"users: {seen.requests:.0f} requests, {seen.errors:.0f} errors")
    if own := sum(signals.unanswered.get(point.at, 0.0) for point in points):
        parts.append(f"the load balancer's own errors: {own:.0f}")
    sent, failed = sum(tally.sent for tally in signals.probes), sum(tally.failed for tally in signals.probes)
    if sent:
        parts.append(f"own probes: {sent}, {failed} failed")
    return "; ".join(parts)
