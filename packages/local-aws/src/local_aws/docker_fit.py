"""Is a Docker fit for the local cloud? Judged by its own words. Pure: texts in, errors and cautions out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.errors import LocalError

OLDEST = (20, 10)
TRIED = ("overlay2", "overlayfs", "btrfs", "zfs")  # overlayfs: containerd's, the default of Docker 29


@dataclass(frozen=True, kw_only=True)
class Docker:
    """What matters of `docker info`. `errors`: why there is no answer, "" when there is one."""

    version: str
    driver: str = "overlay2"
    root: str = "/var/lib/docker"
    cgroup_driver: str = "cgroupfs"
    cgroup_version: str = "2"
    limits_memory: bool = True
    shares_cpu: bool = True
    forwards: bool = True
    rootless: bool = False
    system: str = ""
    errors: str = ""


def parse(info: Mapping[str, Any]) -> Docker:
    """From `docker info --format '{{json .}}'`; `version` is "" when no server answered."""
    return Docker(
        version=str(info.get("ServerVersion") or ""),
        driver=str(info.get("Driver") or ""),
        root=str(info.get("DockerRootDir") or ""),
        cgroup_driver=str(info.get("CgroupDriver") or ""),
        cgroup_version=str(info.get("CgroupVersion") or "1"),
        limits_memory=bool(info.get("MemoryLimit")),
        shares_cpu=bool(info.get("CPUShares")),
        forwards=bool(info.get("IPv4Forwarding")),
        rootless=any("name=rootless" in option for option in info.get("SecurityOptions") or ()),
        system=str(info.get("OperatingSystem") or ""),
        errors=" ".join(info.get("ServerErrors") or ()),
    )


def refuse_unfit(docker: Docker) -> None:
    """Raises LocalError for a Docker on which the local cloud cannot work."""
    found = tuple(int(part) for part in re.findall(r"\d+", docker.version)[:2])
    if len(found) < 2 or found < OLDEST:
        raise LocalError(
            f"Docker is {docker.version}; 20.10 or newer is needed.",
            why="older ones lack what the local cloud asks of networks and image digests, or it is no Docker Engine",
            next_step="install a newer Docker Engine: https://docs.docker.com/engine/install/",
        )


def cautions(docker: Docker) -> list[str]:
    """What works, but less well or less truly; each a sentence without its full stop, with the way out."""
    found = []
    if docker.driver == "vfs":
        found.append(
            "storage driver vfs copies the whole image for each container, slowly and at the cost of disk: put"
            f" {docker.root} on ext4 or xfs, where Docker uses overlay2"
        )
    elif docker.driver == "fuse-overlayfs":
        found.append("storage driver fuse-overlayfs is slower than overlay2, which needs a newer kernel or root")
    elif docker.driver not in TRIED:
        found.append(f"storage driver {docker.driver} has not been tried here: overlay2 has")
    if docker.cgroup_driver == "none" or not docker.limits_memory:
        found.append(
            "memory limits of tasks are not enforced, so none ever ends with OutOfMemoryError: mount the memory cgroup"
            " (kernel option cgroup_enable=memory), and restart Docker"
        )
    if not docker.shares_cpu:
        found.append("CPU shares are not enforced, so one busy task may starve the others: mount the cpu cgroup")
    if not docker.forwards:
        found.append("containers and image builds reach nothing outside: sysctl -w net.ipv4.ip_forward=1")
    return found


# --- errors


def missing(command: str) -> LocalError:
    return LocalError(
        f"`{command}` is not installed.",
        why="the local cloud runs real containers",
        next_step="Debian and Ubuntu: sudo apt-get install --no-install-recommends docker.io; elsewhere: Docker Engine"
        " 20.10 or newer, https://docs.docker.com/engine/install/",
    )


def elsewhere(docker: Docker, gateway: str, environ: Mapping[str, str]) -> LocalError:
    """Containers have addresses, but not on this machine."""
    host = environ.get("DOCKER_HOST", "")
    if docker.rootless:
        why, do = "it runs rootless, in a network of its own", "use the system's Docker: docker context use default"
    elif "Desktop" in docker.system:
        why, do = (
            "Docker Desktop runs them in a virtual machine",
            "install Docker Engine next to it, or work in a Linux VM",
        )
    elif host:
        why, do = f"DOCKER_HOST is {host}, which is another machine or network", "unset DOCKER_HOST"
    else:
        why = f"the network's gateway {gateway} is no address of this machine"
        do = "docker context ls; use the Docker Engine of this very machine"
    return LocalError(
        "The load balancer cannot reach this Docker's containers.",
        why=f"{why}; the local cloud sends requests to each container's own address",
        next_step=do,
    )


def none_runs(said: str) -> bool:
    """The client found no daemon at all, in its own words: those of 20.10 and those of 29."""
    return bool(
        re.search(r"cannot connect to the docker daemon|failed to connect to the docker api", said, re.IGNORECASE)
    )


def unreachable(said: str, *, user: str, root: bool, in_group: bool, host: str = "") -> LocalError:
    """`said`: the client's words. `in_group`: the system's files say that `user` is in the group docker."""
    if "permission denied" in said.lower():
        what = f"User {user} may not use Docker."
        if in_group:
            log_in = "log out and in again, or in this shell: newgrp docker"
            return LocalError(
                what, why="this session began before the user came into the group docker", next_step=log_in
            )
        return LocalError(
            what,
            why="the user is not in the group docker",
            next_step=f"sudo usermod -aG docker {user}, then log out and in again (or: newgrp docker)",
        )
    if re.search(r"client version .* is too (new|old)", said):
        return LocalError(
            "The docker command and the Docker daemon do not fit together.",
            why=said,
            next_step="install both from one release; until then: export DOCKER_API_VERSION=, the daemon's version",
        )
    if host:
        return LocalError(
            f"No Docker answers at DOCKER_HOST={host}.", why=said, next_step="start it there, or unset DOCKER_HOST"
        )
    if not none_runs(said):
        return LocalError("Docker gives no sensible answer.", why=said, next_step="docker info, until that works")
    start = "sudo systemctl start docker (without systemd: sudo sh -c 'dockerd >/var/log/dockerd.log 2>&1 &')"
    return LocalError(
        "Docker does not run.",
        why=said if root else f"only root can start it, and this is user {user}",
        next_step=start,
    )


COMPLAINTS = (
    (
        r"iptables|nat table|NAT chain",
        "dockerd needs iptables and the kernel's nat table: apt-get install iptables, or"
        " update-alternatives --set iptables /usr/sbin/iptables-legacy; in a container: --cap-add NET_ADMIN",
    ),
    (
        r"cgroup",
        "mount the control groups: mount -t cgroup2 none /sys/fs/cgroup (in a container: docker run --privileged)",
    ),
    (
        r"graphdriver|overlay|storage-driver|driver not supported",
        'no storage driver works on /var/lib/docker: put it on ext4 or xfs, or {"storage-driver": "vfs"} (slow) into'
        " /etc/docker/daemon.json",
    ),
    (r"read-only file system", "put /var/lib/docker on a file system that can be written, and TMPDIR, if it is set"),
    (r"no space left", "free some space: docker system df, df -h /var/lib"),
    (
        r"pid file found|is already running|timeout waiting for containerd",
        "is another dockerd there? pgrep -a dockerd; end it",
    ),
    (
        r"permission denied|operation not permitted|must be root|needs to be started with root",
        "dockerd needs a machine that lets root do everything; in a container: docker run --privileged",
    ),
)


def next_step_for(complaint: str, log: str) -> str:
    """What to do about a dockerd that gave up with these words."""
    known = (step for pattern, step in COMPLAINTS if re.search(pattern, complaint, re.IGNORECASE))
    return next(known, f"read {log}; containers need a kernel with overlayfs, cgroups and iptables")
