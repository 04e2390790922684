"""A door to AWS in front of ECR that can make the image gate wait, so that a test can interrupt it there."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from tests.patience import PATIENCE


class SlowRegistry:
    """Forwards every call; holds the DescribeImages calls from the second on (the first one is `observe`'s)."""

    def __init__(self, endpoint: str) -> None:
        self.waiting = threading.Event()
        self.release = threading.Event()
        self._asked = 0
        behind = urlsplit(endpoint).netloc
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """What a URL that it handed out leads to: it has the address that was asked."""
                self._forward()

            def do_POST(self) -> None:
                self._forward()

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("X-Amz-Target", "").endswith(".DescribeImages"):
                    door._hold()
                onward = http.client.HTTPConnection(behind, timeout=30)
                onward.request(self.command, self.path, body, dict(self.headers))
                answer = onward.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def _hold(self) -> None:
        self._asked += 1
        if self._asked > 1:
            self.waiting.set()
            self.release.wait(PATIENCE)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
