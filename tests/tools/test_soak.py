"""The soak's own service and its slow users: what they call broken is broken."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.patience import PATIENCE
from tests.ports import free_port
from tools.soak import __main__ as soak
from tools.soak import service
from tools.soak.long import problem_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service as a process, and its address."""
    port = free_port()
    named = {"PORT": str(port), "RELEASE_DIGEST": "sha256:aa", "RELEASE_COLOUR": "blue", "COMMIT": "c"}
    process = subprocess.Popen([sys.executable, service.__file__], env={**os.environ, **named})
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def ready(url: str) -> requests.Session:
    """A session of a service that answers."""
    session = requests.Session()
    while True:
        try:
            if session.get(f"{url}/health", timeout=5).ok:
                return session
        except requests.ConnectionError:
            time.sleep(0.02)


@pytest.mark.provider
@pytest.mark.timeout(PATIENCE)
def test_it_passes_the_smoke_checks(running: tuple[subprocess.Popen[bytes], str]) -> None:
    _, url = running
    ready(url)
    given = ["--url", url, "--expect-digest", "sha256:aa", "--expect-colour", "blue", "--expect-commit", "c"]
    checked = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "smoke", *given], cwd=ROOT, capture_output=True
    )
    assert checked.returncode == 0, checked.stdout.decode()


@pytest.mark.provider
@pytest.mark.timeout(PATIENCE)
def test_an_answer_that_is_under_way_when_it_is_asked_to_stop_comes_whole(
    running: tuple[subprocess.Popen[bytes], str],
) -> None:
    process, url = running
    ready(url)
    slow = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    slow.request("GET", "/health")
    slow.getresponse().read()
    with requests.get(f"{url}/stream", stream=True, timeout=PATIENCE) as begun:
        lines = begun.iter_lines()
        next(lines)
        slow.request("GET", "/slow")
        next(lines)
        next(lines)  # it was sent after the other request had come
        process.send_signal(signal.SIGTERM)
        assert len(list(lines)) == service.LINES - 3
    assert b"sha256:aa" in slow.getresponse().read()
    assert process.wait(PATIENCE) == 0


@pytest.mark.pure
@pytest.mark.parametrize(
    ("status", "text", "problem"),
    [
        (200, "sha256:aa\nsha256:aa", ""),
        (503, "", "status 503"),
        (200, "sha256:aa", "1 of 2 lines"),
        (200, "sha256:aa\nsha256:bb", "more than one release in one answer"),
    ],
)
def test_only_a_complete_answer_of_one_release_counts(status: int, text: str, problem: str) -> None:
    answer = requests.Response()
    answer.status_code = status
    answer._content = text.encode()
    answer.headers["X-Release-Digest"] = "sha256:aa"
    assert problem_of(answer, 2) == problem


@pytest.mark.pure
def test_a_request_that_comes_in_pieces_is_answered_once_it_is_complete() -> None:
    sent: list[bytes] = []

    class Transport(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            sent.append(bytes(data))

    connection = service.Service()
    connection.connection_made(Transport())
    for piece in (b"POST /api/v1/checksums?algorithm=sha256 HTTP/1.1\r\nContent-", b"Length: 3\r\n\r\na"):
        connection.data_received(piece)
        assert not sent
    connection.data_received(b"bc")
    assert b"ba7816bf" in sent[0]
    service.Service.connections.clear()


def test_whatever_an_ordinary_run_only_samples_is_whole_in_the_soak() -> None:
    sampling = {
        f"tests/faults/{file.name}"
        for file in (ROOT / "tests/faults").glob("test_*.py")
        if re.search(r"\b(how_many|sampled)\(", file.read_text())
    }
    assert sampling == {*soak.FAULTS, *soak.CRASHES}
