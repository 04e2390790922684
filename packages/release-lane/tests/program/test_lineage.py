"""Which of two commits is the older one, asked of real checkouts: whole, shallow, foreign, damaged, none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from release_lane.decide.lineage import Order
from release_lane.disk.git import SHALLOW
from release_lane.program.lineage import relation, relations

pytestmark = pytest.mark.cli

ABSENT = "0" * 40


def git(folder: Path, *arguments: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    person = ("-c", "user.name=a", "-c", "user.email=a@example.test", "-c", "protocol.file.allow=always")
    return subprocess.run(
        ["git", "-C", str(folder), *person, *arguments], env=clean, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, text: str) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "-m", text)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


@pytest.fixture
def line(checkout: Path) -> list[str]:
    """Three commits, each after the other."""
    return [commit(checkout, text) for text in ("one", "two", "three")]


def test_the_order_of_two_commits_is_known_from_the_history(checkout: Path, line: list[str]) -> None:
    first, _, third = line
    assert relation(checkout, first, third).order is Order.OLDER
    assert relation(checkout, third, first).order is Order.NEWER


def test_commits_of_two_branches_stand_apart(checkout: Path, line: list[str]) -> None:
    git(checkout, "checkout", "--quiet", "-b", "other", line[0])
    assert relation(checkout, commit(checkout, "aside"), line[2]).order is Order.APART


def test_a_shallow_clone_is_believed_where_it_says_yes_and_is_named_where_it_cannot_know(
    checkout: Path, line: list[str], tmp_path: Path
) -> None:
    first, second, third = line
    for depth in (1, 2):
        git(tmp_path, "clone", "--quiet", f"--depth={depth}", f"file://{checkout}", f"depth-{depth}")
    assert relation(tmp_path / "depth-2", second, third).order is Order.OLDER
    for folder in ("depth-1", "depth-2"):
        unknown = relation(tmp_path / folder, first, third)
        assert unknown.order is Order.UNKNOWN
        assert SHALLOW in unknown.why


def test_two_commits_that_a_shallow_clone_has_but_does_not_connect_are_not_said_to_stand_apart(
    checkout: Path, line: list[str], tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{checkout}", "cut")
    git(tmp_path / "cut", "fetch", "--quiet", "--depth=1", "origin", line[0])
    assert relation(tmp_path / "cut", line[0], line[2]).order is Order.UNKNOWN


def no_repository(folder: Path) -> Path:
    (folder / "plain").mkdir()
    return folder / "plain"


def damaged(folder: Path) -> Path:
    (folder / "checkout/.git/HEAD").write_text("nonsense\n")
    return folder / "checkout"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (lambda folder: folder / "checkout", "Not a valid commit name"),
        (no_repository, "not a git repository"),
        (damaged, "not a git repository"),
        (lambda folder: folder / "nowhere", "cannot change to"),
    ],
    ids=["another repository's commit", "no repository", "a damaged one", "no folder"],
)
@pytest.mark.usefixtures("line")
def test_what_git_cannot_say_is_said_in_its_own_words(
    where: Callable[[Path], Path], words: str, tmp_path: Path
) -> None:
    unknown = relation(where(tmp_path), ABSENT, "1" * 40)
    assert unknown.order is Order.UNKNOWN
    assert words in unknown.why


def test_without_git_the_order_is_unknown(
    checkout: Path, line: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git cannot be run" in relation(checkout, line[0], line[1]).why


def test_another_repository_that_was_inherited_is_not_asked(
    checkout: Path, line: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert relation(checkout, line[0], line[1]).order is Order.OLDER


def test_the_checkout_that_was_built_from_is_asked_where_the_programs_own_does_not_know(
    checkout: Path, line: list[str], tmp_path: Path
) -> None:
    (tmp_path / "program").mkdir()
    git(tmp_path / "program", "init", "--quiet")
    found = relations([tmp_path / "program", checkout], line[0], [line[2], line[1], line[2]])
    assert {other: each.order for other, each in found.items()} == {line[2]: Order.OLDER, line[1]: Order.OLDER}


def test_what_is_no_commit_is_never_asked_about(checkout: Path, line: list[str]) -> None:
    found = relations([checkout], line[0], ["", "--all", line[0]])
    assert [each.order for each in found.values()] == [Order.UNKNOWN, Order.UNKNOWN, Order.SAME]
    assert "the commit that is live is unknown" in found["--all"].why
