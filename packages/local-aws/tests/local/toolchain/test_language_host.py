"""The language host as the engine sees it: a process that serves on loopback, and ends with the engine."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from local_aws.processes import start_ticks
from local_aws.toolchain import language_host as host
from pulumi.runtime.proto import language_pb2, language_pb2_grpc
from tests.local.repository import ROOT

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider

SCRIPT = ROOT / "packages/local-aws/src/local_aws/toolchain/language_host.py"


@dataclass
class Served:
    """A running host, a client for it, and the folder of its project."""

    process: subprocess.Popen[str]
    folder: Path
    stub: Any = field(init=False)
    running: Any = None

    def __post_init__(self) -> None:
        assert self.process.stdout is not None
        port = int(self.process.stdout.readline())
        self.stub = language_pb2_grpc.LanguageRuntimeStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    def info(self, **options: str) -> Any:
        given = struct_pb2.Struct()
        given.update(options)
        folder = str(self.folder)
        return language_pb2.ProgramInfo(root_directory=folder, program_directory=folder, entry_point=".", options=given)

    def run(self, **more: Any) -> Any:
        request = language_pb2.RunRequest(
            project="p", stack="s", organization="o", pwd=str(self.folder), monitor_address="127.0.0.1:1",
            parallel=4, info=self.info(), **more,
        )  # fmt: skip
        self.running = self.stub.Run.future(request, timeout=PATIENCE)  # a forgotten call is a cancelled call
        return self.running

    def plugin(self, **more: Any) -> list[Any]:
        request = language_pb2.RunPluginRequest(pwd=str(self.folder), info=self.info(), **more)
        return list(self.stub.RunPlugin(request, timeout=PATIENCE))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose .venv is this one, and whose programs are run by `program` below."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


@pytest.fixture
def served(project: Path) -> Iterator[Served]:
    process = start(project)
    yield Served(process, project)
    process.kill()
    process.wait()


def start(project: Path, *, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [*before, str(ROOT / ".venv/bin/python"), "-I", "-S", str(SCRIPT), "127.0.0.1:2"]
    environment = {**os.environ, "LOCAL_AWS_ENGINE_BIN": str(project)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)


def program(project: Path, source: str) -> None:
    """Stands in for the SDK's own runner of programs."""
    (project / host.EXEC).write_text(textwrap.dedent(source))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def until_pid(path: Path) -> int:
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def gone(pid: int) -> bool:
    return start_ticks(pid) is None


SLEEPER = """
    import os, subprocess, sys
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    open("child.pid", "w").write(f"{child.pid}\\n")
    open("program.pid", "w").write(f"{os.getpid()}\\n")
    child.wait()
"""


# --- questions


def test_it_introduces_itself(served: Served) -> None:
    assert served.stub.GetPluginInfo(empty_pb2.Empty()).version == host.VERSION
    about = served.stub.About(language_pb2.AboutRequest(info=served.info()))
    assert about.version == ".".join(map(str, sys.version_info[:3]))


def test_it_answers_the_handshake(served: Served) -> None:
    served.stub.Handshake(language_pb2.LanguageHandshakeRequest(engine_address="127.0.0.1:3"))


def test_the_required_plugins_are_those_of_the_installed_packages(served: Served) -> None:
    answer = served.stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=served.info()))
    pins = (ROOT / "pyproject.toml").read_text()
    assert {package.name for package in answer.packages} == {"aws", "docker"}
    for package in answer.packages:
        assert package.kind == "resource"
        assert f'"pulumi-{package.name}=={package.version.removeprefix("v")}"' in pins


def test_dependencies_name_the_sdk(served: Served) -> None:
    answer = served.stub.GetProgramDependencies(language_pb2.GetProgramDependenciesRequest(info=served.info()))
    assert "pulumi" in {found.name for found in answer.dependencies}


def test_only_resource_packages_need_a_plugin(tmp_path: Path) -> None:
    for name, plugin in {
        "pulumi_one": {"resource": True, "name": "one", "version": "1.0.0"},
        "pulumi_two": {"resource": False, "name": "two", "version": "1.0.0"},
        "pulumi_third_party": {"resource": True, "version": "2.0.0", "server": "https://example.test"},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "pulumi-plugin.json").write_text(json.dumps(plugin))
    assert [(p["name"], p.get("server")) for p in host.required_packages(str(tmp_path))] == [
        ("one", None),
        ("third-party", "https://example.test"),
    ]


# --- whose interpreter


def test_the_named_virtualenv_is_relative_to_the_project(tmp_path: Path) -> None:
    python = tmp_path / "env/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert host.interpreter(str(tmp_path), {"virtualenv": "env"}) == str(python)
    with pytest.raises(FileNotFoundError, match="other"):
        host.interpreter(str(tmp_path), {"virtualenv": "other"})


