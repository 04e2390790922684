"""Our services' threads call ministack's own services, once these know what they kept."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from local_aws.emulator import inprocess

pytestmark = pytest.mark.provider


def test_what_needs_ministacks_own_state_waits_until_it_answers() -> None:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503 if len(asked) == 1 else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        inprocess.wait_until_served(server.server_port, pause=0.0)
        server.shutdown()
    assert asked == ["/_ministack/health"] * 2
