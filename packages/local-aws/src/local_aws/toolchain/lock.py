"""`make lock`: write every lock anew from what asks for it. Versions that still fit stay as they are."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from local_aws.errors import LocalError
from local_aws.toolchain import go
from local_aws.toolchain.act import act_recipe
from local_aws.toolchain.cache import Say
from local_aws.toolchain.engine import HERE, ROOT, engine_recipe
from local_aws.toolchain.pins import pinned_engine
from local_aws.toolchain.uv import uv

FLAGS = ("--universal", "--python-version=3.11", "--generate-hashes", "--no-emit-index-url", "--no-annotate")


@dataclass(frozen=True)
class Lock:
    """`asks` and `locked` relative to the checkout; `more` are further flags for the resolver."""

    asks: str
    locked: str
    more: tuple[str, ...] = ()


LOCKS = (
    Lock("pyproject.toml", "requirements.lock", ("--group=dev",)),
    Lock("local_aws/emulator/requirements.in", "local_aws/emulator/requirements.lock"),
    Lock("app/requirements.in", "app/requirements.lock"),
    Lock("local_aws/toolchain/uv.in", "local_aws/toolchain/uv.txt"),
)


def write_locks(say: Say, *, upgrade: bool = False) -> None:
    """Raises LocalError with the resolver's own words. Lines of comment at a lock's top stay."""
    for lock in LOCKS:
        say(lock.locked)
        _compile(lock, upgrade)
    pinned = pinned_engine((ROOT / "pyproject.toml").read_text())
    for name, recipe in (("engine.sum", engine_recipe(pinned)), ("act.sum", act_recipe())):
        say(f"local_aws/toolchain/{name}")
        with tempfile.TemporaryDirectory() as folder:
            sums = go.sums(recipe, Path(folder), say)
        (HERE / name).write_text(sums)


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
