"""`release status`: what is live where, and what a rollback would be."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from release_lane.command.halting import spoiled_in, spoiled_of
from release_lane.command.terminal import table
from release_lane.command.tools import Tools
from release_lane.engine.state import StackState
from release_lane.errors import ReleaseError, UsageError
from release_lane.ledger.halts import halts_in
from release_lane.operate.spoiled import Spoiled, said_of_live
from release_lane.record.digest import short
from release_lane.record.endpoint import LOAD_BALANCER, recorded_endpoint
from release_lane.record.evidence import Proof, proof_of
from release_lane.record.halts import Halts, why
from release_lane.record.hold import how_to_end
from release_lane.record.records import Recorded

ORDER = 70
NAME = "status"
HELP = "Show what is live in each environment, since when, and what a rollback would be."
DETAILS = """\
It shows what the last updates recorded; it does not ask AWS.

  SINCE     when the live release last passed the gates there (UTC)
  PREVIOUS  the image that was live before; a rollback goes back to it
  ROLLBACK  traffic-only  the idle colour has that release, so only the traffic moves
            deploy        that release has to be started again
            settings      same image, other configuration: change the stack file
            none          nothing was live before
  DRILL     of one environment: when traffic went back from the live release and forward again
  PROVEN    how many digests passed all gates there (--json lists the last 50 as evidence).
            A new release of the next environment must be one of these

It names what no gate could check of the live release.

  release status
  release status production --json
