"""AWS farther away: a relay before the local cloud that hands on every answer late."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

from tools.lane import Stack

AWAY = 0.06
"""Seconds that each answer of AWS comes later: the machine that releases is some hundred kilometres away."""


@contextmanager
def far_away(endpoint: str, seconds: float = AWAY) -> Iterator[str]:
    """Another URL of this endpoint, whose every answer comes `seconds` later. No limit to how many at once."""
    loop, relay = asyncio.new_event_loop(), _Relay(endpoint, seconds)
    thread = threading.Thread(target=loop.run_forever, name="far-away", daemon=True)
    thread.start()
    try:
        port = asyncio.run_coroutine_threadsafe(relay.open(), loop).result()
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(relay.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def farther_away(stack: Stack, seconds: float = AWAY) -> Iterator[Stack]:
    """The same stack, whose engine, providers and gates get every answer of AWS later."""
    variables = stack.lane.variables
    with far_away(variables["AWS_ENDPOINT_URL"], seconds) as url:
        yield replace(stack, lane=replace(stack.lane, variables={**variables, "AWS_ENDPOINT_URL": url}))


class _Relay:
    def __init__(self, endpoint: str, seconds: float) -> None:
        address = urlsplit(endpoint)
        self._host, self._port, self._seconds = address.hostname or "", address.port or 80, seconds
        self._under_way: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            # A task of a stream server that ends as cancelled has its traceback printed.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._both_ways(reader, writer)
        finally:
            self._under_way.discard(task)
            writer.close()

    async def _both_ways(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asks = await asyncio.open_connection(self._host, self._port)
        try:
            await asyncio.gather(_hand_on(reader, asks, 0.0), _hand_on(answers, writer, self._seconds))
        finally:
            asks.close()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Each part as much later as the others, so that their order and distances stay."""
    loop = asyncio.get_running_loop()
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        part = b"-"
        while part:
            part = await reader.read(65536)
            due.put_nowait((loop.time() + seconds, part))

    reading = asyncio.ensure_future(read())
    try:
        while True:
            at, part = await due.get()
            await asyncio.sleep(max(0.0, at - loop.time()))
            if not part:
                break
            writer.write(part)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    finally:
        reading.cancel()
