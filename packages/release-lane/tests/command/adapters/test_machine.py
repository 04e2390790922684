"""Which processes still run: real ones of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from release_lane.command.adapters.machine import RealMachine
from release_lane.engine.locks import Holder, Origin, Owner

pytestmark = [pytest.mark.cli, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")]

MACHINE = RealMachine()


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as running:
        yield running
        running.kill()


def holder(pid: int, host: str = "", later: float = 0.0) -> Holder:
    since = datetime.now(UTC) + timedelta(seconds=later)
    return Holder(user="me", host=host or socket.gethostname(), pid=pid, since=since.isoformat())


def test_the_process_that_took_the_lock_runs(process: subprocess.Popen[bytes]) -> None:
    assert MACHINE.owner(holder(process.pid)) is Owner.RUNS


def test_a_process_that_ended_is_gone(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert MACHINE.owner(holder(process.pid)) is Owner.GONE


def test_the_remains_of_a_killed_process_are_no_process(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert MACHINE.owner(holder(process.pid)) is Owner.GONE


def test_a_process_that_began_after_the_lock_was_taken_is_another_one(process: subprocess.Popen[bytes]) -> None:
    assert MACHINE.owner(holder(process.pid, later=-3600)) is Owner.REPLACED


def test_of_another_host_nothing_is_known(process: subprocess.Popen[bytes]) -> None:
    assert MACHINE.owner(holder(process.pid, host="elsewhere")) is Owner.UNKNOWN


def test_a_lock_without_a_process_id_is_of_no_known_process() -> None:
    assert MACHINE.owner(holder(0)) is Owner.UNKNOWN


def test_the_number_of_a_process_means_nothing_in_another_container(process: subprocess.Popen[bytes]) -> None:
    here = MACHINE.note(process.pid, "release deploy staging", Origin())
    assert MACHINE.owner(replace(holder(process.pid), note=here)) is Owner.RUNS
    elsewhere = replace(here, place="another boot pid:[1]")
    assert MACHINE.owner(replace(holder(process.pid), note=elsewhere)) is Owner.UNKNOWN


def test_a_note_names_host_process_and_where_it_came_from() -> None:
    note = MACHINE.note(42, "release build", Origin(who="ann", run="https://r/7"))
    assert (note.host, note.pid, note.doing) == (socket.gethostname(), 42, "release build")
    assert (note.who, note.run) == ("ann", "https://r/7")
    assert datetime.fromisoformat(note.at).tzinfo


def test_the_person_who_runs_it_is_named_with_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert MACHINE.user() == f"ann@{socket.gethostname()}"
