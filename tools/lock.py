"""`python -m tools.lock [--upgrade]` (`make lock`): write every lock anew from the file that asks for it.

Versions that still fit stay as they are, unless --upgrade is given.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local_aws.errors import LocalError
from local_aws.toolchain import go
from local_aws.toolchain.cache import Say
from local_aws.toolchain.engine import engine_recipe, installed_sdk
from local_aws.toolchain.pipelines import act_recipe, actionlint_recipe
from local_aws.toolchain.uv import uv

ROOT = Path(__file__).resolve().parents[1]
TOOLCHAIN = "packages/local-aws/src/local_aws/toolchain"
EMULATOR = "packages/local-aws/src/local_aws/emulator"
FLAGS = ("--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-annotate")


@dataclass(frozen=True)
class Lock:
    """`asks` and `locked` relative to the checkout; `more` are further flags for the resolver."""

    asks: str
    locked: str
    more: tuple[str, ...] = ()


LOCKS = (
    Lock("pyproject.toml", "requirements.lock", ("--group=dev",)),
    Lock(f"{EMULATOR}/requirements.in", f"{EMULATOR}/requirements.lock"),
    Lock("app/requirements.in", "app/requirements.lock"),
    Lock(f"{TOOLCHAIN}/uv.in", f"{TOOLCHAIN}/uv.txt"),
    Lock("tools/bench/peers.in", "tools/bench/peers.lock"),
)


def write_locks(say: Say, *, upgrade: bool = False) -> None:
    """Raises LocalError with the resolver's own words. Lines of comment at a lock's top stay."""
    for lock in LOCKS:
        say(lock.locked)
        _compile(lock, upgrade)
    recipes = (
        ("engine.sum", engine_recipe(installed_sdk())),
        ("act.sum", act_recipe()),
        ("actionlint.sum", actionlint_recipe()),
    )
    for name, recipe in recipes:
        say(f"{TOOLCHAIN}/{name}")
        with tempfile.TemporaryDirectory() as folder:
            sums = go.sums(recipe, Path(folder), say)
        (ROOT / TOOLCHAIN / name).write_text(sums)


def _compile(lock: Lock, upgrade: bool) -> None:
    path = ROOT / lock.locked
    top = "".join(line for line in _lines(path) if line.startswith("#"))
    flags = [*FLAGS, *lock.more, *(["--upgrade"] if upgrade else [])]
    compiled = ("pip", "compile", "--quiet", "--no-header", *flags, "--output-file", str(path))
    done = uv(*compiled, str(ROOT / lock.asks), cwd=ROOT)
    if done.returncode:
        raise LocalError(f"{lock.asks} cannot be resolved.", why=done.stderr.strip())
    path.write_text(top + "".join(line for line in _lines(path) if not line.startswith("#")))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True) if path.exists() else []


def main(argv: list[str]) -> int:
    """Exit codes: 0 written, 2 usage, 3 a resolver failed."""
    if {*argv} - {"--upgrade"}:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        write_locks(lambda text: print(text, file=sys.stderr, flush=True), upgrade="--upgrade" in argv)
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