"""


class Rollback(StrEnum):
    """What a rollback to the previous release would be."""

    NONE = "none"
    TRAFFIC_ONLY = "traffic-only"
    DEPLOY = "deploy"
    SETTINGS = "settings"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One environment; `state` is None where the stack does not exist.

    `halts`: what the ledger says of its line and of the previous release; `silent`: why it says nothing, "" if it does.
    `spoiled`: releases of its history that are in quarantine.
    """

    environment: str
    source: str | None
    state: StackState | None
    halts: Halts = field(default_factory=Halts)
    silent: str = ""
    spoiled: Spoiled = field(default_factory=dict)

    @property
    def recorded(self) -> Recorded | None:
        """Its record, None before its first release."""
        return self.state.recorded if self.state else None

    @property
    def _proof(self) -> Proof | None:
        recorded = self.recorded
        return proof_of(recorded.live.digest, recorded.evidence) if recorded else None

    @property
    def since(self) -> str:
        """When the live release last passed the gates here (UTC)."""
        return self._proof.at if self._proof else ""

    @property
    def unchecked(self) -> tuple[str, ...]:
        """What no gate could check of the live release."""
        return self._proof.unchecked if self._proof else ()

    @property
    def drill(self) -> str:
        """Was the way back from the live release tried? In words."""
        recorded = self.recorded
        if recorded and (left := recorded.left_by_drill):
            return (
                f"ended halfway: users are on the previous release of {short(left.digest)}; "
                f"`release drill {self.environment}` goes forward first"
            )
        proof = recorded.proof if recorded else None
        if proof and proof.drilled:
            return f"passed, {proof.drilled}"
        return "without a result" if proof and proof.drilling else "none of this release"

    @property
    def rollback(self) -> Rollback:
        """By the state of the last update: what the idle colour was given."""
        recorded = self.recorded
        if recorded and recorded.hold:
            return Rollback.TRAFFIC_ONLY
        if recorded is None or recorded.previous is None or self.state is None:
            return Rollback.NONE
        if recorded.previous.digest == recorded.live.digest:
            return Rollback.SETTINGS
        held, live = (self.state.held.get(colour) for colour in (recorded.live_colour.other, recorded.live_colour))
        there = held and held.release and held.release.id == recorded.previous.id
        enough = held is not None and held.tasks >= max(1, live.tasks if live else 1)
        return Rollback.TRAFFIC_ONLY if there and enough else Rollback.DEPLOY

    @property
    def held(self) -> str:
        """The hold that stands, and how it ends; "" for none."""
        hold = self.recorded.hold if self.recorded else None
        return f"{hold.words()}; it ends with {how_to_end(self.environment)}" if hold else ""

    @property
    def again(self) -> bool:
        """Would a rollback go forward again, since users were rolled back from the previous release?"""
        return self.recorded is not None and self.recorded.forward_again

    @property
    def halted(self) -> str:
        """What the ledger says against releases here, in words; "" for nothing."""
        line, previous = self.halts.stopped, self.halts.quarantined
        said = [f"the line is stopped: {why(line)}"] if line else []
        said += [self.live_spoiled] if self.live_spoiled else []
        return "; ".join([*said, *([f"the previous release is in quarantine: {why(previous)}"] if previous else [])])

    @property
    def live_spoiled(self) -> str:
        """That the live release is in quarantine, and what to do; "" where it is not."""
        return said_of_live(self.environment, self.recorded, self.spoiled)

    @property
    def was_live(self) -> str:
        """The releases of its history, newest first, those in quarantine marked."""
        past = dict.fromkeys(each.digest for each in reversed(self.recorded.history if self.recorded else ()))
        return ", ".join(f"{short(each)}{' (in quarantine)' if each in self.spoiled else ''}" for each in past)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("environment", metavar="ENVIRONMENT", nargs="?", help="only this environment, in full")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Read all stacks at once, then show them."""
    route = tools.project.route
    wanted = (route.check(arguments.environment),) if arguments.environment else route.environments
    with ThreadPoolExecutor(max_workers=8) as pool:
        states = list(pool.map(tools.engine.state, wanted))
        rows = [
            Row(environment=name, source=route.source_of(name), state=state)
            for name, state in zip(wanted, states, strict=True)
        ]
        rows = list(pool.map(lambda row: _asked(tools, row, whole=bool(arguments.environment)), rows))
    url, ledger = _ledger(tools)
    text = _full(rows[0], ledger) if arguments.environment else _table(rows, "" if url else ledger)
    tools.terminal.emit({"environments": [_data(row) for row in rows], "ledger": url}, text)
    return 0


def _asked(tools: Tools, row: Row, *, whole: bool) -> Row:
    """With what the ledger says; one that is away must not hide what is live."""
    previous = row.recorded.previous if row.recorded else None
    try:
        store = tools.ledger(row.environment)
        digest = previous.digest if previous else ""
        if store is None:
            return row
        # Of one environment its whole history is shown, and so which releases of it are in quarantine.
        history = [each.digest for each in row.recorded.history] if row.recorded and whole else []
        spoiled = spoiled_of(store, history) if whole else spoiled_in(store, row.recorded)
        return replace(row, halts=halts_in(store, row.environment, digest), spoiled=spoiled)
    except ReleaseError as error:
        return replace(row, silent=error.what)


def _ledger(tools: Tools) -> tuple[str | None, str]:
    """Its URL, and what is to be said of it; a wrong setting must not hide what is live."""
    try:
        url = tools.project.ledger
    except UsageError as error:
        return None, error.what
    none = "none is kept: the stack files name none, so `release history` has nothing"
    return url or None, url or f"{none}. Next: {tools.project.to_name_a_ledger}"


def _table(rows: list[Row], without_ledger: str) -> str:
    headings = ("ENVIRONMENT", "LIVE", "DIGEST", "COMMIT", "SINCE", "PREVIOUS", "ROLLBACK", "PROVEN")
    lines = table(headings, [_cells(row) for row in rows])
    broken = [row for row in rows if row.state and row.state.pending]
    notes = [
        f"{row.environment}: an update was killed ({_operations(row)} unfinished); `release recover {row.environment}`."
        for row in broken
    ]
    notes += [f"{row.environment}: a hold stands: {row.held}." for row in rows if row.held]
    notes += [f"{row.environment}: not checked: {'; '.join(row.unchecked)}." for row in rows if row.unchecked]
    notes += [f"{row.environment}: a drill {row.drill}." for row in rows if row.recorded and row.recorded.left_by_drill]
    notes += [f"{row.environment}: {row.halted}." for row in rows if row.halted]
    notes += [f"{row.environment}: whether its line is stopped is unknown: {row.silent}" for row in rows if row.silent]
    basis = "ROLLBACK is what the last updates recorded; AWS was not asked."
    notes += [f"Ledger: {without_ledger.removesuffix('.')}."] if without_ledger else []
    return "\n".join([lines, "", *notes, basis])


def _cells(row: Row) -> tuple[str, ...]:
    recorded = row.recorded
    if recorded is None:
        return (row.environment, "no stack yet" if row.state is None else "no release yet", *[""] * 6)
    previous = short(recorded.previous.digest) if recorded.previous else "none"
    return (
        row.environment,
        str(recorded.live_colour),
        short(recorded.live.digest),
        recorded.live.commit[:7],
        row.since,
        previous,
        str(row.rollback),
        str(len(recorded.evidence)),
    )


def _full(row: Row, ledger: str) -> str:
    """One environment, a line a fact."""
    recorded, state = row.recorded, row.state
    if recorded is None or state is None:
        return f"{row.environment}: {_cells(row)[1]}."
    adopted = recorded.live.adopted
    source = f"source {adopted.source or 'unknown'}" if adopted else ""
    facts = [
        ("environment", row.environment),
        ("promotes from", row.source or "no other environment; it is the first of the route"),
        ("url", str(state.outputs.get("url") or "")),
        *([("load balancer", at)] if (at := recorded_endpoint(state.outputs).connect_to) else []),
        ("live", f"{recorded.live_colour}, {recorded.live.digest}"),
        *([("hold", row.held)] if row.held else []),
        ("commit", recorded.live.commit or "unknown"),
        *([("adopted", f"from {adopted.image}, {source}")] if adopted else []),
        ("release", recorded.live.id),
        ("since", row.since or "unknown"),
        ("previous", recorded.previous.digest if recorded.previous else "none"),
        ("rollback", f"{row.rollback} (as recorded by the last update; AWS was not asked){_again(row)}"),
        ("drill", row.drill),
        ("not checked", "; ".join(row.unchecked) or ("nothing" if row.since else "unknown: there is no proof")),
        ("was live", row.was_live),
        ("proven here", f"{len(recorded.evidence)} digests"),
        ("unfinished", _operations(row)),
        ("ledger", ledger),
        *([("halted", row.halted or f"unknown: {row.silent}")] if row.halted or row.silent else []),
    ]
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"{name.ljust(width)}  {fact}" for name, fact in facts)


def _again(row: Row) -> str:
    if row.held:
        return f"; it ends the hold, and all users are on {row.recorded.live.digest if row.recorded else ''} again"
    return "; users were rolled back from the previous release: going there is going forward again" if row.again else ""


def _operations(row: Row) -> str:
    pending = row.state.pending if row.state else ()
    return ", ".join(urn.rsplit("::", 1)[-1] for urn in pending) or "nothing"


def _data(row: Row) -> dict[str, Any]:
    """For --json, with the names of the stack's outputs; null where there is no release."""
    recorded, state = row.recorded, row.state
    live = recorded.live if recorded else None
    previous = recorded.previous if recorded else None
    return {
        "environment": row.environment,
        "promotesFrom": row.source,
        "exists": state is not None,
        "liveColour": str(recorded.live_colour) if recorded else None,
        "digest": live.digest if live else None,
        "commit": live.commit if live else None,
        "adopted": live.adopted.as_dict() if live and live.adopted else None,
        "releaseId": live.id if live else None,
        "since": row.since or None,
        "unchecked": list(row.unchecked),
        "url": state.outputs.get("url") if state else None,
        LOAD_BALANCER: state.outputs.get(LOAD_BALANCER) if state else None,
        "testUrls": state.outputs.get("testUrls") if state else None,
        "previousDigest": previous.digest if previous else None,
        "drilled": (recorded.proof.drilled or None) if recorded and recorded.proof else None,
        "rollback": {"costs": str(row.rollback), "basis": "recorded", **({"forwardAgain": True} if row.again else {})},
        "history": [past.as_dict() for past in recorded.history] if recorded else [],
        "evidence": [proof.as_dict() for proof in recorded.evidence] if recorded else [],
        "hold": recorded.hold.as_dict() if recorded and recorded.hold else None,
        "pending": list(state.pending) if state else [],
        "lineStopped": why(row.halts.stopped) if row.halts.stopped else None,
        "liveInQuarantine": row.live_spoiled or None,
        "historyInQuarantine": {digest: why(entry) for digest, entry in row.spoiled.items()},
        "previousInQuarantine": why(row.halts.quarantined) if row.halts.quarantined else None,
    }
