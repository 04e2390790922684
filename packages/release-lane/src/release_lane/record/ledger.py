"""The ledger: what was begun and how it ended, one entry each, over all environments; each holds the hash of the one
before. Pure: its stores are in `release_lane.ledger`, and what proves it intact is `record.chain`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from release_lane.record.schema import schema_of

SCHEMA = 1
"""The layout of an entry. A field that is added needs a default, no new number: an environment that an earlier version
still updates reads the newest entry of all before it writes."""

ENTRIES, MARKS = "entries/", "marks/"
HIGHEST = 10**12
"""A sequence is inverted by it, so that the newest name is the first of a listing."""


class EntryKind(StrEnum):
    """What an entry is about."""

    INTENT = "intent"
    """An update, or a verb of the command, begins."""
    OUTCOME = "outcome"
    """How it ended."""
    REVIEW = "review"
    QUARANTINE = "quarantine"
    PARDON = "pardon"
    STOPPED = "stopped"
    RESUMED = "resumed"
    DRILL = "drill"
    OTHER = "other"
    """One that a later version wrote."""


class Result(StrEnum):
    """How it ended."""

    NONE = ""
    """No outcome is meant: the entry is no outcome."""
    DONE = "done"
    REFUSED = "refused"
    """It must not happen; nothing was changed."""
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    """Traffic was moved, and was rolled back."""
    INTERRUPTED = "interrupted"
    """It was stopped, or died; what it left is finished or undone by a later update."""
    UNKNOWN = "unknown"


class MarkKind(StrEnum):
    """What a mark is about."""

    RELEASE = "release"
    """Subject: a digest without its `sha256:`. State: quarantined, pardoned."""
    LINE = "line"
    """Subject: an environment. State: stopped, resumed."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The newest word about one subject, which every update asks for: it repeats what the entry `sequence` says."""

    kind: MarkKind
    subject: str
    state: str
    sequence: int = 0

    @property
    def folder(self) -> str:
        """Where the marks of this subject are."""
        return marks_of(self.kind, self.subject)

    @property
    def name(self) -> str:
        """Its name in a store."""
        return f"{self.folder}{HIGHEST - self.sequence:012d}-{self.state}.json"

    @staticmethod
    def of_name(name: str) -> Mark | None:
        """Read a name; None for one that is no mark's."""
        parts = _MARK.fullmatch(name)
        if not parts or parts["kind"] not in list(MarkKind):
            return None
        sequence = HIGHEST - int(parts["inverted"])
        return Mark(kind=MarkKind(parts["kind"]), subject=parts["subject"], state=parts["state"], sequence=sequence)


_MARK = re.compile(r"marks/(?P<kind>[a-z-]+)/(?P<subject>[^/]+)/(?P<inverted>\d{12})-(?P<state>[a-z-]+)\.json")


def marks_of(kind: MarkKind, subject: str) -> str:
    """The folder of a subject's marks."""
    return f"{MARKS}{kind}/{subject}/"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An entry that has no place in the ledger yet.

    `id` tells apart entries of the same moment: an entry that was sent twice is written once. `at`: ISO 8601, UTC.
    `environment`: "" for all. `release`: a release id. `who`: CI actor, or user@host; `approver`: who approved;
    `run`: URL or name of the CI run. `of`: the sequence of the intent, for an outcome. `details`: plain JSON, no
    secrets. `marks`: those that it makes.
    """

    id: str
    kind: EntryKind
    at: str
    environment: str = ""
    verb: str = ""
    digest: str = ""
    commit: str = ""
    release: str = ""
    who: str = ""
    approver: str = ""
    run: str = ""
    reason: str = ""
    of: int = 0
    result: Result = Result.NONE
    details: Mapping[str, Any] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()

    def after(self, before: Entry | None, previous: str) -> Entry:
        """The same with its place after another entry, whose hash is `previous`; its marks get the place as well."""
        sequence = before.sequence + 1 if before else 1
        return self._placed(sequence, previous, _opened(self, sequence, before.open if before else {}))

    def _placed(self, sequence: int, previous: str, opened: Mapping[str, int]) -> Entry:
        marks = tuple(replace(mark, sequence=sequence) for mark in self.marks)
        given = {each.name: getattr(self, each.name) for each in fields(Draft)}
        return Entry(**{**given, "marks": marks}, sequence=sequence, previous=previous, open=opened)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value, as it is stored."""
        marks = [{"kind": str(each.kind), "subject": each.subject, "state": each.state} for each in self.marks]
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "marks"}
        return {"schema": SCHEMA, **plain, "marks": marks}


