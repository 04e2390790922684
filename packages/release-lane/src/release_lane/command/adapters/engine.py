"""The Pulumi engine behind a Protocol: what a stack's state says, a preview, an update. The real one and a fake."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TextIO
from urllib.parse import urlsplit

from release_lane.command.adapters.backend import Backend
from release_lane.command.adapters.machine import Machine
from release_lane.command.adapters.process import Ended, run_child, undisturbed
from release_lane.command.adapters.project import Project, secrets_provider, settings_in
from release_lane.disk.scratch import scratch, sweep
from release_lane.engine.events import EngineLog, read_log
from release_lane.engine.locks import Note, Origin
from release_lane.engine.state import StackState
from release_lane.engine.texts import NOT_LOCKED, STACK_EXISTS
from release_lane.errors import CloudError, UsageError
from release_lane.record.ledger import ACTOR_VARIABLE, Actor
from release_lane.settings.limits import configuration

NO_SUCH_STACK = 6
"""The engine's exit code for an unknown stack (pkg/cmd/pulumi/cmd/exit_codes.go, ExitStackNotFound)."""

BANNED = ("PULUMI_CONTINUE_ON_ERROR", "PULUMI_SKIP_CHECKPOINTS")
"""Settings under which a failed update may change outputs, or a killed one loses its record."""


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

    def acting(self, actor: Actor) -> Engine:
        """The same, whose updates name this actor in the ledger."""

    def create(self, stack: str) -> None:
        """Make an empty stack, its secrets under the key that its settings name. Raises `CloudError` if that fails."""

    def unlock(self, stack: str) -> None:
        """Remove all locks of the stack. Raises `CloudError` if that fails."""

    def put_state(self, stack: str, state: Mapping[str, Any]) -> None:
        """Replace the stack's state by an edited export. Operations that a killed update left are dropped."""

    def refresh(self, stack: str, urns: Sequence[str]) -> Run:
        """Refresh these resources."""

    def refresh_preview(self, stack: str) -> Run:
        """What a refresh of all resources would find. Takes no lock, changes nothing."""


