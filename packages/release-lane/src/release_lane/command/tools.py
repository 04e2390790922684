"""The composition root: everything with an effect that the verbs use, real or fake."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from release_lane.command.adapters.backend import Backend, RealBackend
from release_lane.command.adapters.cloud import Cloud, RealCloud
from release_lane.command.adapters.engine import Engine, PulumiEngine, backend_url
from release_lane.command.adapters.git import Git, RealGit
from release_lane.command.adapters.machine import Machine, RealMachine
from release_lane.command.adapters.notify import Notifier, RealNotifier
from release_lane.command.adapters.prober import OpenLoop, Prober
from release_lane.command.adapters.project import STACKS, Project, changed_since, find_root, read_project
from release_lane.command.adapters.smoke import PytestSmoke, Smoke
from release_lane.command.terminal import Terminal
from release_lane.engine.locks import Origin
from release_lane.engine.state import StackState
from release_lane.errors import UsageError
from release_lane.operate.shell import need_own_cloud


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a verb gets next to its arguments."""

    terminal: Terminal
    project: Project
    engine: Engine
    backend: Backend
    cloud: Cloud
    git: Git
    smoke: Smoke
    prober: Prober
    machine: Machine
    notifier: Notifier
    origin: Origin = field(default_factory=Origin)

    def existing(self, stack: str) -> StackState:
        """The stack's state; `UsageError` if there is no such stack."""
        if stack not in self.project.stacks:
            raise UsageError(
                f"There is no file Pulumi.{stack}.yaml.", next_step="add the file, or correct the name of the stack."
            )
        state = self.engine.state(stack)
        if state is None:
            raise UsageError(
                f"The stack {stack} does not exist in this backend. Nothing was changed.",
                why=f"there is a file Pulumi.{stack}.yaml, but the stack was not created yet",
                next_step=f"`pulumi stack init {stack}` (local cloud: `local-aws up`), or check PULUMI_BACKEND_URL.",
            )
        return state


def real_tools(terminal: Terminal, environ: Mapping[str, str] = os.environ) -> Tools:
    """The project around the working directory, and the engine of the PATH."""
    root = find_root(Path.cwd())
    need_own_cloud(environ, str(root.resolve()))
    project = read_project(root, environ)
    if changed := changed_since(root, environ):
        terminal.say(
            f"Not in use yet: what was changed in {', '.join(changed)}; the copies in {STACKS} are older. "
            "On the local cloud `local-aws up` renews them."
        )
    machine, origin = RealMachine(environ), Origin.read(environ)
    backend = RealBackend(url=lambda: backend_url(environ, project.root), project=project.name, root=project.root)
    engine = PulumiEngine(
        project=project,
        display=terminal.err,
        environ=environ,
        backend=backend,
        machine=machine,
        origin=origin,
        colour=terminal.colour,
    )
    return Tools(
        terminal=terminal,
        project=project,
        engine=engine,
        backend=backend,
        cloud=RealCloud(),
        git=RealGit(),
        smoke=PytestSmoke(root=project.root, display=terminal.err, environ=environ),
        prober=OpenLoop(),
        machine=machine,
        notifier=RealNotifier(),
        origin=origin,
    )
