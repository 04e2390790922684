"""Release metrics of each environment, counted from the ledger. Pure.

The first four are those of DORA (https://dora.dev/guides/dora-metrics/), with what the ledger knows in place of an
incident tracker. What users noticed and was never answered by a rollback, an abort or a hotfix is in none of them.

deployments         releases that went live, without rollbacks: all of them, and how many a week (of less than a week
                    only those that there were)
lead time           from the time of the commit to the moment at which its release was live there
change failures     share of the releases that users met (live, or rolled back on the way) after which somebody or the
                    switch had to intervene: the traffic was rolled back, or the next change was a rollback or a hotfix
time to restore     from the moment at which users met such a release to the end of what restored them

And these are the lane's own:

stopped in time     releases that were refused, or failed, before users met them; not those whose approval was missing
                    or no longer held
from a pipeline     share of all changes that ran in CI; the others came from somebody's machine
plain updates       share of all changes that were made by `pulumi up`, past the command
holds               deployments that began with a hold (a test of two variants); its end, for either winner, is no
                    further deployment, no rollback and no failure
overrides           how often a rule was overridden on request, by rule
hotfixes            from the beginning of the update of a release that is flagged as a hotfix to its end
rollbacks           share of the rollbacks begun that ended well, and how long these took; restoring the record after
                    drift, and undoing an interrupted switch, are none
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from release_lane.operate.history import RESTORES, Passage, passages
from release_lane.record.chain import MOVED
from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import short
from release_lane.record.intended import GOES_BACK, HOLD, HOLD_END, MOVED_AT, OVERRIDES, VOID_SEAL
from release_lane.record.ledger import Entry, EntryKind, Result
from release_lane.record.times import epoch

DAY, WEEK = 86_400.0, 604_800.0
SOURCE = "https://dora.dev/guides/dora-metrics/"

UPDATE = "update"
"""The verb of a plain `pulumi up`."""
RECOVER = "recover"
"""The verb that finishes or undoes an interrupted switch, where it has to."""
RELEASING = frozenset({"deploy", "promote", "rollback", "heal", "watch", "hold", RECOVER, UPDATE})
"""Verbs whose updates move users; `watch` rolls back on a breach. A drill goes back and forward: it is no change."""


# ---- What the ledger says of changes


@dataclass(frozen=True, kw_only=True)
class Change(Passage):
    """An update that moved users, would have, or was refused before it began."""

    def said(self, key: str) -> Any:
        """A detail, of the outcome or else of the intent."""
        found = self.outcome.details.get(key) if self.outcome else None
        return self.first.details.get(key) if found is None else found

    @property
    def result(self) -> Result:
        """How it ended."""
        return self.outcome.result if self.outcome else Result.NONE

    @property
    def goes_back(self) -> bool:
        """Does it bring users back to a release that was live before?"""
        return self.first.verb in ("rollback", "watch") or bool(self.said(GOES_BACK))

    @property
    def rollback(self) -> bool:
        """Is it a rollback? To restore the record after drift, or to undo an interrupted switch, is none."""
        return self.goes_back and self.first.verb not in RESTORES and not self.ends_hold

    @property
    def ends_hold(self) -> bool:
        """Does it end a hold, for a winner? A rollback that ends one is a rollback."""
        return bool(self.said(HOLD_END)) and self.first.verb not in ("rollback", "watch")

    @property
    def hotfix(self) -> bool:
        """Is it flagged as one?"""
        return bool(self.said("hotfix"))

    @property
    def live(self) -> bool:
        """Did its release go live?"""
        return self.result is Result.DONE and bool(self.said(MOVED))

    @property
    def met(self) -> bool:
        """Did users meet its release?"""
        return self.live or self.result is Result.ROLLED_BACK

    @property
    def stopped(self) -> bool:
        """Was it refused, or did it fail, before users met its release? For want of an approval none is."""
        return self.result in (Result.REFUSED, Result.FAILED) and not self.said(VOID_SEAL)

    @property
    def begun(self) -> bool:
        """Was it more than a call that was refused?"""
        return self.outcome is not self.first

    @property
    def began(self) -> float:
        """When it began, in epoch seconds."""
        return epoch(self.first.at) or 0.0

    @property
    def ended(self) -> float:
        """When it ended, in epoch seconds."""
        return (epoch(self.outcome.at) if self.outcome else None) or self.began

    @property
    def reached_users(self) -> float:
        """When users met its release: when the weights moved; else, at the latest, when it ended."""
        moved = epoch(str(self.said(MOVED_AT) or ""))
        if moved is not None:
            return moved
        return self.ended if self.live else self.began


def changes(entries: Sequence[Entry]) -> tuple[Change, ...]:
    """Every change of an environment that was begun or refused, oldest first.

    A refusal before anything began is an outcome by itself; one that is done had nothing to do. A heal moves no users,
    and neither does a recovery without an update.
    """
    return tuple(Change(first=each.first, outcome=each.outcome) for each in passages(entries) if _is_change(each))


def _is_change(passage: Passage) -> bool:
    first, alone = passage.first, passage.outcome is passage.first
    if not (first.environment and first.verb in RELEASING) or first.kind not in (EntryKind.INTENT, EntryKind.OUTCOME):
        return False
    decision = str(first.details.get("decision") or "")
    moves = decision not in list(DecisionKind) or DecisionKind(decision).moves_users
    return moves and not (alone and (first.result is Result.DONE or first.verb == RECOVER))


# ---- The figures


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Durations in seconds: how many there were, the median, and the 90th percentile."""

    count: int
    median: float
    ninety: float

    @staticmethod
    def of(seconds: Sequence[float]) -> Spread | None:
        """None where there is none. By nearest rank, so each figure is one that was measured."""
        if not seconds:
            return None
        ordered = sorted(seconds)
        at = {share: ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in (0.5, 0.9)}
        return Spread(count=len(ordered), median=at[0.5], ninety=at[0.9])

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {"count": self.count, "medianSeconds": self.median, "p90Seconds": self.ninety}


