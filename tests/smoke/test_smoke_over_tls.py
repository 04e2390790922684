"""The smoke checks by HTTPS: asked by the public name, at the load balancer that is meant, verified."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.smoke.test_smoke_checks import EXPECTED, ROOT, Handler, Run, Service, read
from tests.tls import DAY, authority

pytestmark = pytest.mark.provider


class ByName(Handler):
    """Notes the Host headers that come."""

    hosts: set[str]

    def do_GET(self) -> None:
        self.hosts.add(self.headers["Host"].partition(":")[0])
        super().do_GET()

    do_POST = do_GET


def checked(tmp_path: Path, name: str = "shop.test", lasts: float = DAY, trusted: bool = True) -> tuple[Run, set[str]]:
    """The checks of shop.test, whose load balancer shows this certificate; and the hosts that it was asked for."""
    handler: Any = type("HandlerOfOne", (ByName,), {"service": Service(), "hosts": set()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        tls = authority().serving(name, lasts)
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        run = _run(f"https://shop.test:{server.server_port}", tmp_path / "smoke.xml", trusted)
        server.shutdown()
    return run, handler.hosts


def _run(url: str, report: Path, trusted: bool) -> Run:
    own = ("-c", "/dev/null", "--rootdir", "smoke", "--confcutdir", "smoke", "-p", "no:cacheprovider")
    asked = ("--url", url, "--connect-to", "127.0.0.1", *EXPECTED)
    bundle = {"REQUESTS_CA_BUNDLE": str(authority().bundle)} if trusted else {}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "smoke", *own, f"--junitxml={report}", *asked],
        cwd=ROOT, env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **bundle}, capture_output=True, text=True,
    )  # fmt: skip
    return read(done.returncode, done.stdout + done.stderr, report, url)


def test_a_name_that_dns_does_not_know_is_checked_at_the_load_balancer(tmp_path: Path) -> None:
    run, hosts = checked(tmp_path)
    assert (run.exit_code, run.red) == (0, {}), run.output
    assert hosts == {"shop.test"}, "users' Host header, not the load balancer's"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"lasts": -1.0}, "certificate has expired"),
        ({"name": "other.test"}, "certificate is not valid for 'shop.test'"),
        ({"trusted": False}, "unable to get local issuer certificate"),
    ],
    ids=["expired", "another name", "not trusted"],
)
def test_a_certificate_that_a_browser_would_refuse_fails_the_checks_in_clear_words(
    tmp_path: Path, how: dict[str, Any], said: str
) -> None:
    run, hosts = checked(tmp_path, **how)
    assert run.exit_code == 1
    assert "the certificate is not valid: " in run.red["test_health_answers"]
    assert said in run.red["test_health_answers"]
    assert not hosts, "no request was sent"
