"""A contract: one statement about AWS that something here relies on, where AWS says so, and the test that tries it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
ELSEWHERE = (ROOT / "packages/release-lane/tests/settings/test_limits_of_aws.py",)
"""Contracts of the lane that need its own values."""

SOURCES = (ROOT, *(ROOT / "packages").glob("*/src"))


def exists(file: str) -> bool:
    """Is there such a file, by its path in the checkout or in a package?"""
    return any((folder / file).exists() for folder in SOURCES)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One behaviour.

    `says` is the statement; `source` the page of AWS's documentation; `otherwise` what breaks for users or for a
    release if it is untrue; `used_by` are files of this repository that rely on it. `note` says what the page leaves
    open, `minutes` how long the test may take on a real account (an estimate: a load balancer that exists, a Fargate
    task that starts in a minute). `test` is its name, "" for a behaviour that cannot be tried.
    """

    says: str
    source: str
    otherwise: str
    used_by: tuple[str, ...]
    note: str = ""
    minutes: float = 0.2
    test: str = ""


def contract(
    *, says: str, source: str, otherwise: str, used_by: tuple[str, ...], note: str = "", minutes: float = 0.2
) -> Callable[[Test], Test]:
    """The test below tries this behaviour."""
    given = Contract(says=says, source=source, otherwise=otherwise, used_by=used_by, note=note, minutes=minutes)

    def carries(test: Test) -> Test:
        test.contract = replace(given, test=test.__name__)  # type: ignore[attr-defined]
        return test

    return carries


@dataclass(frozen=True)
class Chapter:
    """The contracts of one file, in its order. `title` is the first line of its docstring."""

    title: str
    file: str
    contracts: tuple[Contract, ...]
    bare: tuple[str, ...] = ()
    """Tests without a contract; there should be none."""


def chapters() -> list[Chapter]:
    """All of them, by file name."""
    return [_chapter(importlib.import_module(f"tests.{path.parent.name}.{path.stem}"), path) for path in _files()]


def _files() -> list[Path]:
    here = [path for path in HERE.glob("test_*.py") if "pytest.mark.cloud" in path.read_text()]
    return sorted([*here, *ELSEWHERE], key=lambda path: path.stem)


def _chapter(module: ModuleType, path: Path) -> Chapter:
    tests = [value for name, value in vars(module).items() if name.startswith("test_") and callable(value)]
    return Chapter(
        title=(module.__doc__ or "").strip().splitlines()[0].rstrip("."),
        file=str(path.relative_to(ROOT)),
        contracts=tuple(test.contract for test in tests if hasattr(test, "contract")),
        bare=tuple(test.__name__ for test in tests if not hasattr(test, "contract")),
    )


def all_contracts() -> Iterator[Contract]:
    """Every contract that a test tries."""
    for chapter in chapters():
        yield from chapter.contracts
