"""How updates die: processes that are killed, and an AWS that does something but never says so."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.faults.wire import read_call
from tests.patience import PATIENCE


def children(parent: int) -> list[int]:
    """Processes that a process has started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def descendants(parent: int) -> list[int]:
    """All below a process, nearest first."""
    direct = children(parent)
    return [*direct, *(deeper for each in direct for deeper in descendants(each))]


def the_machine_dies(command: int) -> None:
    """The command, the engine and its plugins are gone at once; none of them sees another one die."""
    everybody = [command, *descendants(command)]
    for pid in everybody:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    for pid in everybody:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def adopting() -> Iterator[None]:
    """Processes that lose their parent get this one.

    Without a parent in this session the kernel would wake up those that stand still, and hang up on them.
    """
    subreaper, kernel = 36, ctypes.CDLL(None)  # PR_SET_CHILD_SUBREAPER
    kernel.prctl(subreaper, 1)
    try:
        yield
    finally:
        kernel.prctl(subreaper, 0)


def provider_of(command: int) -> int:
    """The AWS provider of the update that a `release` command runs. It outlives its engine from now on.

    The stand-in ends by itself when it has lost its engine; a process that stands still cannot (under `adopting`). The
    provider that runs on AWS goes on.
    """
    for pid in descendants(command):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        if "local_aws.standins.aws" in words:
            os.kill(pid, signal.SIGSTOP)
            return pid
        if "pulumi-resource-aws" in words:
            return pid
    raise AssertionError("this update has no AWS provider")


class Mute:
    """A door to AWS that passes everything on, but never hands over the answer to one action.

    With `held`, it does not even ask AWS before `go_on`, and not then if who asked is gone. `met` is set once the
    action was asked for, `done` once AWS has answered.
    """

    def __init__(self, endpoint: str, action: str, *, held: bool = False) -> None:
        self.met, self.done = threading.Event(), threading.Event()
        self._goes_on, self._closed = threading.Event(), threading.Event()
        self.passed = threading.Event()
        """Set once the door has decided about what it held."""
        behind = urlsplit(endpoint).netloc
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = read_call(self.path, dict(self.headers), body)
                meant = call is not None and call.operation == action
                if meant:
                    door.met.set()
                if meant and held and not self._still_wanted():
                    return
                onward = http.client.HTTPConnection(behind, timeout=60)
                onward.request(self.command, self.path, body, dict(self.headers))
                answer = onward.getresponse()
                content = answer.read()
                if meant:
                    door.done.set()
                    door._closed.wait()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(content)

            def _still_wanted(self) -> bool:
                door._goes_on.wait()
                readable, _, _ = select.select([self.connection], [], [], 0)
                wanted = not readable or bool(self.connection.recv(1, socket.MSG_PEEK))
                self.close_connection = not wanted
                door.passed.set()
                return wanted

            do_GET = do_PUT = do_DELETE = do_HEAD = do_POST

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def go_on(self) -> None:
        """Let what was held reach AWS, as far as somebody still waits for it."""
        self._goes_on.set()
        assert self.passed.wait(PATIENCE)

    def __exit__(self, *_: object) -> None:
        self._goes_on.set()
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
