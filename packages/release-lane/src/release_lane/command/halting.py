"""What stop-the-line, resume, quarantine, pardon and rollback say to the ledger."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace

from release_lane.aws.patience import at_most
from release_lane.command.tools import Tools
from release_lane.errors import Refused, ReleaseError, UsageError
from release_lane.ledger.halts import halts_in
from release_lane.ledger.store import Store
from release_lane.operate.spoiled import Spoiled, said_of_live, way_back, ways_back
from release_lane.record.digest import Digest, short
from release_lane.record.halts import State, of_digest, of_line, why
from release_lane.record.ledger import Entry, EntryKind
from release_lane.record.records import Recorded
from release_lane.settings import ledger

WITHIN = 10.0
"""Seconds that a rollback waits for the ledger, before and once more after it."""

NEEDS = "updates ask the ledger whether anything is said against a release, and these stack files name none"


def require_reason(parser: argparse.ArgumentParser) -> None:
    """`--reason`, which every refusal shows."""
    parser.add_argument("--reason", metavar="TEXT", required=True, type=reason, help="why; every refusal shows it")


def reason(text: str) -> str:
    """One line that says something."""
    if problem := ledger.reason(text):
        raise argparse.ArgumentTypeError(problem)
    return text


def needed_ledger(tools: Tools, environment: str = "") -> Store:
    """The ledger; `UsageError` where the stack files name none."""
    store = tools.ledger(environment)
    if store is None:
        raise UsageError(
            "There is no ledger, so this cannot be said to all environments.",
            why=NEEDS,
            next_step=tools.project.to_name_a_ledger,
        )
    return store


def say_of_line(tools: Tools, store: Store, environment: str, state: State) -> Entry:
    """Stop the line of an environment, or resume it, for the reason of this call."""
    kind = EntryKind.STOPPED if state is State.STOPPED else EntryKind.RESUMED
    return store.append(replace(tools.draft(kind, environment), marks=(of_line(environment, state),)))


def say_of_digest(tools: Tools, store: Store, digest: str, state: State, environment: str = "") -> Entry:
    """Put a digest into quarantine, or pardon it, for the reason of this call.

    `environment`: where users were rolled back from it.
    """
    kind = EntryKind.QUARANTINE if state is State.QUARANTINED else EntryKind.PARDON
    draft = tools.draft(kind, environment)
    return store.append(replace(draft, digest=digest, marks=(of_digest(digest, state),)))


READERS = 8
"""Digests that are asked for at the same time."""


def spoiled_of(store: Store, digests: Iterable[str]) -> Spoiled:
    """Those that are in quarantine, each with the entry that says so. One listing each; `CloudError` if it is away."""
    asked = tuple(dict.fromkeys(digests))
    with ThreadPoolExecutor(max_workers=READERS) as pool:
        # Each thread asks within the time that this one has (`at_most`).
        begun = [pool.submit(copy_context().run, halts_in, store, "", digest) for digest in asked]
        found = [each.result().quarantined for each in begun]
    return {digest: entry for digest, entry in zip(asked, found, strict=True) if entry}


def spoiled_in(store: Store, recorded: Recorded | None) -> Spoiled:
    """Of an environment: its live and its previous release; where one of them is in quarantine, all of its history."""
    if recorded is None:
        return {}
    near = [each.digest for each in (recorded.live, recorded.previous) if each]
    return spoiled_of(store, [*near, *(each.digest for each in recorded.history)]) if spoiled_of(store, near) else {}


def live_in_quarantine(tools: Tools, environment: str, recorded: Recorded | None) -> str:
    """What must be said of a live release in quarantine; "" where it is in none, or where the ledger does not say."""
    try:
        store = tools.ledger(environment)
        return said_of_live(environment, recorded, spoiled_in(store, recorded)) if store else ""
    except ReleaseError:
        return ""


def check_way_back(
    tools: Tools, environment: str, target: Digest, recorded: Recorded | None, besides: str = ""
) -> None:
    """`Refused` if the release that users would be brought back to is in quarantine; it names those of the history
    that are not. Where the ledger is away the program decides, which asks it as well."""
    try:
        with at_most(WITHIN):
            store = tools.ledger(environment)
            spoiled = spoiled_of(store, [target]) if store else {}
            if not spoiled or recorded is None:
                return
            spoiled = spoiled_of(store, [target, *(each.digest for each in recorded.earlier)]) if store else spoiled
    except ReleaseError:
        return
    left = ways_back(recorded, spoiled)
    to = f"to go to an earlier release: {way_back(environment, left)}" if left else way_back(environment, left)
    raise Refused(
        f"{short(target)} is in quarantine, so it is no way back. Users of {environment} are STILL on "
        f"{short(recorded.live.digest)}.",
        why=why(spoiled[target]),
        next_step=f"{to}. If the fault was not its own: `release pardon {target} --reason …`, then this again."
        f"{besides}",
    )


class Quarantine:
    """Of a release that users are rolled back from: said before the rollback, and once more after it if that failed.

    A rollback never depends on it. Nothing is said where the rollback cannot be: `check`.
    """

    def __init__(self, tools: Tools, environment: str, digest: Digest, fault: str) -> None:
        self._tools = tools.acting(replace(tools.actor, reason=fault))
        self._environment, self._digest = environment, digest
        self._entry: Entry | None = None
        self._problem = ""

    def check(self, target: Digest, recorded: Recorded | None) -> None:
        """`Refused`, with nothing said, if the way back is in quarantine itself: users would stay."""
        check_way_back(
            self._tools, self._environment, target, recorded,
            f" {short(self._digest)} was not put into quarantine by this call.",
        )  # fmt: skip

    def say(self) -> None:
        """Unless it was said."""
        if self._entry is None:
            try:
                with at_most(WITHIN):
                    store = needed_ledger(self._tools, self._environment)
                    self._entry = say_of_digest(self._tools, store, self._digest, State.QUARANTINED, self._environment)
            except ReleaseError as away:
                self._problem = away.what_and_why

    @property
    def said(self) -> bool:
        """Is it in the ledger?"""
        return self._entry is not None

    @property
    def words(self) -> str:
        """What came of it."""
        if self._entry:
            return f"{short(self._digest)} is in quarantine for all environments (entry {self._entry.sequence})."
        return (
            f"{short(self._digest)} could NOT be put into quarantine ({self._problem}). "
            f"Next: `release quarantine {self._digest} --reason …`."
        )

    def after_a_failure(self, *, left: bool | None) -> str:
        """The same where the rollback failed. `left`: are users off the release all the same? None where it is not
        known."""
        if left:
            return self.words
        status = f"`release status {self._environment}`"
        where = "are STILL on it" if left is False else f"may STILL be on it: {status} says whether they are"
        return f"{self.words} Users of {self._environment} {where}."

    @property
    def data(self) -> dict[str, object]:
        """The same for `--json`."""
        return {"digest": self._digest, "entry": self._entry.sequence if self._entry else None}
