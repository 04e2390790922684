"""One at a time, and the second one learns who and since when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_aws.alone import HELD, alone
from local_aws.errors import Busy
from tests.local.repository import ROOT

pytestmark = pytest.mark.provider

TAKE = "import sys; from pathlib import Path; from local_aws.alone import alone\n"
HOLD = TAKE + "with alone(Path(sys.argv[1]), 'demo'): print('held', flush=True); sys.stdin.read()"
TRY = TAKE + "with alone(Path(sys.argv[1]), 'down'): print('held')"


def take(lock: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != HELD}
    return subprocess.run(
        [sys.executable, "-c", TRY, str(lock)], cwd=ROOT, env={**inherited, **environment},
        capture_output=True, text=True,
    )  # fmt: skip


def test_the_second_is_refused_and_learns_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=rf"`demo` is running .*process {holder.pid}, since \d\d:\d\d:\d\d"):
            with alone(lock, "up"):
                pass
        holder.kill()
    with alone(lock, "up"):  # however the holder ended
        pass


def test_child_processes_of_the_holder_pass_through(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with alone(lock, "demo"):
        assert take(lock).returncode != 0
        assert take(lock, **{HELD: str(os.getpid())}).stdout == "held\n"
    assert take(lock, **{HELD: "1"}).stdout == "held\n"


def test_a_lock_is_free_after_an_error_inside(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with pytest.raises(ValueError, match="no"), alone(lock, "up"):
        raise ValueError("no")
    assert take(lock).stdout == "held\n"
