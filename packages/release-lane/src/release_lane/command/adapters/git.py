"""Git: the checkout to build from, and the program's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from release_lane.disk import git
from release_lane.errors import UsageError
from release_lane.record.app import App
from release_lane.record.commit import Commits


class Git(Protocol):
    """What the command needs of git. Each raises `UsageError` with git's own words where it does not answer."""

    def to_build(self, source: Path, app: App) -> str:
        """The commit of which `app` is built; refused unless it has a Dockerfile and nothing differs from it there."""

    def head(self, folder: Path) -> str:
        """The commit that is checked out there."""

    def changed(self, folder: Path) -> tuple[str, ...]:
        """Files that differ from the commit (untracked ones count)."""

    def edited(self, folder: Path) -> tuple[str, ...]:
        """Files of the commit that differ from it."""

    def committed(self, folder: Path, commits: Collection[str]) -> Mapping[str, float]:
        """When each commit was made, in epoch seconds, as far as git knows; never raises."""

    def commits(self, folder: Path, old: str, new: str) -> Commits:
        """What lies between two commits, and the remote; never raises: what git cannot say is in `unknown`."""


class RealGit:
    """`git` from the PATH."""

    def to_build(self, source: Path, app: App) -> str:
        """As the program asks it."""
        return git.to_build(source, app).sha

    def head(self, folder: Path) -> str:
        """By `git rev-parse HEAD`."""
        return git.head(folder)

    def changed(self, folder: Path) -> tuple[str, ...]:
        """By `git status --porcelain`."""
        return git.changed(folder)

    def edited(self, folder: Path) -> tuple[str, ...]:
        """By the same."""
        return git.changed(folder, untracked=False)

    def committed(self, folder: Path, commits: Collection[str]) -> Mapping[str, float]:
        """By `git log --no-walk`; nothing is fetched."""
        try:
            return git.committed(folder, commits)
        except UsageError:
            return {}

    def commits(self, folder: Path, old: str, new: str) -> Commits:
        """By `git log`, both ways; nothing is fetched."""
        try:
            added, removed = git.logged(folder, old, new), git.logged(folder, new, old)
            if git.cut_off(folder, old, new):
                return Commits(old=old, new=new, unknown=git.SHALLOW)
            return Commits(old=old, new=new, added=added, removed=removed, remote=git.remote(folder))
        except UsageError as error:
            return Commits(old=old, new=new, unknown=error.why or error.what)


@dataclass
class FakeGit:
    """One answer for every folder; `refused` is what git says instead, if it does not answer."""

    commit: str = "c" * 40
    differing: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    refused: str = ""
    times: Mapping[str, float] = field(default_factory=dict)
    between: Commits | None = None

    def to_build(self, source: Path, app: App) -> str:
        """As given."""
        del app
        return self.head(source)

    def head(self, folder: Path) -> str:
        """As given."""
        if self.refused:
            raise UsageError(f"git does not answer for {folder}.", why=self.refused)
        return self.commit

    def changed(self, folder: Path) -> tuple[str, ...]:
        """As given."""
        return (*self.edited(folder), *self.untracked)

    def edited(self, folder: Path) -> tuple[str, ...]:
        """As given."""
        self.head(folder)
        return self.differing

    def committed(self, folder: Path, commits: Collection[str]) -> Mapping[str, float]:
        """As given."""
        del folder
        return {commit: at for commit, at in self.times.items() if commit in commits}

    def commits(self, folder: Path, old: str, new: str) -> Commits:
        """As given."""
        del folder
        return self.between or Commits(old=old, new=new, unknown="the history is not here")
