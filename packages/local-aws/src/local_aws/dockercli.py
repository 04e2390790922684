"""Docker, by its own client: what a local cloud asks of it, and what the cloud has there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from local_aws import docker_fit, processes
from local_aws.docker_fit import Docker
from local_aws.errors import LocalError
from local_aws.places import Places

CLOUD, GROUP = "local-aws.cloud", "local-aws.group"
EARLIER = "release-lane.cloud"  # the label that earlier versions gave; `down` still finds what they left
FOLDER = "local-aws.folder"  # on networks: for a person who finds one
GATEWAY = "{{(index .IPAM.Config 0).Gateway}}"


@dataclass(frozen=True)
class Found:
    """What this cloud has in Docker."""

    containers: tuple[str, ...]
    networks: tuple[str, ...]
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Container:
    """`group` is what ECS calls it: `service:<name>`, or `family:<name>` for a task of its own. `database:<name>` is an
    instance of RDS, `cache:<name>` a node of ElastiCache. `since` in words."""

    name: str
    status: str
    image: str
    group: str
    since: str


def docker(*arguments: str, timeout: float = 60.0) -> str:
    """Run the docker client; its stdout. Raises LocalError with its own words."""
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise docker_fit.missing("docker") from None
    except subprocess.TimeoutExpired:
        raise LocalError(
            f"`docker {' '.join(arguments[:3])}` gave no answer within {timeout:.0f} s.",
            why="the Docker daemon hangs",
            next_step="look at its log (`local-aws logs dockerd`), or restart it",
        ) from None
    if done.returncode:
        raise LocalError(f"`docker {' '.join(arguments[:4])}` failed.", why=done.stderr.strip())
    return done.stdout.strip()


def answers() -> str | None:
    """The server's version, or None when no Docker can be reached."""
    try:
        return docker("version", "--format", "{{.Server.Version}}", timeout=10) or None
    except LocalError:
        return None


def look() -> Docker:
    """What Docker says of itself. Raises LocalError when none can be reached: `why` has the client's words."""
    said = docker("info", "--format", "{{json .}}", timeout=10)
    found = docker_fit.parse(json.loads(said))
    if not found.version:
        raise LocalError("Docker cannot be reached.", why=found.errors)
    return found


# --- the network


def ensure_network(places: Places) -> None:
    """The bridge on which every task has an address of its own.

    Raises LocalError when that address is not on this machine: then no load balancer could reach a task.
    """
    try:
        gateway = docker("network", "inspect", places.network, "--format", GATEWAY)
    except LocalError:
        marks = ("--label", f"{CLOUD}={places.cloud_id}", "--label", f"{FOLDER}={places.runtime}")
        docker("network", "create", *marks, places.network)
        gateway = docker("network", "inspect", places.network, "--format", GATEWAY)
    if gateway and processes.refusal_to_bind(gateway, 0):
        raise docker_fit.elsewhere(look(), gateway, os.environ)


# --- what this cloud has


def ours(places: Places) -> Found:
    marks = [("--quiet", "--filter", f"label={label}={places.cloud_id}") for label in (CLOUD, EARLIER)]
    containers = [name for mark in marks for name in docker("ps", "--all", *mark).split()]
    networks = [name for mark in marks for name in docker("network", "ls", *mark).split()]
    volumes = docker("volume", "ls", "--quiet", "--filter", f"label={CLOUD}={places.cloud_id}").split()
    return Found(tuple(containers), tuple(networks), tuple(volumes))


def remove_containers(places: Places) -> int:
    """Kill and remove every container of this cloud; how many there were."""
    containers = ours(places).containers
    _each_at_once(["rm", "--force", "--volumes"], containers)
    return len(containers)


def remove_volumes(places: Places) -> int:
    """What databases keep; after their containers."""
    volumes = ours(places).volumes
    _each_at_once(["volume", "rm"], volumes)
    return len(volumes)


def remove_networks(places: Places) -> int:
    networks = ours(places).networks
    _each_at_once(["network", "rm"], networks)
    return len(networks)


def empty(network: str) -> bool:
    """Is no container in it? Docker may refuse to remove such a one too ("has active endpoints"), after a container of
    it ended while it was being started; it forgets that when it is started anew."""
    return docker("network", "inspect", network, "--format", "{{len .Containers}}") == "0"


def remove_untagged_images(places: Places) -> int:
    """What tasks pulled by digest from this cloud's registry, which ends with it; how many there were.

    By names, not by ids: an image that has a tag, or a name in another cloud's registry, keeps that. A cloud without a
    slot has no registry: the port that it would get first may be another one's.
    """
    if not places.slot_file.exists():
        return 0
    registries = tuple(f"{host}:{places.port}/" for host in ("localhost", "127.0.0.1"))
    rows = _rows("image", "ls", "--digests", "--no-trunc")
    ours = [row for row in rows if row["Repository"].startswith(registries) and row["Tag"] == "<none>"]
    names = [f"{row['Repository']}@{row['Digest']}" for row in ours if row["Digest"] != "<none>"]
    _each_at_once(["image", "rm"], names)
    return len(names)


def _each_at_once(command: list[str], names: Sequence[str]) -> None:
    """One client call for all. A name that is gone by now is no error: what is left is looked for afterwards."""
    if names:
        subprocess.run(["docker", *command, *names], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


def containers(places: Places) -> list[Container]:
    """Each container of this cloud, by name."""
    rows = _rows("ps", "--all", "--filter", f"label={CLOUD}={places.cloud_id}")
    found = [
        Container(
            name=row["Names"],
            status=row["Status"],
            image=row["Image"],
            group=_label(row, GROUP),
            since=row["RunningFor"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda each: (each.group, each.name))


def container_pids(places: Places) -> set[int]:
    """Processes of all containers of this cloud, as this machine numbers them."""
    running = docker("ps", "--quiet", "--no-trunc", "--filter", f"label={CLOUD}={places.cloud_id}").split()
    return processes.in_containers(running) if running else set()


def networks_by_folder() -> list[tuple[str, str, str]]:
    """(network, cloud id, folder) of every local cloud that has one in this Docker."""
    rows = _rows("network", "ls", "--filter", f"label={FOLDER}")
    return [(row["Name"], _label(row, CLOUD), _label(row, FOLDER)) for row in rows]


def _rows(*arguments: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in docker(*arguments, "--format", "{{json .}}").splitlines()]


def _label(row: dict[str, str], name: str) -> str:
    """`docker ps` gives all labels in one text, `a=1,b=2`."""
    pairs = (pair.partition("=") for pair in row["Labels"].split(","))
    return next((value for key, _, value in pairs if key == name), "")
