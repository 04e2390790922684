"""The ledger for people: an update is one line, made of its intent and its outcome. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import short
from release_lane.record.intended import GOES_BACK, HOLD, HOLD_END
from release_lane.record.ledger import Entry, EntryKind, Result
from release_lane.record.times import epoch

UNDER_WAY = "under way, or dead"
"""How an intent without an outcome ends. The next update of that environment completes it."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """An update from intent to outcome, or any other entry by itself. `first`: the entry it began with.

    `outcome`: how it ended; None while it is open, and for an entry that is no outcome and needs none.
    """

    first: Entry
    outcome: Entry | None = None

    @property
    def how(self) -> str:
        """How it ended, or what kind of entry it is (a drill is both)."""
        if self.outcome:
            return f"{self.outcome.result}{self._held}"
        kind, result = self.first.kind, self.first.result
        return UNDER_WAY if kind is EntryKind.INTENT else f"{kind}: {result}" if result else str(kind)

    @property
    def _held(self) -> str:
        """Where a hold began or ended."""
        said = self.first.details
        if self.outcome is None or self.outcome.result is not Result.DONE:
            return ""
        began = f", a hold at {said[HOLD]} %" if said.get(HOLD) else ""
        return f", the hold ended: {said[HOLD_END]}" if said.get(HOLD_END) else began

    @property
    def seconds(self) -> float | None:
        """From intent to outcome; None where there is no such pair."""
        if self.outcome is None or self.outcome is self.first:
            return None
        began, ended = epoch(self.first.at), epoch(self.outcome.at)
        return ended - began if began is not None and ended is not None else None

    @property
    def why(self) -> str:
        """Why it ended badly; else the person's reason, else what the outcome says, else why the update decided as it
        did: its first line."""
        ended = self.outcome or self.first
        reason, why, because = self.first.reason, ended.details.get("why"), self.first.details.get("because")
        badly = ended.result not in (Result.NONE, Result.DONE)
        said = (why if badly else "") or reason or why or because or ""
        return next(iter(str(said).splitlines()), "")


def passages(entries: Sequence[Entry]) -> tuple[Passage, ...]:
    """Oldest first, by where each began. An outcome whose intent is not among the entries stands by itself."""
    outcomes: dict[int, Entry] = {each.of: each for each in entries if each.kind is EntryKind.OUTCOME and each.of}
    there = {each.sequence for each in entries}
    return tuple(_passages(entries, outcomes, there))


def _passages(entries: Sequence[Entry], outcomes: Mapping[int, Entry], there: set[int]) -> Iterator[Passage]:
    for each in entries:
        match each.kind:
            case EntryKind.INTENT:
                yield Passage(first=each, outcome=outcomes.get(each.sequence))
            case EntryKind.OUTCOME if each.of in there:
                pass
            case EntryKind.OUTCOME:
                yield Passage(first=each, outcome=each)
            case _:
                yield Passage(first=each)


HEADINGS = (
    "ENTRY",
    "WHEN (UTC)",
    "ENVIRONMENT",
    "VERB",
    "DIGEST",
    "COMMIT",
    "RESULT",
    "TOOK",
    "WHO",
    "APPROVED",
    "WHY",
)

WIDEST_WHY = 80


def cells(passage: Passage) -> tuple[str, ...]:
    """A row of the table."""
    first, seconds = passage.first, passage.seconds
    why = passage.why
    return (
        str(first.sequence),
        first.at[:19].replace("T", " "),
        first.environment or "all",
        first.verb,
        short(first.digest),
        first.commit[:7],
        passage.how,
        f"{seconds:.0f} s" if seconds is not None else "",
        first.who,
        first.approver,
        why if len(why) <= WIDEST_WHY else f"{why[:WIDEST_WHY]}…",
    )


# ---- For the review -------------------------------------------------------------------------------------------


RESTORES = ("heal", "recover")


def rollbacks_in(entries: Sequence[Entry], environment: str) -> tuple[float, ...]:
    """Seconds that ways back of an environment took in which no task started; oldest first. They do not bake.

    To restore the record after drift moves traffic as well, but is no rollback.
    """
    found = (each for each in passages(entries) if each.first.environment == environment and _went_back(each))
    return tuple(each.seconds for each in found if each.seconds is not None)


def _went_back(passage: Passage) -> bool:
    ended = passage.outcome
    return bool(
        passage.first.verb not in RESTORES
        and passage.first.details.get(GOES_BACK)
        and ended
        and ended.result is Result.DONE
        and (ended.details.get("decision") or passage.first.details.get("decision")) == DecisionKind.TRAFFIC_ONLY
    )


def drills_in(entries: Sequence[Entry], environment: str | None, digest: str) -> tuple[str, ...]:
    """The last drill of this image there, as a sentence; none without one."""
    drills = (each for each in reversed(entries) if each.kind is EntryKind.DRILL and each.digest == digest)
    last = next((each for each in drills if each.environment == environment), None)
    return (f"{environment} drilled going back and forward with it on {last.at}: {last.result}.",) if last else ()
