"""This machine: time, chance, and which processes still run."""

from __future__ import annotations

import contextlib
import getpass
import os
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from release_lane.disk import processes
from release_lane.engine.locks import Holder, Note, Origin, Owner
from release_lane.engine.plugins import Plugin

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

    def left_over(self, project: str, stack: str) -> tuple[Plugin, ...]:
        """Plugins here whose engine is dead, and which may still work on this stack."""

    def end(self, plugin: Plugin) -> bool:
        """End it; is it gone?"""

    def user(self) -> str:
        """Who runs this, for people: `ann@build-7`."""


@dataclass(frozen=True)
class RealMachine:
    """The real one. `environ` says which backend is meant."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

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
        if holder.note and holder.note.place != processes.place():
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
            place=processes.place(),
        )

    def left_over(self, project: str, stack: str) -> tuple[Plugin, ...]:
        """By the processes of this user."""
        return processes.without_engine(processes.stack_of(self.environ, project, stack))

    def end(self, plugin: Plugin) -> bool:
        """As its engine would have done it."""
        processes.end(plugin, self.sleep)
        return not processes.runs(plugin.pid, plugin.began)

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
    return processes.stat_of(pid)[:1] not in (["Z"], ["X"])


def _started(pid: int) -> float | None:
    """When it was started, in seconds since 1970; None where the kernel does not say (no Linux)."""
    fields = processes.stat_of(pid)
    return processes.began_at(int(fields[19])) if fields else None


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
    plugins: dict[str, tuple[Plugin, ...]] = field(default_factory=dict)
    """Those without an engine, by stack."""
    ended: list[Plugin] = field(default_factory=list)
    stubborn: bool = False
    """No plugin can be ended."""

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

    def left_over(self, project: str, stack: str) -> tuple[Plugin, ...]:
        """As given, but for those that were ended."""
        del project
        return tuple(each for each in self.plugins.get(stack, ()) if each not in self.ended)

    def end(self, plugin: Plugin) -> bool:
        """Unless it is stubborn."""
        if not self.stubborn:
            self.ended.append(plugin)
        return not self.stubborn

    def user(self) -> str:
        """Somebody."""
        return "me@here"
