"""What was measured: printed as tables, kept as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools.bench import measure, peers
from tools.bench.measure import Figure, Users
from tools.bench.peers import Compared
from tools.bench.refusal import Refused
from tools.bench.slow import AWAY
from tools.bench.weights import Moved

SIGN_AIM = 10.0
"""Seconds from the first terminal failure of a bad image to the refusal, at most."""
VISIBLE_AIM = 0.05
"""Seconds from ModifyRule's answer until every new request gets what it says, at most."""


@dataclass(kw_only=True)
class Results:
    """All parts of the benchmark; those that were not asked for are empty. `load`: processes waiting, at the end."""

    figures: list[Figure] = field(default_factory=list)
    refusals: list[Refused] = field(default_factory=list)
    moves: list[Moved] = field(default_factory=list)
    users: list[Users] = field(default_factory=list)
    peers: list[Compared] = field(default_factory=list)
    memory_mib: int = 0
    load: float = 0.0

    def switch(self) -> tuple[float, float] | None:
        """Seconds: a switch with all its checks (what a rollback takes longer than an update that changes nothing), and
        a bare ModifyRule. None unless both were measured."""
        medians = {each.name: each.median for each in self.figures}
        if not self.moves or not {measure.UNIT, measure.ROLLBACK} <= medians.keys():
            return None
        bare = statistics.median(each.call for each in self.moves)
        return medians[measure.ROLLBACK] - medians[measure.UNIT], bare

    def as_json(self) -> str:
        """The document that is kept."""
        document = {
            "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
            "load": self.load,
            "smokeDeadlineSeconds": measure.SMOKE_DEADLINE,
            "figures": [asdict(each) | {"median": each.median, "met": each.met} for each in self.figures],
            "refusals": [asdict(each) | {"met": each.after_sign <= SIGN_AIM} for each in self.refusals],
            "moves": [asdict(each) | {"met": each.visible <= VISIBLE_AIM} for each in self.moves],
            "switch": dict(zip(("withAllChecks", "bareModifyRule"), self.switch() or (), strict=False)),
            "awaySeconds": AWAY,
            "peers": [asdict(each) | {"met": each.met} for each in self.peers],
            "users": [asdict(each) for each in self.users],
            "memoryMiB": self.memory_mib,
        }
        return json.dumps(document, indent=2)


def keep(root: Path, results: Results) -> Path:
    """Write it to bench/results/."""
    kept = root / "bench" / "results" / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(results.as_json())
    return kept


def show(results: Results, kept: Path) -> None:
    """Tables for people."""
    for table in (
        _figures(results.figures),
        _peers(results.peers),
        _refusals(results.refusals),
        _moves(results.moves),
        _users(results.users),
    ):
        if table.row_count:
            Console().print(table)
    if both := results.switch():
        print(f"A switch with all its checks takes {both[0]:.2f} s, a bare ModifyRule {1000 * both[1]:.1f} ms.")
    print(
        f"The whole local cloud with all environments: {results.memory_mib} MiB; load average {results.load:.1f}. "
        f"Kept as {kept.name} in bench/results/."
    )


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    return table


def _figures(figures: list[Figure]) -> Table:
    title = "Updates (units: no-change updates; of switches by size: the smallest's)"
    far = f"at {1000 * AWAY:.0f} ms a call: median s"
    table = _table(title, "what", "median s", "min-max s", "runs", "units", "aim", "met", far)
    for each in figures:
        spread = f"{min(each.seconds):.2f}-{max(each.seconds):.2f}"
        aim = "-" if each.aim is None else f"<= {each.aim:.2f}"
        met = {None: "-", True: "yes", False: "NO"}[each.met]
        away = f"{statistics.median(each.away):.2f}" if each.away else "-"
        numbers = (f"{each.median:.2f}", spread, str(len(each.seconds)), f"{each.units:.2f}", aim, met, away)
        table.add_row(each.name, *numbers)
    return table


def _peers(compared: list[Compared]) -> Table:
    title = f"Next to {peers.NAME}: seconds until users are moved, and until the command ends; medians"
    table = _table(
        title,
        "what",
        "ms a call",
        "starts after s",
        "users, lane",
        f"users, {peers.NAME}",
        "end, lane",
        "end, peer",
        "met",
    )
    for each in compared:
        numbers = (f"{seconds:.2f}" for seconds in (*each.users, *each.end))
        table.add_row(each.what, f"{1000 * each.away:.0f}", f"{each.starts:.0f}", *numbers, _yes(each.met))
    return table


def _refusals(refusals: list[Refused]) -> Table:
    table = _table(
        "Bad images", "an image", "update s", "from the first terminal failure to the refusal s", "aim", "met"
    )
    for each in refusals:
        met = _yes(each.after_sign <= SIGN_AIM)
        table.add_row(each.what, f"{each.update:.2f}", f"{each.after_sign:.2f}", f"<= {SIGN_AIM:.0f}", met)
    return table


def _moves(moves: list[Moved]) -> Table:
    table = _table(
        "A bare ModifyRule", "calls", "median ms", "max ms", "visible after its answer, at most ms", "aim", "met"
    )
    if moves:
        calls = sorted(1000 * each.call for each in moves)
        visible = max(each.visible for each in moves)
        numbers = (str(len(calls)), f"{calls[len(calls) // 2]:.1f}", f"{calls[-1]:.1f}", f"{1000 * visible:.1f}")
        table.add_row(*numbers, f"<= {1000 * VISIBLE_AIM:.0f}", _yes(visible <= VISIBLE_AIM))
    return table


def _users(users: list[Users]) -> Table:
    title = f"Users at {measure.RATE:.0f} requests a second"
    table = _table(title, "during", "sent", "failed", "late", "why")
    for some in users:
        why = ", ".join(f"{number} {reason}" for reason, number in some.reasons.items())
        table.add_row(some.during, str(some.sent), str(some.failed), str(some.late), why or "-")
    return table


def _yes(met: bool) -> str:
    return "yes" if met else "NO"