def backend_url(environ: Mapping[str, str], root: Path) -> str:
    """Where the engine keeps its states: as set, or as the engine itself says."""
    if environ.get("PULUMI_BACKEND_URL"):
        return environ["PULUMI_BACKEND_URL"]
    command = [command_of(environ), "whoami", "--verbose", "--json", "--non-interactive"]
    done = subprocess.run(
        command, cwd=root, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise CloudError("The engine does not say which backend it uses.", why=done.stderr.strip())
    return str(json.loads(done.stdout).get("url") or "")


def _unprotected(config: Mapping[str, str]) -> list[str]:
    """While users are served the engine protects what they stand on; only one key lifts that."""
    return ["--ignore-protect"] if config.get("allowReplace") == "true" else []


def _refreshed(config: Mapping[str, str]) -> list[str]:
    """A flag that somebody turned on by hand is recorded as off, and has to be turned off all the same."""
    return ["--refresh"] if config.get("role") == "flags" else []


def command_of(environ: Mapping[str, str]) -> str:
    """The engine on the PATH."""
    found = shutil.which("pulumi", path=environ.get("PATH"))
    if found:
        return found
    raise CloudError(
        "The Pulumi engine is not on the PATH. Nothing was changed.",
        next_step="local cloud: `local-aws up`, then `. .local/env`; else install the version in pyproject.toml.",
    )


@dataclass(frozen=True, kw_only=True)
class PulumiEngine:
    """`pulumi` from the PATH. Its display goes to `display`; `environ` is the environment it gets.

    While it changes a stack, a note in the backend says who started it, from where, and what for.
    """

    project: Project
    display: TextIO
    environ: Mapping[str, str]
    backend: Backend
    machine: Machine
    origin: Origin
    colour: bool = False
    actor: Actor = field(default_factory=Actor)

    def acting(self, actor: Actor) -> PulumiEngine:
        """The same engine."""
        return replace(self, actor=actor)

    def ready(self) -> None:
        """Check the command and the endpoint, if one is set; delete what killed runs left here."""
        sweep()
        command_of(self.environ)
        self._need_endpoint()

    def _need_endpoint(self, why: str = "") -> None:
        endpoint = self.environ.get("AWS_ENDPOINT_URL", "")
        if endpoint and not _answers(endpoint):
            known = f"The cloud's endpoint {endpoint}"
            local = f"The local cloud is not running: its endpoint {endpoint}"
            raise CloudError(
                f"{local if self.environ.get('LOCAL_AWS_HOME') else known} does not answer. Nothing was changed.",
                why=why,
                next_step="start the local cloud: `local-aws up`, then `. .local/env`.",
            )

    def state(self, stack: str) -> StackState | None:
        """Read by `stack export`: one call, no lock, no secrets needed."""
        done = self._ask("stack", "export", "--stack", stack)
        if done.returncode == NO_SUCH_STACK:
            return None
        if done.returncode != 0:
            why = done.stderr.strip().removeprefix("error: ") or f"the engine ended with {done.returncode}"
            self._need_endpoint(why)  # a local cloud that is down keeps the states as well
            raise CloudError(
                f"The state of stack {stack} cannot be read.",
                why=why,
                next_step="check PULUMI_BACKEND_URL and its credentials (local cloud: `local-aws up`, `. .local/env`).",
            )
        return StackState.of(stack, self.project.name, json.loads(done.stdout))

    def preview(self, stack: str, config: Mapping[str, str]) -> Run:
        """`pulumi preview`, with its event log."""
        return self._run(["preview", *_unprotected(config)], stack, config)

    def update(self, stack: str, config: Mapping[str, str], message: str) -> Run:
        """`pulumi up` without its own preview: the program decides once, under the lock."""
        with self._announced(stack, message) as started:
            arguments = ["up", "--yes", "--skip-preview", "--message", message]
            return self._run([*arguments, *_unprotected(config), *_refreshed(config)], stack, config, started)

    def create(self, stack: str) -> None:
        """`pulumi stack init`, which writes into the stack file: it works in a folder of its own."""
        settings = self.project.file_of(stack).path
        given = secrets_provider(settings)
        arguments = ["stack", "init", stack, "--no-select", *(["--secrets-provider", given] if given else [])]
        with undisturbed(), scratch() as copied:
            (copied.folder / "Pulumi.yaml").write_text(f"name: {self.project.name}\nruntime: python\n")
            (copied.folder / f"Pulumi.{stack}.yaml").write_bytes(settings.read_bytes())
            at = {"PULUMI_BACKEND_URL": backend_url(self.environ, self.project.root)}
            done = self._ask(*arguments, folder=copied.folder, more=at)
        if done.returncode != 0 and STACK_EXISTS not in done.stderr:
            raise _failed(f"The stack {stack} could not be created.", done)

    def unlock(self, stack: str) -> None:
        """`pulumi cancel`; a stack that is not locked is fine."""
        with undisturbed():
            done = self._ask("cancel", "--yes", "--stack", stack)
        if done.returncode != 0 and NOT_LOCKED not in done.stderr + done.stdout:
            raise _failed(f"The lock of {stack} could not be removed.", done)

    def put_state(self, stack: str, state: Mapping[str, Any]) -> None:
        """`pulumi stack import`. Secrets in it stay as encrypted as they were exported."""
        with undisturbed():
            done = self._ask("stack", "import", "--stack", stack, given=json.dumps(state))
        if done.returncode != 0:
            raise _failed(f"The state of {stack} could not be written.", done)

    def refresh(self, stack: str, urns: Sequence[str]) -> Run:
        """`pulumi refresh` of these alone."""
        targets = [part for urn in urns for part in ("--target", urn)]
        message = f"release recover {stack}"
        with self._announced(stack, message) as started:
            return self._run(["refresh", "--yes", "--skip-preview", "--message", message, *targets], stack, {}, started)

    def refresh_preview(self, stack: str) -> Run:
        """`pulumi refresh --preview-only`."""
        return self._run(["refresh", "--preview-only"], stack, {})

    def _ask(
        self, *arguments: str, given: str = "", folder: Path | None = None, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One short command, without a display. A terminal's Ctrl-C does not reach it. `folder`: not the project's;
        `more`: variables."""
        command = [command_of(self.environ), *arguments, "--non-interactive"]
        return subprocess.run(
            command, cwd=folder or self.project.root, env=self._env() | dict(more or {}), input=given,
            capture_output=True, text=True, process_group=0,
        )  # fmt: skip

    @contextmanager
    def _announced(self, stack: str, doing: str) -> Iterator[Callable[[int], None]]:
        """What to call with the engine's process id: it leaves the note, which is removed in the end.

        It stays if the lock stays: it says whose lock that was. `release recover` removes both.
        """
        left: list[Note] = []

        def started(pid: int) -> None:
            note = self.machine.note(pid, doing, self.origin)
            try:
                self.backend.leave(stack, note)
                left.append(note)
            except CloudError as error:
                print(
                    f"{error.what} Others cannot see who runs this update ({error.why}).",
                    file=self.display,
                    flush=True,
                )

        try:
            yield started
        finally:
            for note in left:
                with suppress(CloudError):
                    if self._holds(stack, note):
                        print(_LEFT.format(stack=stack), file=self.display, flush=True)
                    else:
                        self.backend.withdraw(stack, note)

    def _holds(self, stack: str, note: Note) -> bool:
        """Is the lock of the note's engine still there? A killed engine leaves it."""
        holders = self.backend.holders(stack) or ()
        return any((holder.host, holder.pid) == (note.host, note.pid) for holder in holders)

    def _run(
        self, verb: list[str], stack: str, config: Mapping[str, str], started: Callable[[int], None] | None = None
    ) -> Run:
        # The event log holds secrets in its debug messages: it lives in a file that has no name and is gone at the end.
        # The engine saves what it is given with -c into the stack file it reads, and a committed one must never carry
        # an image digest: so it gets a copy.
        committed = self.project.file_of(stack).path
        self._need_room(committed, config)
        with scratch() as copied, tempfile.TemporaryFile("w+b") as events:
            settings = copied.folder / committed.name
            settings.write_bytes(committed.read_bytes())
            command = [command_of(self.environ), *verb, "--stack", stack, "--non-interactive", "--suppress-outputs"]
            command += ["--color", "always" if self.colour else "never", "--config-file", str(settings)]
            command += [part for key, value in config.items() for part in ("--config", f"{key}={value}")]
            command += ["--event-log", f"/dev/fd/{events.fileno()}"]
            ended = run_child(
                command, cwd=self.project.root, env=self._env(), display=self.display,
                pass_fds=[events.fileno(), copied.lock], started=started,
            )  # fmt: skip
            return _run_of(ended, events.fileno())

    def _need_room(self, committed: Path, given: Mapping[str, str]) -> None:
        """The engine would start no program, and say "argument list too long"."""
        if problem := configuration(settings_in(committed), given.values()):
            raise UsageError(
                f"The configuration in {committed.name} is too large. Nothing was changed.",
                why=problem,
                next_step="keep large values in the image, in S3 or in a parameter, and name only where they are.",
            )

    def _env(self) -> dict[str, str]:
        kept = {name: value for name, value in self.environ.items() if name not in BANNED}
        # The flag --event-log exists only with this set.
        acting = {ACTOR_VARIABLE: self.actor.as_text()} if self.actor != Actor() else {}
        return {**kept, **acting, "PULUMI_DEBUG_COMMANDS": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}


_LEFT = "The engine ended without removing its lock: it was killed. Next: `release recover {stack}`."


def _failed(what: str, done: subprocess.CompletedProcess[str]) -> CloudError:
    words = done.stderr.strip() or done.stdout.strip() or f"the engine ended with {done.returncode}"
    return CloudError(what, why=words.removeprefix("error: "), next_step="see docs/guides/recovery.md.")


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
    unreadable: CloudError | None = None
    unlocked: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    written: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    """Those that it acted for, in order."""

    def acting(self, actor: Actor) -> FakeEngine:
        """Remembered."""
        self.actors.append(actor)
        return self

    def ready(self) -> None:
        """Fails if `away` says so."""
        if self.away:
            raise self.away

    def state(self, stack: str) -> StackState | None:
        """As given; fails if `unreadable` says so."""
        if self.unreadable:
            raise self.unreadable
        return self.states.get(stack)

    def preview(self, stack: str, config: Mapping[str, str]) -> Run:
        """The next run."""
        return self._next("preview", stack, config)

    def update(self, stack: str, config: Mapping[str, str], message: str) -> Run:
        """The next run."""
        self.messages.append(message)
        return self._next("update", stack, config)

    def create(self, stack: str) -> None:
        """Remembered; it is empty."""
        self.created.append(stack)
        self.states[stack] = StackState()

    def unlock(self, stack: str) -> None:
        """Remembered."""
        self.unlocked.append(stack)

    def put_state(self, stack: str, state: Mapping[str, Any]) -> None:
        """It is the stack's state from now on."""
        self.written.append((stack, state))
        self.states[stack] = StackState.of(stack, "release-lane", state)

    def refresh(self, stack: str, urns: Sequence[str]) -> Run:
        """Always well."""
        del stack
        self.refreshed += urns
        return Run(exit_code=0, log=read_log([]))

    def refresh_preview(self, stack: str) -> Run:
        """The next run."""
        return self._next("refresh --preview-only", stack, {})

    def _next(self, verb: str, stack: str, config: Mapping[str, str]) -> Run:
        self.calls.append((verb, stack, dict(config)))
        answer = self.runs.pop(0)
        return answer(self) if callable(answer) else answer
