"""A program ends by the quick way exactly as it would have by the ordinary one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local_aws.processes import start_ticks
from tests.local.repository import ROOT

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider

RUNNER = ROOT / "packages/local-aws/src/local_aws/toolchain/run_program.py"


def both(script: Path, source: str) -> list[tuple[int, str, str]]:
    """(exit code, stdout, last line of stderr) by Python itself, and by the runner."""
    script.write_text(source)
    ways = [[sys.executable, str(script), "x"], [sys.executable, str(RUNNER), str(script), "x"]]
    done = [subprocess.run(way, capture_output=True, text=True) for way in ways]
    return [(d.returncode, d.stdout, d.stderr.strip().rpartition("\n")[2]) for d in done]


@pytest.mark.parametrize(
    "source",
    [
        "print('ok', end='')",
        "import sys; print(sys.argv[1:], __name__)",
        "import sys; sys.exit()",
        "import sys; sys.exit(32)",
        "import sys; sys.exit(-1)",
        "import sys; sys.exit('a message')",
        "raise ValueError('a bug')",
        "import atexit; atexit.register(print, 'at exit')",
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()",
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(1).submit(print, 'pool')",
    ],
)
def test_it_ends_as_python_would(tmp_path: Path, source: str) -> None:
    ordinary, quick = both(tmp_path / "program", source)
    assert quick == ordinary


def test_a_program_ends_when_its_language_host_was_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys, time\nprint('runs', flush=True)\ntime.sleep(600)\n")
    host = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); input()"
    command = [sys.executable, "-c", host, sys.executable, str(RUNNER), str(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "runs\n"
        parent.kill()
    end = time.monotonic() + PATIENCE
    while start_ticks(pid) is not None and time.monotonic() < end:
        time.sleep(0.05)
    assert start_ticks(pid) is None


def test_a_program_whose_language_host_was_killed_before_it_began_ends(tmp_path: Path) -> None:
    """Then it is somebody else's child from the start; the engine would wait for it for ever."""
    program = tmp_path / "program.py"
    program.write_text("import time\ntime.sleep(600)\n")
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    environment = {**os.environ, "LOCAL_AWS_LANGUAGE_HOST": str(gone.pid)}
    done = subprocess.run([sys.executable, str(RUNNER), str(program)], env=environment, timeout=PATIENCE)
    assert done.returncode == 1
