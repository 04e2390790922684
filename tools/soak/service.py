"""The service that the soak releases: fit for the smoke checks, quick, and able to answer slowly. One file, no library.

It stands in for the sample service because Python's web frameworks would be the bottleneck, not the load balancer.

    GET  /health, /api/v1/status      at once
    GET  /slow                        after 5 s
    GET  /stream                      50 lines in 5 s, each naming the release
    POST /api/v1/checksums            what the smoke checks ask for

SIGTERM: it takes no new connection, finishes what is under way, and ends with 0.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
from typing import ClassVar

SECONDS = 5.0
LINES = 50

ABOUT = {
    "commit": os.environ.get("COMMIT", "unknown"),
    "digest": os.environ.get("RELEASE_DIGEST", ""),
    "colour": os.environ.get("RELEASE_COLOUR", ""),
    "releaseId": os.environ.get("RELEASE_ID", ""),
}
NAMED = f"X-Release-Digest: {ABOUT['digest']}\r\nX-Release-Colour: {ABOUT['colour']}\r\n"


def answer(status: str, body: bytes) -> bytes:
    """A whole answer on a connection that stays."""
    return f"HTTP/1.1 {status}\r\n{NAMED}Content-Length: {len(body)}\r\n\r\n".encode() + body


HEALTH = answer("200 OK", b'{"status": "ok"}')
STATUS = answer("200 OK", json.dumps({"status": os.environ.get("SOAK_STATUS", "ok"), **ABOUT}).encode())
NOT_FOUND = answer("404 Not Found", b"{}")


class Service(asyncio.Protocol):
    """One connection; requests come one after the other, as a load balancer sends them."""

    connections: ClassVar[set[Service]] = set()
    stopping: ClassVar[bool] = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.received = transport, b""
        self.busy: asyncio.Task[None] | None = None
        self.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.connections.discard(self)
        if self.busy:
            self.busy.cancel()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        method, path, _ = head.split(b" ", 2)
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:"), 0)
        if len(rest) < length:
            return
        self.received = b""
        if path == b"/slow":
            self.busy = asyncio.ensure_future(self.slow())
        elif path == b"/stream":
            self.busy = asyncio.ensure_future(self.stream())
        else:
            self.transport.write(at_once(method, path, rest))
            self.done()

    async def slow(self) -> None:
        await asyncio.sleep(SECONDS)
        self.transport.write(STATUS)
        self.done()

    async def stream(self) -> None:
        self.transport.write(f"HTTP/1.1 200 OK\r\n{NAMED}Transfer-Encoding: chunked\r\n\r\n".encode())
        line = json.dumps(ABOUT).encode() + b"\n"
        for _ in range(LINES):
            await asyncio.sleep(SECONDS / LINES)
            self.transport.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.transport.write(b"0\r\n\r\n")
        self.done()

    def done(self) -> None:
        self.busy = None
        if self.stopping:
            self.transport.close()


def at_once(method: bytes, path: bytes, body: bytes) -> bytes:
    """The answer to requests that need no time."""
    if path == b"/health":
        return HEALTH
    if path == b"/api/v1/status":
        return STATUS
    if method == b"POST" and path.startswith(b"/api/v1/checksums"):
        return checksum(path.partition(b"algorithm=")[2].decode(), body)
    return NOT_FOUND


def checksum(algorithm: str, body: bytes) -> bytes:
    if algorithm not in ("sha256", "sha3-256"):
        return answer("400 Bad Request", b'"one of sha256, sha3-256"')
    found = hashlib.new(algorithm.replace("-", "_"), body).hexdigest()
    return answer("200 OK", json.dumps({"checksum": found}).encode())


async def main() -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(Service, "0.0.0.0", int(os.environ.get("PORT", "8080")), backlog=1000)
    await ended.wait()
    server.close()
    Service.stopping = True
    for each in list(Service.connections):
        if each.busy is None:
            each.transport.close()
    while Service.connections:
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
