"""Ports for servers that take a number, because they are processes of their own."""

from __future__ import annotations

import random
import socket

FROM, TO = 20_000, 32_000
"""Below the range from which the kernel takes ports for connections, above those of local clouds."""

_claims: list[socket.socket] = []


def free_port() -> int:
    """One that no process listens on, and that no other test of this machine gets until this process ends.

    A port that was free a moment ago may be somebody's connection, or another test's, by the time a server opens it.
    """
    while True:
        port = random.randrange(FROM, TO)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0release-lane-test-port-{port}")  # a name without a file, gone with this process
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
