"""What runs now, where, since when, and its memory. Reads only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from local_aws import dockercli, dockerd, emulator_process, processes, provider, slots
from local_aws.dockercli import Container
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.project import outdated, read_project


@dataclass(frozen=True)
class Other:
    """Another local cloud of this machine. `up` as it says of itself."""

    slot: int
    folder: str
    up: bool


@dataclass(frozen=True, kw_only=True)
class Status:
    """`since`: seconds since the epoch. `memory`: bytes, each shared page once, of the emulator, its load balancer, all
    containers, and dockerd if a local cloud started it. `kept`: there is a state that the next `up` continues.
    `stack_files`: what is wrong with the overlays of stack files, "" if nothing is. `provider`: which one serves, in
    words.
    """

    up: bool
    slot: int
    endpoint: str
    balancers: str
    since: float | None
    memory: int
    processes: tuple[str, ...] = ()
    docker: str | None = None
    docker_ours: bool = False
    containers: tuple[Container, ...] = ()
    urls: tuple[tuple[str, str], ...] = ()
    others: tuple[Other, ...] = ()
    kept: bool = False
    stack_files: str = ""
    provider: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; `urls` by the load balancer's name."""
        return {**asdict(self), "urls": dict(self.urls)}


def status(places: Places) -> Status:
    places = places.held()
    started = emulator_process.running(places)
    pids = emulator_process.everything(places)
    version = dockercli.answers()
    return Status(
        up=started is not None and emulator_process.is_ready(places),
        slot=places.slot,
        endpoint=places.endpoint,
        balancers=f"{places.balancers}.0/24",
        since=started.since if started else None,
        memory=processes.memory_of({*pids, *_pids_at_docker(places, version)}),
        processes=tuple(f"{pid} {processes.command_of(pid)[:100]}" for pid in sorted(pids)),
        docker=version,
        docker_ours=dockerd.ours_runs(places) is not None,
        containers=tuple(dockercli.containers(places)) if version else (),
        urls=tuple(emulator_process.load_balancers(places)) if started else (),
        others=tuple(Other(one.slot, one.runtime, one.up) for one in slots.others_of(places)),
        kept=places.emulator.exists(),
        stack_files=stack_files_of(places) if started else "",
        provider=serves.what if (serves := provider.noted(places)) else "",
    )


def stack_files_of(places: Places) -> str:
    try:
        changed = outdated(read_project(places.root), places.stacks)
    except LocalError as error:
        return f"{error.what} {error.why}".strip()
    return f"changed since they were copied: {', '.join(changed)}; next: local-aws up" if changed else ""


def _pids_at_docker(places: Places, version: str | None) -> set[int]:
    daemon = dockerd.ours_runs(places)
    ours = {daemon.pid} if daemon else set()
    return {*ours, *dockercli.container_pids(places)} if version else ours


def describe(found: Status) -> list[str]:
    """The same in lines for a person."""
    return [*(_running(found) if found.up else _down(found)), *map(_other, found.others)]


def _running(found: Status) -> list[str]:
    since = processes.clock(found.since) if found.since else "?"
    docker = f"{found.docker}, {'started by a local cloud' if found.docker_ours else 'not started by us'}"
    return [
        f"The local cloud is up since {since}, {found.memory / 2**20:.0f} MB.",
        _line("emulator", found.endpoint),
        _line("slot", f"{found.slot}: load balancers are in {found.balancers}"),
        _line("docker", docker if found.docker else "does not answer; next: local-aws doctor"),
        *([_line("provider", found.provider)] if found.provider else []),
        *([_line("stack files", found.stack_files)] if found.stack_files else []),
        *(_line("process", line) for line in found.processes),
        *(_line("container", f"{one.name}  {one.status}  {one.group}".rstrip()) for one in found.containers),
        *(_line("url", f"{url}  {name}") for name, url in found.urls),
    ]


def _down(found: Status) -> list[str]:
    left = f"; {len(found.processes)} of its processes still run" if found.processes else ""
    left += f"; {len(found.containers)} of its containers are still there" if found.containers else ""
    kept = f"; its state is kept, for slot {found.slot}" if found.kept else ""
    return [f"The local cloud is down{left}{kept}. Next: local-aws up" + (", or local-aws down" if left else "")]


def _other(other: Other) -> str:
    return _line("other", f"slot {other.slot}: {other.folder}, {'up' if other.up else 'down, state kept'}")


def _line(what: str, text: str) -> str:
    return f"  {what:<11} {text}"
