"""A checkout of its own on the local cloud: this working tree under another project name, with state of its own.

Its own stack files, next to Pulumi.yaml, are those of the local cloud.

`release`, the engine and the program all run from it, as on a person's machine; nothing of the demo's stacks is
touched. Everything it made in the cloud is removed by `close`.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from release_lane.disk.git import environment

from tests.disposable import cloud_goes, rest
from tests.patience import PATIENCE
from tools import states

ROOT = Path(__file__).resolve().parents[4]
STACKS = ("artifacts", "staging", "production")
LEFT_OUT = (".venv", ".local", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")
ME = {
    "GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@localhost", "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@localhost", "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip
FAULT = ('"sha512": hashlib.sha512', '"sha512": hashlib.sha384')
"""In app/checksums.py: a build that is healthy, but whose self-check says error."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """stdout as JSON."""
        return json.loads(self.out)

    def ok(self) -> Ended:
        """Itself, if it succeeded."""
        assert self.code == 0, f"ended with {self.code}\n{self.out}\n{self.err}"
        return self


WITH_STATE = re.compile(r"^  release-lane:(?:database|cache|migration):.*\n(?:    .*\n)*", re.MULTILINE)
"""Sections of the stack files that these tests do without: what they make takes seconds to come up."""


class Checkout:
    """One scratch checkout; `variables` is the environment that everything in it runs with."""

    def __init__(self, folder: Path, cloud: Mapping[str, str], state: str = "") -> None:
        """`state`: where it keeps its states (tools/states.py)."""
        self.folder, self.project = folder, f"lane-{secrets.token_hex(2)}"
        ours = {"PYTHONPATH": str(folder), "LOCAL_AWS_HOME": str(folder)}
        self.through: tuple[str, ...] = ()
        """What `release` is started by, if not directly."""
        self.variables = states.kept(
            {**environment(cloud), **ME, **ours}, folder / ".local/state", f"{self.project}-states", state
        )
        stacks = Path(self.variables.pop("RELEASE_LANE_STACKS"))
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT), dirs_exist_ok=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / ".local").mkdir(exist_ok=True)
        for stack in STACKS:
            text = (stacks / f"Pulumi.{stack}.yaml").read_text()
            (folder / f"Pulumi.{stack}.yaml").write_text(WITH_STATE.sub("", text))
        self._rename()
        self._copy_stack_files()
        self._generate()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("As it is in the working tree")
        for stack in STACKS:
            init = ("pulumi", "stack", "init", stack, "--no-select", "--non-interactive")
            self.run(*init, *states.secrets_options(self.variables)).ok()
        if states.secrets_options(self.variables):  # the key's name is in the stack files now
            self._copy_stack_files()
        self.commit("Stacks made")

    def _copy_stack_files(self) -> None:
        (self.folder / ".local/stacks").mkdir(exist_ok=True)
        for stack in STACKS:
            shutil.copy(self.folder / f"Pulumi.{stack}.yaml", self.folder / ".local/stacks")

    def _rename(self) -> None:
        for path in self.folder.glob("Pulumi*.yaml"):
            text = path.read_text().replace("release-lane:", f"{self.project}:")
            path.write_text(text.replace("name: release-lane\n", f"name: {self.project}\n"))

    def _generate(self) -> None:
        """What `. .local/env` reads: the cloud that is up, with this checkout's own state."""
        wanted = {
            key: value
            for key, value in self.variables.items()
            if key.startswith(("PULUMI_", "AWS_", "RELEASE_", "LOCAL_AWS_"))
        }
        engine = shutil.which("pulumi", path=self.variables["PATH"])
        assert engine
        lines = [f"local_aws_engine={shlex.quote(str(Path(engine).parent))}"]
        lines += [f"export {key}={shlex.quote(value)}" for key, value in wanted.items()]
        (self.folder / ".local/env").write_text("\n".join(lines) + "\n")

    def on_another_machine(self, folder: Path, host: str) -> Checkout:
        """A clone on a machine of this name, which shares nothing with this one but cloud and backend.

        It has a host name of its own, for which the kernel asks for root (or a namespace of the user's own).
        """
        other = copy.copy(self)
        other.folder = folder
        self.git("clone", "--quiet", str(self.folder), str(folder))
        for name in (".venv", ".local/stacks"):  # git may not have brought them
            if not (folder / name).exists():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).symlink_to((self.folder / name).resolve())
        ours = {"PYTHONPATH": str(folder), "LOCAL_AWS_HOME": str(folder)}
        other.variables = {**self.variables, **ours}
        named = f'echo {host} > /proc/sys/kernel/hostname && exec "$@"'
        own = () if os.getuid() == 0 else ("--user", "--map-root-user")
        other.through = ("unshare", *own, "--uts", "sh", "-c", named, "sh")
        return other

    # ---- doing

    def run(self, *command: str, **more: str) -> Ended:
        """Any command in it."""
        done = subprocess.run(
            command, cwd=self.folder, env={**self.variables, **more}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    def run_with(self, *command: str, given: str) -> Ended:
        """Any command in it, with something on its stdin."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.variables, input=given, capture_output=True, text=True
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    def release(self, *arguments: str, **more: str) -> Ended:
        """The command, without a terminal. `more`: variables."""
        return self.run(*self.through, sys.executable, "-m", "release_lane.command", *arguments, **more)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The command while it runs; it does not outlive the block."""
        process = subprocess.Popen(
            [*self.through, sys.executable, "-m", "release_lane.command", *arguments],
            cwd=self.folder, env=self.variables, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate()

    def git(self, *arguments: str) -> str:
        """git in it."""
        return self.run("git", *arguments).ok().out.strip()

    def commit(self, message: str) -> str:
        """Commit everything; the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def change(self, file: str, old: str, new: str) -> str:
        """Commit one changed line."""
        path = self.folder / file
        assert old in path.read_text(), f"{file} has no {old!r} any more"
        path.write_text(path.read_text().replace(old, new, 1))
        return self.commit(f"{old!r} becomes {new!r}")

    # ---- looking

    def status(self, environment: str) -> Any:
        """What is recorded of an environment."""
        (row,) = self.release("status", environment, "--json").ok().data["environments"]
        return row

    def aws(self, service: str) -> Any:
        """A client of the local cloud."""
        return boto3.client(  # type: ignore[call-overload]
            service, endpoint_url=self.variables["AWS_ENDPOINT_URL"], region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def weights(self) -> dict[str, int]:
        """The share of staging's users by colour, read from the load balancer; empty before the first release."""
        elb = self.aws("elbv2")
        (balancer,) = elb.describe_load_balancers(Names=[f"{self.project}-staging"])["LoadBalancers"]
        listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        users = next(each for each in listeners if each["Port"] == 80)
        rules = elb.describe_rules(ListenerArn=users["ListenerArn"])["Rules"]
        groups = [each["Actions"][0]["ForwardConfig"]["TargetGroups"] for each in rules if not each["IsDefault"]]
        shares = groups[0] if groups else []
        return {"blue" if "-blue/" in each["TargetGroupArn"] else "green": each["Weight"] for each in shares}

    def locks(self, stack: str) -> list[str]:
        """The lock objects of a stack, by their names in the backend."""
        found = states.names(self.variables, f".pulumi/locks/organization/{self.project}/{stack}")
        return [name for name in found if name.endswith(".json")]

    def notes(self, stack: str) -> list[str]:
        """The notes that updates of a stack have left in the backend."""
        return states.names(self.variables, f".release-lane/updates/{self.project}/{stack}")

    def engines(self) -> list[str]:
        """Command lines of engines that still run for this checkout."""
        found = []
        for proc in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environ = (proc / "environ").read_bytes()
                command = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(self.folder).encode() in environ and "pulumi" in command.split(" ")[0]:
                    found.append(command)
        return found

    @contextmanager
    def standing_still(self, stack: str) -> Iterator[Callable[[], None]]:
        """The engine that holds the stack's lock stands still, so that any other command meets the lock.

        Gives what lets it go on.
        """
        pids: list[int] = []

        def held() -> bool:
            for lock in self.locks(stack):
                with contextlib.suppress(OSError, ValueError):
                    pids.append(int(json.loads(states.read(self.variables, lock) or "")["pid"]))
            return bool(pids)

        def go_on() -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[0], signal.SIGCONT)

        until(held, "the lock is held")
        os.kill(pids[0], signal.SIGSTOP)
        try:
            yield go_on
        finally:
            go_on()

    def close(self) -> None:
        """Remove what it made in the cloud."""
        for stack in ("production", "staging"):
            self.run("pulumi", "cancel", "--yes", "--stack", stack)
            destroy = ("destroy", "--yes", "--skip-preview", "--ignore-protect", "--non-interactive")
            self.run("pulumi", *destroy, "--stack", stack)
        registry = self.aws("ecr")
        with contextlib.suppress(registry.exceptions.ClientError):
            registry.delete_repository(repositoryName=f"{self.project}/app", force=True)
        mine = self.run("docker", "images", "--quiet", "--filter", f"reference=*/{self.project}/app").out.split()
        self.run("docker", "image", "rm", "--force", *dict.fromkeys(mine))
        states.remove(self.variables)


def says(process: subprocess.Popen[str], words: str) -> str:
    """Read what a command tells until it tells this; all that was read."""
    assert process.stderr
    read: list[str] = []
    for line in process.stderr:
        read.append(line)
        if words in line:
            return "".join(read)
    raise AssertionError(f"it never said {words!r}:\n{''.join(read)}")


def until(look: Callable[[], object], what: str) -> None:
    """Wait for a condition; only a run that hangs is ended by the clock."""
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(0.02)


@contextmanager
def on_the_local_cloud(folder: Path, state: str = "") -> Iterator[Checkout]:
    """A checkout, on a local cloud that is up. `state`: where it keeps its states (tools/states.py)."""
    from local_aws import cloud
    from local_aws.places import Places
    from local_aws.progress import Progress

    with Progress(sys.stderr) as progress:
        up = cloud.up(Places.read(), progress)
    checkout = Checkout(folder, up.environment, state)
    try:
        yield checkout
    finally:
        if not cloud_goes():
            checkout.close()
        else:
            rest(checkout.aws("ecs"), lambda cluster: cluster.startswith(f"{checkout.project}-"))
