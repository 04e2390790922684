"""Load for tests, in processes of its own so that it does not wait for the test's interpreter.

    python -m tests.local.emulator.edge.load serve IP PORT NAME      a target that answers NAME, and 200 to /health
    python -m tests.local.emulator.edge.load ask IP PORT CLIENTS     keep-alive clients, each as fast as it is answered
    … ask IP PORT CLIENTS HOST CA       the same over TLS: verified for HOST with the certificates in the file CA

`ask` runs until its standard input ends or has a line, then prints {"requests": n, "failed": {why: n}, "by": {…: n}}.
A connection that the server closes after an answer that said so is opened again; every other end is a failure.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[6]
REQUEST = b"GET / HTTP/1.1\r\nHost: load\r\n\r\n"


class Answering(asyncio.Protocol):
    """HTTP/1.1 without a body in requests: one answer for each empty line."""

    def __init__(self, name: str) -> None:
        body = name.encode()
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer * data.count(b"\r\n\r\n"))


async def serve(ip: str, port: int, name: str) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Answering(name), ip, port, backlog=1024)
    print("ready", flush=True)
    await server.serve_forever()


@dataclass(frozen=True)
class Door:
    """Where to connect. `host` and `ca` for TLS only."""

    ip: str
    port: int
    host: str = ""
    ca: str = ""

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self.host:
            return await asyncio.open_connection(self.ip, self.port)
        context = ssl.create_default_context(cafile=self.ca)
        return await asyncio.open_connection(self.ip, self.port, ssl=context, server_hostname=self.host)


async def ask(door: Door, clients: int) -> None:
    counts: dict[str, Counter[str]] = {"failed": Counter(), "by": Counter()}
    enough = asyncio.Event()
    tasks = [asyncio.create_task(_client(door, counts, enough)) for _ in range(clients)]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    enough.set()
    await asyncio.gather(*tasks)
    total = sum(counts["failed"].values()) + sum(counts["by"].values())
    print(json.dumps({"requests": total, **counts}), flush=True)


async def _client(door: Door, counts: dict[str, Counter[str]], enough: asyncio.Event) -> None:
    writer = None
    while not enough.is_set():
        try:
            if writer is None:
                reader, writer = await door.open()
            writer.write(REQUEST)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ", 1)[1].split("\r\n", 1)[0])
            body = await reader.readexactly(length)
            status = head.split(" ", 2)[1]
            if status == "200":
                counts["by"][body.decode()] += 1
            else:
                counts["failed"][status] += 1
            keep = "connection: close" not in head
        except (OSError, EOFError, IndexError) as error:
            counts["failed"][repr(error)] += 1
            keep = False
        if not keep and writer is not None:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


class Running:
    """One of the two as a process; it is ready when this returns."""

    def __init__(self, *arguments: str | int) -> None:
        command = [sys.executable, "-m", "tests.local.emulator.edge.load", *map(str, arguments)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def result(self) -> Any:
        """What `ask` has counted; it ends."""
        said, _ = self._process.communicate("\n", timeout=60)
        return json.loads(said)

    def stop(self) -> None:
        with suppress(OSError):
            self._process.kill()
        self._process.communicate()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", ip, port, name]:
            asyncio.run(serve(ip, int(port), name))
        case ["ask", ip, port, clients, *secure]:
            asyncio.run(ask(Door(ip, int(port), *secure), int(clients)))
        case _:
            sys.exit(__doc__)