@dataclass(frozen=True, kw_only=True)
class Share:
    """So many of so many."""

    part: int
    of: int

    def as_dict(self) -> dict[str, Any]:
        """For --json; the share is null of nothing."""
        return {"count": self.part, "of": self.of, "share": self.part / self.of if self.of else None}


@dataclass(frozen=True, kw_only=True)
class Week:
    """Seven days from `begins` (epoch seconds): releases that users met, and how many of these failed."""

    begins: float
    released: int = 0
    failed: int = 0
    lead: float | None = None
    """The median of its lead times, in seconds."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """One environment from `since` to `until` (epoch seconds). Each field is defined at the top of this file."""

    environment: str
    since: float
    until: float
    deployments: int = 0
    lead: Spread | None = None
    undated: int = 0
    """Deployments whose commit's time is not known."""
    failures: Share = field(default_factory=lambda: Share(part=0, of=0))
    restore: Spread | None = None
    unrestored: int = 0
    """Failed changes that nothing has restored so far."""
    stopped: int = 0
    pipeline: Share = field(default_factory=lambda: Share(part=0, of=0))
    plain: Share = field(default_factory=lambda: Share(part=0, of=0))
    held: int = 0
    """Deployments that began with a hold."""
    hold: str = ""
    """The hold that stands at the end, in words; "" for none."""
    overrides: Mapping[str, int] = field(default_factory=dict)
    hotfixes: Spread | None = None
    rollbacks: Share = field(default_factory=lambda: Share(part=0, of=0))
    rollback: Spread | None = None
    weeks: tuple[Week, ...] = ()

    @property
    def a_week(self) -> float:
        """Deployments a week; a period of less than one is not extrapolated."""
        return self.deployments / max(1.0, (self.until - self.since) / WEEK)

    def as_dict(self) -> dict[str, Any]:
        """For --json. Times are epoch seconds."""
        return {
            "environment": self.environment,
            "since": self.since,
            "until": self.until,
            "deployments": {"count": self.deployments, "perWeek": round(self.a_week, 2)},
            "leadTime": {**(_plain(self.lead) or {}), "unknown": self.undated},
            "changeFailures": self.failures.as_dict(),
            "timeToRestore": {**(_plain(self.restore) or {}), "open": self.unrestored},
            "stoppedInTime": self.stopped,
            "fromPipeline": self.pipeline.as_dict(),
            "plainUpdates": self.plain.as_dict(),
            "holds": {"count": self.held, "stands": self.hold or None},
            "overrides": dict(self.overrides),
            "hotfixes": _plain(self.hotfixes),
            "rollbacks": {**self.rollbacks.as_dict(), "time": _plain(self.rollback)},
            "weeks": [
                {"begins": each.begins, "released": each.released, "failed": each.failed, "leadSeconds": each.lead}
                for each in self.weeks
            ],
        }


def _plain(spread: Spread | None) -> dict[str, Any] | None:
    return spread.as_dict() if spread else None


