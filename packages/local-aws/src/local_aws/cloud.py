"""The local cloud: up and down.

up      slot, stack files (overlays), then
        engine ─────────────────────────┬─> stacks      (side by side; what is there already is kept)
        provider plugins                 │
        Docker ─> network ─> images      │
                    └─> emulator         └─> .local/env
down    emulator and load balancer, containers, volumes, network, untagged images of its registry, slot, state, and
        Docker if a local cloud started it and none needs it
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, TypeVar

from local_aws import dockercli, dockerd, emulator_process, processes, provider, slots
from local_aws.base_image import build_args, ensure_base_image
from local_aws.errors import LocalError
from local_aws.places import Places, environment, exports, read_generated, render_generated
from local_aws.progress import Progress
from local_aws.project import Project, read_project, write_overlays
from local_aws.server_images import IMAGES
from local_aws.toolchain import ensure_engine
from local_aws.toolchain.cache import Say, only_one
from local_aws.trust import write_bundle

T = TypeVar("T")


@dataclass(frozen=True)
class Cloud:
    """A local cloud that is up. `exported`: the variables of its `.local/env`."""

    places: Places
    engine: Path
    exported: Mapping[str, str]

    @property
    def build_args(self) -> str:
        """A JSON object: arguments that image builds need on this machine."""
        return self.exported["LOCAL_AWS_BUILD_ARGS"]

    @property
    def environment(self) -> dict[str, str]:
        """What a child process needs to use it."""
        return environment(self.exported, self.engine)


# --- up


def up(places: Places, progress: Progress, asked: str = "") -> Cloud:
    """Bring everything up that is not up yet. Raises the first LocalError of any part; what runs stays.

    `asked`: which provider; without it LOCAL_AWS_PROVIDER says so, or the cloud keeps the one it has. Tests that run
    side by side all begin with it, so one at a time.
    """
    project = read_project(places.root)
    kind = provider.wanted(places, asked or os.environ.get(provider.VARIABLE, ""))
    for folder in (places.run, places.logs, places.state, places.pulumi_home):
        folder.mkdir(parents=True, exist_ok=True)
    dockerd.need_disk(str(places.runtime))
    with ExitStack() as held:
        with progress.running("slot") as say:
            held.enter_context(only_one(places.run / "up.lock", say))
            places = slots.take(places, emulator_process.need_ports, say)
        return _up(places, project, kind, progress)


def _up(places: Places, project: Project, kind: provider.Kind, progress: Progress) -> Cloud:
    write_overlays(project, places.stacks)
    parts = Parts(progress)
    engine = parts.begin("engine", lambda say: ensure_engine(places.cache, say).bin)
    interpreter = parts.begin("emulator's packages", lambda say: emulator_process.ensure_environment(places.cache, say))
    docker = parts.begin("docker", lambda say: _ensure_docker(places, say))
    base = parts.begin("base image", lambda say: ensure_base_image(places.cache, say), after=[docker])
    for server in project.servers:
        parts.begin(f"{server} image", partial(IMAGES[server].ensure, places.cache), after=[docker])
    parts.begin(
        "emulator", lambda say: _ensure_emulator(places, interpreter.result(), say), after=[docker, interpreter]
    )
    parts.begin("provider", lambda say: provider.ensure(places, kind, say))
    parts.begin("stacks", lambda say: _ensure_stacks(places, project, engine.result(), say), after=[engine])
    parts.join()
    exported = exports(places, json.dumps(build_args(base.result())), project.variables(places.stacks))
    _write(places.generated, render_generated(exported, engine.result()))
    return Cloud(places, engine.result(), exported)


def current(places: Places) -> Cloud | None:
    """The cloud that `up` left, if its emulator still runs; nothing is started."""
    places = places.held()
    if not places.generated.exists() or emulator_process.running(places) is None:
        return None
    exported, engine = read_generated(places.generated.read_text())
    return Cloud(places, engine, exported)


def _ensure_docker(places: Places, say: Say) -> None:
    with slots.alone(places.shared):
        dockerd.ensure(places, say)
    dockercli.ensure_network(places)


def _ensure_emulator(places: Places, interpreter: Path, say: Say) -> None:
    if started := emulator_process.running(places):
        emulator_process.wait_until_ready(places, started, say)
        write_bundle(places.authority, places.ca_bundle)
        say(f"runs since {processes.clock(started.since)}")
        return
    if emulator_process.stop(places):
        say("removed what an earlier emulator left running")
    emulator_process.start(places, interpreter, say)
    write_bundle(places.authority, places.ca_bundle)
    say(f"answers at {places.endpoint}")


def _ensure_stacks(places: Places, project: Project, engine: Path, say: Say) -> None:
    """Make the stacks that do not exist yet, all at once.

    `stack init` may write into the stack file, so it works on copies: no file of the project is ever changed.
    """
    stacks = places.state / ".pulumi/stacks" / project.name
    missing = [name for name in project.stacks if not (stacks / f"{name}.json").exists()]
    if not missing:
        say("there already" if project.stacks else "the project has none")
        return
    with tempfile.TemporaryDirectory(dir=places.runtime) as folder:
        (Path(folder) / "Pulumi.yaml").write_text(f"name: {project.name}\nruntime: python\n")
        for settings in places.stacks.glob("Pulumi.*.yaml"):
            shutil.copy(settings, folder)
        child = environment(exports(places), engine)
        run = [_stack_init(engine, f"organization/{project.name}/{name}", folder, child) for name in missing]
        for name, process in zip(missing, run, strict=True):
            output = process.communicate()[0]
            if process.returncode:
                raise LocalError(f"The stack {name} could not be made.", why=output.strip())
    say(f"made {', '.join(missing)}")


def _stack_init(engine: Path, name: str, folder: str, child: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [str(engine / "pulumi"), "stack", "init", name, "--no-select"]
    return subprocess.Popen(
        [*command, "--non-interactive", "--cwd", folder],
        env=child, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


# --- things that happen side by side


class Parts:
    """Starts each part in a thread once those that it comes after are done.

    When one fails, parts that have not begun never begin, and `join` raises the first failure at once: a missing
    Docker is reported before a build of three minutes has ended. What still runs dies with the process.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._futures: dict[Future[Any], str] = {}

    def begin(self, name: str, work: Callable[[Say], T], after: Sequence[Future[Any]] = ()) -> Future[T]:
        future: Future[T] = Future()
        self._futures[future] = name
        threading.Thread(target=self._run, args=(name, work, after, future), daemon=True).start()
        return future

    def join(self) -> None:
        done, _ = wait(self._futures, return_when=FIRST_EXCEPTION)
        failures = [error for future in done if (error := future.exception())]
        for error in failures:
            if not isinstance(error, NotBegun):
                raise error

    def _run(self, name: str, work: Callable[[Say], T], after: Sequence[Future[Any]], future: Future[T]) -> None:
        wait(after)
        try:
            if any(earlier.exception() for earlier in after):
                raise NotBegun(name)
            with self._progress.running(name) as say:
                future.set_result(work(say))
        except BaseException as error:
            future.set_exception(error)


