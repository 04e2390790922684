"""Only one command at a time starts, uses or removes the local cloud of a project."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_aws.errors import Busy

HELD = "LOCAL_AWS_LOCK_HELD"  # environment: process id of the holder, for its own child processes


@contextmanager
def alone(lock_file: Path, what: str) -> Iterator[None]:
    """Hold the lock for `what` (a word for people). Child processes of the holder pass through.

    Raises Busy, naming the holder and since when, if another process has it. The kernel frees the lock when the
    holder dies, in any way.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(lock_file)
            if str(holder.get("pid")) == os.environ.get(HELD, "-"):
                yield
                return
            raise _busy(holder) from None
        lock.truncate(0)
        lock.write(json.dumps({"pid": os.getpid(), "what": what, "since": time.time()}))
        lock.flush()
        os.environ[HELD] = str(os.getpid())
        try:
            yield
        finally:
            os.environ.pop(HELD, None)
            lock.truncate(0)


def _holder(lock_file: Path) -> dict[str, object]:
    try:
        holder = json.loads(lock_file.read_text())
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _busy(holder: dict[str, object]) -> Busy:
    since = holder.get("since")
    at = time.strftime("%H:%M:%S", time.localtime(since)) if isinstance(since, float) else "a moment ago"
    what, pid = holder.get("what", "something"), holder.get("pid", "unknown")
    return Busy(
        f"`{what}` is running in this project (process {pid}, since {at}).",
        why="two at once would start and remove the same containers, ports and state",
        next_step=f"wait for it, or stop it: kill -INT {pid}",
    )
