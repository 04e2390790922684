"""Docker on this machine: used as it is when it runs, started when it does not, and only then stopped again.

All local clouds of a machine use one. If one of them started it, the last one that is up stops it; who starts or stops
it holds `slots.alone`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import processes
from local.errors import LocalError
from local.places import Places
from local.toolchain.cache import Say

NAME = "dockerd"
LABEL = "release-lane.cloud"
FOLDER_LABEL = "release-lane.folder"  # on networks: for a person who finds one
START_WITHIN = 60.0  # seconds
STOP_WITHIN = 15.0  # seconds
DISK_NEEDED = 2 * 2**30  # bytes


@dataclass(frozen=True)
class Found:
    """What this cloud has in Docker."""

    containers: tuple[str, ...]
    networks: tuple[str, ...]


def docker(*arguments: str, timeout: float = 60.0) -> str:
    """Run the docker client; its stdout. Raises LocalError with its own words."""
    try:
        done = subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise _missing("docker") from None
    except subprocess.TimeoutExpired:
        raise LocalError(
            f"`docker {' '.join(arguments[:3])}` gave no answer within {timeout:.0f} s.",
            why="the Docker daemon hangs",
            next_step="look at its log (python -m local logs dockerd), or restart it",
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


def refusal() -> str:
    """Why no Docker can be reached, in the client's words."""
    try:
        docker("version", "--format", "{{.Server.Version}}", timeout=10)
    except LocalError as error:
        return error.why
    return ""


def ensure(places: Places, say: Say) -> None:
    """A Docker that answers. Raises LocalError saying what keeps it from starting."""
    if version := answers():
        say(f"Docker {version}, " + ("started by a local cloud" if ours_runs(places) else "not started by us"))
        return
    command = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")
    if command is None:
        raise _missing("dockerd")
    if os.geteuid() != 0:
        raise LocalError(
            "Docker cannot be used, and only root can start it.",
            why=f"user {os.geteuid()} was told: {refusal()}",
            next_step="sudo systemctl start docker, and sudo usermod -aG docker $USER (then log in anew); or be root",
        )
    need_disk("/var/lib")
    say("starting dockerd")
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    started = processes.spawn(
        places.daemon, NAME, [command], log=log_of(places), environment=environment, cwd=Path("/")
    )
    _wait_until_it_answers(places, started, say)


def ours_runs(places: Places) -> processes.Started | None:
    """The dockerd that a local cloud of this machine started. Only root writes that folder."""
    return processes.find(places.daemon, NAME)


def log_of(places: Places) -> Path:
    return places.daemon / f"{NAME}.log"


def _wait_until_it_answers(places: Places, started: processes.Started, say: Say) -> None:
    begin = time.monotonic()
    while not (version := answers()):
        waited = time.monotonic() - begin
        if not started.alive or waited > START_WITHIN:
            raise LocalError(
                "dockerd did not come up.",
                why=complaint(places),
                next_step=f"read {log_of(places)}; containers need a kernel with overlayfs and iptables",
            )
        say(f"waiting for dockerd, {waited:.0f} s")
        time.sleep(0.1)
    say(f"Docker {version}, started")


def need_disk(folder: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < DISK_NEEDED:
        raise LocalError(
            f"Too little disk under {folder}: {free / 2**30:.1f} GB are free.",
            why=f"images and containers need {DISK_NEEDED / 2**30:.0f} GB",
            next_step="free some space (docker system df shows what Docker holds)",
        )


def ensure_network(places: Places) -> None:
    """The bridge on which every task has an address of its own."""
    if docker("network", "ls", "--quiet", "--filter", f"name=^{places.network}$"):
        return
    marks = ("--label", f"{LABEL}={places.cloud_id}", "--label", f"{FOLDER_LABEL}={places.runtime}")
    docker("network", "create", *marks, places.network)


def ours(places: Places) -> Found:
    mark = ("--quiet", "--filter", f"label={LABEL}={places.cloud_id}")
    containers = docker("ps", "--all", *mark).split()
    return Found(tuple(containers), tuple(docker("network", "ls", *mark).split()))


def remove_containers(places: Places) -> int:
    """Kill and remove every container of this cloud; how many there were."""
    containers = ours(places).containers
    _each_at_once(["rm", "--force", "--volumes"], containers)
    return len(containers)


def remove_networks(places: Places) -> int:
    networks = ours(places).networks
    _each_at_once(["network", "rm"], networks)
    return len(networks)


def _each_at_once(command: list[str], names: Sequence[str]) -> None:
    """One client call for all; something that is gone by now is no error (we look afterwards what is left)."""
    if names:
        subprocess.run(["docker", *command, *names], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


def stop(places: Places, users: Sequence[str], say: Say) -> bool:
    """Stop the dockerd that a local cloud started, unless somebody still needs it. True if it was stopped.

    `users`: folders of other local clouds that are up.
    """
    started = ours_runs(places)
    if started is None:
        return False
    if why := _needed(users) or _not_mine(started):
        say(f"dockerd keeps running: {why}")
        return False
    processes.end([started.pid], STOP_WITHIN)
    processes.forget(places.daemon, NAME)
    return True


def _needed(users: Sequence[str]) -> str:
    if users:
        return f"the local cloud of {users[0]} uses it" + (f", and {len(users) - 1} more" if users[1:] else "")
    strangers = docker("ps", "--quiet").split() if answers() else []
    return f"{len(strangers)} containers that are not ours run in it" if strangers else ""


def _not_mine(started: processes.Started) -> str:
    return "" if os.geteuid() == 0 else f"root started it, and only root can stop it: sudo kill {started.pid}"


def last_lines(log: Path, count: int) -> str:
    """The end of a log, for an error message."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "it wrote no log"
    return "\n        ".join(lines[-count:]) or "its log is empty"


def complaint(places: Places) -> str:
    """Its last words are mostly about its connections; the reason is a line that says so."""
    lines = last_lines(log_of(places), 200).splitlines()
    reasons = [line.strip() for line in lines if re.search(r"failed to start|level=(fatal|error)", line)]
    return reasons[-1] if reasons else last_lines(log_of(places), 6)


def container_names(places: Places) -> list[dict[str, str]]:
    """`{"name", "status", "image"}` of each container of this cloud."""
    form = "{{json .}}"
    listing = docker("ps", "--all", "--format", form, "--filter", f"label={LABEL}={places.cloud_id}")
    rows = [json.loads(line) for line in listing.splitlines()]
    return [{"name": row["Names"], "status": row["Status"], "image": row["Image"]} for row in rows]


def container_pids(places: Places) -> set[int]:
    """Processes of all containers of this cloud, as this machine numbers them."""
    running = docker("ps", "--quiet", "--filter", f"label={LABEL}={places.cloud_id}").split()
    listings = (docker("top", container, "-eo", "pid").splitlines()[1:] for container in running)
    return {int(line) for lines in listings for line in lines}


def _missing(command: str) -> LocalError:
    return LocalError(
        f"`{command}` is not installed.",
        why="the local cloud runs real containers",
        next_step="./bootstrap installs it on Debian as root; elsewhere install Docker Engine 20.10 or newer",
    )
