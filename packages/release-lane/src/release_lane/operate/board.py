"""The board: one page on all environments, for people who would rather look. Its looks are in `board_page`. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from release_lane.decide.whereabouts import Interrupted, locate
from release_lane.operate.metrics import Change, Metrics, changes
from release_lane.operate.situation import Situation, halts_of, is_live
from release_lane.record.alarms import forbidding
from release_lane.record.evidence import Proof
from release_lane.record.halts import why
from release_lane.record.hold import how_to_end
from release_lane.record.ledger import Entry, EntryKind
from release_lane.record.records import Recorded

LAST, ON_THEIR_WAY = 12, 6
"""How many releases, and how many digests before each environment, are shown."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A review that was not followed by an update of its image. `entry` is the newest review of it there.

    `void`: another update has begun there since, so its seal no longer holds.
    """

    entry: Entry
    void: bool = False


@dataclass(frozen=True, kw_only=True)
class Coming:
    """An image that the environment before proved, and this one never had live."""

    environment: str
    source: str
    proof: Proof
    halted: str = ""
    """Why it is in quarantine."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """All that is shown. `at`: when it was made (ISO 8601). `without`: why there is no ledger ("" with one)."""

    project: str
    at: str
    situations: tuple[Situation, ...]
    coming: tuple[Coming, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    last: tuple[Change, ...] = ()
    metrics: tuple[Metrics, ...] = ()
    without: str = ""
    unsound: str = ""
    """That the ledger is not intact, in one line; "" where it is."""


def board_of(
    project: str,
    at: str,
    situations: Sequence[Situation],
    entries: Sequence[Entry] | None,
    metrics: Sequence[Metrics] = (),
    without: str = "",
    unsound: str = "",
) -> Board:
    """From what was read."""
    ended = [each for each in changes(entries or ()) if each.outcome is not None]
    return Board(
        project=project,
        at=at,
        situations=tuple(situations),
        coming=tuple(_spoiled(each, entries or ()) for one in situations for each in coming(one)),
        waiting=tuple(each for each in waiting(entries or ()) if _waits(each.entry, situations)),
        last=tuple(reversed(ended[-LAST:])),
        metrics=tuple(metrics),
        without=without,
        unsound=unsound,
    )


def _waits(review: Entry, situations: Sequence[Situation]) -> bool:
    """Not one that has expired, nor one of a live image where the route begins: no approval is needed there."""
    of_it = (at for at in situations if at.environment == review.environment)
    return not any(at.expired(review) or (at.source is None and is_live(at, review.digest)) for at in of_it)


def coming(at: Situation) -> tuple[Coming, ...]:
    """Proved by the environment before, later than what is live here, and never live here; the newest first."""
    if at.source is None:
        return ()
    live = at.recorded.live.digest if at.recorded else ""
    behind = max((number for number, proof in enumerate(at.proofs, 1) if proof.digest == live), default=0)
    serves = {each.digest for each in at.recorded.serves.values()} if at.recorded else set()
    ours = [proof for proof in at.proofs[behind:] if proof.digest not in serves]
    new = [proof for proof in ours if not (at.recorded and at.recorded.was_live(proof.digest))]
    found = [Coming(environment=at.environment, source=at.source, proof=proof) for proof in reversed(new)]
    return tuple(found[:ON_THEIR_WAY])


def _spoiled(coming: Coming, entries: Sequence[Entry]) -> Coming:
    entry = halts_of(entries, "", coming.proof.digest).quarantined
    return replace(coming, halted=why(entry)) if entry else coming


def waiting(entries: Sequence[Entry]) -> Iterator[Waiting]:
    """Reviews whose image was not released, refused or reviewed again there since; the newest first."""
    seen: set[tuple[str, str]] = set()
    updated: set[str] = set()
    for each in reversed(entries):
        about = (each.environment, each.digest)
        if each.kind is EntryKind.REVIEW and each.digest and about not in seen:
            yield Waiting(entry=each, void=each.environment in updated)
        if each.kind is EntryKind.INTENT:
            updated.add(each.environment)
        if each.kind in (EntryKind.REVIEW, EntryKind.INTENT, EntryKind.OUTCOME):
            seen.add(about)


def alerts(at: Situation) -> Iterator[str]:
    """What must not be missed, in sentences."""
    yield from at.halted
    if at.recorded and (hold := at.recorded.hold):
        yield f"a hold stands, nothing else is released: {hold.words()}; {how_to_end(at.environment).strip('`')}"
    if at.live_spoiled:
        yield at.live_spoiled
    match locate(at.recorded, at.observed) if at.observed else None:
        case Interrupted():
            yield "a switch was interrupted; the next update finishes it"
        case None | Recorded():
            pass
        case drift:
            yield f"drift: {drift.what}"
    if at.pending:
        yield f"a killed update left {len(at.pending)} of its operations unfinished: release recover {at.environment}"
    serving = {colour for colour, weight in (at.observed.weights or {}).items() if weight} if at.observed else set()
    yield from (alarm.words() for alarm in forbidding(at.alarms or (), serving))


# ---- As data


def board_data(board: Board) -> dict[str, Any]:
    """For --json."""
    return {
        "at": board.at,
        "withoutLedger": board.without or None,
        "ledgerNotIntact": board.unsound or None,
        "environments": [_environment(each) for each in board.situations],
        "onTheirWay": [
            {
                "environment": each.environment,
                "from": each.source,
                "quarantine": each.halted or None,
                **each.proof.as_dict(),
            }
            for each in board.coming
        ],
        "waiting": [{**_entry(each.entry), "void": each.void} for each in board.waiting],
        "last": [
            {**_entry(each.first), "result": str(each.result), "seconds": each.seconds, "why": each.said("why")}
            for each in board.last
        ],
        "metrics": [each.as_dict() for each in board.metrics],
    }


def _environment(at: Situation) -> dict[str, Any]:
    recorded = at.recorded
    weights = at.observed.weights if at.observed else None
    return {
        "environment": at.environment,
        "promotesFrom": at.source,
        "liveColour": str(recorded.live_colour) if recorded else None,
        "digest": recorded.live.digest if recorded else None,
        "commit": recorded.live.commit if recorded else None,
        "since": at.since or None,
        "hold": recorded.hold.as_dict() if recorded and recorded.hold else None,
        "weights": {str(colour): weight for colour, weight in weights.items()} if weights else None,
        "rollback": {
            "costs": at.rollback,
            "seconds": at.back.median if at.back else None,
            **({"forwardAgain": True} if recorded and recorded.forward_again else {}),
        },
        "liveInQuarantine": at.live_spoiled or None,
        "previousInQuarantine": at.spoiled or None,
        "alerts": list(alerts(at)),
        "underWay": [holder.as_dict() for holder in at.holders] if at.holders is not None else None,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "at": entry.at,
        "environment": entry.environment,
        "verb": entry.verb,
        "digest": entry.digest,
        "commit": entry.commit,
        "who": entry.who,
        "approver": entry.approver or None,
        "run": entry.run or None,
    }
