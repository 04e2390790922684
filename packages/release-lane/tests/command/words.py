"""Words for the tests of the command: states of stacks, event logs, and a stage with fakes to run it on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from release_lane.command import run
from release_lane.command.adapters.approvals import FakeApprovals
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.command.adapters.git import FakeGit
from release_lane.command.adapters.machine import FakeMachine
from release_lane.command.adapters.notify import FakeNotifier
from release_lane.command.adapters.pages import FakePages
from release_lane.command.adapters.prober import FakeProber
from release_lane.command.adapters.project import Project, StackFile
from release_lane.command.adapters.smoke import FakeSmoke
from release_lane.command.terminal import Terminal
from release_lane.command.tools import Tools
from release_lane.engine.events import EngineLog, read_log
from release_lane.engine.locks import Origin
from release_lane.engine.state import Held, StackState
from release_lane.ledger.memory import Memory, in_memory
from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import Digest
from release_lane.record.evidence import Proof
from release_lane.record.inputs import RolloutInputs, SwitchInputs
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.record.records import Recorded

BLUE, GREEN = Colour.BLUE, Colour.GREEN


def digest(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


def release(letter: str, **service: Any) -> Release:
    return Release(digest=digest(letter), service=Service(**service), commit=letter * 40)


A, B, C = (release(letter) for letter in "abc")


def proof(of: Release) -> Proof:
    return Proof(
        digest=of.digest, commit=of.commit, release_id=of.id, at="2026-01-02T03:04:05+00:00", smoke="6 checks passed"
    )


def outputs(colour: Colour, *history: Release) -> dict[str, Any]:
    """An environment's outputs; the last release is live, the one before it the previous one."""
    live, previous = history[-1], history[-2] if len(history) > 1 else None
    return {
        "url": "http://127.0.10.1",
        "liveColour": str(colour),
        "imageDigest": live.digest,
        "commit": live.commit,
        "releaseId": live.id,
        "liveRelease": live.as_dict(),
        "previousDigest": previous.digest if previous else "",
        "previousRelease": previous.as_dict() if previous else {},
        "liveHistory": [past.as_dict() for past in history],
        "evidence": [proof(past).as_dict() for past in history],
        "testUrls": {"blue": "http://127.0.10.1:9001", "green": "http://127.0.10.1:9002"},
    }


def state(colour: Colour, *history: Release, idle: Release | None = None, tasks: int = 2) -> StackState:
    """An environment's state; `idle` is what its idle colour was last given."""
    held = {colour: Held(release=history[-1], tasks=2), colour.other: Held(release=idle, tasks=tasks if idle else 0)}
    return StackState(outputs=outputs(colour, *history), held=held)


def recorded(colour: Colour, *history: Release) -> Recorded:
    found = Recorded.from_outputs(outputs(colour, *history))
    assert found
    return found


def built(letter: str) -> StackState:
    return StackState(
        outputs={
            "imageDigest": digest(letter),
            "commit": letter * 40,
            "repositoryUrl": "registry/app",
            "imageUri": f"registry/app@{digest(letter)}",
        }
    )


# ---- Event logs, as the engine writes them ------------------------------------------------------------------


def urn(type_: str, name: str, stack: str = "production") -> str:
    return f"urn:pulumi:{stack}::release-lane::{type_}::{name}"


def event(**content: Any) -> dict[str, Any]:
    return {"sequence": 0, "timestamp": 0, **content}


def pre(op: str, type_: str, name: str, *, paths: Iterable[str] = (), custom: bool = True, **inputs: Any) -> Any:
    """A step that is about to be done, or would be."""
    new = {"custom": custom, "inputs": inputs}
    return event(
        resourcePreEvent={
            "metadata": {
                "op": op,
                "urn": urn(type_, name),
                "type": type_,
                "old": None if op == "create" else {"custom": custom, "inputs": {}},
                "new": None if op == "delete" else new,
                "detailedDiff": {path: {"diffKind": "update", "inputDiff": True} for path in paths},
            }
        }
    )


def done(op: str, type_: str, name: str) -> Any:
    return event(resOutputsEvent={"metadata": {"op": op, "urn": urn(type_, name), "type": type_}})


def said(text: str, *, severity: str = "error", about: str = "", **more: Any) -> Any:
    return event(diagnosticEvent={"message": f"{text}\n", "severity": severity, "urn": about, **more})


def plan(
    decision: str,
    live: Colour,
    of: Release,
    *,
    target: Colour | None,
    starts: bool = False,
    domain: str = "",
    **over: Any,
) -> list[Any]:
    """The steps of the gates and the switch for a decision."""
    before = all_on(live.other) if decision in ("deploy", "traffic-only") else all_on(live)
    active = decision in ("deploy", "traffic-only", "finish")
    access = Access(region="us-east-1", account="0" * 12)
    names = Names.of_stack("release-lane", "production", access=access, domain=domain)
    switch = SwitchInputs(
        active=active,
        names=names,
        decision=DecisionKind(decision),
        reason="a new image",
        live=live,
        release=of,
        weights=all_on(live),
        expected=before,
        standing=None,
        smoke_deadline=30,
    ).as_dict() | {"decision": decision, **over}
    gate = RolloutInputs(
        active=target is not None,
        names=names,
        digest=of.digest,
        colour=target or live,
        tasks=2,
        task_definition="arn:task",
        deadline=300,
        starts=starts,
    ).as_dict()
    return [
        pre("update", "release:index:Rollout", "rollout", **gate),
        pre("update", "release:index:SmokeGate", "smoke", **gate),
        pre("update" if active else "same", "release:index:TrafficSwitch", "traffic-switch", **switch),
    ]


