"""Temporary folders that need no clean-up by hand, not even after SIGKILL.

Each is locked for as long as its user lives, and the kernel frees the lock of the dead, also across containers
that share /tmp, where a process id would mean another process. Creating a folder first deletes those of dead processes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PREFIX = "release-lane-scratch-"


@dataclass(frozen=True)
class Scratch:
    """`lock` is an open file: a process that inherits it keeps the folder."""

    folder: Path
    lock: int


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A folder that only its owner can read, for as long as it is needed."""
    sweep()
    made = _made()
    try:
        yield made
    finally:
        shutil.rmtree(made.folder, ignore_errors=True)
        os.close(made.lock)


def _made() -> Scratch:
    """A new one, locked; another, if a sweep took it before it was."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            if _locked(lock) is not False and folder.exists():
                return Scratch(folder, lock)
            os.close(lock)


def sweep() -> None:
    """Remove folders of dead processes: only own ones, and none whose lock is held or, on this disk, unknown."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                if _locked(lock):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def _locked(file: int) -> bool | None:
    """Take the lock; False if somebody else has it, None where this disk has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
