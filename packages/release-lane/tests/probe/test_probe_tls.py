"""Probes of an environment with HTTPS: by the public name, at the load balancer that is meant, verified."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from release_lane.probe import Probe
from release_lane.probe.sampling import Answer, Place, asked
from release_lane.record.endpoint import Endpoint
from release_lane.record.placement import Colour
from release_lane.smoke.checks import Expected

from tests.patience import PATIENCE
from tests.tls import DAY, authority

pytestmark = pytest.mark.provider
DIGEST = "sha256:" + "a" * 64
KNOWN = (Expected(digest=DIGEST, colour="blue"),)


class Well(BaseHTTPRequestHandler):
    hosts: ClassVar[set[str]] = set()
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hosts.add(self.headers["Host"].partition(":")[0])
        body = json.dumps({"status": "ok", "digest": DIGEST, "colour": "blue"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def balancer(tls: ssl.SSLContext) -> Iterator[Endpoint]:
    """Where shop.test is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Well) as server:
        server.daemon_threads = True
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Endpoint(f"https://shop.test:{server.server_port}", "127.0.0.1")
        server.shutdown()


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    Well.hosts.clear()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority().bundle))


UNFIT = [
    ("shop.test", -1.0, "certificate has expired"),
    ("other.test", DAY, "certificate is not valid for 'shop.test'"),
]


def test_a_sample_is_taken_at_the_load_balancer_by_the_public_name() -> None:
    with balancer(authority().serving("shop.test")) as endpoint:
        assert asked(Place(name="x", endpoint=endpoint, known=KNOWN)) == Answer("", 200, Colour.BLUE)
    assert Well.hosts == {"shop.test"}


@pytest.mark.parametrize(("name", "lasts", "said"), UNFIT, ids=["expired", "another name"])
def test_a_sample_whose_certificate_a_browser_would_refuse_says_so(name: str, lasts: float, said: str) -> None:
    with balancer(authority().serving(name, lasts)) as endpoint:
        problem = asked(Place(name="x", endpoint=endpoint, known=KNOWN)).problem
    assert problem.startswith("its certificate is not valid: ")
    assert said in problem
    assert not Well.hosts


def test_the_prober_counts_at_the_load_balancer_by_the_public_name() -> None:
    with (
        balancer(authority().serving("shop.test")) as endpoint,
        Probe(endpoint.url + "/", 100, connect_to=endpoint.connect_to, wait_ready=True, timeout=PATIENCE) as probe,
    ):
        assert probe.wait_until_ready(PATIENCE)
        report = probe.stop()
    assert report.total.failed == 0
    assert Well.hosts == {"shop.test"}


@pytest.mark.parametrize(("name", "lasts", "said"), UNFIT, ids=["expired", "another name"])
def test_the_prober_fails_each_request_whose_certificate_a_browser_would_refuse(
    name: str, lasts: float, said: str
) -> None:
    with (
        balancer(authority().serving(name, lasts)) as endpoint,
        Probe(endpoint.url + "/", 20, connect_to=endpoint.connect_to, timeout=PATIENCE) as probe,
    ):
        while not (reasons := probe.snapshot().total.reasons):
            pass
        probe.stop()
    assert any(reason.startswith("its certificate is not valid: ") and said in reason for reason in reasons)
    assert not Well.hosts
