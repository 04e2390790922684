"""The one door to git.

Each child gets an environment in which nothing that was inherited leads git elsewhere, and if git does not answer,
its words are shown, never taken for an answer. Questions go to the objects of a commit. Only `changed` looks at
files that are checked out, so only that depends on a user's configuration, and nothing that is built depends on it.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from release_lane.errors import UsageError
from release_lane.record.app import App
from release_lane.record.commit import Logged, is_commit

INHERITED = ("GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_HTTP_", "GIT_PROXY_", "GIT_SSH", "GIT_SSL_")
"""What of git's own variables a child keeps: where git's programs are, and how a remote is reached."""

LOG = ("log", "--no-show-signature")
"""The option: a user's `log.showSignature` would write into the answer."""

SHALLOW = "this checkout is shallow, so its history is cut off (fetch it all: `git fetch --unshallow`)"

FOLDER, PROGRAM, LINK, SUBMODULE = "040000", "100755", "120000", "160000"
"""Modes of a tree's entries; every other one is a file."""


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every git child: no GIT_DIR, GIT_INDEX_FILE, GIT_CONFIG_… of somebody else's.

    GIT_NO_REPLACE_OBJECTS: with `refs/replace` a commit would have another tree than the one that its SHA names.
    """
    given = os.environ if environ is None else environ
    kept = {key: value for key, value in given.items() if not key.startswith("GIT_") or key.startswith(INHERITED)}
    return {**kept, "GIT_NO_REPLACE_OBJECTS": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """`git -C folder …`, however it ends, with some variables for git besides. `UsageError` where there is no git."""
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env={**environment(), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    except OSError as error:
        raise UsageError("git cannot be run.", why=str(error), next_step="install git, on the PATH.") from None


def ask(folder: Path, *arguments: str, refused: str = "", next_step: str = "", **variables: str) -> str:
    """What git writes, without the last line's end.

    Raises `UsageError` with git's own words as the reason; `refused` says what that means.
    """
    done = run(folder, *arguments, **variables)
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip() or f"git {arguments[0]} ended with {done.returncode}"
        raise UsageError(refused or f"git does not answer for {folder}.", why=words, next_step=next_step)
    return os.fsdecode(done.stdout).removesuffix("\n")


def head(folder: Path) -> str:
    """The commit that is checked out there. Raises `UsageError` with git's words."""
    return ask(
        folder,
        *("rev-parse", "--verify", "HEAD^{commit}"),
        refused=f"git names no commit for {folder}.",
        next_step="give a git checkout with a commit, or do what git says.",
    )


def changed(folder: Path, below: str = ".", *, untracked: bool = True) -> tuple[str, ...]:
    """Files that differ from the commit, submodules included and untracked ones if wanted, at or below a path of that
    folder.

    A courtesy: ignored files and those whose index entry says "assume unchanged" are not among them.
    """
    found = ask(
        folder,
        *("-c", "core.fsmonitor=false", "status", "--porcelain=v1", "-z"),
        *(f"--untracked-files={'all' if untracked else 'no'}", "--ignore-submodules=none", "--no-renames", "--", below),
        refused=f"git does not say what differs in {folder}.",
    )
    return tuple(shown(line[3:]) for line in found.split("\0") if line)


def committed(folder: Path, commits: Collection[str]) -> dict[str, float]:
    """When each of these commits was made (its committer's clock, epoch seconds); without those that are not here.

    Nothing is fetched. Raises `UsageError` with git's words.
    """
    asked = sorted(filter(is_commit, commits))
    if not asked:
        return {}
    found = ask(
        folder,
        *LOG,
        *("--no-walk=unsorted", "--ignore-missing", "--format=%H %ct", *asked, "--"),
        refused=f"git does not say when commits of {folder} were made.",
        GIT_NO_LAZY_FETCH="1",
    )
    return {sha: float(at) for sha, _, at in (line.partition(" ") for line in found.splitlines())}


def remote(folder: Path) -> str:
    """The URL of the remote `origin`, "" without one. Credentials in it are left out."""
    done = run(folder, "remote", "get-url", "origin")
    found = os.fsdecode(done.stdout).strip() if done.returncode == 0 else ""
    scheme, there, rest = found.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0].rsplit('@', 1)[-1]}/{rest.partition('/')[2]}" if there else found


def logged(folder: Path, since: str, until: str) -> tuple[Logged, ...]:
    """The commits that `until` contains and `since` does not, newest first. Raises `UsageError` with git's words."""
    form = "%x1f".join(("%H", "%an", "%ae", "%cI", "%s"))
    found = ask(
        folder,
        *LOG,
        *("-z", f"--format={form}", f"{since}..{until}", "--"),
        refused=f"git does not say what is between {since[:12]} and {until[:12]}.",
        GIT_NO_LAZY_FETCH="1",
        LC_ALL="C",
    )
    parts = (line.split("\x1f", 4) for line in found.split("\0") if line)
    return tuple(
        Logged(sha=sha, author=shown(author), email=email, at=at, subject=shown(subject))
        for sha, author, email, at, subject in parts
    )


