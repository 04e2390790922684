"""A checkout in which `release` only takes note of what it was called with: what a pipeline does, without a cloud.

`.venv/bin/release` of the checkout is the stub. What it writes to stdout is what the next step of a pipeline reads;
files in the folder `fail` and `hang` say which verbs fail, and which wait until they are stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "sha256:" + "b" * 64
SEAL = "s1:production:1:abc"
BACKEND = "file:///states"

STUB = """#!{python}
import json, os, pathlib, signal, sys, time
home = pathlib.Path({home!r})
verb, *rest = sys.argv[1:]
kept = {{name: os.environ.get(name, "") for name in ("RELEASE_ROLE", "PULUMI_BACKEND_URL")}}
def note(**more):
    with (home / "calls").open("a") as file:
        file.write(json.dumps({{"verb": verb, "arguments": rest, **kept, **more}}) + "\\n")
note()
def write(text):
    for file in [rest[at + 1] for at, each in enumerate(rest) if each == "--out"]:
        seal = text[:0] if text.endswith("why") else {seal!r}
        pathlib.Path(file).write_text(seal if file.endswith(".seal") else "# " + text)
if (home / "hang" / verb).exists():
    def stop(number, frame):
        note(signal=signal.Signals(number).name)
        sys.exit(130)
    for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, stop)
    (home / "hangs").touch()
    while True: time.sleep(0.02)
if (home / "fail" / verb).exists():
    print("stub: " + verb + " refuses", file=sys.stderr)
    if verb == "rollback": print("rollback wrote this")
    write(verb + " says why")
    sys.exit(1)
write(" ".join([verb, *rest]))
if verb in ("build", "adopt"): print({digest!r})
"""


@dataclass(frozen=True)
class Call:
    """One call of the stub. `signal`: it was stopped by this one."""

    verb: str
    arguments: tuple[str, ...]
    environ: dict[str, str]
    signal: str = ""

    @property
    def text(self) -> str:
        """The command line; files that it writes by their last names."""
        return " ".join([self.verb, *map(self._last_name, self.arguments)])

    def _last_name(self, argument: str) -> str:
        return argument.rsplit("/", 1)[-1] if ("--out", argument) in pairwise(self.arguments) else argument

    @property
    def role(self) -> str:
        """The role that .ci/prepare was asked to take."""
        return self.environ["RELEASE_ROLE"]


class Stubbed:
    """The folder of a checkout with pipelines of this repository and the stub."""

    def __init__(self, folder: Path, *files: str) -> None:
        self.folder, self.home = folder / "checkout", folder / "home"
        for each in (self.folder, self.home / "fail", self.home / "hang"):
            each.mkdir(parents=True)
        for name in files:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.folder / name)
        release = self.folder / ".venv/bin/release"
        release.parent.mkdir(parents=True)
        release.write_text(STUB.format(python=sys.executable, home=str(self.home), digest=DIGEST, seal=SEAL))
        release.chmod(0o755)
        (self.folder / ".local").mkdir()
        (self.folder / ".local/env").write_text(f"export PULUMI_BACKEND_URL={BACKEND}\n")
        (self.folder / ".gitignore").write_text(".venv/\n.local/\n.gitlab-ci-local/\n")
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "As it is in the working tree")

    def git(self, *arguments: str) -> None:
        me = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
        subprocess.run(["git", *me, *arguments], cwd=self.folder, check=True, env=self.environ())

    def environ(self, **more: str) -> dict[str, str]:
        """An environment without any cloud, CI or git configuration of this machine's."""
        ours = ("AWS", "PULUMI", "RELEASE", "LOCAL_AWS", "GIT", "CI", "GITHUB", "GITLAB", "JENKINS", "PYTEST")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(self.home), **more}

    def fails(self, *verbs: str) -> None:
        """From now on these verbs fail, and no others."""
        self._mark("fail", verbs)

    def hangs(self, *verbs: str) -> None:
        """From now on these verbs wait until they are stopped, and no others."""
        self._mark("hang", verbs)
        (self.home / "hangs").unlink(missing_ok=True)

    def anew(self) -> Self:
        """Without what an earlier test asked for, and without its calls."""
        self.fails()
        self.hangs()
        self.calls()
        return self

    def waits(self) -> bool:
        """Does a verb wait to be stopped?"""
        return (self.home / "hangs").exists()

    def _mark(self, what: str, verbs: tuple[str, ...]) -> None:
        for path in (self.home / what).iterdir():
            path.unlink()
        for verb in verbs:
            (self.home / what / verb).touch()

    def calls(self) -> list[Call]:
        """What was called since the last time, in its order."""
        file = self.home / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [_call(json.loads(line)) for line in lines]


def _call(found: dict[str, Any]) -> Call:
    verb, arguments, signal = found.pop("verb"), found.pop("arguments"), found.pop("signal", "")
    return Call(verb=verb, arguments=tuple(arguments), environ=found, signal=signal)


def texts(calls: list[Call]) -> list[str]:
    """The command lines."""
    return [call.text for call in calls]


def proven(review: str, hotfix: str = "", exceptions: str = "", *, drill: bool = False) -> list[str]:
    """The command lines of a release up to the approval; `review`: the files that the review writes."""
    return [
        "build --lock-wait 900",
        f"scan {DIGEST} --hotfix {hotfix}",
        f"check --hotfix {hotfix}",
        f"deploy staging --digest {DIGEST} --hotfix {hotfix} --exceptions={exceptions} --lock-wait 900",
        *(["drill staging --lock-wait 900"] if drill else []),
        f"review production --digest {DIGEST} --exceptions={exceptions} {review}",
    ]


def promoted(hotfix: str = "", exceptions: str = "") -> str:
    """The command line after the approval."""
    given = f"--digest {DIGEST} --seal {SEAL} --hotfix {hotfix} --exceptions={exceptions}"
    return f"promote production {given} --yes --lock-wait 900"


def rolled_back(exceptions: str = "", *, to: str = "") -> str:
    """The command line of a rollback of production; the reason is `errors`."""
    target = f"--to {to} " if to else ""
    return f"rollback production {target}--reason errors --exceptions={exceptions} --yes --lock-wait 900"
