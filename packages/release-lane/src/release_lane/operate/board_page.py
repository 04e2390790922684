"""The board as a page: environments left to right; below them what comes, waits and was; then the metrics. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import shorten

from release_lane.decide.whereabouts import percent
from release_lane.operate.board import Board, Coming, alerts
from release_lane.operate.duration import spoken
from release_lane.operate.metrics import Change
from release_lane.operate.metrics_page import figures, plots
from release_lane.operate.page import Alert, Card, Cards, Page, Section, Table, Text, code, flat, harmless, link, quoted
from release_lane.operate.situation import Situation
from release_lane.record.digest import short
from release_lane.record.records import Recorded
from release_lane.record.times import to_the_minute


def board_page(board: Board) -> Page:
    """All of it."""
    found = ((at.environment, said) for at in board.situations for said in alerts(at))
    unsound = tuple(Alert(f"**{quoted(environment)}**: {quoted(said)}") for environment, said in found)
    unsound = (*([Alert(f"**Ledger**: {quoted(board.unsound)}")] if board.unsound else []), *unsound)
    cards = Cards("Environments", tuple(map(_card, board.situations)))
    sections = [
        Section("", (Text(f"As of {quoted(to_the_minute(board.at))}."), *unsound)),
        Section("Environments", (cards,)),
        Section("On their way", (_coming(board.coming),)),
        Section("Approvals that wait", (_waiting(board),)),
        Section("Last releases", (_last(board),)),
    ]
    if board.metrics:
        sections.append(Section("Metrics", (figures(board.metrics),)))
        sections += [Section(f"{harmless(each.environment)}, week by week", (plots(each),)) for each in board.metrics]
    return Page(f"Releases: {harmless(board.project)}", tuple(sections))


def _card(at: Situation) -> Card:
    recorded = at.recorded
    if recorded is None:
        return Card(quoted(at.environment), "no release yet" if at.exists else "no stack yet", tuple(_under_way(at)))
    live = recorded.live
    commit = f", commit {code(live.commit[:10])}" if live.commit else ""
    items = [
        f"**live:** {code(short(live.digest))}{commit}",
        f"**on:** {recorded.live_colour}{f' since {quoted(to_the_minute(at.since))}' if at.since else ''}",
        f"**users:** {_users(at)}",
        f"**{'held' if recorded.hold else 'idle'}:** {_idle(at, recorded)}",
        f"**rollback:** {_rollback(at, recorded)}",
        *([f"**✗ that release is in quarantine:** {quoted(at.spoiled)}"] if at.spoiled else []),
        *_under_way(at),
    ]
    return Card(
        quoted(at.environment), f"from {quoted(at.source)}" if at.source else "first of the route", tuple(items)
    )


def _users(at: Situation) -> str:
    if at.observed is None:
        return f"as recorded; AWS does not say ({quoted(at.unseen)})"
    return percent(at.observed.weights) if at.observed.weights else "503: there is no production rule"


def _idle(at: Situation, recorded: Recorded) -> str:
    idle = recorded.live_colour.other
    if at.observed is None:
        return f"{idle}"
    side = at.observed.sides[idle]
    if side.empty:
        return f"{idle} runs nothing"
    image = code(short(side.digest)) or "no single image"
    return f"{idle} runs {image}, {side.healthy} of {side.wanted} healthy"


def _rollback(at: Situation, recorded: Recorded) -> str:
    if recorded.hold:
        return f"to {code(short(recorded.live.digest))}: ends the hold, traffic only"
    if recorded.previous is None:
        return "none: nothing was live before"
    to = f"to {code(short(recorded.previous.digest))}: "
    if recorded.forward_again:
        return f"{to}going forward again, no rollback: users were rolled back from it"
    match at.rollback:
        case "traffic-only":
            took = (
                f", {spoken(at.back.median)} so far (median of {at.back.count})" if at.back else "; none timed here yet"
            )
            return f"{to}traffic only{took}"
        case "deploy":
            return f"{to}a deployment, minutes"
        case "settings":
            return "same image: change the stack file"
    return "none"


def _under_way(at: Situation) -> Iterator[str]:
    for holder in at.holders or ():
        run = holder.note.run if holder.note else ""
        yield f"**under way:** {link(quoted(str(holder)), run)}"


def _coming(coming: Sequence[Coming]) -> Table | Text:
    if not coming:
        return Text("No proven image waits for its next environment.")
    rows = tuple(
        (
            code(short(each.proof.digest)),
            code(each.proof.commit[:10]) or "unknown",
            f"{quoted(each.source)} → {quoted(each.environment)}",
            quoted(to_the_minute(each.proof.at)),
            (f"**✗ in quarantine**: {quoted(each.halted)}; " if each.halted else "")
            + f"✓ {quoted(each.proof.smoke or 'gates passed')}"
            + (f"; ○ not checked: {quoted('; '.join(each.proof.unchecked))}" if each.proof.unchecked else ""),
        )
        for each in coming
    )
    return Table(("Digest", "Commit", "Where to", "Proved", "Gates"), rows)


def _waiting(board: Board) -> Table | Text:
    if board.without:
        return Text(f"Not known: {quoted(board.without)}.")
    if not board.waiting:
        return Text("None.")
    rows = tuple(
        (
            code(short(each.entry.digest)),
            quoted(each.entry.environment),
            quoted(each.entry.who) or "unknown",
            quoted(to_the_minute(each.entry.at)),
            link("the review", each.entry.run) if each.entry.run else "no CI run",
            "**✗ void: another update came since**" if each.void else "✓ valid",
        )
        for each in board.waiting
    )
    return Table(("Digest", "Environment", "Asked by", "Since", "Review", "Seal"), rows)


def _last(board: Board) -> Table | Text:
    if board.without:
        return Text(f"Not known: {quoted(board.without)}.")
    if not board.last:
        return Text("None in the ledger.")
    head = ("When", "Environment", "What", "Digest", "Who", "Why")
    return Table(head, tuple(map(_release, board.last)))


def _release(change: Change) -> tuple[str, ...]:
    intent, outcome = change.first, change.outcome
    assert outcome is not None
    sign = {"done": "✓", "rolled-back": "✗", "failed": "✗", "refused": "✗"}.get(str(change.result), "?")
    approved = f", approved by {quoted(intent.approver)}" if intent.approver else ""
    who = f"{link(quoted(intent.who) or 'unknown', intent.run)}{approved}"
    what = quoted(intent.verb) + (" (hotfix)" if change.hotfix else "")
    took = f", {spoken(change.seconds)}" if change.seconds is not None else ""
    why = " ".join(filter(None, (intent.reason, str(change.said("why") or ""))))
    return (
        quoted(to_the_minute(outcome.at)), quoted(intent.environment), f"{what} {sign} {change.result}{took}",
        code(short(intent.digest)), who, quoted(shorten(flat(why), WHY, placeholder=" …")),
    )  # fmt: skip


WHY = 160
"""Letters of a reason; `release history --json` has all of it."""