def measured(
    entries: Sequence[Entry], environment: str, *, since: float, until: float, committed: Mapping[str, float]
) -> Metrics:
    """The figures of one environment. `committed`: the time of each commit that git knows, in epoch seconds.

    A change counts when it began in the period. The period does not reach back behind the first entry of the ledger:
    nothing is known of the time before.
    """
    first = min((at for each in entries if (at := epoch(each.at)) is not None), default=until)
    since = min(max(since, first), until)
    ours = [each for each in changes(entries) if each.first.environment == environment]
    restored = _restored(ours)
    ours = [each for each in ours if since <= each.began <= until]
    holds = _standing(ours)
    forward = [each for each in ours if not each.goes_back and not each.ends_hold]
    live, met = [each for each in forward if each.live], [each for each in forward if each.met]
    failed = [each for each in met if each.first.sequence in restored]
    back = [each for each in ours if each.rollback]
    moved = [each for each in ours if each.met]
    ends = [(each, end) for each in failed if (end := restored[each.first.sequence]) is not None]
    leads = {each.first.sequence: lead for each in live if (lead := _lead(each, committed)) is not None}
    return Metrics(
        environment=environment,
        since=since,
        until=until,
        deployments=len(live),
        lead=Spread.of(list(leads.values())),
        undated=len(live) - len(leads),
        failures=Share(part=len(failed), of=len(met)),
        restore=Spread.of([end - each.reached_users for each, end in ends]),
        unrestored=len(failed) - len(ends),
        stopped=sum(each.stopped for each in forward),
        pipeline=Share(part=sum(bool(each.first.run) for each in moved), of=len(moved)),
        plain=Share(part=sum(each.first.verb == UPDATE for each in moved), of=len(moved)),
        held=sum(bool(each.said(HOLD)) for each in live),
        hold=holds,
        overrides=dict(sorted(Counter(name for each in ours for name in _overridden(each)).items())),
        hotfixes=Spread.of([each.ended - each.began for each in live if each.hotfix]),
        rollbacks=Share(
            part=sum(each.live for each in back), of=sum(each.begun and each.outcome is not None for each in back)
        ),
        rollback=Spread.of([each.ended - each.began for each in back if each.live]),
        weeks=tuple(_weeks(met, failed, leads, since=since, until=until)),
    )


def _restored(ours: Sequence[Change]) -> dict[int, float | None]:
    """The failed changes by the sequence of their intents, and when users were restored (None: not so far)."""
    found: dict[int, float | None] = {}
    forward: Change | None = None
    """The release that users have, if nothing but itself came since."""
    for each in ours:
        if forward and _undoes(each, forward):
            continue
        if each.ends_hold:
            if forward and each.result is Result.ROLLED_BACK and not each.goes_back:
                found[forward.first.sequence] = each.ended
            lost = each.result is Result.ROLLED_BACK or (each.live and each.goes_back)
            forward = None if lost else forward
            continue
        if forward and each.begun and (each.goes_back or each.hotfix):
            found[forward.first.sequence] = each.ended if each.live else found.get(forward.first.sequence)
        if each.result is Result.ROLLED_BACK and not each.goes_back:
            found[each.first.sequence] = each.ended
        if each.live:
            forward = None if each.goes_back else each
    return found


def _standing(ours: Sequence[Change]) -> str:
    """The hold that no later change ended."""
    last = next((each for each in reversed(ours) if each.live or each.result is Result.ROLLED_BACK), None)
    began = last is not None and last.live and last.said(HOLD)
    return f"{last.said(HOLD)} % on {short(last.first.digest)} since {last.first.at}" if last and began else ""


def _undoes(change: Change, forward: Change) -> bool:
    """Did it undo a switch that was interrupted? Users stay on the release that they have."""
    return change.goes_back and change.first.release == forward.first.release != ""


def _lead(change: Change, committed: Mapping[str, float]) -> float | None:
    """Seconds from the commit to live; None where the commit's time is unknown, or later than that (another clock)."""
    at = committed.get(change.outcome.commit or change.first.commit) if change.outcome else None
    return change.ended - at if at is not None and at <= change.ended else None


def _overridden(change: Change) -> tuple[str, ...]:
    said = change.said(OVERRIDES)
    return tuple(str(name) for name in said) if isinstance(said, Mapping) else ()


def _weeks(
    met: Sequence[Change], failed: Sequence[Change], leads: Mapping[int, float], *, since: float, until: float
) -> Iterator[Week]:
    """Seven days each, back from `until`; the first one may begin before `since`."""
    number = max(1, math.ceil((until - since) / WEEK))
    start = until - WEEK * number
    for week in range(number):
        of_it = [each for each in met if min(int((each.began - start) // WEEK), number - 1) == week]
        lead = Spread.of([leads[each.first.sequence] for each in of_it if each.first.sequence in leads])
        yield Week(
            begins=start + WEEK * week,
            released=len(of_it),
            failed=sum(each in failed for each in of_it),
            lead=lead.median if lead else None,
        )
