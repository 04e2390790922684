"""This machine: time, chance, and which processes still run."""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from release_lane.engine.locks import Holder, Note, Origin, Owner

STARTED_LATER = 2.0
"""A process that started this many seconds after a lock was taken did not take it. The kernel reports start times in
whole seconds since boot."""


class Machine(Protocol):
    """Time and processes of this machine."""

    def now(self) -> float:
        """Seconds, only ever going forward."""

    def clock(self) -> float:
        """Epoch seconds, as AWS counts them."""

    def epoch(self, text: str) -> float | None:
        """A time in ISO 8601 as epoch seconds; None for any other text."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def chance(self) -> float:
        """From 0 to 1: two commands that wait for the same lock must not always try at the same moments."""

    def owner(self, holder: Holder) -> Owner:
        """Does the process that took a lock still run?"""

    def note(self, pid: int, doing: str, origin: Origin) -> Note:
        """The note of an engine that was just started here."""

    def user(self) -> str:
        """Who runs this, for people: `ann@build-7`."""


class RealMachine:
    """The real one."""

    def now(self) -> float:
        """The monotonic clock."""
        return time.monotonic()

    def clock(self) -> float:
        """The wall clock."""
        return time.time()

    def epoch(self, text: str) -> float | None:
        """As Python reads it."""
        return _epoch(text)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def chance(self) -> float:
        """The random module's."""
        return random.random()

    def owner(self, holder: Holder) -> Owner:
        """Only processes of this host and this container can be seen."""
        if holder.host != socket.gethostname() or holder.pid <= 0:
            return Owner.UNKNOWN
        if holder.note and holder.note.place != _place():
            return Owner.UNKNOWN
        if not _runs(holder.pid):
            return Owner.GONE
        started, since = _started(holder.pid), _epoch(holder.since)
        if started is not None and since is not None and started > since + STARTED_LATER:
            return Owner.REPLACED
        return Owner.RUNS

    def note(self, pid: int, doing: str, origin: Origin) -> Note:
        """Host, process and place of this machine."""
        return Note(
            host=socket.gethostname(),
            pid=pid,
            at=datetime.now(UTC).isoformat(),
            doing=doing,
            who=origin.who,
            run=origin.run,
            place=_place(),
        )

    def user(self) -> str:
        """By the environment, or the user database."""
        try:
            return f"{getpass.getuser()}@{socket.gethostname()}"
        except (KeyError, OSError):  # a container may run under a number that has no name
            return socket.gethostname()


def _runs(pid: int) -> bool:
    """Is there such a process, and is it no zombie?"""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _stat(pid)[:1] not in (["Z"], ["X"])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state first; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> float | None:
    """When it was started, in seconds since 1970; None where the kernel does not say (no Linux)."""
    fields = _stat(pid)
    with contextlib.suppress(OSError, StopIteration, IndexError, ValueError):
        lines = Path("/proc/stat").read_text().splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return None


def _place() -> str:
    """This boot of this machine, and the container in it, if any; "" where the kernel does not say (no Linux)."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _epoch(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).timestamp()
    return None


@dataclass
class FakeMachine:
    """Time passes only by sleeping; `owners` are processes by id, others are of another host."""

    time: float = 0.0
    began: float = 1767326400.0
    owners: dict[int, Owner] = field(default_factory=dict)

    def now(self) -> float:
        """As far as it slept."""
        return self.time

    def clock(self) -> float:
        """The same, since some day."""
        return self.began + self.time

    def epoch(self, text: str) -> float | None:
        """As Python reads it."""
        return _epoch(text)

    def sleep(self, seconds: float) -> None:
        """Passes at once."""
        self.time += seconds

    def chance(self) -> float:
        """Always in the middle."""
        return 0.5

    def owner(self, holder: Holder) -> Owner:
        """As given."""
        return self.owners.get(holder.pid, Owner.UNKNOWN)

    def note(self, pid: int, doing: str, origin: Origin) -> Note:
        """At a fixed time."""
        return Note(host="here", pid=pid, at="2026-01-02T03:04:04Z", doing=doing, who=origin.who, run=origin.run)

    def user(self) -> str:
        """Somebody."""
        return "me@here"
