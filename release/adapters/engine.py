"""The Pulumi engine behind a Protocol: what a stack's state says, a preview, an update. The real one and a fake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO
from urllib.parse import urlsplit

from release.adapters.process import Ended, run_child
from release.adapters.project import Project, copied
from release.container import release_in
from release.enginelog import EngineLog, read_log
from release.errors import CloudError
from release.placement import Colour, Release
from release.records import Recorded

NO_SUCH_STACK = 6
"""The engine's exit code for an unknown stack (pkg/cmd/pulumi/cmd/exit_codes.go, ExitStackNotFound)."""

BANNED = ("PULUMI_CONTINUE_ON_ERROR", "PULUMI_SKIP_CHECKPOINTS")
"""Settings under which a failed update may change outputs, or a killed one loses its record."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the last update gave a colour, by the stack's state; AWS may differ by now."""

    release: Release | None
    tasks: int


@dataclass(frozen=True, kw_only=True)
class StackState:
    """One stack's state. `pending` are URNs of operations that a killed update left unfinished."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    held: Mapping[Colour, Held] = field(default_factory=dict)
    pending: tuple[str, ...] = ()

    @property
    def recorded(self) -> Recorded | None:
        """The environment's record; None before its first release."""
        return Recorded.from_outputs(self.outputs)

    @staticmethod
    def of(stack: str, project: str, exported: Mapping[str, Any]) -> StackState:
        """Read what `pulumi stack export` wrote."""
        deployment = exported.get("deployment") or {}
        # A replaced resource stays in the state until it is deleted, under the same URN as the one in its place.
        resources = [each for each in deployment.get("resources") or () if not each.get("delete")]
        root: Mapping[str, Any] = next((each for each in resources if each["type"] == "pulumi:pulumi:Stack"), {})
        prefix = f"{project}-{stack}"
        return StackState(
            outputs=root.get("outputs") or {},
            held={colour: _held(resources, f"{prefix}-{colour}") for colour in Colour},
            pending=tuple(each["resource"]["urn"] for each in deployment.get("pending_operations") or ()),
        )


def _held(resources: Iterable[Mapping[str, Any]], name: str) -> Held:
    found = {each["type"]: each.get("inputs") or {} for each in resources if each["urn"].endswith(f"::{name}")}
    definitions = found.get("aws:ecs/taskDefinition:TaskDefinition", {}).get("containerDefinitions")
    tasks = found.get("aws:ecs/service:Service", {}).get("desiredCount")
    release = release_in(json.loads(definitions), "app") if isinstance(definitions, str) else None
    return Held(release=release, tasks=int(tasks or 0))


@dataclass(frozen=True, kw_only=True)
class Run:
    """One preview or update. `signal` is what stopped it, None if nothing did."""

    exit_code: int
    log: EngineLog
    stderr: str = ""
    signal: signal.Signals | None = None


class Engine(Protocol):
    """What the command needs of the engine."""

    def ready(self) -> None:
        """Raises `CloudError` unless the engine is there and the cloud's endpoint answers."""

    def state(self, stack: str) -> StackState | None:
        """The stack's state, None if there is no such stack. Takes no lock."""

    def preview(self, stack: str, config: Mapping[str, str]) -> Run:
        """What an update with this configuration would do. Takes no lock, changes nothing."""

    def update(self, stack: str, config: Mapping[str, str], message: str) -> Run:
        """Update the stack with this configuration, given for this run only."""


