"""The checkout that is built from, and the one the program is in."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Git(Protocol):
    """What the command needs of git."""

    def head(self, folder: Path) -> str:
        """The commit that is checked out there, "" if it is no checkout with a commit."""

    def changed(self, folder: Path, below: str = ".") -> tuple[str, ...]:
        """Files that differ from the commit (untracked ones count), at or below a path of that folder."""


class RealGit:
    """`git` from the PATH."""

    def head(self, folder: Path) -> str:
        """By `git rev-parse HEAD`."""
        return self._ask(folder, "rev-parse", "HEAD")

    def changed(self, folder: Path, below: str = ".") -> tuple[str, ...]:
        """By `git status --porcelain`."""
        found = self._ask(folder, "status", "--porcelain", "--", below)
        return tuple(line.split(maxsplit=1)[1] for line in found.splitlines())

    def _ask(self, folder: Path, *arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except OSError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""


@dataclass
class FakeGit:
    """One answer for every folder."""

    commit: str = ""
    differing: tuple[str, ...] = ()

    def head(self, folder: Path) -> str:
        """As given."""
        del folder
        return self.commit

    def changed(self, folder: Path, below: str = ".") -> tuple[str, ...]:
        """As given."""
        del folder
        return tuple(path for path in self.differing if below == "." or path.startswith(f"{below}/"))
