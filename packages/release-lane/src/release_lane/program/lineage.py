"""What git knows of the order of two commits: asked in the checkout of the program, and where the image was built from.

Never fetches anything, and never refuses: what git cannot say is said to be unknown, with git's own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from release_lane.decide.lineage import NOT_ASKED, Order, Relation, known_without_git
from release_lane.disk import git
from release_lane.errors import UsageError


def relations(folders: Sequence[Path], commit: str, others: Iterable[str]) -> dict[str, Relation]:
    """How `commit` stands to each of the others, by the first of these checkouts that knows."""
    return {other: _relation(folders, commit, other) for other in dict.fromkeys(others)}


def _relation(folders: Sequence[Path], commit: str, other: str) -> Relation:
    if certain := known_without_git(commit, other):
        return certain
    asked = [relation(folder, commit, other) for folder in folders]
    known = (each for each in asked if each.order is not Order.UNKNOWN)
    return next(known, asked[0] if asked else NOT_ASKED)


def relation(folder: Path, commit: str, other: str) -> Relation:
    """By `git merge-base --is-ancestor`; a shallow clone can say yes, but its no means nothing."""
    try:
        if _contains(folder, other, commit):
            return Relation(order=Order.OLDER)
        if _contains(folder, commit, other):
            return Relation(order=Order.NEWER)
        if _shallow(folder):
            return Relation(order=Order.UNKNOWN, why=git.SHALLOW)
        return Relation(order=Order.APART)
    except _Unsaid as unsaid:
        return Relation(order=Order.UNKNOWN, why=f"{unsaid}; {git.SHALLOW if _shallow(folder) else ELSEWHERE}")


ELSEWHERE = "a history of another repository has to be fetched into this checkout: `git fetch REPOSITORY`"


class _Unsaid(Exception):
    """Git's own words."""


def _contains(folder: Path, commit: str, older: str) -> bool:
    code, words = _git(folder, "merge-base", "--is-ancestor", older, commit)
    if code in (0, 1):
        return code == 0
    raise _Unsaid(words.removeprefix("fatal: ") or f"git ended with {code}")


def _shallow(folder: Path) -> bool:
    try:
        return _git(folder, "rev-parse", "--is-shallow-repository") == (0, "true")
    except _Unsaid:
        return False


def _git(folder: Path, *arguments: str) -> tuple[int, str]:
    """How git ended, and what it wrote; without going to the network."""
    try:
        done = git.run(folder, *arguments, GIT_NO_LAZY_FETCH="1", LC_ALL="C")
    except UsageError as error:
        raise _Unsaid(f"{error.what} {error.why}") from None
    return done.returncode, " ".join((done.stdout or done.stderr).decode(errors="replace").split())
