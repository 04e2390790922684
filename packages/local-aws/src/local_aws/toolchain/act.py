"""`act` runs GitHub workflows on this machine; only tests of workflows need it."""

from __future__ import annotations

from pathlib import Path

from local_aws.toolchain.cache import Say, filling, only_one
from local_aws.toolchain.go import Recipe, build
from local_aws.toolchain.pins import ACT_PACKAGE, ACT_VERSION, act_go_mod

SUMS = Path(__file__).with_name("act.sum")


def ensure_act(cache: Path, say: Say) -> Path:
    """Path of the `act` binary, built into the cache on the first call (about a minute and a half)."""
    home = cache / "act" / ACT_VERSION
    binary = home / "act"
    if binary.exists():
        return binary
    with only_one(cache / "act" / "lock", say):
        if not binary.exists():
            with filling(home) as work:
                build(act_recipe(), work, say)
    return binary


def act_recipe() -> Recipe:
    return Recipe(
        package=ACT_PACKAGE,
        go_mod=act_go_mod(),
        go_sum=SUMS.read_text(),
        ldflags=f"-w -s -X main.version={ACT_VERSION}",
    )
