"""Temporary folders: gone at the end, swept after a kill, and never taken from the living."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from release_lane.disk.scratch import PREFIX, scratch, sweep

pytestmark = pytest.mark.cli

WAITS = """
import subprocess, sys, time
from release_lane.disk.scratch import scratch
with scratch() as made:
    (made.folder / "secret").write_text("x")
    child = subprocess.Popen(["sleep", "600"], pass_fds=[made.lock]) if sys.argv[1] == "child" else None
    print(child.pid if child else 0, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for temporary files of this test's own, also for its child processes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def killed(child: str = "") -> int:
    """A process that was killed while it had a folder; the process id of its own child, 0 without one."""
    process = subprocess.Popen([sys.executable, "-c", WAITS, child or "alone"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        pid = int(process.stdout.readline())
    process.kill()
    process.wait()
    return pid


def test_it_is_private_and_gone_at_the_end(there: Path) -> None:
    with scratch() as made:
        (made.folder / "x").write_text("x")
        assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700
    assert list(there.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(there: Path) -> None:
    killed()
    (left,) = there.iterdir()
    assert (left / "secret").exists()
    with scratch() as made:
        assert list(there.iterdir()) == [made.folder]
    killed()
    sweep()
    assert list(there.iterdir()) == []


def test_those_of_the_living_are_left_alone(there: Path) -> None:
    with scratch() as one, scratch() as other:
        assert sorted(there.iterdir()) == sorted([one.folder, other.folder])


def test_a_child_that_outlives_its_killed_parent_keeps_the_folder(there: Path) -> None:
    child = killed("child")
    (left,) = there.iterdir()
    with scratch():
        assert left.exists()
    os.kill(child, signal.SIGKILL)
    _until_gone(child)
    with scratch():
        assert not left.exists()


def _until_gone(pid: int) -> None:
    """It is no child of ours; its open files are closed before its entry goes."""
    while Path(f"/proc/{pid}/fd").exists() and _open_files(pid):
        pass


def _open_files(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []


def test_what_only_looks_like_one_is_left_alone(there: Path) -> None:
    (there / "elsewhere").mkdir()
    (there / f"{PREFIX}link").symlink_to(there / "elsewhere")
    (there / f"{PREFIX}file").write_text("x")
    with scratch():
        assert (there / f"{PREFIX}link").exists()
        assert (there / f"{PREFIX}file").exists()
        assert (there / "elsewhere").exists()
