"""Is a ledger intact? Nothing changed, missing, out of order, or different from what is live. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from release_lane.errors import ReleaseError
from release_lane.record.digest import short
from release_lane.record.ledger import Entry, EntryKind, Mark, Result, hash_of, sequence_in
from release_lane.record.records import Recorded


class Fault(StrEnum):
    """What is wrong."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    UNREADABLE = "unreadable"
    DELETED = "deleted"
    OVERWRITTEN = "overwritten"
    MARK = "mark"
    OUTCOME = "outcome"
    LIVE = "live"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, in a sentence. `sequence`: of the entry that it is about, 0 for none."""

    fault: Fault
    what: str
    sequence: int = 0


@dataclass(frozen=True, kw_only=True)
class Written:
    """An object of a store as it is, byte for byte."""

    name: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Traces:
    """What a store with versions remembers of objects that were deleted or written more than once, by name.

    `kept`: the store remembers. A folder does not.
    """

    deleted: Collection[str] = ()
    overwritten: Collection[str] = ()
    kept: bool = False


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A ledger as it was read: its entries oldest first, the names of its marks, and the traces of what was changed."""

    entries: Sequence[Written]
    marks: Sequence[str] = ()
    traces: Traces = field(default_factory=Traces)


def read(entries: Iterable[Written]) -> tuple[Entry, ...]:
    """All entries that can be read, in the order that they have."""
    return tuple(entry for each in entries if (entry := _entry(each)))


def verify(contents: Contents, live: Mapping[str, Recorded | None] | None = None) -> tuple[Finding, ...]:
    """Everything that is wrong, in the order of the entries. `live`: what each environment recorded.

    Without versions a ledger whose newest entries were cut off looks intact by itself: only `live` shows that.
    """
    entries = read(contents.entries)
    found = [
        *_chained(contents.entries),
        *_outcomes(entries),
        *_marks(entries, contents.marks),
        *_traced(contents.traces),
        *_live(entries, live or {}),
    ]
    return tuple(sorted(found, key=lambda each: each.sequence or len(entries) + 1))


def chained(written: Sequence[Written]) -> tuple[Finding, ...]:
    """What the chain of the newest entries says: one that was changed, moved or is missing, or cannot be read.

    What came before the first of these is not looked at, and neither are marks, versions and what is live (`verify`).
    """
    first = sequence_in(written[0].name) if written else None
    return tuple(_chained(written, after=max(0, (first or 1) - 1)))


def _entry(written: Written) -> Entry | None:
    try:
        return Entry.from_bytes(written.content)
    except (ValueError, ReleaseError):
        return None


# ---- One after the other


def _chained(written: Sequence[Written], after: int = 0) -> Iterator[Finding]:
    """Names count 1, 2, 3 …; each entry says the number of its name, and holds the hash of the one before.

    `after`: the number of the entry before the first of these, whose hash is not known.
    """
    last, before = after, None if after else ""
    for each in written:
        number = sequence_in(each.name)
        if number is None:
            yield Finding(fault=Fault.UNREADABLE, what=f"{each.name} is no name of an entry")
            continue
        gap = number != last + 1
        if gap:
            yield Finding(fault=Fault.MISSING, sequence=last + 1, what=_missing(last + 1, number - 1))
        yield from _one(each, number, "" if number == 1 else before or "", unchecked=gap or before is None)
        last, before = number, hash_of(each.content)


def _missing(first: int, last: int) -> str:
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def _one(written: Written, number: int, before: str, *, unchecked: bool) -> Iterator[Finding]:
    entry = _entry(written)
    if entry is None:
        yield Finding(fault=Fault.UNREADABLE, sequence=number, what=f"entry {number} cannot be read")
        return
    if entry.sequence != number:
        what = f"entry {number} is the one that was written as entry {entry.sequence}"
        yield Finding(fault=Fault.REORDERED, sequence=number, what=what)
    elif entry.previous != before and not unchecked:
        what = f"entry {number - 1} is not what it was when entry {number} was written"
        if number == 1:
            what = "entry 1 is not the first one that was written"
        yield Finding(fault=Fault.CHANGED, sequence=max(1, number - 1), what=what)


