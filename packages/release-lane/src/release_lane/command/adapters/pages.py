"""A page on loopback, for one person and their browser."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from release_lane.errors import UsageError
from release_lane.operate.page_html import POLICY

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")


class Pages(Protocol):
    """Serves one page."""

    def serve(self, make: Callable[[], str], port: int, ready: Callable[[str], None]) -> None:
        """Answer each request for `/` with what `make` writes, until an interrupt. `ready` gets the URL.

        `UsageError` where the port cannot be had.
        """


class Loopback:
    """By the standard library's server, on 127.0.0.1 only."""

    def serve(self, make: Callable[[], str], port: int, ready: Callable[[str], None]) -> None:
        """`port` 0 is any free one."""
        try:
            server = ThreadingHTTPServer((HOST, port), _handler(make))
        except OSError as error:
            raise UsageError(
                f"Port {port} of {HOST} cannot be served on: {error.strerror}.",
                next_step="name another port with --serve (0: any free one).",
            ) from error
        with server:
            ready(f"http://{HOST}:{server.server_address[1]}/")
            server.serve_forever()


def _handler(make: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "release", ""

        def do_GET(self) -> None:
            # A page of the web that has its name resolved to 127.0.0.1 asks by that name: it gets nothing.
            if self.headers.get("Host", "").rsplit(":", 1)[0] not in NAMES:
                self._answer(403, "Ask for it as 127.0.0.1 or localhost.", "text/plain")
            elif self.path != "/":
                self._answer(404, "There is one page: /", "text/plain")
            else:
                self._page()

        def handle(self) -> None:
            # A reader may leave at any time, and reads no answer then.
            with suppress(ConnectionError):
                super().handle()

        def _page(self) -> None:
            try:
                page = make()
            except Exception as error:
                self._answer(503, f"The page cannot be made: {error}", "text/plain")
            else:
                self._answer(200, page, "text/html")

        def _answer(self, status: int, text: str, kind: str) -> None:
            body = text.encode(errors="replace")
            self.send_response(status)
            for name, value in (
                ("Content-Type", f"{kind}; charset=utf-8"),
                ("Content-Length", str(len(body))),
                ("Content-Security-Policy", f"{POLICY}; frame-ancestors 'none'"),
                ("X-Content-Type-Options", "nosniff"),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """stderr is for people."""
            del format, args

    return Handler


@dataclass
class FakePages:
    """A person who looks once and leaves; `page` is what they saw."""

    page: str = ""
    ports: list[int] = field(default_factory=list)

    def serve(self, make: Callable[[], str], port: int, ready: Callable[[str], None]) -> None:
        """Then an interrupt."""
        self.ports.append(port)
        ready(f"http://{HOST}:{port}/")
        self.page = make()
        raise KeyboardInterrupt