@dataclass(frozen=True, kw_only=True)
class PulumiEngine:
    """`pulumi` from the PATH. Its display goes to `display`; `environ` is the environment it gets."""

    project: Project
    display: TextIO
    environ: Mapping[str, str]
    colour: bool = False

    def ready(self) -> None:
        """Look for the command and for the endpoint, if one is set."""
        self._command()
        endpoint = self.environ.get("AWS_ENDPOINT_URL", "")
        if endpoint and not _answers(endpoint):
            raise CloudError(
                f"The cloud's endpoint {endpoint} does not answer. Nothing was changed.",
                next_step="start the local cloud: `make up`, then `. local/env`.",
            )

    def state(self, stack: str) -> StackState | None:
        """Read by `stack export`: one call, no lock, no secrets needed."""
        command = [self._command(), "stack", "export", "--stack", stack, "--non-interactive"]
        done = subprocess.run(
            command, cwd=self.project.root, env=self._env(), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode == NO_SUCH_STACK:
            return None
        if done.returncode != 0:
            raise CloudError(
                f"The state of stack {stack} cannot be read. Nothing was changed.",
                why=done.stderr.strip().removeprefix("error: ") or f"the engine ended with {done.returncode}",
                next_step="check PULUMI_BACKEND_URL and its credentials (local cloud: `. local/env`).",
            )
        return StackState.of(stack, self.project.name, json.loads(done.stdout))

    def preview(self, stack: str, config: Mapping[str, str]) -> Run:
        """`pulumi preview`, with its event log."""
        return self._run(["preview"], stack, config)

    def update(self, stack: str, config: Mapping[str, str], message: str) -> Run:
        """`pulumi up` without its own preview: what it decides, it decides once, under the lock."""
        return self._run(["up", "--yes", "--skip-preview", "--message", message], stack, config)

    def _run(self, verb: list[str], stack: str, config: Mapping[str, str]) -> Run:
        # The event log holds secrets in its debug messages: it lives in a file that has no name and is gone at the end.
        with copied(self.project.stacks[stack].path) as settings, tempfile.TemporaryFile("w+b") as events:
            command = [self._command(), *verb, "--stack", stack, "--non-interactive", "--suppress-outputs"]
            command += ["--color", "always" if self.colour else "never", "--config-file", str(settings)]
            command += [part for key, value in config.items() for part in ("--config", f"{key}={value}")]
            command += ["--event-log", f"/dev/fd/{events.fileno()}"]
            ended = run_child(
                command, cwd=self.project.root, env=self._env(), display=self.display, pass_fds=[events.fileno()]
            )
            return _run_of(ended, events.fileno())

    def _command(self) -> str:
        found = shutil.which("pulumi", path=self.environ.get("PATH"))
        if found:
            return found
        raise CloudError(
            "The Pulumi engine is not on the PATH. Nothing was changed.",
            next_step="local cloud: `make up`, then `. local/env`; else install the version that pyproject.toml pins.",
        )

    def _env(self) -> dict[str, str]:
        kept = {name: value for name, value in self.environ.items() if name not in BANNED}
        # The flag --event-log exists only with this set.
        return {**kept, "PULUMI_DEBUG_COMMANDS": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}


def _run_of(ended: Ended, events: int) -> Run:
    with open(os.dup(events), encoding="utf-8", errors="replace") as lines:
        lines.seek(0)
        log = read_log(lines)
    return Run(exit_code=ended.code, log=log, stderr=ended.stderr, signal=ended.signal)


def _answers(endpoint: str, timeout: float = 3.0) -> bool:
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=timeout):
            return True
    except OSError:
        return False


@dataclass
class FakeEngine:
    """States by stack; each update answers with the next of `runs` and may change states through its `effect`."""

    states: dict[str, StackState] = field(default_factory=dict)
    runs: list[Run | Callable[[FakeEngine], Run]] = field(default_factory=list)
    calls: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    away: CloudError | None = None

    def ready(self) -> None:
        """Fails if `away` says so."""
        if self.away:
            raise self.away

    def state(self, stack: str) -> StackState | None:
        """As given."""
        return self.states.get(stack)

    def preview(self, stack: str, config: Mapping[str, str]) -> Run:
        """The next run."""
        return self._next("preview", stack, config)

    def update(self, stack: str, config: Mapping[str, str], message: str) -> Run:
        """The next run."""
        del message
        return self._next("update", stack, config)

    def _next(self, verb: str, stack: str, config: Mapping[str, str]) -> Run:
        self.calls.append((verb, stack, dict(config)))
        answer = self.runs.pop(0)
        return answer(self) if callable(answer) else answer