# ---- What entries say of each other


def _outcomes(entries: Sequence[Entry]) -> Iterator[Finding]:
    """An outcome names an earlier intent of its environment."""
    intents = {each.sequence: each for each in entries if each.kind is EntryKind.INTENT}
    for each in entries:
        if each.kind is not EntryKind.OUTCOME or not each.of:
            continue
        intent = intents.get(each.of)
        if intent is None or intent.sequence > each.sequence or intent.environment != each.environment:
            what = f"entry {each.sequence} is the outcome of entry {each.of}, which is no intent of {each.environment}"
            yield Finding(fault=Fault.OUTCOME, sequence=each.sequence, what=what)


def _marks(entries: Sequence[Entry], names: Sequence[str]) -> Iterator[Finding]:
    """Each mark repeats what an entry says, and each entry has the marks that it made."""
    made = {mark.name: entry.sequence for entry in entries for mark in entry.marks}
    there = set(names)
    for name, sequence in made.items():
        if name not in there:
            mark = Mark.of_name(name)
            said = f"{mark.subject} is {mark.state}" if mark else name
            what = f"the mark that entry {sequence} made ({said}) is missing: updates do not see it"
            yield Finding(fault=Fault.MARK, sequence=sequence, what=what)
    for name in sorted(there - made.keys()):
        yield Finding(fault=Fault.MARK, what=f"no entry made the mark {name}")


def _traced(traces: Traces) -> Iterator[Finding]:
    """In a bucket with versions nothing is ever lost: what was deleted or written again is seen."""
    for fault, names, what in (
        (Fault.DELETED, traces.deleted, "was deleted"),
        (Fault.OVERWRITTEN, traces.overwritten, "was written more than once"),
    ):
        for name in sorted(names):
            yield Finding(fault=fault, sequence=sequence_in(name) or 0, what=f"{name} {what}")


# ---- What is live


def _live(entries: Sequence[Entry], live: Mapping[str, Recorded | None]) -> Iterator[Finding]:
    """What an environment recorded as live is what the last outcome said that ended well."""
    for environment, recorded in live.items():
        last = last_done(entries, environment)
        if last is None:
            continue
        now = (recorded.newest.id, proven_at(recorded)) if recorded else ("", "")
        if recorded is None:
            what = f"nothing is live in {environment}, but entry {last.sequence} says that {short(last.digest)} is"
            yield Finding(fault=Fault.LIVE, sequence=last.sequence, what=what)
        elif now[0] != last.release or (last.details.get(PROVEN) and now[1] != last.details[PROVEN]):
            what = (
                f"{environment} recorded {short(recorded.newest.digest)} (release {now[0]}, {now[1] or 'no proof'}) as "
                f"live; the last outcome here is {short(last.digest)} (release {last.release}, entry {last.sequence})"
            )
            yield Finding(fault=Fault.LIVE, sequence=last.sequence, what=what)


PROVEN, MOVED = "provenAt", "moved"
"""In the details of an outcome: when the proof of the release was recorded; and whether users were moved or recorded
there, so that the outcome says what is live."""


def last_done(entries: Sequence[Entry], environment: str) -> Entry | None:
    """The last outcome of an environment that says what is live there; None if there is none."""
    said = (each for each in reversed(entries) if each.environment == environment and says_live(each))
    return next(said, None)


def says_live(entry: Entry) -> bool:
    """Is it the outcome of an update that moved users, and ended well?"""
    return entry.kind is EntryKind.OUTCOME and entry.result is Result.DONE and bool(entry.details.get(MOVED))


def proven_at(recorded: Recorded) -> str:
    """When the newest proof was recorded ("" if there is none)."""
    return recorded.evidence[-1].at if recorded.evidence else ""
