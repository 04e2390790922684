"""The tree of a commit as files: what an image is built from.

Contents are the blobs as git stores them, read by `git cat-file`, so that neither filters nor conversions of line ends
nor attributes nor what lies in the working directory can change an image (docs/adr/0013-the-image-is-the-commit.md).
Modes and times are the same at each export of a commit.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from release_lane.disk.git import LINK, PROGRAM, Commit, Entry, ask, entries, environment, shown
from release_lane.errors import CloudError, UsageError

POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize \d+\n"
)
"""What Git LFS commits in place of a file (git-lfs, docs/spec.md)."""

POINTER_LIMIT = 1024
"""Bytes. A pointer is shorter (the same page)."""

PIECE = 1 << 20


def export(commit: Commit, into: Path) -> None:
    """Write what is built of the commit into a new folder. Raises `UsageError` for what cannot be written truly."""
    found = entries(commit)
    try:
        into.mkdir(parents=True)
        _write(found, into)
        _refuse_links_out(commit, found, into)
        _same_each_time(found, into, _when(commit))
    except FileExistsError as error:
        raise UsageError(
            f"Two names in commit {commit.sha[:12]} are one on this disk: {shown(os.fsdecode(error.filename))}.",
            next_step="rename one of them, or build on a disk that tells them apart.",
        ) from error
    except OSError as error:
        raise CloudError(
            f"Commit {commit.sha[:12]} could not be written to {into}.",
            why=str(error),
            next_step="make room there, or name another folder in TMPDIR.",
        ) from error


def _write(found: Sequence[Entry], into: Path) -> None:
    """Files first and links last, so that nothing is written through a link."""
    links: list[tuple[Path, str]] = []
    pointers: list[Entry] = []
    for repository in dict.fromkeys(entry.repository for entry in found):
        with _blobs(repository) as blobs:
            for entry in (each for each in found if each.repository == repository):
                target = _place(entry, into)
                if entry.mode == LINK:
                    links.append((target, os.fsdecode(b"".join(blobs.read(entry)))))
                    continue
                with target.open("xb") as file:
                    file.writelines(blobs.read(entry))
                if _oid(target):
                    pointers.append(entry)
    _fetch(pointers, into)
    for target, leads_to in links:
        target.symlink_to(leads_to)


def _place(entry: Entry, into: Path) -> Path:
    if {"", ".", "..", ".git"} & set(entry.path.split("/")):
        raise UsageError(
            f"{shown(entry.path)} in the commit is no name of a file.", why="git writes no such file either"
        )
    target = into / entry.path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


# ---- contents


@dataclass(frozen=True)
class _Blobs:
    """`git cat-file --batch` in a repository: asked for one blob after the other."""

    repository: Path
    process: subprocess.Popen[bytes]
    words: IO[bytes]

    def read(self, entry: Entry) -> Iterator[bytes]:
        """The content in pieces, to be read to the end."""
        out = self.process.stdout
        assert out is not None
        left = self._size(entry)
        while left:
            piece = out.read(min(left, PIECE))
            if not piece:
                raise self._lacks(entry)
            left -= len(piece)
            yield piece
        out.read(1)  # git ends each with a new line

    def _size(self, entry: Entry) -> int:
        question, out = self.process.stdin, self.process.stdout
        assert question is not None
        assert out is not None
        try:
            question.write(entry.blob.encode() + b"\n")
            question.flush()
        except BrokenPipeError:
            with suppress(BrokenPipeError):  # it flushes once more what git did not read
                question.close()
            raise self._lacks(entry) from None
        answer = out.readline()
        match answer.split():
            case [_, b"blob", size]:
                return int(size)
        raise self._lacks(entry, answer)

    def _lacks(self, entry: Entry, answer: bytes = b"") -> UsageError:
        self.process.kill() if answer else self.process.wait()
        self.words.seek(0)
        said = self.words.read().strip() or answer.strip() or b"git cat-file ended"
        return UsageError(
            f"{self.repository} has not got the content of {shown(entry.path)}.",
            why=said.decode(errors="replace"),
            next_step="fetch the whole commit (`git fsck` names what else is missing), then build.",
        )


@contextmanager
def _blobs(repository: Path) -> Iterator[_Blobs]:
    command = ["git", "-C", str(repository), "cat-file", "--batch"]
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(
            command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words
        ) as process,
    ):
        yield _Blobs(repository, process, words)


# ---- Git LFS


def _oid(file: Path) -> str:
    """The SHA-256 of what a pointer stands for, "" if the file is no pointer."""
    if file.stat().st_size >= POINTER_LIMIT:
        return ""
    found = POINTER.fullmatch(file.read_bytes())
    return found[1].decode() if found else ""


def _fetch(pointers: Sequence[Entry], into: Path) -> None:
    """Put contents in place of pointers, by `git lfs smudge`. What comes must be what the commit names."""
    lost: dict[str, str] = {}
    for entry in pointers:
        target = into / entry.path
        wanted, pointer = _oid(target), target.read_bytes()
        everything = ("-c", "lfs.fetchinclude=", "-c", "lfs.fetchexclude=")
        command = ["git", "-C", str(entry.repository), *everything, "lfs", "smudge", "--", entry.path]
        with target.open("w+b") as file:
            done = subprocess.run(command, env=environment(), input=pointer, stdout=file, stderr=subprocess.PIPE)
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                lost[shown(entry.path)] = done.stderr.decode(errors="replace").strip()
    if lost:
        raise UsageError(
            f"The commit keeps these in Git LFS, and their content is not here: {_some([*lost])}.",
            why=next((words for words in lost.values() if words), "git lfs gave something else"),
            next_step="`git lfs pull` (and git-lfs installed), then build.",
        )


# ---- links, modes, times


def _refuse_links_out(commit: Commit, found: Sequence[Entry], into: Path) -> None:
    inside = into.resolve()
    out = [
        shown(entry.path)
        for entry in found
        if entry.mode == LINK and not Path(os.path.realpath(into / entry.path)).is_relative_to(inside)
    ]
    if out:
        raise UsageError(
            f"Symbolic links in commit {commit.sha[:12]} lead out of {commit.named('')}: {_some(out)}.",
            why="what they lead to is not part of what is built",
            next_step="commit what they lead to, or make the links in the Dockerfile.",
        )


def _same_each_time(found: Sequence[Entry], into: Path, when: int) -> None:
    """Modes do not depend on a umask, times are the commit's own."""
    for entry in found:
        if entry.mode != LINK:
            (into / entry.path).chmod(0o755 if entry.mode == PROGRAM else 0o644)
    for folder, folders, files in os.walk(into, topdown=False):
        for name in (*folders, *files):
            os.utime(Path(folder, name), (when, when), follow_symlinks=False)
        Path(folder).chmod(0o755)
        os.utime(folder, (when, when))


def _when(commit: Commit) -> int:
    """Seconds since 1970 at which it was committed."""
    lines = ask(commit.source, "cat-file", "commit", commit.sha).splitlines()
    return int(next(line for line in lines if line.startswith("committer ")).split()[-2])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
