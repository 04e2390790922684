"""A job is cancelled while it updates: the signals that CI systems send, to the process that they send them to.

GitHub's runner starts the step's shell and signals only that process: SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL
(actions/runner, ProcessInvoker). GitLab's shell executor signals the shell's process group: SIGTERM, later SIGKILL.
Jenkins signals the tree of processes from its leaves up: SIGTERM, and no SIGKILL.
SIGKILL is never sent here: all has to be over before.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tests.command.checkout import Checkout, on_the_local_cloud, until
from tests.command.words import B

from tests.patience import PATIENCE
from tests.workflows import jenkins

ROOT = Path(__file__).resolve().parents[2]

PULUMI = """#!{python}
import pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
if sys.argv[1:3] == ["stack", "export"]:
    print('{{"deployment": {{}}}}'); sys.exit(0)
def on(number, frame):
    with (here / "got").open("a") as file: file.write(signal.Signals(number).name + " ")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(number, on)
(here / "began").touch()
while not (here / "finish").exists(): time.sleep(0.02)
(here / "ended").touch()
sys.exit(255)
"""


RELEASE = ".venv/bin/release deploy staging --digest"


def step(job: str) -> str:
    """The script of the shipped workflow's step that updates."""
    steps = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"][job]["steps"]
    (script,) = [each["run"] for each in steps if ".venv/bin/release deploy" in each.get("run", "")]
    return str(script)


@contextmanager
def running(script: str, folder: Path, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """As GitHub's runner starts a step with `shell: bash`."""
    (folder / "step.sh").write_text(script)
    process = subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "step.sh"], cwd=folder, env=dict(environ), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(folder / "stderr").open("w"),
        start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A project whose engine takes note of signals and ends when it is asked to, in the folder HOME."""
    (tmp_path / "Pulumi.yaml").write_text("name: release-lane\nruntime: python\n")
    (tmp_path / "Pulumi.staging.yaml").write_text("config:\n  release-lane:account: '1'\n")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "pulumi").write_text(PULUMI.format(python=sys.executable))
    (tmp_path / "pulumi").chmod(0o755)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PULUMI", "AWS", "RELEASE", "LOCAL_AWS"))
    }
    yield {
        **kept, "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT), "PULUMI_BACKEND_URL": f"file://{tmp_path}", "DIGEST": B.digest,
        "RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }  # fmt: skip
    (tmp_path / "finish").touch()


def reached(folder: Path) -> str:
    """Signals that the engine got."""
    return (folder / "got").read_text().strip() if (folder / "got").exists() else ""


@pytest.mark.cli
def test_github_reaches_the_engine_once_and_waits_for_it(environ: dict[str, str], tmp_path: Path) -> None:
    with running(step("staging"), tmp_path, environ) as shell:
        until((tmp_path / "began").exists, "the engine runs")
        shell.send_signal(signal.SIGINT)
        until(lambda: reached(tmp_path), "the engine was asked to stop")
        shell.send_signal(signal.SIGTERM)
        until(lambda: "Still stopping" in (tmp_path / "stderr").read_text(), "the second signal was reported")
        (tmp_path / "finish").touch()
        assert shell.wait(PATIENCE) == 130
    assert (reached(tmp_path), (tmp_path / "ended").exists()) == ("SIGINT", True)


@pytest.mark.cli
@pytest.mark.parametrize("script", ["release", "release; true", "release | tee result"])
def test_gitlab_reaches_the_engine_once_whatever_the_script(
    environ: dict[str, str], tmp_path: Path, script: str
) -> None:
    """It signals all processes of the shell's group; the engine is in one of its own."""
    command = f"{RELEASE} {B.digest}"
    with running(script.replace("release", command, 1), tmp_path, environ) as shell:
        until((tmp_path / "began").exists, "the engine runs")
        os.killpg(shell.pid, signal.SIGTERM)
        until(lambda: reached(tmp_path), "the engine was asked to stop")
        (tmp_path / "finish").touch()
        until((tmp_path / "ended").exists, "the engine ended")
        shell.wait(PATIENCE)
    assert reached(tmp_path) == "SIGTERM"


