"""An AWS behind a door that takes one change, and then refuses everything until it is opened again."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from tests.faults.wire import Answer, error, read_call
from tests.faults.wire import Call as Request

READING = ("Describe", "Get", "List")
WHY = "out of order"
"""Of the refusals. No code that the provider's SDK tries again."""


class Refusing:
    """At `url`. One at a time goes through `once()`."""

    def __init__(self, target: str) -> None:
        self._behind = urlsplit(target).netloc
        self._turn, self._lock, self._taken = threading.Lock(), threading.Lock(), False
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = door._answer(self.command, self.path, dict(self.headers), body)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def once(self) -> Iterator[None]:
        """Within, one change is taken."""
        with self._turn:
            self._taken = False
            yield

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        call = read_call(path, headers, body) or Request("", method.title(), "query", "", body)
        with self._lock:
            if self._taken:
                return error(call, 400, "OutOfOrder", WHY)
            answer = self._forward(method, path, headers, body)
            self._taken = not call.operation.startswith(READING) and answer.status < 300
            return answer

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        onward = http.client.HTTPConnection(self._behind, timeout=60)
        try:
            onward.request(method, path, body, headers)
            got = onward.getresponse()
            given = ("transfer-encoding", "content-length", "connection")
            return Answer(
                got.status, tuple(each for each in got.getheaders() if each[0].lower() not in given), got.read()
            )
        finally:
            onward.close()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
