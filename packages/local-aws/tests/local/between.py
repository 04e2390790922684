"""A socket between the emulator and Docker that can be cut, so that Docker can go away for one cloud alone.

A dockerd that was restarted does not know what happened before: a request for old events gets none.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
import time
from pathlib import Path


class Between:
    """Listens at `path` and passes everything on to Docker's own socket."""

    def __init__(self, path: Path, docker: str = "/var/run/docker.sock") -> None:
        self.path, self._docker = path, docker
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.restore()

    @property
    def address(self) -> str:
        """For DOCKER_HOST."""
        return f"unix://{self.path}"

    def restore(self) -> None:
        """Docker is there again."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Docker is gone: no client can connect, and connected ones see the end."""
        assert self._listener is not None
        self.path.unlink()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut, if it is not."""
        if self.path.exists():
            self.cut()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._docker)
            with self._lock:
                self._open |= {client, server}
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(forgetting(data))
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)


def forgetting(data: bytes) -> bytes:
    """A request for events since some time, as one for events from now on; anything else as it is."""
    if data.startswith(b"GET /") and b"/events?" in data.split(b"\r\n", 1)[0]:
        return re.sub(rb"since=[0-9.]+", b"since=%d" % time.time(), data, count=1)
    return data


def docker_socket() -> str:
    """Where Docker listens on this machine."""
    return os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
