"""One entry in the ledger for each call of a verb that changes something: where its updates wrote none, it is written
here. That is a verb without an update, a refusal before the update, or an update that had nothing to do."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from release_lane.command.tools import Tools
from release_lane.errors import Interrupted, Refused, ReleaseError, UsageError
from release_lane.ledger.store import Store
from release_lane.record.intended import VOID_SEAL, result_of, why_of
from release_lane.record.ledger import COMMAND, Actor, Entry, EntryKind, Result

LOOKED_AT = 8
"""The newest entries among which those of this call's updates are: other environments write as well."""


def recorded(tools: Tools, verb: str, arguments: argparse.Namespace, act: Callable[[Tools], int]) -> int:
    """Do it as an actor that the ledger names; the exit code. Without a ledger it is just done."""
    if not tools.project.ledger:
        return act(tools)
    seal = getattr(arguments, "seal", None)
    hotfix = (getattr(arguments, "hotfix", None) or "").strip()
    tools = tools.acting(
        Actor(
            id=uuid.uuid4().hex,
            verb=verb,
            who=tools.who,
            run=tools.origin.run,
            reason=getattr(arguments, "reason", None) or hotfix or getattr(arguments, "fault", None) or "",
            details={**({"seal": seal} if seal else {}), **({"hotfix": hotfix} if hotfix else {})},
        )
    )
    try:
        code = act(tools)
    except UsageError:
        raise
    except ReleaseError as error:
        of_seal = isinstance(error, Refused) and error.of_seal
        _write(tools, arguments, result_of(error), why_of(error), **({VOID_SEAL: True} if of_seal else {}))
        raise
    except KeyboardInterrupt:
        _write(tools, arguments, result_of(Interrupted("")), "Stopped.")
        raise
    except Exception as bug:
        _write(tools, arguments, Result.FAILED, f"release itself failed: {type(bug).__name__}.")
        raise
    _write(tools, arguments, Result.FAILED if code else Result.DONE)
    return code


def _write(tools: Tools, arguments: argparse.Namespace, result: Result, why: str = "", **more: Any) -> None:
    """Unless an update of this call did. What was done is done, even if the ledger is away."""
    if getattr(arguments, "without_ledger", None):
        return
    environment = str(getattr(arguments, "environment", None) or "")
    try:
        store = tools.ledger(environment)
        if store is None or any(_says_it(each, tools.actor, result) for each in _recent(store)):
            return
        draft = tools.draft(EntryKind.OUTCOME, environment)
        digest = str(getattr(arguments, "digest", None) or getattr(arguments, "to", None) or "")
        details = {**draft.details, **({"why": why} if why else {}), **more}
        store.append(replace(draft, result=result, digest=digest, details=details))
    except ReleaseError as away:
        tools.terminal.say(f"The ledger does not have this call of `release {tools.actor.verb}`: {away.what_and_why}")


def _says_it(entry: Entry, actor: Actor, result: Result) -> bool:
    """Is the entry of this call, and does it say how the call ended? That a digest is in quarantine does not say that
    the rollback was refused."""
    own = entry.details.get(COMMAND) == actor.id
    return own and (result is Result.DONE or entry.kind in (EntryKind.INTENT, EntryKind.OUTCOME, EntryKind.DRILL))


def _recent(store: Store) -> Iterator[Entry]:
    """The newest entries, newest first. Most often the first one is the one: the others are read if they are asked for,
    all at once."""
    newest = store.newest()
    if newest:
        yield newest
        yield from store.some(range(newest.sequence - 1, max(newest.sequence - LOOKED_AT, 0), -1))
