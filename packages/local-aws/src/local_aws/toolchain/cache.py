"""The cache folder outside the project: shared by all projects, filled by one writer at a time, or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

Say = Callable[[str], None]

KEPT = 30 * 24 * 3600.0
"""Seconds that a file stays which can be had again: since one was used last, which `os.utime` says."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`LOCAL_AWS_CACHE`, else `~/.cache/local-aws`."""
    if chosen := environ.get("LOCAL_AWS_CACHE"):
        return Path(chosen)
    caches = Path.home() / ".cache"
    take_over(caches / "release-lane", caches / "local-aws")
    return caches / "local-aws"


def take_over(earlier: Path, folder: Path) -> None:
    """Once: `folder` gets what an earlier version cached under another name, by hard links.

    The earlier version may be running in another checkout, so its own folder stays as it is.
    """
    if folder.exists() or not earlier.is_dir():
        return
    draft = Path(tempfile.mkdtemp(prefix=".local-aws.", dir=folder.parent))
    unfinished = shutil.ignore_patterns(".*", "*.part", "lock", "*.lock")
    with suppress(OSError, shutil.Error):
        shutil.copytree(earlier, draft, symlinks=True, ignore=unfinished, copy_function=os.link, dirs_exist_ok=True)
        draft.chmod(0o755)
        draft.rename(folder)
    shutil.rmtree(draft, ignore_errors=True)


def forget_unused(files: Iterable[Path], seconds: float = KEPT) -> None:
    """Delete those that were not used for so long. What cannot be deleted stays."""
    for path in files:
        with suppress(OSError):
            if path.stat().st_mtime < time.time() - seconds:
                path.unlink()


@contextmanager
def only_one(lock_file: Path, say: Say) -> Iterator[None]:
    """Hold `lock_file`; wait, and say so, while another process does."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"waiting for another process that does the same (process {lock.read().strip() or 'unknown'})")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A folder to fill; it becomes `folder` when the block ends well, and vanishes when it does not.

    The caller holds the lock of that part of the cache (`only_one`). What a killed process left there is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for stale in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(stale, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield work
        work.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        work.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