def log(*events: Any) -> EngineLog:
    return read_log(json.dumps(each, separators=(",", ":")) for each in events)


def ran(*events: Any) -> Run:
    return Run(exit_code=0, log=log(*events))


def failed(*events: Any, stderr: str = "", touched: bool = True) -> Run:
    steps = [done("create", "aws:ecs/taskDefinition:TaskDefinition", "release-lane-production-green")]
    return Run(exit_code=1, log=log(*(steps if touched else []), *events), stderr=stderr)


def refused_by_gate(text: str = "The rollout gate refused green: it exits.") -> Run:
    gate = urn("release:index:Rollout", "rollout")
    return failed(
        said(f"{text}\nNext: fix the image.\nKind: CheckFailed\nUsers: untouched", about=gate), said("update failed")
    )


# ---- The stage ----------------------------------------------------------------------------------------------

ROOT = Path("/checkout")


def project(
    notify: Mapping[str, Any] | None = None,
    idle_tasks: int | None = None,
    alarms: Mapping[str, Any] | None = None,
    approval: Mapping[str, Any] | None = None,
    ledger: str = "",
) -> Project:
    def stack(name: str, **own: Any) -> StackFile:
        config = {f"release-lane:{key}": value for key, value in own.items() if value is not None}
        return StackFile(name=name, path=ROOT / f"Pulumi.{name}.yaml", project="release-lane", config=config)

    at = {"account": "000000000000"}
    idle = {"afterWatch": idle_tasks} if idle_tasks is not None else None
    stacks = [
        stack("artifacts", role="artifacts"),
        stack("staging", notify=notify, idle=idle, alarms=alarms, ledger=ledger or None, **at),
        stack("production", promotesFrom="staging", notify=notify, approval=approval, ledger=ledger or None, **at),
    ]
    return Project(name="release-lane", root=ROOT, stacks={stack.name: stack for stack in stacks})


@dataclass
class Stage:
    """The command with fakes; `answer` is what a person types when asked (None: there is no terminal)."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    backend: FakeBackend = field(default_factory=lambda: FakeBackend(readable=False))
    cloud: FakeCloud = field(default_factory=FakeCloud)
    git: FakeGit = field(default_factory=FakeGit)
    smoke: FakeSmoke = field(default_factory=FakeSmoke)
    prober: FakeProber = field(default_factory=FakeProber)
    machine: FakeMachine = field(default_factory=FakeMachine)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    pages: FakePages = field(default_factory=FakePages)
    approvals: FakeApprovals = field(default_factory=FakeApprovals)
    approval: Mapping[str, Any] | None = None
    notify: Mapping[str, Any] | None = None
    alarms: Mapping[str, Any] | None = None
    idle_tasks: int | None = None
    project: Project | None = None
    ledger_url: str = ""
    ledger: Memory = field(default_factory=Memory)
    origin: Origin = field(default_factory=Origin)
    answer: str | None = None
    colour: bool = False
    out: str = ""
    err: str = ""

    def run(self, *argv: str) -> int:
        """Run the command line; its exit code."""
        out, err = io.StringIO(), io.StringIO()
        terminal = Terminal(
            out=out, err=err, source=io.StringIO(f"{self.answer}\n" if self.answer else ""),
            interactive=self.answer is not None, colour=self.colour,
        )  # fmt: skip
        code = run(argv, terminal, self._tools)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def _tools(self, terminal: Terminal) -> Tools:
        return Tools(
            terminal=terminal,
            project=self.project or project(
                self.notify, self.idle_tasks, self.alarms, self.approval, self.ledger_url
            ),
            engine=self.engine, backend=self.backend, cloud=self.cloud,
            git=self.git, smoke=self.smoke, prober=self.prober, machine=self.machine,
            notifier=self.notifier, approvals=self.approvals, origin=self.origin,
            stores=lambda _url, _access: in_memory(self.ledger), pages=self.pages,
        )  # fmt: skip

    @property
    def data(self) -> Any:
        """What was written to stdout, as JSON."""
        return json.loads(self.out)


def becomes(stack: str, after: StackState, run: Run) -> Any:
    """A run after which the stack's state is `after`."""

    def effect(engine: FakeEngine) -> Run:
        engine.states[stack] = after
        return run

    return effect


def states(**over: StackState) -> dict[str, StackState]:
    """Staging has B live (A before), production has A live."""
    return {
        "artifacts": built("b"),
        "staging": state(GREEN, A, B, idle=A),
        "production": state(BLUE, A),
        **over,
    }


def configs(engine: FakeEngine) -> list[Mapping[str, str]]:
    return [config for _, _, config in engine.calls]
