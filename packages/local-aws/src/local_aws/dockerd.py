"""Docker on this machine: used as it is when it runs, started when it does not, and only then stopped again.

All local clouds of a machine use the same one. If one of them started it, the last one that goes down stops it, and
removes what a dockerd leaves in the kernel (local_aws/firewall.py). Callers hold `slots.alone`.
"""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from local_aws import docker_fit, dockercli, firewall, processes
from local_aws.docker_fit import Docker
from local_aws.errors import LocalError
from local_aws.logs import last_lines
from local_aws.places import Places
from local_aws.toolchain.cache import Say

NAME = "dockerd"
START_WITHIN = 60.0  # seconds
STOP_WITHIN = 15.0  # seconds
DISK_NEEDED = 2 * 2**30  # bytes
ROOT = "/var/lib/docker"  # of images and containers, unless Docker says otherwise


def ensure(places: Places, say: Say) -> None:
    """A Docker that answers and is fit. Raises LocalError saying what keeps it from that."""
    try:
        docker = dockercli.look()
    except LocalError as error:
        if not may_start(error):
            raise unreachable(error) from error
        docker = _start(places, say)
    else:
        say(f"Docker {docker.version}, " + ("started by a local cloud" if ours_runs(places) else "not started by us"))
    docker_fit.refuse_unfit(docker)
    need_disk(docker.root)
    for caution in docker_fit.cautions(docker):
        say(f"Docker {docker.version}; careful: {caution}")


def may_start(error: LocalError) -> bool:
    """Only a dockerd of this machine that is not there, and by root."""
    return docker_fit.none_runs(error.why) and "DOCKER_HOST" not in os.environ and os.geteuid() == 0


def unreachable(error: LocalError) -> LocalError:
    """Why this user has no Docker, and what to do."""
    if not shutil.which("docker"):
        return docker_fit.missing("docker")
    user = getpass.getuser()
    return docker_fit.unreachable(
        error.why, user=user, root=os.geteuid() == 0, in_group=_in_group(user), host=os.environ.get("DOCKER_HOST", "")
    )


def _in_group(user: str) -> bool:
    """By the system's files; this session may be older."""
    try:
        group = grp.getgrnam("docker")
        return user in group.gr_mem or pwd.getpwnam(user).pw_gid == group.gr_gid
    except KeyError:
        return False


def _start(places: Places, say: Say) -> Docker:
    command = shutil.which("dockerd") or shutil.which("dockerd", path="/usr/sbin:/sbin")
    if command is None:
        raise docker_fit.missing("dockerd")
    need_disk(ROOT)
    say("starting dockerd")
    places.daemon.mkdir(parents=True, exist_ok=True)
    log_of(places).unlink(missing_ok=True)
    firewall.note(firewall.look(), _before(places))
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    started = processes.spawn(
        places.daemon, NAME, [command], log=log_of(places), environment=environment, cwd=Path("/")
    )
    return _wait_until_it_answers(places, started, say)


def ours_runs(places: Places) -> processes.Started | None:
    """The dockerd that a local cloud of this machine started. Only root writes that folder."""
    return processes.find(places.daemon, NAME)


def log_of(places: Places) -> Path:
    return places.daemon / f"{NAME}.log"


def _before(places: Places) -> Path:
    return places.daemon / "before.json"


def _wait_until_it_answers(places: Places, started: processes.Started, say: Say) -> Docker:
    begin = time.monotonic()
    while not dockercli.answers():
        waited = time.monotonic() - begin
        if not started.alive or waited > START_WITHIN:
            why = complaint(places)
            raise LocalError(
                "dockerd did not come up.", why=why, next_step=docker_fit.next_step_for(why, str(log_of(places)))
            )
        say(f"waiting for dockerd, {waited:.0f} s")
        time.sleep(0.1)
    docker = dockercli.look()
    say(f"Docker {docker.version}, started")
    return docker


def need_disk(folder: str) -> None:
    """Raises LocalError; `folder` need not exist yet."""
    free = free_bytes(folder)
    if free < DISK_NEEDED:
        raise LocalError(
            f"Too little disk under {folder}: {free / 2**30:.1f} GB are free.",
            why=f"images and containers need {DISK_NEEDED / 2**30:.0f} GB",
            next_step="free some space: df -h, docker system df; docker image prune removes images that have no name",
        )


def free_bytes(folder: str) -> int:
    """On the disk where `folder` is, or will be made."""
    there = Path(folder)
    while not os.path.exists(there):  # also where this user may not look
        there = there.parent
    return shutil.disk_usage(there).free


def stop(places: Places, users: Sequence[str], say: Say) -> bool:
    """Stop the dockerd that a local cloud started, unless it is still needed. True if it was stopped.

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
    if before := firewall.noted(_before(places)):
        firewall.restore(before)
        _before(places).unlink(missing_ok=True)
    return True


def _needed(users: Sequence[str]) -> str:
    if users:
        return f"the local cloud of {users[0]} uses it" + (f", and {len(users) - 1} more" if users[1:] else "")
    strangers = dockercli.docker("ps", "--quiet").split() if dockercli.answers() else []
    return f"{len(strangers)} containers that are not ours run in it" if strangers else ""


def _not_mine(started: processes.Started) -> str:
    return "" if os.geteuid() == 0 else f"root started it, and only root can stop it: sudo kill {started.pid}"


def complaint(places: Places) -> str:
    """The reason in its log: the last line about a failure, since its very last lines are about connections."""
    lines = last_lines(log_of(places), 200).splitlines()
    reasons = [line.strip() for line in lines if re.search(r"failed to start|level=(fatal|error)", line)]
    return reasons[-1] if reasons else last_lines(log_of(places), 6)
