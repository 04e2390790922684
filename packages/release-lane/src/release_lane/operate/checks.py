"""The checks of a commit that a project names in its pyproject.toml: which of them run, and what is said of them. Pure.

[tool.release-lane]
hotfix = ["tests"]                 # what a hotfix needs; absent: all

[tool.release-lane.checks]         # name = a command of the shell, run in the project's folder
tests = "python -m pytest -q"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from release_lane.errors import UsageError

USUAL = ("tests", "lint", "types", "dependencies")
"""Checks that most pipelines have. Each one that a project does not name is said to be missing. The image is scanned
by the registry (`release scan`)."""
NEXT = 'name them in pyproject.toml: `[tool.release-lane.checks]`, name = "command".'


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """`commands` by name run side by side. `left_out`: named by the project, but not run now. `reason`: why not."""

    commands: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    reason: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Usual checks that the project does not have."""
        return tuple(name for name in USUAL if name not in {*self.commands, *self.left_out})


@dataclass(frozen=True, kw_only=True)
class Checked:
    """How one check ended. `code`: exit code, negative for a signal."""

    name: str
    code: int
    seconds: float
    output: str = ""

    @property
    def ok(self) -> bool:
        return self.code == 0


def chosen(pyproject: Mapping[str, Any], names: Sequence[str], hotfix: str) -> Chosen:
    """All checks, those of these names, or with a reason in `hotfix` those that a hotfix needs. Raises UsageError."""
    own = _table(_table(pyproject.get("tool")).get("release-lane"))
    commands = _table(own.get("checks"))
    if not commands:
        raise UsageError("This project names no checks. Nothing was checked.", next_step=NEXT)
    if wrong := [name for name, command in commands.items() if not isinstance(command, str) or not command.strip()]:
        raise UsageError(f"These checks have no command: {', '.join(wrong)}.", next_step=NEXT)
    wanted = list(names) or (own.get("hotfix") if hotfix else None) or list(commands)
    if not isinstance(wanted, list) or (unknown := [str(name) for name in wanted if name not in commands]):
        said = ", ".join(unknown) if isinstance(wanted, list) else str(wanted)
        raise UsageError(f"There is no check {said}; there are {', '.join(commands)}.", next_step=NEXT)
    return Chosen(
        commands={name: command for name, command in commands.items() if name in wanted},
        left_out=tuple(name for name in commands if name not in wanted),
        reason=hotfix,
    )


def _table(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def as_text(picked: Chosen, checked: Sequence[Checked]) -> str:
    """What was checked, as a table of Markdown, and below it what was not."""
    rows = [f"| {each.name} | {_result(each)} | {each.seconds:.0f} s |" for each in checked]
    why = f" for a hotfix: {picked.reason}" if picked.reason else ""
    below = [
        f"Left out{why}: {', '.join(picked.left_out)}." if picked.left_out else "",
        f"This project has no check called {' or '.join(picked.missing)}." if picked.missing else "",
    ]
    return "\n".join(
        ["| check | result | time |", "| --- | --- | --- |", *rows, *(f"\n{line}" for line in below if line)]
    )


def as_data(picked: Chosen, checked: Sequence[Checked]) -> dict[str, Any]:
    """The same for `--json`."""
    ended = [{"name": each.name, "code": each.code, "seconds": round(each.seconds, 1)} for each in checked]
    return {
        "checks": ended, "leftOut": list(picked.left_out), "missing": list(picked.missing), "hotfix": picked.reason
    }  # fmt: skip


def _result(checked: Checked) -> str:
    if checked.ok:
        return "passed"
    return f"**failed** (ended by signal {-checked.code})" if checked.code < 0 else f"**failed** (code {checked.code})"
