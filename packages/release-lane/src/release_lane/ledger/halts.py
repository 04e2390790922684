"""Asked before a release: does the ledger say anything against it? One listing each for the digest and the line."""

from __future__ import annotations

from release_lane.ledger.store import Store
from release_lane.record.halts import Halts, State, subject_of
from release_lane.record.ledger import Entry, MarkKind


def halts_in(store: Store, environment: str, digest: str) -> Halts:
    """`environment`, `digest`: "" where that is not asked. `CloudError` if the ledger is away."""
    return Halts(
        quarantined=_said(store, MarkKind.RELEASE, subject_of(digest), State.QUARANTINED),
        stopped=_said(store, MarkKind.LINE, environment, State.STOPPED),
    )


def _said(store: Store, kind: MarkKind, subject: str, state: State) -> Entry | None:
    """The entry of the newest mark, if it says this. Only then it is read."""
    mark = store.mark(kind, subject) if subject else None
    return store.entry(mark.sequence) if mark and mark.state == state else None
