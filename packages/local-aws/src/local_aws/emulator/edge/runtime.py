"""Commands to one running HAProxy over its socket, by a connection that stays open.

It stays open because a process that was asked to finish closes its socket for new connections, but still needs the
weights and targets as long as it serves clients that kept theirs open.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

PROMPT = b"\n> "
LONGEST = 5.0  # seconds that one command may take


class Lost(Exception):
    """There is no HAProxy at the other end any more."""


class Unwilling(Exception):
    """HAProxy did not do what a command says."""


class Runtime:
    """Raises Lost from every method when the process has gone. Not thread-safe."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(LONGEST)
        try:
            self._socket.connect(path)
            self.ask("prompt")
        except OSError as error:
            self._socket.close()
            raise Lost(str(error)) from error

    def ask(self, command: str) -> str:
        """Its answer, without the prompt."""
        try:
            self._socket.sendall(command.encode() + b"\n")
            answer = bytearray()
            while not answer.endswith(PROMPT):
                part = self._socket.recv(1 << 16)
                if not part:
                    raise Lost("connection closed")
                answer += part
        except OSError as error:
            raise Lost(str(error)) from error
        return answer[: -len(PROMPT)].decode().strip("\n")

    def tell(self, commands: Iterable[str]) -> None:
        """Commands that change something, in order; raises Unwilling for the first that did not work."""
        for command in commands:
            answer = self.ask(command)
            if answer and not succeeded(answer):
                raise Unwilling(f"HAProxy answered `{command}` with: {answer}")

    def info(self) -> dict[str, str]:
        lines = self.ask("show info").splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line)

    def close(self) -> None:
        self._socket.close()


def succeeded(answer: str) -> bool:
    """Changing an address is the one thing that HAProxy comments on when it works."""
    return answer.startswith(("IP changed from", "no need to change", "port changed from"))
