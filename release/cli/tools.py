"""The composition root: everything with an effect that the verbs use, the real ones or fakes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from release.adapters.engine import Engine, PulumiEngine, StackState
from release.adapters.git import Git, RealGit
from release.adapters.prober import OpenLoop, Prober
from release.adapters.project import Project, find_root, read_project
from release.adapters.smoke import PytestSmoke, Smoke
from release.cli.terminal import Terminal
from release.errors import UsageError
from release.outcome import Holder


class Machine(Protocol):
    """Time and processes of this machine."""

    def now(self) -> float:
        """Seconds, only ever going forward."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def gone(self, holder: Holder) -> bool:
        """Is it for sure that this process, which once held a lock, runs no more?"""


class RealMachine:
    """This one."""

    def now(self) -> float:
        """The monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def gone(self, holder: Holder) -> bool:
        """Only a process of this very host can be looked for."""
        if holder.host != socket.gethostname() or holder.pid <= 0:
            return False
        try:
            os.kill(holder.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


@dataclass
class FakeMachine:
    """Time passes only by sleeping; `dead` are the ids of processes that are gone."""

    time: float = 0.0
    dead: frozenset[int] = frozenset()

    def now(self) -> float:
        """As far as it slept."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Passes at once."""
        self.time += seconds

    def gone(self, holder: Holder) -> bool:
        """As given."""
        return holder.pid in self.dead


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a verb is given besides its arguments."""

    terminal: Terminal
    project: Project
    engine: Engine
    git: Git
    smoke: Smoke
    prober: Prober
    machine: Machine

    def existing(self, stack: str) -> StackState:
        """The stack's state; `UsageError` if there is no such stack."""
        if stack not in self.project.stacks:
            raise UsageError(
                f"There is no file Pulumi.{stack}.yaml.", next_step="add it, or correct the name of the stack."
            )
        state = self.engine.state(stack)
        if state is None:
            raise UsageError(
                f"The stack {stack} does not exist in this backend. Nothing was changed.",
                why=f"there is a file Pulumi.{stack}.yaml, but nobody has made the stack yet",
                next_step=f"`pulumi stack init {stack}` (local cloud: `make up`), or check PULUMI_BACKEND_URL.",
            )
        return state


def real_tools(terminal: Terminal, environ: Mapping[str, str] = os.environ) -> Tools:
    """The project around the working directory, and the engine of the PATH."""
    project = read_project(find_root(Path.cwd()))
    return Tools(
        terminal=terminal,
        project=project,
        engine=PulumiEngine(project=project, display=terminal.err, environ=environ, colour=terminal.colour),
        git=RealGit(),
        smoke=PytestSmoke(root=project.root, display=terminal.err, environ=environ),
        prober=OpenLoop(),
        machine=RealMachine(),
    )
