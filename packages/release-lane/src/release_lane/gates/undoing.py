"""Rolling back the traffic after a breach, and reporting it: reason, timeline of weights, the release's last log lines.

Where users go is decided by `decide.shift.way_back`. Every call insists: it is made although the update was
interrupted, and tried again for a while.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provider_kit import Cancelled, Context, readable

from release_lane.aws.cloud import Balancer, Cloud, Rule
from release_lane.aws.patience import at_most, insisting
from release_lane.decide.shift import AsFound, Back, Home, Nowhere, Stay, way_back
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, Users
from release_lane.gates.reality import words
from release_lane.record.intended import LOGS
from release_lane.record.journal import ABORT, JOURNAL, PHASE, Journal, Phase
from release_lane.record.placement import Colour, Weights, all_on, whole

if TYPE_CHECKING:
    from release_lane.gates.move import Move

HEALTH_WITHIN = 10.0
"""Seconds for AWS to say which targets are healthy; after that users go where the record says, without asking."""

LINES, WIDTH = 10, 300
"""Log lines of the release that are reported, and how much of each."""


class Timeline:
    """When which weights were set, and why; and what else was noted."""

    def __init__(self, now: Callable[[], float], report: Callable[[str], None]) -> None:
        """`report` is for the person who watches."""
        self._now = now
        self._report = report
        self.entries: list[tuple[float, Weights, str]] = []
        self.notes: list[tuple[float, str]] = []

    def moved(self, weights: Weights, why: str) -> None:
        """Weights are set now."""
        self.entries.append((self._now(), dict(weights), why))
        self._report(f"users: {words(weights)} ({why})")

    def noted(self, what: str) -> None:
        """Something else that a reader should know."""
        self.notes.append((self._now(), what))
        self._report(what)

    def lines(self) -> list[str]:
        """For people, in UTC."""
        moves = [(at, f"{words(weights)}  {why}") for at, weights, why in self.entries]
        lines = sorted([*moves, *self.notes], key=lambda line: line[0])
        return [f"{_clock(at)}  {what}" for at, what in lines]

    @property
    def began(self) -> float | None:
        """When weights were set first; None if they never were."""
        return self.entries[0][0] if self.entries else None

    def exposed(self, colour: Colour) -> str:
        """Its share, and for how long: `10 % of the users for 42 s`, or `up to all of the users within 90 s`."""
        shares = [(at, weights[colour]) for at, weights, _ in self.entries if weights.get(colour)]
        most, spent = max(share for _, share in shares), self._now() - shares[0][0]
        part = "all" if most == 100 else f"{most} %"
        if len({share for _, share in shares}) > 1:
            return f"up to {part} of the users within {spent:.0f} s"
        return f"{part} of the users for {spent:.0f} s"


def _clock(second: float) -> str:
    return datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%H:%M:%S")


def roll_back(
    ctx: Context, cloud: Cloud, move: Move, before: Balancer, breach: Exception, timeline: Timeline
) -> Exception:
    """Roll back the traffic; the error to end with. If even that fails, it is said at the top of everything."""
    reason = reason_of(breach)
    ctx.warn(f"rolling back the traffic: {reason}")
    exposed = timeline.exposed(move.live) if timeline.entries else ""
    try:
        with insisting():
            back = _restored(cloud, move, before, timeline)
    except Exception as second:
        return CloudError(
            f"THE TRAFFIC COULD NOT BE ROLLED BACK after a failed switch to {move.live}: {_in_a_line(second)}",
            why=f"the switch itself failed with: {reason}",
            next_step=f"look at the listener rule of {cloud.names.load_balancer} now; the next update finishes or "
            "undoes the switch.",
            users=Users.UNSURE,
        )
    unwritten = _journalled(cloud, move, before, back, breach)
    report = Report(
        where=_where(back, move, before, exposed) + unwritten,
        users=_users(back, before, timeline),
        more=[*_timeline(timeline, move), *_last_words(cloud, move, before, breach)],
    )
    return _undone(breach, report)


@dataclass(frozen=True)
class Report:
    """Where users are now, in words and as a field, and further lines."""

    where: str
    users: Users
    more: Sequence[str]


def _in_a_line(error: Exception) -> str:
    """What happened and why, without the lines that say of which kind an error is: those are the outer one's."""
    why = error.why if isinstance(error, ReleaseError) else ""
    return f"{reason_of(error)}{f' ({why})' if why else ''}"


def reason_of(breach: Exception) -> str:
    """What happened, in a line or some."""
    return breach.what if isinstance(breach, ReleaseError) else readable(breach) or str(breach)


# ---- Doing it


def _restored(cloud: Cloud, move: Move, before: Balancer, timeline: Timeline) -> Back:
    """Set the weights."""
    found = before.rule.weights if before.rule else None
    back = way_back(move.live, found, move.course.home, _healthy(cloud, before, found))
    rule = before.rule
    if rule is None:
        if now := cloud.balancer().rule:
            cloud.delete_rule(now.arn)
        return Nowhere()
    match back:
        case Home(colour) if move.course.steps or colour is not move.live:
            _set(cloud, before, rule, all_on(colour), timeline, "rolled back")
        case AsFound(on=None) if move.course.steps:
            _set(cloud, before, rule, rule.weights, timeline, "rolled back")
        case AsFound(on=Colour() as colour) if move.course.steps:
            _set(cloud, before, rule, all_on(colour), timeline, f"{colour.other} has no healthy target")
        case Stay(colour):
            _set(cloud, before, rule, all_on(colour), timeline, f"{colour.other} has no healthy target")
    return back


