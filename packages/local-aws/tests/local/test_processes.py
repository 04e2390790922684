"""Finding our own processes again, and never taking a stranger for one of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_aws import processes
from tests.local.repository import ROOT

from tests.patience import PATIENCE
from tests.ports import free_port

pytestmark = pytest.mark.provider

PAUSE = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True)\nwhile True: signal.pause()",
]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[processes.Started]:
    found = spawn(tmp_path, PAUSE)
    yield found
    processes.end([found.pid], 1.0)


def spawn(run: Path, command: list[str], **environment: str) -> processes.Started:
    log = run / "thing.log"
    found = processes.spawn(run, "thing", command, log=log, environment={**os.environ, **environment}, cwd=run)
    deadline = time.monotonic() + PATIENCE
    while "ready" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_what_was_started_is_found_again(started: processes.Started, tmp_path: Path) -> None:
    assert processes.find(tmp_path, "thing") == started
    assert abs(started.since - time.time()) < 60
    assert processes.memory_of([started.pid]) > 0


def test_a_record_of_a_process_that_is_gone_is_removed(started: processes.Started, tmp_path: Path) -> None:
    os.kill(started.pid, signal.SIGKILL)
    assert processes.wait_until_gone({started.pid: started.ticks}, 10)
    assert processes.find(tmp_path, "thing") is None
    assert not (tmp_path / "thing.pid").exists()


def test_a_process_that_reuses_the_id_is_a_stranger(tmp_path: Path) -> None:
    record = {"name": "thing", "pid": os.getpid(), "ticks": 1, "command": "something else"}
    (tmp_path / "thing.pid").write_text(json.dumps(record))
    assert processes.find(tmp_path, "thing") is None


@pytest.mark.parametrize("text", ["", "12", "{", '{"pid": 1}', "[]"])
def test_a_damaged_record_is_no_process(tmp_path: Path, text: str) -> None:
    (tmp_path / "thing.pid").write_text(text)
    assert processes.find(tmp_path, "thing") is None


def test_an_end_is_polite_first_and_sure_in_the_end(tmp_path: Path) -> None:
    stubborn = spawn(tmp_path, STUBBORN)
    processes.end([stubborn.pid], grace=0.1)
    assert not stubborn.alive


def test_ending_what_is_gone_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    processes.end([process.pid], 1.0)


def test_children_carry_the_mark_of_their_parent(tmp_path: Path) -> None:
    started = spawn(tmp_path, ["sh", "-c", "sleep 1000 & echo ready; wait"], A_MARK="x1")
    try:
        found = processes.marked("A_MARK", "x1")
        assert started.pid in found
        assert len(found) == 2
        assert processes.marked("A_MARK", "x") == []
    finally:
        processes.end(processes.marked("A_MARK", "x1"), 1.0)
    assert processes.marked("A_MARK", "x1") == []


def test_who_listens_on_a_port_is_named() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        assert processes.listener("127.0.0.1", port) == os.getpid()
        assert processes.refusal_to_bind("127.0.0.1", port)
    assert processes.listener("127.0.0.1", port) is None
    assert processes.refusal_to_bind("127.0.0.1", port) is None


def test_a_listener_on_every_address_is_named_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert processes.listener("127.0.0.1", server.getsockname()[1]) == os.getpid()


def test_at_the_end_children_are_ended_but_not_what_was_started_to_stay(tmp_path: Path) -> None:
    source = f"""
import subprocess, sys
from pathlib import Path
from local_aws import processes

run = Path({str(tmp_path)!r})
child = subprocess.Popen(["sleep", "1000"])
stays = processes.spawn(run, "stays", ["sleep", "1000"], log=run / "log", environment={{}}, cwd=run)
processes.end_children()
print(child.poll() is not None, stays.alive, stays.pid)
"""
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, start_new_session=True
    )
    ended, alive, pid = done.stdout.split()
    processes.end([int(pid)], 1.0)
    assert (ended, alive) == ("True", "True")


def test_a_record_that_was_copied_with_its_folder_is_of_the_original(
    started: processes.Started, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "thing.pid").write_text((tmp_path / "thing.pid").read_text())
    assert processes.find(copy, "thing") is None
    assert started.alive
    assert processes.find(tmp_path, "thing") == started
