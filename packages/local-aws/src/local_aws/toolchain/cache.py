"""The cache folder outside the checkout: shared by clones, filled one writer at a time, whole or not at all."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Say = Callable[[str], None]


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`RELEASE_LANE_CACHE`, else `~/.cache/release-lane`."""
    chosen = environ.get("RELEASE_LANE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "release-lane"


@contextmanager
def only_one(lock_file: Path, say: Say) -> Iterator[None]:
    """Hold `lock_file`; wait, and say so, while another process does."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            say(f"waiting for another checkout that is at it (process {lock.read().strip() or 'unknown'})")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A folder to fill; it becomes `folder` when the block ends well, and vanishes when it does not.

    The caller holds the lock of that part of the cache (`only_one`): what a killed filling left is removed.
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
