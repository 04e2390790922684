"""Ends one process of an update at one of its boundaries, and looks what became of the rest."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.faults.points import Point, points
from tools.lane import Running, Stack

VICTIMS = {
    "language host": ("language_host.py",),
    "release provider": ("pulumi-resource-release",),
    "aws provider": ("-m local_aws.standins.aws", "pulumi-resource-aws"),
}
"""Processes of an update: those of the engine's children whose command line has one of these words."""

FOLLOW_EVERY = 0.005  # seconds between two looks into the event log
IMPATIENT = 120.0  # seconds after which an update that gets nowhere is a failed test


def children(parent: int) -> list[int]:
    """Processes that this one started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found


def command_line(pid: int) -> str:
    """Its words, "" if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def victims(engine: int) -> dict[str, int]:
    """Those processes of this update that live now."""
    alive = {pid: command_line(pid) for pid in children(engine)}
    found = {
        name: pid
        for name, words in VICTIMS.items()
        for pid, line in alive.items()
        if any(word in line for word in words)
    }
    return {"engine": engine, **found}


def follow(log: Path, ended: Callable[[], bool]) -> Iterator[Point]:
    """Boundaries of a running update as it passes them, until it has ended and all was read."""
    deadline = time.monotonic() + IMPATIENT
    rest = ""
    with log.open() as lines:
        while time.monotonic() < deadline:
            over = ended()
            rest += lines.read()
            *whole, rest = rest.split("\n")
            yield from points(whole)
            if over:
                return
            time.sleep(FOLLOW_EVERY)
    raise AssertionError(f"the update got nowhere for {IMPATIENT:.0f} s")


@contextmanager
def logged(stack: Stack, **config: str) -> Iterator[tuple[Running, Path]]:
    """An update while it runs, and its event log."""
    log = stack.lane.folder / f"events-{time.monotonic_ns()}.jsonl"
    log.touch()
    # The flag --event-log exists only with this set.
    lane = replace(stack.lane, variables={**stack.lane.variables, "PULUMI_DEBUG_COMMANDS": "true"})
    with replace(stack, lane=lane).started("up", "--event-log", str(log), **config) as running:
        yield running, log


def end(pid: int, how: signal.Signals) -> None:
    """Send the signal; a process that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def none_left(pids: dict[str, int], seconds: float = 30.0) -> set[str]:
    """Names of those that still run after some seconds."""
    until = time.monotonic() + seconds
    while (left := {name for name, pid in pids.items() if command_line(pid)}) and time.monotonic() < until:
        time.sleep(0.05)
    return left
