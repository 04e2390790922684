"""A ledger on top of named objects that are written once: `append` keeps one chain, with any number of writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Protocol

from release_lane.errors import CloudError, ReleaseError
from release_lane.record.chain import Contents, Traces, Written
from release_lane.record.ledger import (
    ENTRIES,
    MARKS,
    Draft,
    Entry,
    Mark,
    MarkKind,
    hash_of,
    marks_of,
    name_of,
    sequence_in,
)

READERS = 16
"""Entries that are read at the same time."""

RACES = 100
"""So often another writer may be faster before `append` gives up."""


class Objects(Protocol):
    """Named objects. Any exception means that the store did not answer, or refused."""

    def newest(self, folder: str) -> str | None:
        """The first name of a listing; None for an empty folder."""

    def names(self, folder: str) -> Sequence[str]:
        """All names in a folder and below, in order."""

    def read(self, name: str) -> bytes:
        """One object."""

    def create(self, name: str, content: bytes) -> bool:
        """Write an object that does not exist; False if it does, whatever it holds."""

    def traces(self) -> Traces:
        """What was deleted or overwritten, as far as the store remembers."""


class Store(Protocol):
    """What is asked of a ledger. Every method raises `CloudError` if the store is away."""

    def append(self, draft: Draft) -> Entry:
        """Write it as the newest entry, and the marks that it makes."""

    def entry(self, sequence: int) -> Entry:
        """One of them."""

    def some(self, sequences: Iterable[int]) -> Iterator[Entry]:
        """Several of them, in this order. One that cannot be read is an error when its turn comes."""

    def newest(self) -> Entry | None:
        """The newest entry; its `open` says which intents have no outcome."""

    def entries(self, last: int | None = None) -> tuple[Entry, ...]:
        """The last so many, or all; oldest first. Those that cannot be read are left out: `contents` has them."""

    def written(self, last: int | None = None) -> tuple[Written, ...]:
        """The same as they are stored, those that cannot be read as well: for `record.chain.chained`."""

    def mark(self, kind: MarkKind, subject: str) -> Mark | None:
        """The newest mark of a subject: one listing of one name."""

    def contents(self) -> Contents:
        """All that there is, for `record.chain.verify`."""


@dataclass(kw_only=True)
class Ledger:
    """A `Store` on `objects`; `url` is for people."""

    objects: Objects
    url: str
    _newest: Written | None = field(default=None, init=False)
    """As this process wrote it, so that its next entry needs no listing if no other process wrote since."""

    def append(self, draft: Draft) -> Entry:
        """Try the next place; if another writer has it, read what it wrote and try the one after."""
        with self._answering("written"):
            before = self._newest or self._head()
            for _ in range(RACES):
                entry = self._after(draft, before)
                if self._placed(entry):
                    return entry
                before = self._head()
        raise CloudError(
            f"The ledger {self.url} has another writer that was faster {RACES} times.", next_step="run it again."
        )

    def entry(self, sequence: int) -> Entry:
        """By its name."""
        (found,) = self.some([sequence])
        return found

    def some(self, sequences: Iterable[int]) -> Iterator[Entry]:
        """By their names, side by side."""
        with self._answering("read"):
            yield from map(_entry_in, self._read([name_of(each) for each in sequences]))

    def newest(self) -> Entry | None:
        """By a listing of one name, and a read."""
        with self._answering("read"):
            self._newest = self._head()
            return _entry_in(self._newest) if self._newest else None

    def entries(self, last: int | None = None) -> tuple[Entry, ...]:
        """By a listing, and a read for each."""
        return entries_in(self.written(last))

    def written(self, last: int | None = None) -> tuple[Written, ...]:
        """By a listing, and a read for each."""
        with self._answering("read"):
            return self._written(last)

    def mark(self, kind: MarkKind, subject: str) -> Mark | None:
        """By its name alone."""
        with self._answering("read"):
            name = self.objects.newest(marks_of(kind, subject))
            mark = Mark.of_name(name) if name else None
            if name and mark is None:  # it would hide the word that counts
                raise CloudError(f"{name} is no mark{STRANGE}")
        return mark

    def contents(self) -> Contents:
        """Everything, read again."""
        with self._answering("read"):
            return Contents(
                entries=self._written(None), marks=tuple(self.objects.names(MARKS)), traces=self.objects.traces()
            )

    def _written(self, last: int | None) -> tuple[Written, ...]:
        """Oldest first. A name that is none of an entry comes first: it has no place."""
        names = sorted(self.objects.names(ENTRIES), key=lambda name: sequence_in(name) or 0)
        return self._read(names[-last:] if last else names)

    def _read(self, names: Sequence[str]) -> tuple[Written, ...]:
        context = copy_context()
        with ThreadPoolExecutor(READERS) as pool:
            contents = list(pool.map(lambda name: context.copy().run(self.objects.read, name), names))
        return tuple(Written(name=name, content=content) for name, content in zip(names, contents, strict=True))

    def _head(self) -> Written | None:
        name = self.objects.newest(ENTRIES)
        return Written(name=name, content=self.objects.read(name)) if name else None

    def _after(self, draft: Draft, before: Written | None) -> Entry:
        if before is None:
            return draft.after(None, "")
        entry = _entry_in(before)
        # A writer that died between its entry and the marks of it left those to the next one.
        self._make(entry)
        return draft.after(entry, hash_of(before.content))

    def _placed(self, entry: Entry) -> bool:
        """Is it written now? If its place is taken, it may be by itself: a try whose answer was lost."""
        content = entry.as_bytes()
        if not self.objects.create(entry.name, content) and self.objects.read(entry.name) != content:
            return False
        self._newest = Written(name=entry.name, content=content)
        self._make(entry)
        return True

    def _make(self, entry: Entry) -> None:
        for mark in entry.marks:
            self.objects.create(mark.name, entry.as_bytes())

    @contextmanager
    def _answering(self, done: str) -> Iterator[None]:
        """What the store failed with, as a `CloudError` that names it."""
        try:
            yield
        except ReleaseError as error:
            if isinstance(error, CloudError):
                raise away(self.url, done, error.what_and_why) from error
            raise
        except Exception as error:
            raise away(self.url, done, str(error)) from error


def away(url: str, done: str, why: str) -> CloudError:
    """The store does not answer, or refuses."""
    return CloudError(
        f"The ledger {url} cannot be {done}.",
        why=why,
        next_step="check `ledger` in the stack file, the network and the permissions (docs/aws.md); "
        "`release ledger create` makes a store.",
    )


STRANGE = ": somebody else wrote or changed it; `release history --verify` says more."


def _entry_in(written: Written) -> Entry:
    try:
        return Entry.from_bytes(written.content)
    except ValueError as error:
        raise CloudError(f"{written.name} is no entry of the ledger ({error}){STRANGE}") from error


def entries_in(written: Iterable[Written]) -> tuple[Entry, ...]:
    """Those that can be read, in the order that they have."""
    return tuple(entry for each in written if (entry := _readable(each)))


def _readable(written: Written) -> Entry | None:
    try:
        return Entry.from_bytes(written.content)
    except ValueError:
        return None
