"""A small Pulumi project with a state of its own, run by the real engine against the emulator of these tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.places import ONE_FILE

ROOT = Path(__file__).resolve().parents[6]
PROJECT = "story"
STACK = "dev"


@dataclass(frozen=True)
class Ended:
    """How a command of the engine ended, and all that it printed."""

    code: int
    text: str


@dataclass(frozen=True)
class Project:
    """`folder` holds the program, `state` the engine's files."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def begin(self) -> None:
        """An empty stack."""
        self.state.mkdir(parents=True)
        options = f"{{toolchain: pip, virtualenv: {ROOT / '.venv'}}}"
        (self.folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: {{name: python, options: {options}}}\n")
        assert self.run("stack", "init", STACK).code == 0
        assert self.run("config", "set", "aws:region", "us-east-1").code == 0

    def program(self, text: str) -> None:
        """What the next command runs; `pulumi` and `pulumi_aws` are imported."""
        begin = "import json\n\nimport pulumi\nfrom pulumi_aws import cloudwatch, ecs, iam, lb, sns\n\n"
        (self.folder / "__main__.py").write_text(begin + textwrap.dedent(text))

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command as the leader of a group of its own, as a shell does."""
        return subprocess.Popen(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **more: str) -> Ended:
        process = self.start(*arguments, **more)
        text, _ = process.communicate(timeout=180)
        return Ended(process.returncode, text)

    def up(self, **more: str) -> Ended:
        return self.run("up", "--yes", "--skip-preview", "--suppress-progress", **more)

    def resources(self) -> dict[str, Any]:
        """The state: name -> what is recorded of each resource of the program."""
        exported = json.loads(self.run("stack", "export").text)["deployment"]
        return {
            entry["urn"].rpartition("::")[2]: entry
            for entry in exported.get("resources") or ()
            if not entry["type"].startswith("pulumi:")
        }

    def pending(self) -> list[str]:
        """URNs of what was under way when the engine died."""
        exported = json.loads(self.run("stack", "export").text)["deployment"]
        return [operation["resource"]["urn"] for operation in exported.get("pending_operations") or ()]

    def is_deleting(self) -> bool:
        """Whether the engine has written down that a deletion is under way."""
        checkpoint = self.state / ".pulumi" / "stacks" / PROJECT / f"{STACK}.json"
        return '"type":"deleting"' in checkpoint.read_text()

    def files(self) -> dict[Path, bytes]:
        """Everything that the engine has written: checkpoint, backups, history."""
        return {path: path.read_bytes() for path in self.state.rglob("*") if path.is_file()}


def environment(engine: Path, home: Path, state: Path, endpoint: str) -> dict[str, str]:
    """For a Project: this machine's, without anything of another cloud or account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_", "LOCAL_AWS_"))}
    return kept | {
        "PATH": os.pathsep.join([str(ROOT / ".venv/bin"), str(engine), os.environ["PATH"]]),
        "LOCAL_AWS_HOME": str(ROOT),
        "LOCAL_AWS_PYTHON": sys.executable,
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{state}?{ONE_FILE}",
        "PULUMI_CONFIG_PASSPHRASE": "tests",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }


def kill(process: subprocess.Popen[str]) -> None:
    """As if the machine lost power: the engine, and with it whatever hangs on it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
