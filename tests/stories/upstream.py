"""Something that a container needs at its start, and that can be away."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.stories.cloud import gateway


class Upstream:
    """An HTTP server on the containers' network; while away it answers 500."""

    def __init__(self, network: str) -> None:
        self._answer = 200
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(upstream._answer)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((gateway(network), 0), Handler)
        host, port = self._server.server_address[:2]
        self.url = f"http://{host!s}:{port}/"

    def away(self) -> None:
        """From now on, 500."""
        self._answer = 500

    def back(self) -> None:
        """From now on, 200."""
        self._answer = 200

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
