"""`release check`: the checks of a commit that the project names, side by side."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from release_lane.command.adapters.project import find_root
from release_lane.command.adapters.side_by_side import run_side_by_side
from release_lane.command.terminal import Terminal
from release_lane.errors import CheckFailed, UsageError
from release_lane.operate.checks import NEXT, Checked, as_data, as_text, chosen

ORDER = 8
NAME = "check"
NEEDS_PROJECT = False
HELP = "Run the checks of this commit that the project names (tests, lint, a scan of dependencies), side by side."
DETAILS = """\
The checks are in pyproject.toml, by name; each is a command of the shell, run in the project's
folder. It says what was left out, and which of the usual checks (tests, lint, types,
dependencies) the project does not have. It needs no cloud and no credentials. The image is
scanned by the registry: `release scan`.

  [tool.release-lane]
  hotfix = ["tests"]

  [tool.release-lane.checks]
  tests = "python -m pytest -q"
  lint = "ruff check ."

  release check
  release check tests lint
  release check --hotfix "prices are wrong"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these checks (default: all)")
    parser.add_argument(
        "--hotfix",
        metavar="REASON",
        default="",
        help="only those that a hotfix needs; the others are named as left out, with the reason (empty: no hotfix)",
    )


def run(terminal: Terminal, arguments: argparse.Namespace) -> int:
    """Run them, and report."""
    root = find_root(Path.cwd())
    picked = chosen(_pyproject(root), arguments.names, arguments.hotfix.strip())

    def ended(check: Checked) -> None:
        if not check.ok:
            terminal.say(f"--- {check.name}\n{check.output.rstrip()}")
        terminal.say(f"{check.name}: {'passed' if check.ok else 'failed'} after {check.seconds:.0f} s")

    checked = run_side_by_side(picked.commands, root, ended)
    terminal.emit(as_data(picked, checked), as_text(picked, checked))
    if failed := [each.name for each in checked if not each.ok]:
        raise CheckFailed(
            f"{len(failed)} of {len(checked)} checks failed: {', '.join(failed)}.",
            next_step=f"see its output above; `release check {failed[0]}` runs it again.",
        )
    return 0


def _pyproject(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"There is no {path}. Nothing was checked.", next_step=NEXT) from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read.", why=str(error), next_step="correct it.") from error
