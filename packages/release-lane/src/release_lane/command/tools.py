"""The composition root: everything with an effect that the verbs use, real or fake."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from release_lane.command.adapters.approvals import Approvals, RealApprovals
from release_lane.command.adapters.backend import Backend, RealBackend
from release_lane.command.adapters.cloud import Cloud, RealCloud
from release_lane.command.adapters.engine import Engine, PulumiEngine, backend_url
from release_lane.command.adapters.git import Git, RealGit
from release_lane.command.adapters.machine import Machine, RealMachine
from release_lane.command.adapters.notify import Notifier, RealNotifier
from release_lane.command.adapters.pages import Loopback, Pages
from release_lane.command.adapters.prober import OpenLoop, Prober
from release_lane.command.adapters.project import STACKS, Project, changed_since, find_root, read_project
from release_lane.command.adapters.smoke import PytestSmoke, Smoke
from release_lane.command.terminal import Terminal
from release_lane.engine.locks import Origin
from release_lane.engine.state import StackState
from release_lane.errors import UsageError
from release_lane.ledger.place import ledger_at
from release_lane.ledger.store import Store
from release_lane.operate.shell import need_own_cloud
from release_lane.record.ledger import COMMAND, Actor, Draft, EntryKind
from release_lane.record.names import Access
from release_lane.record.times import iso


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
    approvals: Approvals
    stores: Callable[[str, Access], Store]
    """Opens the ledger at a URL."""
    pages: Pages = field(default_factory=Loopback)
    origin: Origin = field(default_factory=Origin)
    actor: Actor = field(default_factory=Actor)
    """This call of the command, as its updates and its own entries name it."""

    def acting(self, actor: Actor) -> Tools:
        """The same, for this actor: updates that begin from now on name it in the ledger."""
        return replace(self, actor=actor, engine=self.engine.acting(actor))

    @property
    def who(self) -> str:
        """Who acts, for the ledger: as CI says, or user@host."""
        return self.origin.who or self.machine.user()

    def ledger(self, stack: str = "") -> Store | None:
        """The ledger, reached as this stack is (by default the first environment); None where none is named."""
        url, route = self.project.ledger, self.project.route
        return self.stores(url, self.project.file_of(stack or route.environments[0]).access) if url else None

    def draft(self, kind: EntryKind, environment: str = "") -> Draft:
        """An entry of this call of the command, now."""
        actor = self.actor
        return Draft(
            id=uuid.uuid4().hex,
            kind=kind,
            at=iso(self.machine.clock()),
            environment=environment,
            verb=actor.verb,
            who=actor.who,
            approver=actor.approver,
            run=actor.run,
            reason=actor.reason,
            details={**actor.details, **({COMMAND: actor.id} if actor.id else {})},
        )

    def existing(self, stack: str) -> StackState:
        """The stack's state; `UsageError` if there is no such stack."""
        if not self.project.knows(stack):
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
        approvals=RealApprovals(environ),
        stores=lambda url, access: ledger_at(url, access, project.root),
        origin=origin,
    )
