"""A tiny server in a thread that answers, fails, hangs or hangs up as it is set to at the moment."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.patience import PATIENCE


@dataclass
class Server:
    """`mode` holds for requests that arrive from now on: a status, or how to misbehave.

    hold: do not answer before `release()`; reset, close: hang up; garbage: no HTTP; cut: half an answer.
    """

    mode: int | str = 200
    digest: str = "sha256:aa"
    colour: str = "blue"
    body_colour: str | None = None  # when headers and body disagree
    status: str = "ok"  # what its body says of itself
    names: str = "status header"  # where it says which release it is; without "status" it answers plain text
    connections: int = 0
    requests: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0), backlog=500))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/api/v1/status"

    def release(self) -> None:
        self.held.set()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while received := connection.recv(10_000):
                assert received.startswith(b"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:")
                self.requests += 1
                if not self.answer(connection):
                    return

    def answer(self, connection: socket.socket) -> bool:
        """False when the connection is to be closed."""
        match self.mode:
            case "hold":
                self.held.wait(PATIENCE)
            case "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case "close":
                return False
            case "garbage":
                connection.sendall(b"hello\r\n\r\n")
                return False
            case "cut":
                connection.sendall(self.whole(200)[:-5])
                return False
        connection.sendall(self.whole(self.mode if isinstance(self.mode, int) else 200))
        return True

    def whole(self, status: int) -> bytes:
        said = {"status": self.status, "digest": self.digest, "colour": self.body_colour or self.colour}
        body = json.dumps(said).encode() if "status" in self.names else b"hello"
        named = f"X-Release-Digest: {self.digest}\r\nX-Release-Colour: {self.colour}\r\n"
        head = f"HTTP/1.1 {status} X\r\n" + (named if "header" in self.names else "")
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.accept, daemon=True).start()
    yield server
    server.release()
    server.listener.close()
