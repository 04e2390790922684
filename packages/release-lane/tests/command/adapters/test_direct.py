"""Every Python of `.venv` leaves proxies out where it speaks to this machine, and nowhere else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.proxies import DEAD, without

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[5]

LOOK = """
import json, sys, urllib.request
import requests.utils, botocore.utils, urllib.parse
def by_urllib(url):
    parts = urllib.parse.urlsplit(url)
    return {} if urllib.request.proxy_bypass(parts.netloc) else urllib.request.getproxies()
of_requests, of_botocore = requests.utils.get_environ_proxies, botocore.utils.get_environ_proxies
ways = {"requests": of_requests, "botocore": of_botocore, "urllib": by_urllib}
print(json.dumps({name: {url: bool(way(url)) for url in sys.argv[1:]} for name, way in ways.items()}))
"""

CALL = """
import grpc, sys
from concurrent.futures import ThreadPoolExecutor
echo = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
server = grpc.server(ThreadPoolExecutor(2), handlers=(grpc.method_handlers_generic_handler("a", {"b": echo}),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(grpc.insecure_channel(f"127.0.0.1:{port}").unary_unary("/a/b")(b"answer").decode())
"""


def python(script: str, *arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**without(os.environ), **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def asks(url: str, **environ: str) -> dict[str, bool]:
    """Library to whether it would ask a proxy for this address."""
    return {library: urls[url] for library, urls in asking((url,), **environ).items()}


def asking(urls: Sequence[str], **environ: str) -> dict[str, dict[str, bool]]:
    """Library to whether it would ask a proxy for each of these addresses."""
    found: dict[str, dict[str, bool]] = json.loads(python(LOOK, *urls, **environ))
    assert found
    assert all(asked.keys() == {*urls} for asked in found.values())
    return found


HERE = ("http://127.0.0.1:4566/", "http://localhost:4566/v2/", "http://[::1]:80/")


@pytest.mark.parametrize("environ", [DEAD, {"HTTP_PROXY": DEAD["HTTP_PROXY"]}, {**DEAD, "NO_PROXY": "internal"}])
def test_no_library_asks_a_proxy_for_this_machine(environ: dict[str, str]) -> None:
    assert asking(HERE, **environ) == dict.fromkeys(("requests", "botocore", "urllib"), dict.fromkeys(HERE, False))


def test_the_load_balancers_of_the_local_cloud_are_this_machine() -> None:
    assert not asks("http://127.0.73.5:9001/", **DEAD)["requests"]


def test_what_is_elsewhere_still_goes_through_the_proxy() -> None:
    assert all(asks("http://lane-1234.us-east-1.elb.amazonaws.com/", **DEAD).values())


def test_what_was_left_out_already_still_is() -> None:
    assert not any(asks("http://internal.corp:9001/", **DEAD, no_proxy=".corp").values())


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "grpc_proxy"])
@pytest.mark.parametrize("besides", [{}, {"no_proxy": "*"}])
def test_grpc_reaches_this_machine(name: str, besides: dict[str, str]) -> None:
    """Engine, program and providers: its library knows the names in lower case only."""
    assert python(CALL, **{name: DEAD["http_proxy"]}, **besides) == "answer"


def test_nothing_of_ours_is_loaded_by_that() -> None:
    """Else another checkout's `release` could not be run by this Python."""
    assert python("import sys; print([name for name in sys.modules if name.startswith('release')])", **DEAD) == "[]"


def test_where_this_project_is_not_on_the_path_nothing_is_said(tmp_path: Path) -> None:
    """While `./bootstrap` installs anew, for example."""
    shutil.copy(ROOT / "packages/release-lane/src/release_lane/direct.pth", tmp_path)
    script = f"import site; site.addsitedir({str(tmp_path)!r})"
    command = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(command, env={**os.environ, **DEAD}, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
