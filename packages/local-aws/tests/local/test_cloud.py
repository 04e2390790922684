"""The local cloud itself: up, what it leaves alone, what survives a kill, and that down leaves nothing.

Runs a second cloud next to the one of this checkout: own folder, own slot.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from local_aws import cloud, dockercli, emulator_process, processes
from local_aws.errors import LocalError
from local_aws.places import SLOTS, Places
from local_aws.progress import Progress
from local_aws.project import read_project
from local_aws.status import status
from local_aws.toolchain.cache import cache_folder
from tests.local.repository import ROOT

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    here = Places(root=ROOT, runtime=tmp_path_factory.mktemp("cloud"), cache=cache_folder())
    yield here
    cloud.down(here, print)


@pytest.fixture(scope="module")
def running(places: Places) -> cloud.Cloud:
    return up(places)


def up(places: Places) -> cloud.Cloud:
    with Progress(io.StringIO()) as progress:
        return cloud.up(places, progress)


def emulator(places: Places) -> processes.Started:
    found = emulator_process.running(places)
    assert found is not None
    return found


def command(places: Places, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LOCAL_RUNTIME": str(places.runtime)}
    return subprocess.run(
        [sys.executable, "-m", "local_aws", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def buckets(places: Places) -> int:
    with urllib.request.urlopen(f"{places.endpoint}/_ministack/health", timeout=10) as answer:
        return int(answer.status)


def test_up_leaves_an_emulator_a_network_and_the_stacks(running: cloud.Cloud) -> None:
    places = running.places
    assert buckets(places) == 200
    assert dockercli.ours(places).networks
    listing = subprocess.run(
        ["pulumi", "stack", "ls", "--all", "--json"], env=running.environment, capture_output=True, text=True
    )
    names = {stack["name"].rpartition("/")[2] for stack in json.loads(listing.stdout)}
    assert names == set(read_project(ROOT).stacks)
    assert "BASE_IMAGE" in json.loads(running.build_args)


def test_up_changes_no_file_of_the_repository(running: cloud.Cloud) -> None:
    before = {path: path.read_bytes() for path in ROOT.glob("Pulumi*.yaml")}
    for path in (running.places.state / ".pulumi/stacks").rglob("*"):
        if path.is_file():
            path.unlink()
    up(running.places)
    assert {path: path.read_bytes() for path in ROOT.glob("Pulumi*.yaml")} == before


def test_a_second_up_keeps_what_runs(running: cloud.Cloud) -> None:
    before = emulator(running.places)
    assert up(running.places) == running
    assert emulator(running.places) == before


def test_a_shell_gets_the_same_as_a_child_process(running: cloud.Cloud) -> None:
    found = cloud.current(running.places)
    assert found == running


def test_up_writes_the_stack_files_anew_and_status_says_when_they_are_outdated(running: cloud.Cloud) -> None:
    staging = running.places.stacks / "Pulumi.staging.yaml"
    written = staging.read_text()
    staging.write_text(written + "# changed\n")
    assert (
        "changed since they were copied: staging"
        in json.loads(command(running.places, "status", "--json").stdout)["stack_files"]
    )
    up(running.places)
    assert staging.read_text() == written
    assert json.loads(command(running.places, "status", "--json").stdout)["stack_files"] == ""


def test_status_says_what_runs(running: cloud.Cloud) -> None:
    done = command(running.places, "status", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["up"] is True
    assert found["memory"] > 0
    assert any("local_aws.emulator" in line for line in found["processes"])


def test_a_killed_emulator_comes_back_with_the_next_up(running: cloud.Cloud) -> None:
    killed = emulator(running.places)
    os.kill(killed.pid, signal.SIGKILL)
    assert processes.wait_until_gone({killed.pid: killed.ticks}, 10)
    assert status(running.places).up is False
    up(running.places)
    assert emulator(running.places) != killed
    assert status(running.places).up is True


def test_a_taken_port_is_reported_with_its_holder(running: cloud.Cloud, tmp_path: Path) -> None:
    other = replace(running.places, runtime=tmp_path / "other", slot=SLOTS - 1)
    with socket.create_server((f"{other.balancers}.1", 9001)):
        with pytest.raises(LocalError, match=rf"{other.balancers}.1:9001 is taken by process {os.getpid()} "):
            emulator_process.need_ports(other)


def test_only_one_at_a_time(running: cloud.Cloud) -> None:
    holder = (
        "import sys; from pathlib import Path; from local_aws.alone import alone\n"
        "with alone(Path(sys.argv[1]), 'demo'): print(flush=True); sys.stdin.read()"
    )
    lock = str(running.places.lock)
    with subprocess.Popen(
        [sys.executable, "-c", holder, lock], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={name: value for name, value in os.environ.items() if name != "LOCAL_AWS_LOCK_HELD"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        for verb in ("up", "down"):
            done = command(running.places, verb)
            assert done.returncode == 4
            assert "`demo` is running" in done.stderr
        process.kill()
    assert status(running.places).up is True


def test_a_state_is_one_file_so_that_a_killed_engine_leaves_it_whole(running: cloud.Cloud) -> None:
    states = {path.name for path in (running.places.state / ".pulumi/stacks").rglob("*") if path.is_file()}
    assert {f"{stack}.json" for stack in read_project(ROOT).stacks} <= states
    assert not [name for name in states if name.endswith(".attrs")]


def test_down_removes_all_of_it_also_what_a_killed_emulator_left(running: cloud.Cloud) -> None:
    places = running.places
    mark = f"{dockercli.CLOUD}={places.cloud_id}"
    image = json.loads(running.build_args)["BASE_IMAGE"]
    dockercli.docker("run", "--detach", "--label", mark, "--network", places.network, image, "sleep", "1000")
    orphan = processes.spawn(
        places.run, "orphan", ["sleep", "1000"], log=places.logs / "orphan.log",
        environment=emulator_process.emulator_environment(places), cwd=places.runtime,
    )  # fmt: skip
    os.kill(emulator(places).pid, signal.SIGKILL)

    done = command(places, "down")

    assert done.returncode == 0, done.stderr
    assert "1 container, 1 network" in done.stderr
    assert "nothing is left" in done.stderr
    assert not orphan.alive
    assert emulator_process.everything(places) == []
    assert cloud.leftovers(places) == ([], [])
    assert cloud.current(places) is None
    assert not any(path.exists() for path in (places.state, places.emulator, places.edge, places.generated))


def test_down_removes_a_cloud_that_an_interrupted_test_left_within(places: Places) -> None:
    """The stories of `make test` have one of their own in the checkout's."""
    inner = up(replace(places, runtime=places.runtime / "inner")).places
    cloud.down(places, print, inner=False)
    assert cloud.current(inner), "the other half of `make test` goes on in it"
    done = command(places, "down")
    assert done.returncode == 0, done.stderr
    assert "1 network" in done.stderr
    assert "nothing is left" in done.stderr
    assert emulator_process.everything(inner) == []
    assert cloud.leftovers(inner) == ([], [])
    assert not inner.slot_file.exists()


def test_down_of_nothing_is_no_error(places: Places) -> None:
    cloud.down(places, print)
    done = command(places, "down")
    assert done.returncode == 0
    assert command(places, "status").returncode == 1
