"""What `local-aws doctor` says of a machine that lacks something: what, and the command that fixes it.

Commands are small scripts in place of the real ones; nothing is started.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from local_aws import dockerd, doctor, emulator_process, processes
from local_aws.__main__ import main
from local_aws.doctor import Finding, describe
from local_aws.errors import LocalError
from local_aws.places import Places

pytestmark = pytest.mark.provider

INFO = {
    "ServerVersion": "24.0.7", "Driver": "overlay2", "MemoryLimit": True, "CPUShares": True, "IPv4Forwarding": True,
    "CgroupDriver": "systemd", "CgroupVersion": "2", "DockerRootDir": "/var/lib/docker",
}  # fmt: skip


class Machine:
    """The commands of a machine, as scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def command(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def docker(self, *, networks: str = "", **info: object) -> None:
        said = self.folder / "info.json"
        said.write_text(json.dumps(INFO | info))
        self.command(
            "docker",
            f'case "$1 $2" in info*) cat {said};; version*) echo 24.0.7;; "image inspect") exit 0;;'
            f" network*) echo '{networks}';; esac",
        )

    def docker_that_says(self, words: str) -> None:
        self.command("docker", f"echo '{words}' >&2; exit 1")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Everything is there, and root asks."""
    found = Machine(tmp_path / "bin")
    found.command("haproxy", "echo 'HAProxy version 2.8.5-1ubuntu3 2024/04/01'")
    for name in ("setpriv", "iptables", "mmdebstrap", "dockerd", "skopeo"):
        found.command(name, "exit 0")
    found.docker()
    monkeypatch.setenv("PATH", f"{found.folder}:/usr/bin:/bin")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(processes, "refusal_to_bind", lambda *_: None)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "ubuntu", "PRETTY_NAME": "Ubuntu 24.04"})
    return found


@pytest.fixture
def places(tmp_path: Path) -> Places:
    here = tmp_path / "checkout/.local"
    here.mkdir(parents=True)
    return Places(
        root=here.parent, runtime=here, cache=tmp_path, shared=tmp_path / "shared", daemon=tmp_path / "daemon"
    )


def finding(places: Places, what: str) -> Finding:
    return next(each for each in doctor.examine(places) if each.what == what)


@pytest.mark.usefixtures("machine")
def test_a_machine_that_has_everything_needs_nothing(places: Places) -> None:
    assert [each for each in doctor.examine(places) if not each.ok or each.next_step] == []
    assert finding(places, "docker").found == "24.0.7, overlay2, cgroups v2 (systemd), not started by us"
    assert finding(places, "addresses").found == "slot 0 is free: http://127.0.0.1:4566, 127.0.10.x"


def test_an_old_haproxy_is_refused_with_what_installs_a_new_one(machine: Machine, places: Places) -> None:
    machine.command("haproxy", "echo 'HA-Proxy version 2.2.9-2+deb11u6 2023/12/01'")
    found = finding(places, "haproxy")
    assert not found.ok
    assert "2.6 or newer is needed" in found.found
    assert "sudo apt-get install --no-install-recommends haproxy" in found.next_step


def test_a_missing_haproxy_stops_the_start_before_anything_runs(
    machine: Machine, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.folder / "haproxy").unlink()
    monkeypatch.setattr(shutil, "which", _only_in(machine.folder))
    with pytest.raises(LocalError, match="HAProxy is not installed") as refused:
        emulator_process.start(places, Path("/no/python"), lambda _: None)
    assert "apt-get install" in refused.value.next_step
    assert processes.find(places.run, emulator_process.NAME) is None


def _only_in(folder: Path) -> object:
    def which(name: str, **_: str) -> str | None:
        return str(folder / name) if (folder / name).exists() else None

    return which


def test_missing_commands_are_named_with_their_packages(
    machine: Machine, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docker", "dockerd", "iptables"):
        (machine.folder / name).unlink()
    monkeypatch.setattr(shutil, "which", _only_in(machine.folder))
    monkeypatch.setenv("PATH", str(machine.folder))
    found = finding(places, "commands")
    assert (found.ok, found.found) == (False, "Missing: docker, dockerd, iptables")
    assert "sudo apt-get install -y --no-install-recommends docker.io iptables" in found.next_step
    assert "`docker` is not installed" in finding(places, "docker").found


def test_a_missing_skopeo_is_a_hint_and_no_refusal(
    machine: Machine, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine.folder / "skopeo").unlink()
    monkeypatch.setattr(shutil, "which", _only_in(machine.folder))
    found = finding(places, "copying images")
    assert found.ok
    assert "only for copying images between registries" in found.found
    assert found.next_step.endswith("skopeo")


def test_a_user_outside_the_group_learns_how_to_come_in(
    machine: Machine, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("LOGNAME", "guest-here")
    machine.docker_that_says("Got permission denied while trying to connect to the Docker daemon socket")
    found = finding(places, "docker")
    assert not found.ok
    assert "sudo usermod -aG docker guest-here" in found.next_step


def test_a_docker_that_is_not_running_is_started_by_root_and_by_root_only(
    machine: Machine, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.docker_that_says("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
    assert finding(places, "docker") == Finding("docker", True, "not running; `local-aws up` starts it")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = finding(places, "docker")
    assert not found.ok
    assert "sudo systemctl start docker" in found.next_step


def test_an_unusual_docker_calls_for_care(machine: Machine, places: Places) -> None:
    machine.docker(Driver="vfs", MemoryLimit=False)
    found = finding(places, "docker")
    assert found.ok
    assert "24.0.7, vfs" in found.found
    assert "ext4 or xfs" in found.next_step
    assert "memory limits of tasks are not enforced" in found.next_step
    assert describe(found)[0].startswith("careful docker: ")


def test_an_unusual_docker_is_reported_at_the_start_as_well(machine: Machine, places: Places) -> None:
    machine.docker(Driver="vfs")
    said: list[str] = []
    dockerd.ensure(places, said.append)
    assert said[0] == "Docker 24.0.7, not started by us"
    assert "careful: storage driver vfs" in said[1]


def test_an_old_docker_stops_the_start(machine: Machine, places: Places) -> None:
    machine.docker(ServerVersion="19.03.1")
    with pytest.raises(LocalError, match=r"19\.03\.1; 20\.10 or newer"):
        dockerd.ensure(places, lambda _: None)


def test_no_second_dockerd_is_started_next_to_one_that_only_refuses_the_client(
    machine: Machine, places: Places
) -> None:
    machine.docker_that_says("client version 1.52 is too new. Maximum supported API version is 1.41")
    with pytest.raises(LocalError, match="do not fit together"):
        dockerd.ensure(places, lambda _: None)
    assert not dockerd.log_of(places).exists()


def test_a_dockerd_that_does_not_come_up_is_reported_with_its_own_reason(machine: Machine, places: Places) -> None:
    machine.docker_that_says("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.")
    words = 'level=info msg="Starting"\nfailed to start daemon: Devices cgroup isn\\047t mounted'
    machine.command("dockerd", f"printf '{words}\\n' >&2; exit 1")
    with pytest.raises(LocalError) as refused:
        dockerd.ensure(places, lambda _: None)
    assert refused.value.what == "dockerd did not come up."
    assert refused.value.why == "failed to start daemon: Devices cgroup isn't mounted"
    assert "mount -t cgroup2" in refused.value.next_step


@pytest.mark.usefixtures("machine")
def test_a_taken_port_is_reported_with_its_holder(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "refusal_to_bind", lambda *_: OSError(errno.EADDRINUSE, "in use"))
    monkeypatch.setattr(processes, "listener", lambda *_: os.getpid())
    found = finding(places, "addresses")
    assert not found.ok
    assert f"127.0.0.1:4566 is taken by process {os.getpid()} (" in found.found
    assert found.next_step == f"stop that process: kill {os.getpid()}"


@pytest.mark.usefixtures("machine")
def test_a_user_who_may_not_open_port_80_gets_the_command_that_lets_him(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        processes, "refusal_to_bind", lambda _, port: OSError(errno.EACCES, "denied") if port < 1024 else None
    )
    found = finding(places, "addresses")
    assert not found.ok
    assert "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=80" in found.next_step


@pytest.mark.usefixtures("machine")
def test_too_little_disk_is_reported_by_doctor_and_at_the_start(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**10, 10**10 - 10**9, 10**9))
    found = finding(places, "disk")
    assert not found.ok
    assert "0.9 GB are free" in found.found
    with pytest.raises(LocalError, match="Too little disk"):
        dockerd.need_disk(str(places.runtime))


def test_dockers_own_disk_counts_wherever_that_is(
    machine: Machine, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    (tmp_path / "small").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda at: usage(9, 9, 1 if at == tmp_path / "small" else 10**11))
    machine.docker(DockerRootDir=f"{tmp_path}/small/not/made/yet")
    assert finding(places, "disk").ok
    assert f"Too little disk under {tmp_path}/small/not/made/yet" in finding(places, "docker").found
    with pytest.raises(LocalError, match="Too little disk"):
        dockerd.ensure(places, lambda _: None)


@pytest.mark.usefixtures("machine")
def test_on_another_system_the_needs_are_reported(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "fedora", "PRETTY_NAME": "Fedora 43"})
    found = finding(places, "system")
    assert (found.ok, found.found.split(",")[0]) == (True, "Fedora 43")
    assert "Docker Engine 20.10 or newer, HAProxy 2.6 or newer" in found.next_step


def test_what_a_removed_checkout_left_in_docker_is_found(machine: Machine, places: Places, tmp_path: Path) -> None:
    labels = f"local-aws.cloud=0123abcd,local-aws.folder={tmp_path}/gone/.local"
    machine.docker(networks=json.dumps({"Name": "local-aws-0123abcd", "Labels": labels}))
    found = finding(places, "leftovers")
    assert found.found == (
        f"1 of projects that were removed without `local-aws down`: {tmp_path}/gone/.local (network local-aws-0123abcd)"
    )
    assert "--filter label=local-aws.cloud=0123abcd" in found.next_step
    assert "docker network rm local-aws-0123abcd" in found.next_step
    (tmp_path / "gone/.local").mkdir(parents=True)
    assert finding(places, "leftovers").found == "none"


def test_one_no_makes_the_exit_code_a_no(
    machine: Machine, places: Places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOCAL_RUNTIME", str(places.runtime))
    machine.command("haproxy", "echo 'HA-Proxy version 1.8.0'")
    assert main(["doctor"]) == 1
    assert "NO      haproxy: " in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 1
    found = {each["what"]: each["ok"] for each in json.loads(capsys.readouterr().out)}
    assert found["haproxy"] is False
    assert found["memory"] is True
