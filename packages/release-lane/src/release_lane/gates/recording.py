"""What an update writes to the ledger: an intent before it registers anything, and one outcome; and what it asks.

The provider's process remembers the intent, as one process serves one update. An outcome is written when the switch has
ended, a gate failed, the program refused, or the engine is done or gone. If the ledger is away by then, the update ends
as it would have, with a warning; the next one completes the ledger from what the environment recorded.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from provider_kit import Context, Props
from provider_kit.server import Ending

from release_lane.aws.patience import at_most, insisting
from release_lane.engine.locks import Origin
from release_lane.errors import CloudError, Interrupted, ReleaseError, Users, parse
from release_lane.ledger.halts import halts_in
from release_lane.ledger.place import ledger_at
from release_lane.ledger.store import Store
from release_lane.record.chain import MOVED, PROVEN, proven_at
from release_lane.record.digest import short
from release_lane.record.halts import FAULT, Halts, State, of_digest
from release_lane.record.intended import STANDING, Intended, came_of, result_of, why_of
from release_lane.record.ledger import ACTOR_VARIABLE, COMMAND, Actor, Draft, Entry, EntryKind, Mark, Result
from release_lane.record.names import Access
from release_lane.record.records import Recorded
from release_lane.record.times import iso

PLAIN = "update"
"""The verb of a plain `pulumi up`."""

AT_BEGIN, AT_OUTCOME, AT_THE_END = 20.0, 10.0, 2.0
"""Seconds that a call to the store may take: before anything began, after the update, and in a process that the engine
kills soon."""

StoreOf = Callable[[Intended], Store]


def _store_of(intended: Intended) -> Store:
    return ledger_at(intended.ledger, intended.access, Path.cwd())


@dataclass
class Recording:
    """The intent of this update, and whether its outcome was written. `store_of` opens the ledger."""

    store_of: StoreOf = _store_of
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _open: _Open | None = None

    def begin(self, ctx: Context, intended: Intended) -> Entry:
        """Write the intent; first the outcome of an earlier one of this environment that has none. `CloudError`."""
        store = self.store_of(intended)
        with at_most(AT_BEGIN):
            self._complete(store, intended)
            entry = store.append(self._draft(EntryKind.INTENT, intended, {STANDING: intended.standing.as_dict()}))
        self._open = _Open(store=store, intent=entry, warn=ctx.warn)
        return entry

    def refused(self, ctx: Context, intended: Intended, error: ReleaseError) -> None:
        """The program ended with this error: the outcome of the intent, or an entry by itself if there is none."""
        if self._open:
            self.failed(error)
            return
        draft = self._draft(EntryKind.OUTCOME, intended, _why(error))
        try:
            with at_most(AT_OUTCOME):
                self.store_of(intended).append(replace(draft, result=result_of(error)))
        except ReleaseError as away:
            ctx.warn(_missing(f"that this update was refused ({error.what})", away))

    def note(self, **details: Any) -> None:
        """Facts for the outcome."""
        if self._open:
            self._open.details.update(details)

    def halts(self) -> Halts:
        """What the ledger says now against the release of this update. One that is away by now stops nothing."""
        if self._open is None:
            return Halts()
        intent = self._open.intent
        try:
            with at_most(AT_OUTCOME):
                return halts_in(self._open.store, intent.environment, intent.digest)
        except CloudError as away:
            self._open.warn(f"Whether the line was stopped meanwhile is not known: {away.what_and_why}")
            return Halts()

    def fault(self, reason: str) -> None:
        """Users were rolled back from the release for this fault of its own ("" for none): it goes into quarantine."""
        if self._open and reason:
            self._open.marks = (of_digest(self._open.intent.digest, State.QUARANTINED),)
            self._open.details[FAULT] = reason

    def done(self, recorded: Recorded | None = None) -> None:
        """It ended well. `recorded`: the new record, where users were moved or recorded there."""
        moved = {MOVED: True, PROVEN: proven_at(recorded)} if recorded else {}
        if recorded:
            moved |= {"checks": recorded.evidence[-1].smoke, "unchecked": list(recorded.evidence[-1].unchecked)}
        self._end(Result.DONE, moved, AT_OUTCOME)

    def failed(self, error: ReleaseError) -> None:
        """A gate, the switch or the program said no."""
        self._end(result_of(error), _why(error), AT_OUTCOME)

    def abandoned(self, ending: Ending) -> None:
        """The process ends. Without an outcome so far: something failed that is no gate, or the engine is gone."""
        match ending:
            case Ending.ORPHANED:
                error: ReleaseError = Interrupted("The engine died.")
            case Ending.CANCELLED:
                error = Interrupted("The update was interrupted.")
            case Ending.CLOSED:
                error = CloudError("The update ended before its last gate; the engine's own output says why.")
        self._end(result_of(error), _why(error), AT_THE_END)

    def _complete(self, store: Store, intended: Intended) -> None:
        newest = store.newest()
        before = newest.open.get(intended.environment) if newest else None
        if before is None:
            return
        intent = store.entry(before)
        result, why, more = came_of(intent, intended.standing)
        store.append(_outcome_of(intent, result, {"why": why, "by": self._actor().who, **more}))

    def _end(self, result: Result, details: Mapping[str, Any], seconds: float) -> None:
        """Once."""
        with self._lock:
            open_, self._open = self._open, None
        if open_ is None:
            return
        draft = replace(_outcome_of(open_.intent, result, {**open_.details, **details}), marks=open_.marks)
        try:
            with insisting(), at_most(seconds):
                open_.store.append(draft)
        except ReleaseError as away:  # users have the release by now, or were rolled back
            open_.warn(_missing(f"how this update ended ({result})", away))
            if open_.marks:
                digest = open_.intent.digest
                open_.warn(f"{short(digest)} is NOT in quarantine. Next: `release quarantine {digest} --reason …`.")

    def _draft(self, kind: EntryKind, intended: Intended, more: Mapping[str, Any]) -> Draft:
        actor, (digest, commit, release) = self._actor(), intended.names
        return Draft(
            id=uuid.uuid4().hex,
            kind=kind,
            at=iso(time.time()),
            environment=intended.environment,
            digest=digest,
            commit=commit,
            release=release,
            verb=actor.verb or PLAIN,
            who=actor.who,
            approver=actor.approver,
            run=actor.run,
            reason=actor.reason,
            details={**intended.details, **more, **actor.details, **({COMMAND: actor.id} if actor.id else {})},
        )

    def _actor(self) -> Actor:
        """As the command says; for a plain `pulumi up` as CI or this machine does."""
        actor, origin = Actor.from_text(self.environ.get(ACTOR_VARIABLE, "")), Origin.read(self.environ)
        return replace(actor, who=actor.who or origin.who or _user(), run=actor.run or origin.run)


@dataclass
class _Open:
    """An intent without an outcome. `warn` reaches the person who watches."""

    store: Store
    intent: Entry
    warn: Callable[[str], None]
    details: dict[str, Any] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()


RECORDING = Recording()
"""Of this process, and with it of this update."""


def begin(ctx: Context, args: Props, recording: Recording = RECORDING) -> Props:
    """`release:index:begin`: args of `Intended.as_dict`; returns the `sequence` of the intent."""
    from release_lane.gates.gate import reported

    return reported(lambda: {"sequence": recording.begin(ctx, Intended.from_dict(args)).sequence}, recording)


def read_halts(ctx: Context, args: Props) -> Props:
    """`release:index:readHalts`: does the ledger say anything against a release? Args `access` (`Access.as_dict`),
    `ledger`, `environment`, `digest`; returns `Halts.as_dict`."""
    from release_lane.gates.gate import reported

    del ctx

    def look() -> Props:
        store = ledger_at(str(args["ledger"]), Access.from_dict(args["access"]), Path.cwd())
        with at_most(AT_BEGIN):
            return halts_in(store, str(args["environment"]), str(args["digest"])).as_dict()

    return reported(look)


def done(ctx: Context, args: Props, recording: Recording = RECORDING) -> Props:
    """`release:index:done`: what this update began is done. For a program whose stack has no switch, which says it for
    an environment."""
    del ctx, args
    recording.done()
    return {}


def refuse(ctx: Context, args: Props, recording: Recording = RECORDING) -> Props:
    """`release:index:refuse`: args of `Intended.as_dict`, and `error`: the program's error as text."""
    error = parse(str(args["error"]))
    recording.refused(ctx, Intended.from_dict(args), error or CloudError(str(args["error"]), users=Users.UNTOUCHED))
    return {}


def _outcome_of(intent: Entry, result: Result, details: Mapping[str, Any]) -> Draft:
    kept = {key: intent.details[key] for key in (COMMAND, "decision", "from", "to") if key in intent.details}
    return Draft(
        id=uuid.uuid4().hex,
        kind=EntryKind.OUTCOME,
        at=iso(time.time()),
        environment=intent.environment,
        verb=intent.verb,
        digest=intent.digest,
        commit=intent.commit,
        release=intent.release,
        who=intent.who,
        approver=intent.approver,
        run=intent.run,
        reason=intent.reason,
        of=intent.sequence,
        result=result,
        details={**kept, **details},
    )


def _why(error: ReleaseError) -> dict[str, Any]:
    users = {"users": str(error.users)} if error.users else {}
    return {"why": why_of(error), **users}


def _missing(what: str, away: ReleaseError) -> str:
    return f"The ledger does not say {what}: {away.what_and_why} The next update completes it from the record."


def _user() -> str:
    """`ann@build-7`."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container may run under a number that has no name
        return socket.gethostname()