class NotBegun(Exception):
    """A part whose predecessor failed."""


# --- down


@dataclass(frozen=True)
class Removed:
    """How many of each there were; `kept` says in words what was left on purpose."""

    processes: int
    containers: int
    networks: int
    dockerd: bool
    kept: tuple[str, ...] = ()
    images: int = 0
    volumes: int = 0

    def __add__(self, other: Removed) -> Removed:
        return Removed(
            self.processes + other.processes,
            self.containers + other.containers,
            self.networks + other.networks,
            self.dockerd or other.dockerd,
            self.kept + other.kept,
            self.images + other.images,
            self.volumes + other.volumes,
        )


def down(places: Places, say: Say, *, keep_state: bool = False, inner: bool = True) -> Removed:
    """Remove all that `up` and the updates made, in any state; then check that nothing is left.

    Clouds whose folder is in this one's go first (`inner`). Raises LocalError naming what could not be removed. Caches
    and images with a tag stay: they make the next start quick.
    """
    gone = [down(each, say, keep_state=keep_state) for each in within(places)] if inner else []
    return reduce(Removed.__add__, gone, _down(places, say, keep_state=keep_state))


def within(places: Places) -> list[Places]:
    """The clouds whose folders are in this one's: after an interrupted test they are still there."""
    found = (Path(claim.runtime) for claim in slots.others_of(places))
    return [replace(places, runtime=each).held() for each in found if each.is_relative_to(places.runtime)]


def _down(places: Places, say: Say, *, keep_state: bool) -> Removed:
    gone = emulator_process.stop(places)  # first: it would replace the containers
    answers = dockercli.answers() is not None
    containers = dockercli.remove_containers(places) if answers else 0
    networks = dockercli.remove_networks(places) if answers else 0
    volumes = dockercli.remove_volumes(places) if answers and not keep_state else 0
    images = dockercli.remove_untagged_images(places) if answers and not keep_state else 0
    left, held = leftovers(places, keep_state=keep_state) if answers else ([], [])
    with slots.alone(places.shared):
        if not left:
            slots.let_go(places, keep=keep_state)
        stopped = dockerd.stop(places, [one.runtime for one in slots.others_of(places) if one.up], say)
    _unmount(places.runtime)
    remove_files(places, keep_state=keep_state)
    left += [f"process {pid} ({processes.command_of(pid)[:80]})" for pid in emulator_process.everything(places)]
    if left:
        raise LocalError(
            "Not everything could be removed: " + ", ".join(left) + ".",
            next_step="`local-aws down` again; `local-aws doctor` says what is wrong",
        )
    kept = ((str(places.state),) if keep_state else ()) + tuple(held)
    return Removed(gone, containers, networks, stopped, kept, images, volumes)


def leftovers(places: Places, *, keep_state: bool = False) -> tuple[list[str], list[str]]:
    """What could not be removed; and empty networks that Docker keeps: nothing runs there, and only a restart
    of Docker removes them. Volumes are part of the state."""
    found = dockercli.ours(places)
    held = [name for name in found.networks if dockercli.empty(name)]
    left = [f"container {name}" for name in found.containers]
    left += [f"network {name}" for name in found.networks if name not in held]
    left += [] if keep_state else [f"volume {name}" for name in found.volumes]
    return left, [f"network {name}, which is empty and which Docker holds until it is started anew" for name in held]


def remove_files(places: Places, *, keep_state: bool) -> None:
    """Those of this cloud: its states and all that lies next to them, unless these are kept."""
    state = () if keep_state else (places.state, places.emulator)
    for folder in (*state, places.edge, places.pulumi_home, places.stacks, places.emulator_path):
        shutil.rmtree(folder, ignore_errors=True)
    places.generated.unlink(missing_ok=True)
    if not keep_state:
        places.provider.unlink(missing_ok=True)


def _unmount(folder: Path) -> None:
    """Nothing is mounted there in an ordinary run; an interrupted one may have left something."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if Path(m).is_relative_to(folder)), reverse=True):
        subprocess.run(["umount", "--lazy", mount], capture_output=True)
