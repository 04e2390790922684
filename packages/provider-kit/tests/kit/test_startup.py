"""The short start of a plugin's process. In processes of their own: it is about what is loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.provider


def in_a_fresh_process(code: str) -> object:
    """What `code` prints as JSON."""
    text = f"import gc, json, sys\nfrom gates import startup\n{code}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_grpc_is_loaded_without_asyncio() -> None:
    code = "startup.begin()\nprint(json.dumps(['grpc' in sys.modules, 'asyncio.base_events' in sys.modules]))"
    assert in_a_fresh_process(code) == [True, False]


def test_whoever_needs_asyncio_afterwards_gets_the_real_one() -> None:
    code = "startup.begin()\nimport asyncio\nasync def one(): return 1\nprint(json.dumps(asyncio.run(one())))"
    assert in_a_fresh_process(code) == 1


def test_an_asyncio_that_is_there_already_stays() -> None:
    code = "import asyncio\nbefore = asyncio\nstartup.begin()\nprint(json.dumps(sys.modules['asyncio'] is before))"
    assert in_a_fresh_process(code) is True


def test_a_server_that_was_started_so_serves() -> None:
    code = """
startup.begin()
from concurrent.futures import ThreadPoolExecutor
import grpc
def answer(request, context): return request[::-1]
method = grpc.unary_unary_rpc_method_handler(answer)
server = grpc.server(ThreadPoolExecutor(1), handlers=(grpc.method_handlers_generic_handler("s", {"m": method}),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    print(json.dumps(channel.unary_unary("/s/m")(b"abc", timeout=10).decode()))
server.stop(0)
"""
    assert in_a_fresh_process(code) == "cba"


def test_the_collector_works_again_when_all_is_loaded() -> None:
    code = """
startup.begin()
waits = not gc.isenabled()
startup.done()
print(json.dumps([waits, gc.isenabled(), gc.get_freeze_count() > 0]))
"""
    assert in_a_fresh_process(code) == [True, True, True]