def cut_off(folder: Path, one: str, other: str) -> bool:
    """Is this checkout shallow, and lacks what connects the two commits?"""
    if ask(folder, "rev-parse", "--is-shallow-repository") != "true":
        return False
    return run(folder, "merge-base", one, other, GIT_NO_LAZY_FETCH="1").returncode == 1


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What is built: a folder of one commit.

    `source` is where the commit is checked out, `app` says which folder of `source` is built, and `tree` is the path
    of that folder in the repository ("" for all of it).
    """

    source: Path
    sha: str
    tree: str
    app: App

    @property
    def folder(self) -> Path:
        """Where it is checked out."""
        return self.source / self.app.folder

    def named(self, path: str) -> str:
        """A path below it, for messages, as the repository has it."""
        return f"{self.tree}/{path}" if self.tree else path or "the repository"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file or link of what is built. `path` is relative to it; `blob` is an object of the checkout `repository`."""

    path: str
    mode: str
    blob: str
    repository: Path


def to_build(source: Path, app: App | None = None) -> Commit:
    """The commit that `source` has checked out, in which the folder of `app` has its Dockerfile and all submodules are
    here.

    Raises `UsageError` for anything else, and for changes in that folder that no commit has: they would not be in the
    image.
    """
    app = app or App()
    sha = head(source)
    commit = Commit(source=source, sha=sha, tree=_in_repository(source, app), app=app)
    dockerfile = posixpath.normpath(app.dockerfile)
    if dockerfile not in {entry.path for entry in entries(commit)}:
        raise UsageError(
            f"There is no {commit.named(dockerfile)} in commit {sha[:12]} of {source}.",
            why="what is built is the commit, not the working directory",
            next_step="commit one, name the service's folder and Dockerfile in the setting `app` of the artifacts "
            "stack, give another `source`, or adopt what another CI built (`release adopt`).",
        )
    differing = changed(source, app.folder)
    if differing:
        raise UsageError(
            f"{commit.named('')} has changes that are in no commit: {', '.join(differing[:5])}.",
            why="what is built is the commit, so they would not be in the image",
            next_step="commit (or stash) them, then build.",
        )
    return commit


def _in_repository(source: Path, app: App) -> str:
    """The path of the app's folder in the repository, "" for all of it."""
    path = posixpath.normpath(ask(source, "rev-parse", "--show-prefix") + app.folder)
    if path.split("/")[0] == "..":
        raise UsageError(
            f"app.folder is {app.folder}, which leads out of the repository of {source}.",
            why="what is built is a folder of the commit",
            next_step="name a folder of this repository in the setting `app` of the artifacts stack.",
        )
    return "" if path == "." else path


def entries(commit: Commit) -> list[Entry]:
    """All files and links of what is built, those of submodules at their recorded commits included."""
    if not commit.tree:
        return list(_below(commit.source, FOLDER, commit.sha, commit.folder, ""))
    at = _tree(commit.source, commit.sha, commit.tree)
    if not at or at[0][0] not in (SUBMODULE, FOLDER):
        repository = ask(commit.source, "rev-parse", "--absolute-git-dir")
        raise UsageError(
            f"Commit {commit.sha[:12]} of {commit.source} has no folder {commit.tree}"
            + (", it is a symbolic link there." if at and at[0][0] == LINK else f" (the repository is {repository})."),
            why="what is built is the commit; what was only unpacked into a checkout is not part of it",
            next_step="commit it as a folder, or give the checkout that has it (`source`).",
        )
    mode, object_, _ = at[0]
    return list(_below(commit.source, mode, object_, commit.folder, ""))


def _below(repository: Path, mode: str, object_: str, folder: Path, path: str) -> Iterator[Entry]:
    """What a tree or a submodule has; `folder` is where it is checked out, `path` leads to it from what is built."""
    if mode == SUBMODULE:
        _need(folder, object_)
        repository = folder
    for each, inner, name in _tree(repository, object_):
        if each == SUBMODULE:
            yield from _below(repository, each, inner, folder / name, f"{path}{name}/")
        else:
            yield Entry(path=path + name, mode=each, blob=inner, repository=repository)


def _tree(repository: Path, tree: str, *paths: str) -> list[tuple[str, str, str]]:
    """(mode, object, path) of a tree's entries: all below it, or those that are named."""
    listing = ask(
        repository,
        *("ls-tree", "-z", "--full-tree", *([] if paths else ["-r"]), tree, *(["--", *paths] if paths else [])),
        refused=f"{repository} lacks a part of the commit that is built.",
    )
    return [_parts(line) for line in listing.split("\0") if line]


def _parts(line: str) -> tuple[str, str, str]:
    described, _, name = line.partition("\t")
    mode, _, object_ = described.split(" ")
    return mode, object_, name


def _need(submodule: Path, commit: str) -> None:
    """The submodule has that commit. No repository is looked for above its folder: that is the one around it."""
    ask(
        submodule,
        *("cat-file", "-e", f"{commit}^{{commit}}"),
        GIT_CEILING_DIRECTORIES=str(submodule.parent.resolve()),
        refused=f"The submodule {submodule} is not here at its recorded commit {commit[:12]}.",
        next_step="`git submodule update --init --recursive`, then build.",
    )


def shown(path: str) -> str:
    """A path for people: bytes that are no UTF-8 are replaced."""
    return os.fsencode(path).decode(errors="replace")
