"""Plugins without an engine, as real processes of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from release_lane.disk import processes
from release_lane.engine.plugins import Plugin

from tests.patience import PATIENCE

pytestmark = [pytest.mark.cli, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")]

PLUGIN = """
    import os, pathlib, signal, sys, time
    def asked(*_):
        pathlib.Path(__file__).with_name("asked").touch()
        if "stubborn" not in sys.argv:
            os._exit(0)
    signal.signal(signal.SIGINT, asked)
    print("ready", flush=True)
    while True:
        time.sleep(600)
"""
PROGRAM = """
    import os
    from release_lane.disk.processes import leave_trace, stack_of
    leave_trace(stack_of(os.environ, "lane", {stack!r}))
    print("ready", flush=True)
"""
ENGINE = """
    import os, socket, subprocess, sys
    _, here, stack, manner = sys.argv
    server = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{server.getsockname()[1]}"
    started = []
    def start(*command, **more):
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, process_group=0, **more)
        process.stdout.readline()
        return process.pid
    plugin = start(f"{here}/pulumi-resource-fake", *filter(None, [manner]), address,
                   env={**os.environ, "PULUMI_PROJECT": "lane"})
    host = start(f"{here}/pulumi-language-fake", address) if stack else 0
    print(plugin, host, flush=True)
    sys.stdin.read()
"""
HOST = """
    import subprocess, sys
    program = {program!r}
    subprocess.run([sys.executable, "-c", program], check=True)
    print("ready", flush=True)
    sys.stdin.read()
"""


class Engine:
    """A process that behaves like the engine towards its plugins: it listens, and tells them where."""

    def __init__(self, folder: Path, backend: str, stack: str = "", manner: str = "") -> None:
        program = textwrap.dedent(PROGRAM).format(stack=stack)
        (folder / "pulumi-resource-fake").write_text(textwrap.dedent(PLUGIN))
        (folder / "pulumi-language-fake").write_text(textwrap.dedent(HOST).format(program=program))
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(ENGINE), str(folder), stack, manner],
            env={**os.environ, "PULUMI_BACKEND_URL": backend}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout
        self.plugin, self.host = map(int, self.process.stdout.readline().split())

    def die(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        for pid in filter(None, (self.process.pid, self.plugin, self.host)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.communicate()


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of this test alone: no process of any other is found in it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return f"file://{tmp_path}"


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    """Those that a test starts; none outlives it."""
    started: list[Engine] = []
    yield started
    for each in started:
        each.close()


def left(backend: str, stack: str = "staging") -> dict[int, Plugin]:
    found = processes.without_engine(processes.stack_of({"PULUMI_BACKEND_URL": backend}, "lane", stack))
    return {each.pid: each for each in found}


def test_a_plugin_is_found_when_its_engine_was_killed_and_not_before(
    engines: list[Engine], tmp_path: Path, backend: str
) -> None:
    engines.append(engine := Engine(tmp_path, backend, "staging"))
    assert left(backend) == {}
    engine.die()
    found = left(backend)
    assert found.keys() >= {engine.plugin}
    assert found[engine.plugin].known
    assert found[engine.plugin].name == "pulumi-resource-fake"


def test_plugins_of_other_stacks_backends_and_live_engines_are_left_out(
    engines: list[Engine], tmp_path: Path, backend: str
) -> None:
    engines.append(other := Engine(tmp_path, backend, "production"))
    engines.append(Engine(tmp_path, backend, "staging"))
    other.die()
    assert left(backend) == {}
    assert left("file:///elsewhere", "production") == {}
    assert other.plugin in left(backend, "production")


def test_an_engine_that_ran_no_program_leaves_plugins_of_an_unknown_stack(
    engines: list[Engine], tmp_path: Path, backend: str
) -> None:
    engines.append(engine := Engine(tmp_path, backend))
    engine.die()
    assert [each.known for each in left(backend).values()] == [False]


def test_a_trace_goes_with_the_last_process_that_knows_its_engine(
    engines: list[Engine], tmp_path: Path, backend: str
) -> None:
    engines.append(engine := Engine(tmp_path, backend, "staging"))
    left(backend)
    assert len(list(tmp_path.glob("release-lane-engines-*/*.json"))) == 1
    engine.close()
    deadline = time.monotonic() + PATIENCE
    while left(backend) or list(tmp_path.glob("release-lane-engines-*/*.json")):
        assert time.monotonic() < deadline, "processes are gone, their trace stays"
        time.sleep(0.01)


@pytest.mark.parametrize("manner", ["", "stubborn"])
def test_it_is_ended_as_its_engine_would_have_ended_it(
    engines: list[Engine], tmp_path: Path, backend: str, manner: str
) -> None:
    engines.append(engine := Engine(tmp_path, backend, "staging", manner))
    engine.die()
    plugin = left(backend)[engine.plugin]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    processes.end(plugin, sleep)
    deadline = time.monotonic() + PATIENCE
    while processes.runs(plugin.pid, plugin.began):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (tmp_path / "asked").exists(), "it was asked first"
    assert not manner or len(slept) >= round(processes.GRACE / processes.TICK), "and had its time"
    assert engine.plugin not in left(backend)


def test_another_process_with_the_same_number_is_not_ended() -> None:
    with subprocess.Popen(["sleep", "600"], process_group=0) as other:
        began = int(processes.stat_of(other.pid)[19])
        processes.end(Plugin(pid=other.pid, began=began - 1, name="", since=""))
        other.terminate()
        assert other.wait() == -signal.SIGTERM, "it got no signal before"


def test_a_folder_that_somebody_else_could_have_made_is_not_trusted(
    engines: list[Engine], tmp_path: Path, backend: str
) -> None:
    engines.append(engine := Engine(tmp_path, backend, "staging"))
    (folder,) = tmp_path.glob("release-lane-engines-*")
    folder.rename(tmp_path / "theirs")
    folder.symlink_to(tmp_path / "theirs")
    engine.die()
    assert [each.known for each in left(backend).values()] == [False]


def test_what_a_process_listens_on_is_read_in_its_own_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listening = processes.Listening()
        assert listening(os.getpid(), server.getsockname()[1])
        assert not listening(os.getppid(), server.getsockname()[1])
        assert not listening(os.getpid(), 1)


@pytest.mark.parametrize(("name", "taken"), [("pulumi", True), ("systemd", False)])
def test_a_parent_that_shows_nothing_is_an_engine_if_it_is_called_so(
    name: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(pid: int) -> Iterator[str]:
        raise PermissionError(pid)

    monkeypatch.setattr(processes, "_sockets", refusing)
    with subprocess.Popen([f"/usr/bin/{name}", "600"], executable="/bin/sleep") as parent:
        deadline = time.monotonic() + PATIENCE
        while processes._command(parent.pid)[:1] != (f"/usr/bin/{name}",):
            assert time.monotonic() < deadline
        assert processes.Listening()(parent.pid, 4000) is taken
        parent.kill()