def _journalled(cloud: Cloud, move: Move, before: Balancer, back: Back, breach: Exception) -> str:
    """Write the journal's end and remove the abort request. In words what AWS did not do of it, "" for nothing.

    The traffic is rolled back in any case; a journal that still says "moving" explains as well where users are.
    """
    try:
        with insisting():
            _write_end(cloud, move, before.rule, back, breach)
    except Exception as error:
        return f" (but the journal on the production rule could not be written: {reason_of(error)})"
    return ""


def _write_end(cloud: Cloud, move: Move, rule: Rule | None, back: Back, breach: Exception) -> None:
    if rule is None:
        return
    match back:
        case Home(colour) if move.course.steps or colour is not move.live:
            cloud.tag_rule(rule.arn, move.journal(Phase.RESTORED).as_tags())
        case AsFound(on=on) if move.course.steps:
            _write_back(cloud, rule, moved=on is not None)
    if isinstance(breach, Interrupted):
        cloud.untag_rule(rule.arn, [ABORT])


def _set(cloud: Cloud, before: Balancer, rule: Rule, weights: Weights, timeline: Timeline, why: str) -> None:
    timeline.moved(weights, why)
    cloud.set_weights(rule.arn, before.target_groups, weights)


def _write_back(cloud: Cloud, rule: Rule, *, moved: bool) -> None:
    """The journal from before this switch: it explains where users were found. `moved`: they are on one colour now; of
    a hold, which explains a share alone, the next update finds a switch under way."""
    found = Journal.tags_in(rule.tags)
    if moved and found.get(PHASE) == Phase.HELD:
        found[PHASE] = str(Phase.MOVING)
    if found:
        cloud.tag_rule(rule.arn, found)
    missing = [key for key in JOURNAL if key not in found]
    if missing:
        cloud.untag_rule(rule.arn, missing)


def _healthy(cloud: Cloud, before: Balancer, found: Weights | None) -> dict[Colour, int]:
    """Healthy targets of each colour. If AWS does not say, the colour that users came from is taken for healthy."""
    try:
        with at_most(HEALTH_WITHIN):
            return {colour: health.healthy for colour, health in cloud.health(before.target_groups).items()}
    except Exception:
        return dict.fromkeys(Colour, 1) if found else dict.fromkeys(Colour, 0)


# ---- Reporting it


def _users(back: Back, before: Balancer, timeline: Timeline) -> Users:
    """The field: untouched only where this update set no other weights than it found, not even to roll back."""
    found = before.rule.weights if before.rule else None
    match back:
        case Stay() | AsFound(on=Colour()):
            return Users.UNSURE
        case Home() | AsFound() | Nowhere():
            moved = any(weights != found for _, weights, _ in timeline.entries)
            return Users.RESTORED if moved else Users.UNTOUCHED


def _where(back: Back, move: Move, before: Balancer, exposed: str) -> str:
    """Where users are now."""
    match back:
        case Stay(colour) | AsFound(on=Colour() as colour):
            return (
                f"THE TRAFFIC COULD NOT BE ROLLED BACK: {colour.other} has no healthy target any more. "
                f"All users stay on {colour}, which has some"
            )
        case Home(colour) if move.course.steps and not exposed:
            return f"No more traffic was moved; all users are on {colour}"
        case AsFound() if move.course.steps and not exposed:
            return f"No more traffic was moved; users are served {words(before.rule.weights if before.rule else None)}"
        case Home(colour) if colour is move.live:
            return f"A check failed, but users stay on {colour}, where they are recorded to be"
        case Home(colour) if not move.course.steps:
            return f"Users were on {move.live}, which is not recorded; their traffic was rolled back to {colour}"
        case AsFound() if not move.course.steps:
            return f"Users were not moved by this update; they are on {move.live}"
        case Home(colour) if move.watches or whole(before.rule.weights if before.rule else {}) is not colour:
            return f"{move.live} had {exposed}; their traffic was rolled back to {colour}"
    return f"Users were on {move.live} for a moment; their traffic was rolled back to where it was before"


def _timeline(timeline: Timeline, move: Move) -> list[str]:
    lines = timeline.lines() if move.watches else []
    return ["timeline of weights (UTC):", *(f"  {line}" for line in lines)] if lines else []


def _last_words(cloud: Cloud, move: Move, before: Balancer, breach: Exception) -> list[str]:
    """The last log lines of one task of the release: of one that is not healthy, if there is one."""
    if not isinstance(breach, CheckFailed):
        return []
    with contextlib.suppress(Exception):
        reading = cloud.read(move.live, before.target_groups.get(move.live))
        ours = [task for task in reading.tasks if task.deployment == move.passed.deployment]
        tasks = sorted(ours, key=lambda task: reading.state_of(task) == "healthy")
        lines = cloud.log_lines(tasks[0].arn, LINES) if tasks else []
        return [f"{LOGS} of {move.live}:", *(f"  {line[:WIDTH]}" for line in lines)] if lines else []
    return []


def _undone(breach: Exception, report: Report) -> Exception:
    """The breach again, with where users are now."""
    where, users = report.where, report.users
    after = "".join(f"\n  {line}" for line in report.more)
    match breach:
        case Cancelled():
            return Cancelled(str(Interrupted(f"The switch was interrupted. {where}.{after}", users=users)))
        case Interrupted():
            return Interrupted(f"The switch was interrupted: {breach.what} {where}.{after}", users=users)
        case CheckFailed() | CloudError() | Refused():
            what = f"{where}: {breach.what}{after}"
            return type(breach)(what, why=breach.why, next_step=breach.next_step, users=users)
        case _ if refused := readable(breach):
            return CloudError(f"{where}: {refused}{after}", users=users)
    # A mistake in this program keeps its traceback; the text names first where users are.
    return RuntimeError(str(CloudError(f"{where}: {type(breach).__name__}: {breach}{after}", users=users)))
