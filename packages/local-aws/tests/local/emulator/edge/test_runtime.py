"""Commands over a socket, against a stand-in for HAProxy's command line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_aws.emulator.edge.runtime import Lost, Runtime, Unwilling, succeeded

pytestmark = pytest.mark.provider


class FakeHaproxy:
    """Answers each line with what `answers` has for it; hangs up for the line `die`."""

    def __init__(self, path: Path) -> None:
        self.answers = {"prompt": "", "show info": "Pid: 7\nStopping: 0\nName: a: b\n"}
        self.heard: list[str] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection, connection.makefile("rw", newline="\n") as lines:
            for line in lines:
                command = line.strip()
                self.heard.append(command)
                if command == "die":
                    return
                lines.write(f"{self.answers.get(command, '')}\n> ")
                lines.flush()

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[FakeHaproxy]:
    fake = FakeHaproxy(tmp_path / "sock")
    yield fake
    fake.close()


@pytest.fixture
def runtime(haproxy: FakeHaproxy, tmp_path: Path) -> Iterator[Runtime]:
    assert haproxy.heard == []
    runtime = Runtime(str(tmp_path / "sock"))
    yield runtime
    runtime.close()


def test_commands_go_in_order(haproxy: FakeHaproxy, runtime: Runtime) -> None:
    haproxy.answers["set server b/s1 addr 1.2.3.4 port 5"] = "IP changed from '1.1.1.1' to '1.2.3.4'\n"
    runtime.tell(["set map m k v", "set server b/s1 addr 1.2.3.4 port 5", "set server b/s1 state ready"])
    assert haproxy.heard[1:] == [
        "set map m k v",
        "set server b/s1 addr 1.2.3.4 port 5",
        "set server b/s1 state ready",
    ]


def test_a_command_that_did_not_work_is_not_taken_for_one_that_did(haproxy: FakeHaproxy, runtime: Runtime) -> None:
    haproxy.answers["set map m k v"] = "Unknown map identifier. Please use #<id> or <file>.\n"
    with pytest.raises(Unwilling, match="Unknown map identifier"):
        runtime.tell(["set map m k v", "never said"])
    assert "never said" not in haproxy.heard


def test_info_is_read(runtime: Runtime) -> None:
    assert runtime.info() == {"Pid": "7", "Stopping": "0", "Name": "a: b"}


@pytest.mark.usefixtures("haproxy")
def test_a_process_that_goes_is_lost(runtime: Runtime) -> None:
    with pytest.raises(Lost):
        runtime.ask("die")


def test_a_vanished_process_is_lost(tmp_path: Path) -> None:
    with pytest.raises(Lost):
        Runtime(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        ("IP changed from '127.0.0.1' to '10.0.0.1', port changed from '9' to '80' by 'stats socket command'", True),
        ("no need to change the addr, port changed from '9' to '80'", True),
        ("no need to change the addr, no need to change the port", True),
        ("No such server.", False),
        ("Unknown command: 'sett'", False),
    ],
)
def test_comments_on_success_are_distinguished_from_errors(answer: str, good: bool) -> None:
    assert succeeded(answer) is good
