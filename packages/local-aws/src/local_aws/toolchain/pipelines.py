"""Tools that run or judge the pipelines of a CI system on this machine; only tests of pipelines need them.

`act` runs GitHub workflows, `actionlint` judges them; `gitlab-ci-local` runs GitLab's, `npm-groovy-lint` judges a
Jenkinsfile, and Groovy runs one. Each is made in the cache on its
first call.
"""

from __future__ import annotations

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from local_aws.errors import LocalError
from local_aws.toolchain.cache import Say, filling, only_one
from local_aws.toolchain.go import Recipe, build
from local_aws.toolchain.pins import (
    ACT_PACKAGE,
    ACT_VERSION,
    ACTIONLINT_PACKAGE,
    ACTIONLINT_VERSION,
    GROOVY,
    GROOVY_SHA256,
    act_go_mod,
    actionlint_go_mod,
)

HERE = Path(__file__).parent
NODE = HERE / "node"
"""What npm installs: package.json with its lock. No install script is run: the one of `re2` compiles for minutes, so
JavaScript's own regular expressions stand in for it (`node/re2`)."""


def ensure_act(cache: Path, say: Say) -> Path:
    """Path of the `act` binary, built into the cache on the first call (about a minute and a half)."""
    return _built(act_recipe(), cache / "act" / ACT_VERSION, say)


def ensure_actionlint(cache: Path, say: Say) -> Path:
    """Path of the `actionlint` binary, built into the cache on the first call (some seconds)."""
    return _built(actionlint_recipe(), cache / "actionlint" / ACTIONLINT_VERSION, say)


def ensure_node_tools(cache: Path, say: Say) -> Path:
    """The folder with the commands `gitlab-ci-local` and `npm-groovy-lint`. Raises LocalError without Node.js 20."""
    version = sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:12]
    home = cache / "ci-node" / version
    with only_one(cache / "ci-node" / "lock", say):
        if not home.exists():
            with filling(home) as work:
                shutil.copytree(NODE, work, dirs_exist_ok=True)
                _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=work, say=say)
    return home / "node_modules/.bin"


def ensure_groovy(cache: Path, say: Say) -> Path:
    """The jar of Groovy, fetched by Maven and compared with its hash. Raises LocalError."""
    home = cache / "groovy" / GROOVY.rsplit(":", 1)[1]
    with only_one(cache / "groovy" / "lock", say):
        if not home.exists():
            with filling(home) as work:
                copy = ("dependency:copy", f"-Dartifact={GROOVY}", f"-DoutputDirectory={work}")
                _run("mvn", "--batch-mode", "--quiet", *copy, folder=work, say=say)
                _need_hash(_jar(work))
    return _jar(home)


def _jar(folder: Path) -> Path:
    return next(folder.glob("groovy-*.jar"))


def _need_hash(jar: Path) -> None:
    if (found := sha256(jar.read_bytes()).hexdigest()) != GROOVY_SHA256:
        raise LocalError(
            f"{GROOVY} is not the file that this version was tested with.",
            why=f"its SHA-256 is {found}, and should be {GROOVY_SHA256}",
            next_step="find out who serves it; a mirror must not change files",
        )


def _built(recipe: Recipe, home: Path, say: Say) -> Path:
    binary = home / recipe.name
    if binary.exists():
        return binary
    with only_one(home.parent / "lock", say):
        if not binary.exists():
            with filling(home) as work:
                build(recipe, work, say)
    return binary


def _run(command: str, *arguments: str, folder: Path, say: Say) -> None:
    if shutil.which(command) is None:
        raise LocalError(f"{command} is not installed.", why="it fetches a tool that tests of pipelines need")
    say(f"{command} {arguments[0]} …")
    done = subprocess.run(
        [command, *arguments], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )  # fmt: skip
    if done.returncode:
        last = (done.stdout + done.stderr).strip().splitlines()[-12:]
        raise LocalError(
            f"`{command} {arguments[0]}` failed with code {done.returncode}.",
            why="\n        ".join(last),
            next_step="if files could not be downloaded, check the network; then run this again",
        )


def act_recipe() -> Recipe:
    return Recipe(
        package=ACT_PACKAGE,
        go_mod=act_go_mod(),
        go_sum=(HERE / "act.sum").read_text(),
        ldflags=f"-w -s -X main.version={ACT_VERSION}",
    )


def actionlint_recipe() -> Recipe:
    return Recipe(
        package=f"{ACTIONLINT_PACKAGE}/cmd/actionlint",
        go_mod=actionlint_go_mod(),
        go_sum=(HERE / "actionlint.sum").read_text(),
    )
