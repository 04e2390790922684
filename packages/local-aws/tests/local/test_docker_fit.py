"""What is said of a Docker that is missing, unreachable or unusual: what, why, and the command that fixes it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from local_aws.docker_fit import (
    Docker,
    cautions,
    elsewhere,
    missing,
    next_step_for,
    none_runs,
    parse,
    refuse_unfit,
    unreachable,
)
from local_aws.errors import LocalError

pytestmark = pytest.mark.pure

GOOD = Docker(version="24.0.7", system="Ubuntu 24.04 LTS")

# As `docker info --format '{{json .}}'` printed it on Debian 12; what is not read here is left out.
DEBIAN: dict[str, Any] = {
    "Driver": "overlay2", "MemoryLimit": True, "CPUShares": True, "IPv4Forwarding": True, "CgroupDriver": "cgroupfs",
    "CgroupVersion": "1", "OperatingSystem": "Debian GNU/Linux 12 (bookworm)", "DockerRootDir": "/var/lib/docker",
    "ServerVersion": "20.10.24+dfsg1", "SecurityOptions": ["name=seccomp,profile=default"],
}  # fmt: skip


def test_an_ordinary_docker_is_fit_and_calls_for_no_care() -> None:
    found = parse(DEBIAN)
    assert (found.version, found.driver, found.cgroup_version) == ("20.10.24+dfsg1", "overlay2", "1")
    refuse_unfit(found)
    assert cautions(found) == []


def test_a_client_without_a_server_says_why() -> None:
    found = parse({"ServerErrors": ["Cannot connect to the Docker daemon at unix:///x."], "ClientInfo": {}})
    assert found.version == ""
    assert "Cannot connect" in found.errors


@pytest.mark.parametrize("version", ["19.03.15", "20.9.0", "", "podman"])
def test_an_old_or_strange_docker_is_refused(version: str) -> None:
    with pytest.raises(LocalError, match=r"20\.10 or newer"):
        refuse_unfit(replace(GOOD, version=version))


@pytest.mark.parametrize("version", ["20.10.0", "24.0.7", "29.1.3-rc.1"])
def test_newer_ones_are_not(version: str) -> None:
    refuse_unfit(replace(GOOD, version=version))


@pytest.mark.parametrize(
    ("unusual", "said"),
    [
        ({"driver": "vfs", "root": "/data"}, "vfs copies the whole image .* put /data on ext4 or xfs"),
        ({"driver": "fuse-overlayfs"}, "fuse-overlayfs is slower"),
        ({"driver": "devicemapper"}, "devicemapper has not been tried"),
        ({"cgroup_driver": "none"}, "memory limits .* not enforced.*cgroup_enable=memory"),
        ({"limits_memory": False}, "memory limits .* not enforced"),
        ({"shares_cpu": False}, "CPU shares .* not enforced"),
        ({"forwards": False}, r"sysctl -w net\.ipv4\.ip_forward=1"),
    ],
)
def test_what_works_less_well_is_said_with_the_way_out(unusual: dict[str, Any], said: str) -> None:
    (caution,) = cautions(replace(GOOD, **unusual))
    assert re.search(said, caution), caution


@pytest.mark.parametrize("driver", ["overlay2", "overlayfs", "btrfs", "zfs"])
def test_these_storage_drivers_are_all_the_same_to_us(driver: str) -> None:
    assert cautions(replace(GOOD, driver=driver)) == []


@pytest.mark.parametrize(
    ("docker", "environ", "why", "do"),
    [
        (replace(GOOD, rootless=True), {}, "rootless", "docker context use default"),
        (replace(GOOD, system="Docker Desktop"), {}, "virtual machine", "Docker Engine"),
        (GOOD, {"DOCKER_HOST": "ssh://far"}, "DOCKER_HOST is ssh://far", "unset DOCKER_HOST"),
        (GOOD, {}, "gateway 172.18.0.1 is no address of this machine", "docker context ls"),
    ],
)
def test_containers_that_are_elsewhere_cannot_be_reached(
    docker: Docker, environ: dict[str, str], why: str, do: str
) -> None:
    error = elsewhere(docker, "172.18.0.1", environ)
    assert why in error.why
    assert do in error.next_step


def test_rootless_is_read_from_the_security_options() -> None:
    assert parse(DEBIAN | {"SecurityOptions": ["name=seccomp", "name=rootless"]}).rootless
    assert not parse(DEBIAN).rootless


DENIED = "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"
AWAY = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


@pytest.mark.parametrize(
    ("said", "given", "what", "do"),
    [
        (DENIED, {}, "ann may not use Docker", "sudo usermod -aG docker ann"),
        (DENIED, {"in_group": True}, "ann may not use Docker", "newgrp docker"),
        (AWAY, {}, "Docker does not run", "sudo systemctl start docker"),
        (AWAY, {"host": "tcp://x:1"}, "No Docker answers at DOCKER_HOST=tcp://x:1", "unset DOCKER_HOST"),
    ],
)
def test_a_docker_that_cannot_be_reached_is_reported_with_its_reason(
    said: str, given: dict[str, Any], what: str, do: str
) -> None:
    error = unreachable(said, **({"user": "ann", "root": False, "in_group": False} | given))
    assert what in error.what
    assert do in error.next_step


AWAY_29 = (
    "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the "
    "daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory"
)
UNFIT = "Error response from daemon: client version 1.52 is too new. Maximum supported API version is 1.41"


def test_a_dockerd_is_only_missing_if_no_process_listens() -> None:
    assert none_runs(AWAY)
    assert none_runs(AWAY_29)
    assert not none_runs(UNFIT)
    assert not none_runs(DENIED)


def test_a_client_that_does_not_fit_the_daemon_starts_none() -> None:
    error = unreachable(UNFIT, user="root", root=True, in_group=True)
    assert "do not fit together" in error.what
    assert "1.41" in error.why
    assert "DOCKER_API_VERSION" in error.next_step


def test_unknown_words_are_passed_on() -> None:
    error = unreachable("something new", user="root", root=True, in_group=True)
    assert (error.what, error.why) == ("Docker gives no sensible answer.", "something new")


def test_a_user_who_cannot_start_docker_learns_that_only_root_can() -> None:
    assert "only root can start it" in unreachable(AWAY, user="ann", root=False, in_group=True).why


# What dockerd's log said last, and what is to be done.
@pytest.mark.parametrize(
    ("complaint", "do"),
    [
        (
            "failed to create NAT chain DOCKER: iptables failed: table does not exist",
            "update-alternatives --set iptables",
        ),
        ("Devices cgroup isn't mounted", "mount -t cgroup2"),
        ("error initializing graphdriver: driver not supported", "storage-driver"),
        ("mkdir /var/lib/docker/tmp: no space left on device", "docker system df"),
        ("chmod /var/lib/docker: read-only file system", "a file system that can be written"),
        ("pid file found, ensure docker is not running or delete /var/run/docker.pid", "pgrep -a dockerd"),
        ("chmod /var/run/docker: operation not permitted", "docker run --privileged"),
        ("something never seen before", "read /the/log"),
    ],
)
def test_what_dockerd_complains_of_leads_to_the_fix(complaint: str, do: str) -> None:
    assert do in next_step_for(complaint, "/the/log")


def test_a_missing_command_is_named_with_what_installs_it() -> None:
    error = missing("dockerd")
    assert "`dockerd` is not installed" in error.what
    assert "docker.io" in error.next_step