PLUGIN = """
import pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
def on(number, frame):
    (here / "plugin-got").write_text(signal.Signals(number).name)
    sys.exit(1)
signal.signal(signal.SIGTERM, on)
(here / "plugin-began").touch()
while not (here / "finish").exists(): time.sleep(0.02)
"""


@pytest.mark.cli
def test_jenkins_reaches_the_engine_once_and_no_provider(environ: dict[str, str], tmp_path: Path) -> None:
    """It signals the leaves of a step's processes first: providers, which would fail the engine in its switch."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    text = (tmp_path / "pulumi").read_text()
    start = 'import subprocess; subprocess.Popen([sys.executable, here / "plugin.py", here])\n(here / "began").touch()'
    (tmp_path / "pulumi").write_text(text.replace('(here / "began").touch()', start))
    known_by = {"JENKINS_SERVER_COOKIE": cookie(tmp_path)}
    with running(f"{RELEASE} {B.digest} > result", tmp_path, {**environ, **known_by}) as shell:
        until((tmp_path / "plugin-began").exists, "a provider runs")
        jenkins.end_step(cookie(tmp_path))
        until(lambda: reached(tmp_path), "the engine was asked to stop")
        (tmp_path / "finish").touch()
        until((tmp_path / "ended").exists, "the engine ended")
        shell.wait(PATIENCE)
    assert reached(tmp_path) == "SIGTERM"
    assert not (tmp_path / "plugin-got").exists()


@pytest.mark.cli
@pytest.mark.parametrize(("arguments", "code"), [("--help", 0), ("deploy staging --digest nonsense", 2)])
def test_under_jenkins_output_and_exit_code_are_those_of_the_command(
    environ: dict[str, str], tmp_path: Path, arguments: str, code: int
) -> None:
    def ended(**more: str) -> tuple[int, str, str]:
        command = [".venv/bin/release", *arguments.split()]
        done = subprocess.run(command, cwd=tmp_path, env={**environ, **more}, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    assert ended(JENKINS_SERVER_COOKIE="durable-1") == ended()
    assert ended()[0] == code


@pytest.mark.cloud
@pytest.mark.long
@pytest.mark.states
def test_a_cancelled_deployment_leaves_no_lock_and_no_engine(tmp_path: Path) -> None:
    with on_the_local_cloud(tmp_path / "checkout") as lane:
        digest = lane.release("build").ok().out.strip()
        for cancel, name in ((by_github, "SIGINT"), (by_jenkins, "SIGTERM")):
            assert cancelled(lane, digest, cancel) == 130
            assert not lane.locks("staging")
            assert not lane.engines()
            assert f"was stopped by {name}" in (lane.folder / "stderr").read_text()
        lane.run("bash", "-c", f"{RELEASE} {digest} 2>&1 | head -1; exit ${{PIPESTATUS[0]}}").ok()
        assert not lane.locks("staging")
        assert lane.status("staging")["digest"] == digest


def by_github(lane: Checkout, shell: subprocess.Popen[str]) -> None:
    shell.send_signal(signal.SIGINT)
    until(lambda: "SIGINT" in (lane.folder / "stderr").read_text(), "the command heard of it")
    shell.send_signal(signal.SIGTERM)


def by_jenkins(lane: Checkout, shell: subprocess.Popen[str]) -> None:
    del shell
    jenkins.end_step(cookie(lane.folder))


def cookie(folder: Path) -> str:
    """By which Jenkins knows the processes of a step in this folder."""
    return f"durable-{folder.parent.name}-{os.getpid()}"


def cancelled(lane: Checkout, digest: str, cancel: Callable[[Checkout, subprocess.Popen[str]], None]) -> int:
    """The exit code of the step that is cancelled while the new tasks start."""
    environ = {**lane.variables, "DIGEST": digest, "RUNNER_TEMP": str(lane.folder)}
    if cancel is by_jenkins:
        environ["JENKINS_SERVER_COOKIE"] = cookie(lane.folder)
    with running(step("staging"), lane.folder, environ) as shell:
        until(lambda: "Rollout" in (lane.folder / "stderr").read_text(), "the rollout has begun")
        cancel(lane, shell)
        return shell.wait(PATIENCE)
