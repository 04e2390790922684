"""Reading what is known of environments now: states, locks, AWS, the ledger; nothing is changed.

What does not answer is said to be unknown. Only the engine's states are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from release_lane.command.tools import Tools
from release_lane.command.verbs.status import Row
from release_lane.decide.freeze import frozen_at
from release_lane.engine.locks import Holder, locked
from release_lane.engine.state import StackState
from release_lane.errors import CloudError, ReleaseError
from release_lane.ledger.store import Store, entries_in
from release_lane.operate.history import rollbacks_in
from release_lane.operate.metrics import Spread
from release_lane.operate.situation import Situation, halts_of
from release_lane.operate.spoiled import Spoiled, said_of_live
from release_lane.record.alarms import Alarm
from release_lane.record.chain import Finding, Written, chained
from release_lane.record.halts import Halts, why
from release_lane.record.ledger import Entry, EntryKind
from release_lane.record.records import Observed, Recorded
from release_lane.record.revisions import Schema
from release_lane.record.times import in_zone

READERS = 8


def need_quiet(tools: Tools, environment: str) -> None:
    """What an update is about to change would look like a change by hand, or a difference; `Refused` during one."""
    holders = tools.backend.holders(environment)
    if holders:
        raise locked(environment, holders, gone=all(tools.machine.owner(each).dead for each in holders))


def situations(tools: Tools, entries: Sequence[Entry] | None) -> tuple[Situation, ...]:
    """Every environment of the route, in its order. `entries`: the ledger, None without one."""
    route = tools.project.route.environments
    with ThreadPoolExecutor(max_workers=READERS) as pool:
        states = dict(zip(route, pool.map(tools.engine.state, route), strict=True))
        return tuple(pool.map(lambda each: _situation(tools, each, states, entries), route))


def _situation(
    tools: Tools,
    environment: str,
    states: dict[str, StackState | None],
    entries: Sequence[Entry] | None,
) -> Situation:
    state, source = states[environment], tools.project.route.source_of(environment)
    row = Row(environment=environment, source=source, state=state)
    previous = row.recorded.previous if row.recorded else None
    halts = halts_of(entries or (), environment, previous.digest if previous else "")
    before = states[source] if source else None
    proved = before.recorded if before else None
    observed, alarms, unseen = _aws(tools, environment, state)
    return Situation(
        environment=environment,
        source=source,
        exists=state is not None,
        recorded=row.recorded,
        since=row.since,
        rollback=str(row.rollback),
        live_spoiled=said_of_live(environment, row.recorded, _spoiled(entries or (), row.recorded)),
        spoiled=why(spoiled) if (spoiled := halts.quarantined) else "",
        proofs=proved.evidence if proved else (),
        requires_drill=tools.project.stacks[environment].requires_drill,
        observed=observed,
        alarms=alarms,
        unseen=unseen,
        holders=_holders(tools, environment),
        pending=state.pending if state else (),
        halted=tuple(_halted(tools, environment, halts)),
        idle_tasks=tools.project.stacks[environment].idle_tasks,
        schema=state.schema if state else Schema(),
        back=Spread.of(rollbacks_in(entries or (), environment)),
        reviews=_reviews(entries, environment) if entries is not None else None,
        updated=_updated(entries or (), environment),
        needs_approval=tools.project.stacks[environment].approval.required,
        fresh=tools.machine.clock() - tools.project.stacks[environment].approval.seconds,
    )


def _spoiled(entries: Sequence[Entry], recorded: Recorded | None) -> Spoiled:
    """Releases of an environment's history that are in quarantine, by a whole ledger."""
    history = {each.digest for each in recorded.history} if recorded else set()
    return {each: entry for each in history if (entry := halts_of(entries, "", each).quarantined)}


def _halted(tools: Tools, environment: str, halts: Halts) -> Iterator[str]:
    """A stopped line, and a freeze window that holds now."""
    if halts.stopped:
        yield f"the line is stopped: {why(halts.stopped)}"
    if frozen := frozen_at(tools.project.stacks[environment].freeze.freeze(), tools.machine.clock()):
        yield f"a freeze window holds until {in_zone(frozen.zone, frozen.until)}: {frozen.words}"


def quarantine(entries: Sequence[Entry], digest: str) -> tuple[str, ...]:
    """Why an image is refused everywhere; () if it is not."""
    entry = halts_of(entries, "", digest).quarantined
    return (f"it is in quarantine: {why(entry)}",) if entry else ()


def _aws(
    tools: Tools, environment: str, state: StackState | None
) -> tuple[Observed | None, tuple[Alarm, ...] | None, str]:
    """Placement and alarms; None each, and why, where AWS does not say."""
    if state is None:
        return None, None, "there is no stack yet"
    try:
        names, settings = tools.project.names(environment), tools.project.stacks[environment].alarms
        observed = tools.cloud.observed(names)
        look = tools.cloud.look(names, settings.watched(names), settings.period_seconds, None)
    except ReleaseError as error:
        return None, None, error.what_and_why
    return observed, look.alarms, ""


def _holders(tools: Tools, environment: str) -> tuple[Holder, ...] | None:
    """Who holds the lock; None where the backend does not say."""
    try:
        return tools.backend.holders(environment)
    except CloudError:
        return None


def _reviews(entries: Sequence[Entry], environment: str) -> tuple[Entry, ...]:
    return tuple(each for each in entries if each.kind is EntryKind.REVIEW and each.environment == environment)


def _updated(entries: Sequence[Entry], environment: str) -> Entry | None:
    """The newest intent: it is written once an update begins to change something."""
    intents = (each for each in reversed(entries) if each.kind is EntryKind.INTENT and each.environment == environment)
    return next(intents, None)


def chained_entries(tools: Tools, store: Store) -> tuple[tuple[Entry, ...], str]:
    """All entries; and that their chain is broken, in one line ("" where it is not), which is said as well."""
    written = store.written()
    return entries_in(written), warn_of(tools, written)


def warn_of(tools: Tools, written: Sequence[Written]) -> str:
    """Say in one line that the ledger is not intact, where it is not: figures and rows are made of its entries."""
    words = _unsound(chained(written))
    if words:
        tools.terminal.say(f"CAREFUL: {words}")
    return words


def _unsound(found: Sequence[Finding]) -> str:
    """What is wrong with a ledger, in one line; "" for nothing."""
    if not found:
        return ""
    more = f", and {len(found) - 1} more" if found[1:] else ""
    return f"the ledger is NOT INTACT: {found[0].what}{more}. `release history --verify` says all of it."


def ledger_if_any(tools: Tools) -> tuple[tuple[Entry, ...] | None, str, str]:
    """The ledger's entries, why there are none, and that their chain is broken: a plan and a board are possible without
    it."""
    try:
        store = tools.ledger()
        if store is None:
            return None, "no stack file names a ledger", ""
        entries, broken = chained_entries(tools, store)
        return entries, "", broken
    except ReleaseError as error:
        return None, error.what_and_why, ""
