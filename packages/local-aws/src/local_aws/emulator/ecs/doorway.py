"""How a task calls AWS: the emulator's API at the address that the tasks' network has on this machine.

A task with a task role finds endpoint and credentials in its environment, as SDKs read them. On Fargate the endpoints
are AWS's, and the credentials come from an address that AWS_CONTAINER_CREDENTIALS_RELATIVE_URI names; what the role
permits is not looked at here.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping

logger = logging.getLogger("ecs")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class Doorway:
    """Opened when the first task needs it. `address` says where, by making the network if it is not there."""

    def __init__(self, address: Callable[[], str | None], port: int) -> None:
        self._address = address
        self._port = port
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def variables(self, role: object) -> Mapping[str, str]:
        """For a task with this role; none without one, or where Docker's network is not on this machine."""
        if not role or not (at := self.open()):
            return {}
        return {"AWS_ENDPOINT_URL": f"http://{at}:{self._port}", **CREDENTIALS}

    def open(self) -> str | None:
        """Its address; None where it cannot be opened."""
        with self._lock:
            if self._server is None:
                address = self._address()
                if address is None:
                    return None
                try:
                    self._server = _Server(address, self._port)
                except OSError as error:
                    logger.warning("tasks cannot reach the API at %s:%s: %s", address, self._port, error)
                    return None
            return str(self._server.server_address[0])

    def close(self) -> None:
        """Connections that are open end with their peers."""
        with self._lock:
            if self._server is not None:
                self._server.shutdown()
                self._server.server_close()
                self._server = None


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: str, port: int) -> None:
        super().__init__((address, port), _Forward)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Forward(socketserver.BaseRequestHandler):
    """Bytes both ways between a task and the emulator on 127.0.0.1."""

    def handle(self) -> None:
        port = self.server.server_address[1]  # type: ignore[index]  # of an IPv4 server
        try:
            emulator = socket.create_connection(("127.0.0.1", int(port)))
        except OSError:
            return
        with emulator:
            back = threading.Thread(target=_copy, args=(emulator, self.request), daemon=True)
            back.start()
            _copy(self.request, emulator)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