@dataclass(frozen=True, kw_only=True)
class Entry(Draft):
    """One line of the ledger. `sequence`: 1, 2, 3 … over all environments. `previous`: the hash of the entry before,
    "" for the first. `open`: after this entry, each environment's intent without an outcome, so that reading the newest
    entry says what runs or died."""

    sequence: int
    previous: str
    open: Mapping[str, int] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        """As it is stored: JSON with sorted keys, one line."""
        return (json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()

    @property
    def name(self) -> str:
        """Its name in a store."""
        return name_of(self.sequence)

    @staticmethod
    def from_bytes(written: bytes) -> Entry:
        """Read what `as_bytes` wrote; ValueError for anything else, `Refused` for what a later version wrote."""
        value = json.loads(written)
        if not isinstance(value, Mapping):
            raise ValueError("it is no JSON object")
        try:
            draft, opened = _read(value), {str(name): int(of) for name, of in (value.get("open") or {}).items()}
            sequence, previous = int(value["sequence"]), str(value["previous"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a field is missing or wrong: {error}") from error
        return Draft(**draft)._placed(sequence, previous, opened)


def _opened(draft: Draft, sequence: int, before: Mapping[str, int]) -> Mapping[str, int]:
    match draft.kind:
        case EntryKind.INTENT:
            return {**before, draft.environment: sequence}
        case EntryKind.OUTCOME if draft.of:
            return {name: of for name, of in before.items() if of != draft.of}
        case _:
            return dict(before)


def name_of(sequence: int) -> str:
    """The name of an entry in a store."""
    return f"{ENTRIES}{HIGHEST - sequence:012d}-{sequence}.json"


def sequence_in(name: str) -> int | None:
    """The sequence that the name of an entry says; None for a name that is no entry's."""
    parts = _ENTRY.fullmatch(name)
    if not parts:
        return None
    sequence = int(parts["sequence"])
    return sequence if HIGHEST - int(parts["inverted"]) == sequence else None


_ENTRY = re.compile(r"entries/(?P<inverted>\d{12})-(?P<sequence>\d+)\.json")


def hash_of(written: bytes) -> str:
    """What the next entry holds of this one: SHA-256, 64 hex digits."""
    return hashlib.sha256(written).hexdigest()


def _read(value: Mapping[str, Any]) -> dict[str, Any]:
    schema_of(value, SCHEMA, "An entry of the ledger")
    texts = {name: str(value.get(name) or "") for name in _TEXTS}
    marks = tuple(
        Mark(kind=MarkKind(each["kind"]), subject=str(each["subject"]), state=str(each["state"]))
        for each in value.get("marks") or ()
        if each["kind"] in list(MarkKind)
    )
    kind, result = value["kind"], value.get("result") or ""
    return {
        **texts,
        "id": str(value["id"]),
        "kind": EntryKind(kind) if kind in list(EntryKind) else EntryKind.OTHER,
        "at": str(value["at"]),
        "of": int(value.get("of") or 0),
        "result": Result(result) if result in list(Result) else Result.UNKNOWN,
        "details": dict(value.get("details") or {}),
        "marks": marks,
    }


_TEXTS = ("environment", "verb", "digest", "commit", "release", "who", "approver", "run", "reason")


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who acts: what the command hands to an update. `id` names this call of the command; `verb`: deploy, promote …

    `details`: what the command knows; they go into the details of the intent.
    """

    id: str = ""
    verb: str = ""
    who: str = ""
    approver: str = ""
    run: str = ""
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_text(self) -> str:
        """For a variable of the environment."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @staticmethod
    def from_text(text: str) -> Actor:
        """Read what `as_text` wrote; nothing for any other text."""
        try:
            value = json.loads(text or "{}")
            texts = {name: str(value.get(name) or "") for name in ("id", "verb", "who", "approver", "run", "reason")}
            return Actor(**texts, details=dict(value.get("details") or {}))
        except (ValueError, AttributeError, TypeError):
            return Actor()


COMMAND = "command"
"""In the details of an entry: the `id` of the call of the command that it belongs to."""

ACTOR_VARIABLE = "RELEASE_LANE_ACTOR"
"""Read by the provider. A plain `pulumi up` has none: then who and where is read from the environment."""