def test_without_one_the_nearest_dot_venv_above_serves(project: Path) -> None:
    nested = project / "a/b"
    nested.mkdir(parents=True)
    assert host.interpreter(str(nested), {}) == str(project / ".venv/bin/python")


@pytest.mark.parametrize("line", ["version = 3.9.1", "version_info = 3.9.1", "version_info = 3.9.1.final.0"])
def test_the_version_is_the_one_that_the_virtual_environment_was_made_with(tmp_path: Path, line: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").write_text(f"home = /usr/bin\n{line}\n")
    assert host.version_of(str(tmp_path / "bin/python")) == "3.9.1"


def test_an_interpreter_without_a_virtual_environment_is_asked_for_its_version() -> None:
    assert host.version_of(os.path.realpath(sys.executable)) == ".".join(map(str, sys.version_info[:3]))


def test_a_virtualenv_that_is_none_is_reported_to_the_engine(served: Served) -> None:
    request = language_pb2.GetRequiredPackagesRequest(info=served.info(virtualenv="absent"))
    with pytest.raises(grpc.RpcError) as caught:
        served.stub.GetRequiredPackages(request)
    assert "absent" in str(caught.value)


# --- programs


def test_a_program_gets_its_flags_its_config_and_its_virtual_environment(served: Served) -> None:
    program(
        served.folder,
        """
        import json, os, sys
        json.dump({"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd()}, open("seen.json", "w"))
        """,
    )
    answer = served.run(config={"p:a": "1"}, configSecretKeys=["p:b"], dryRun=True, args=["x"]).result()
    assert (answer.error, answer.bail) == ("", False)
    seen = json.loads((served.folder / "seen.json").read_text())
    flags = dict(zip(seen["argv"][:-2:2], seen["argv"][1:-2:2], strict=True))
    assert seen["argv"][-2:] == [".", "x"]
    assert flags == {
        "--project": "p", "--stack": "s", "--organization": "o", "--root_directory": str(served.folder),
        "--pwd": str(served.folder), "--dry_run": "true", "--parallel": "4", "--monitor": "127.0.0.1:1",
        "--engine": "127.0.0.1:2",
    }  # fmt: skip
    assert json.loads(seen["env"]["PULUMI_CONFIG"]) == {"p:a": "1"}
    assert json.loads(seen["env"]["PULUMI_CONFIG_SECRET_KEYS"]) == ["p:b"]
    assert seen["env"]["VIRTUAL_ENV"] == str(served.folder / ".venv")
    assert seen["env"]["PATH"].startswith(str(served.folder / ".venv/bin") + ":")
    assert seen["cwd"] == str(served.folder)


@pytest.mark.parametrize(
    ("ending", "error", "bail"),
    [
        ("sys.exit(0)", "", False),
        ("sys.exit(32)", "", True),
        ("sys.exit(3)", "the program exited with code 3", False),
        ("os.kill(os.getpid(), 9)", "the program was ended by SIGKILL", False),
    ],
)
def test_how_a_program_ended_is_reported(served: Served, ending: str, error: str, bail: bool) -> None:
    program(served.folder, f"import os, sys\n{ending}\n")
    answer = served.run().result()
    assert (answer.error, answer.bail) == (error, bail)


def test_what_a_program_left_running_ends_with_it(served: Served) -> None:
    program(
        served.folder,
        """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        open("child.pid", "w").write(f"{child.pid}\\n")
        """,
    )
    served.run().result()
    child = until_pid(served.folder / "child.pid")
    until(lambda: gone(child))


def test_cancel_ends_the_program_and_its_children(served: Served) -> None:
    program(served.folder, SLEEPER)
    running = served.run()
    pids = [until_pid(served.folder / name) for name in ("child.pid", "program.pid")]
    served.stub.Cancel(empty_pb2.Empty())
    assert running.result().error == "the program was ended by SIGTERM"
    until(lambda: all(map(gone, pids)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_host_and_what_it_runs(served: Served, number: signal.Signals) -> None:
    program(served.folder, SLEEPER)
    served.run()
    pids = [until_pid(served.folder / name) for name in ("child.pid", "program.pid")]
    served.process.send_signal(number)
    assert served.process.wait(PATIENCE) == 0
    until(lambda: all(map(gone, pids)))


def test_the_host_ends_with_an_engine_that_is_killed(project: Path) -> None:
    program(project, SLEEPER)
    engine = ("sh", "-c", '"$@" & echo $! >host.pid; wait', "engine")
    process = subprocess.Popen(
        [*engine, str(ROOT / ".venv/bin/python"), "-I", "-S", str(SCRIPT), "127.0.0.1:2"],
        cwd=project, env={**os.environ, "LOCAL_AWS_ENGINE_BIN": str(project)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    served = Served(process, project)
    served.run()
    pids = [until_pid(project / name) for name in ("host.pid", "child.pid", "program.pid")]
    process.kill()
    process.wait()
    until(lambda: all(map(gone, pids)))


# --- plugins


def test_a_plugins_streams_and_exit_code_come_back(served: Served) -> None:
    (served.folder / "__main__.py").write_text(
        "import os, sys\nprint(sys.argv[1:], os.environ['GIVEN'])\nprint('oops', file=sys.stderr)\nsys.exit(7)\n"
    )
    parts = served.plugin(kind="resource", args=["127.0.0.1:9"], env=["GIVEN=yes=1"])
    assert b"".join(part.stdout for part in parts) == b"['127.0.0.1:9'] yes=1\n"
    assert b"".join(part.stderr for part in parts) == b"oops\n"
    assert parts[-1].exitcode == 7


def test_a_policy_pack_is_run_by_the_policy_module(served: Served) -> None:
    fake = served.folder / "fake/bin/python"
    fake.parent.mkdir(parents=True)
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    request = language_pb2.RunPluginRequest(
        pwd=str(served.folder), info=served.info(virtualenv="fake"), kind="analyzer", args=["127.0.0.1:9"]
    )
    printed = b"".join(part.stdout for part in served.stub.RunPlugin(request, timeout=PATIENCE))
    assert printed.decode().split() == ["-u", "-m", "pulumi.policy", "127.0.0.1:9", str(served.folder)]


def test_hanging_up_on_a_plugin_ends_it(served: Served) -> None:
    (served.folder / "__main__.py").write_text(textwrap.dedent(SLEEPER))
    stream = served.stub.RunPlugin(
        language_pb2.RunPluginRequest(pwd=str(served.folder), info=served.info(), kind="resource")
    )
    pids = [until_pid(served.folder / name) for name in ("child.pid", "program.pid")]
    stream.cancel()
    until(lambda: all(map(gone, pids)))


# --- its start


@pytest.fixture
def launched(tmp_path: Path) -> Callable[..., str]:
    """The launcher in a folder of the cache: what it starts, in a project, with these variables."""
    launcher = tmp_path / "cache/pulumi-language-python"
    launcher.parent.mkdir()
    shutil.copy(SCRIPT.with_name("launch_language_host.sh"), launcher)
    (tmp_path / "project/inner").mkdir(parents=True)
    for folder in ("project/.venv", "named"):
        python = tmp_path / folder / "bin/python"
        python.parent.mkdir(parents=True)
        python.write_text('#!/bin/sh\necho "$0 $LOCAL_AWS_ENGINE_BIN $@"\n')
        python.chmod(0o755)

    def launch(**variables: str) -> str:
        environment = {"PATH": os.environ["PATH"], **variables}
        command = ["sh", str(launcher), "127.0.0.1:2"]
        done = subprocess.run(command, cwd=tmp_path / "project/inner", env=environment, capture_output=True, text=True)
        return (done.stdout + done.stderr).replace(f"{tmp_path}/", "")

    return launch


def test_it_is_started_with_the_interpreter_and_from_the_package_that_the_shell_names(
    launched: Callable[..., str], tmp_path: Path
) -> None:
    shell = {"LOCAL_AWS_PYTHON": str(tmp_path / "named/bin/python"), "LOCAL_AWS_TOOLCHAIN": str(SCRIPT.parent)}
    assert launched(**shell) == f"named/bin/python cache -I -S {SCRIPT} 127.0.0.1:2\n"


def test_without_such_a_shell_the_nearest_virtual_environment_runs_the_copy_in_the_cache(
    launched: Callable[..., str], tmp_path: Path
) -> None:
    assert launched() == "project/.venv/bin/python cache -I -S cache/language_host.py 127.0.0.1:2\n"
    shutil.rmtree(tmp_path / "project/.venv")
    assert "no .venv at or above" in launched()


def test_it_does_not_load_the_whole_sdk(project: Path) -> None:
    command = [str(ROOT / ".venv/bin/python"), "-I", "-S", "-X", "importtime", str(SCRIPT)]
    environment = {**os.environ, "LOCAL_AWS_ENGINE_BIN": str(project)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
        assert ready
        process.send_signal(signal.SIGTERM)
        errors = process.communicate()[1].decode()
    loaded = {line.rpartition("|")[2].strip() for line in errors.splitlines()}
    assert "pulumi.runtime.proto.language_pb2" in loaded
    assert "pulumi.resource" not in loaded
    assert "asyncio.base_events" not in loaded


def test_a_signal_that_came_just_before_it_waits_is_not_lost() -> None:
    woken, waking = os.pipe()
    os.write(waking, bytes([signal.SIGTERM]))  # as the interpreter does, whatever the main thread is about to do
    host.wait_for_the_end_of(os.getppid(), woken)
    os.close(woken)
    os.close(waking)
