"""A real process on a real port, stopped while it works."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.ports import free_port

pytestmark = pytest.mark.provider

ROOT = Path(__file__).parents[2]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def service(port: int) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PORT": str(port), "COMMIT": "c0ffee", "STOP_SECONDS": "20"}
    with subprocess.Popen(
        [sys.executable, "-m", "app"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        until(lambda: accepts(port))
        yield process
        process.kill()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def half_sent(port: int) -> http.client.HTTPConnection:
    """A request for the checksum of b"abc" of which only the b"a" has left; the service works on it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.putrequest("POST", "/api/v1/checksums")
    connection.putheader("Content-Length", "3")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    # It says "100 Continue" when the handler begins to read, so from here on it is in flight.
    assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100 ")
    connection.send(b"a")
    return connection


def test_on_sigterm_it_finishes_what_is_in_flight_and_exits_0(service: subprocess.Popen[str], port: int) -> None:
    slow = half_sent(port)
    service.send_signal(signal.SIGTERM)
    until(lambda: not accepts(port))
    for part in (b"b", b"c"):  # a slow client: this pause is what is tested, not a wait for something
        time.sleep(0.4)
        assert service.poll() is None, "it must wait for the request in flight"
        slow.send(part)
    answer = slow.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["checksum"].startswith("ba7816bf")
    assert service.wait(PATIENCE) == 0


def test_idle_keep_alive_connections_do_not_delay_the_stop(service: subprocess.Popen[str], port: int) -> None:
    idle = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    idle.request("GET", "/health")
    assert idle.getresponse().read() == b'{"status":"ok"}'
    service.send_signal(signal.SIGTERM)
    assert service.wait(PATIENCE) == 0
    assert idle.sock is not None
    assert idle.sock.recv(1) == b"", "closed in order, not reset"


def test_all_its_output_is_one_json_object_a_line(service: subprocess.Popen[str], port: int) -> None:
    gone = half_sent(port)
    gone.close()  # a client that leaves in the middle is no failure of ours
    answer = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    answer.request("GET", "/api/v1/status")
    assert answer.getresponse().status == 200
    service.send_signal(signal.SIGTERM)
    output, _ = service.communicate(timeout=PATIENCE)
    lines = [json.loads(line) for line in output.splitlines()]
    assert {line["commit"] for line in lines} == {"c0ffee"}
    assert {line["level"] for line in lines} == {"info"}
    assert {(line["path"], line["status"]) for line in lines if "path" in line} == {
        ("/api/v1/checksums", 499),
        ("/api/v1/status", 200),
    }
