"""A page on loopback: one path, this machine only, headers that let it run and load nothing."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from release_lane.command.adapters.pages import Loopback
from release_lane.errors import CloudError, UsageError

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider


@contextmanager
def served(make: Callable[[], str]) -> Iterator[int]:
    """Its port."""
    urls, ready = list[str](), threading.Event()

    def at(url: str) -> None:
        urls.append(url)
        ready.set()

    threading.Thread(target=Loopback().serve, args=(make, 0, at), daemon=True).start()
    assert ready.wait(PATIENCE)
    url = urlsplit(urls[0])
    assert (url.scheme, url.hostname, url.path) == ("http", "127.0.0.1", "/")
    assert url.port
    yield url.port


def asked(port: int, path: str = "/", method: str = "GET", host: str = "") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"})
    return connection.getresponse()


def test_the_page_is_made_for_each_request_and_kept_by_no_cache() -> None:
    pages = iter(["<p>first</p>", "<p>second ✓</p>"])
    with served(lambda: next(pages)) as port:
        first, second = asked(port), asked(port)
        assert (first.status, first.read()) == (200, b"<p>first</p>")
        assert second.read().decode() == "<p>second ✓</p>"
        assert first.headers["Cache-Control"] == "no-store"
        assert first.headers["Content-Type"] == "text/html; charset=utf-8"


def test_its_headers_let_it_run_nothing_load_nothing_and_be_framed_by_nothing() -> None:
    with served(lambda: "") as port:
        policy = asked(port).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example"])
def test_a_name_that_leads_to_this_machine_from_the_web_gets_nothing(host: str) -> None:
    with served(lambda: "secret") as port:
        answer = asked(port, host=host)
        assert answer.status == 403
        assert b"secret" not in answer.read()


def test_localhost_is_this_machine() -> None:
    with served(lambda: "page") as port:
        assert asked(port, host=f"localhost:{port}").status == 200


def test_there_is_one_page_and_nothing_can_be_changed() -> None:
    with served(lambda: "page") as port:
        assert asked(port, "/etc/passwd").status == 404
        assert asked(port, "/?refresh").status == 404
        assert asked(port, method="POST").status == 501


def test_a_page_that_cannot_be_made_says_why_as_plain_text_and_the_next_one_is_tried_again() -> None:
    answers = [CloudError("<b>AWS</b> does not answer.")]

    def make() -> str:
        if answers:
            raise answers.pop()
        return "page"

    with served(make) as port:
        failed = asked(port)
        assert (failed.status, failed.headers["Content-Type"]) == (503, "text/plain; charset=utf-8")
        assert "AWS" in failed.read().decode()
        assert asked(port).read() == b"page"


def test_a_reader_who_leaves_before_the_page_is_made_causes_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    begun, left, answering = threading.Event(), threading.Event(), list[threading.Thread]()

    def make() -> str:
        answering.append(threading.current_thread())
        begun.set()
        assert left.wait(PATIENCE)
        return "page"

    with served(make) as port:
        reader = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        reader.sendall(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        assert begun.wait(PATIENCE)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # gone at once, by a reset
        reader.close()
        left.set()
        answering[0].join(PATIENCE)
    assert capfd.readouterr().err == ""


def test_a_port_that_is_taken_is_named() -> None:
    with served(lambda: "") as port:
        with pytest.raises(UsageError, match=f"Port {port} of 127.0.0.1 cannot be served on"):
            Loopback().serve(lambda: "", port, lambda _: None)
