"""The open loop: requests leave on schedule, however slow the answers are.

A closed loop (send, wait, send) asks less while the service is stuck, so it hides just the moments that
matter. Here request k is due at k / rate; its latency counts from then, also when this process was late.
One event loop, protocols without a task per request: about 0.05 ms of CPU each.

With `users` it is a closed loop after all: it finds out how much the service can carry, and keeps it there.
What such a loop says of failures holds; of latencies it says too little.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from release_lane.probe.answer import Answer, Malformed, parse
from release_lane.probe.settings import Settings
from release_lane.probe.tally import Report, Tally, merged
from release_lane.record.asking import Identify

TICK = 0.002  # seconds; those due within one tick leave together
READY_PAUSE = 0.05  # seconds between two attempts while waiting for the first good answer


class Flight:
    """One request that is under way."""

    __slots__ = ("connection", "done", "due", "tally")

    def __init__(self, due: float, tally: Tally) -> None:
        self.due = due  # in the loop's time
        self.tally = tally
        self.connection: Connection | None = None
        self.done = False


class Engine:
    """Sends, counts, reports. Use from one event loop; `run` ends some time after `stop`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.loop = asyncio.get_running_loop()
        self.ready = asyncio.Event()
        self.tallies = [Tally("start", time.time())]
        self._epoch = time.time() - self.loop.time()
        self._idle: list[Connection] = []
        self._flights: deque[Flight] = deque()  # by due time, so the oldest expires first
        self._connecting: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._open = 0
        self._behind = 0.0
        self._unready = ""
        target = urlsplit(settings.url)
        self._tls = trusting() if target.scheme == "https" else None
        self._name = target.hostname if self._tls else None  # whose certificate it has to be
        self._address = (settings.connect_to or target.hostname or "", target.port or (443 if self._tls else 80))
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        self.request = (
            f"GET {path} HTTP/1.1\r\nHost: {target.netloc.rpartition('@')[2]}\r\n"
            "User-Agent: release-probe\r\nAccept: */*\r\n\r\n"
        ).encode()

    def mark(self, name: str) -> None:
        """Requests sent from now on belong to a new step."""
        now = time.time()
        self.tallies[-1].ended = now
        self.tallies.append(Tally(name, now))

    def report(self) -> Report:
        steps = tuple(tally.counts() for tally in self.tallies)
        total = merged(self.tallies).counts()
        behind = round(self._behind * 1000, 1)
        return Report(self.settings.url, self.settings.rate, time.time(), behind, total, steps, self._unready)

    def stop(self) -> None:
        """Send no more; what is under way may still be answered."""
        self._stopping.set()

    async def run(self, seconds: float | None = None) -> None:
        """Probe until `stop`, at most for `seconds`; returns when nothing is under way any more."""
        if self.settings.wait_ready:
            await self._first_good_answer()
            self.tallies[-1].began = time.time()
        self.ready.set()
        await (self._keep_busy(seconds) if self.settings.users else self._send_on_schedule(seconds))
        while any(not flight.done for flight in self._flights):
            self._expire()
            await asyncio.sleep(TICK)
        self.tallies[-1].ended = time.time()
        for connection in self._idle:
            connection.close()

    # --- sending

    async def _send_on_schedule(self, seconds: float | None) -> None:
        began, rate, number = self.loop.time(), self.settings.rate, 0
        last = None if seconds is None else round(seconds * rate)
        tick = began
        while not self._stopping.is_set() and (last is None or number < last):
            now = self.loop.time()
            self._behind = max(self._behind, now - tick)
            due_count = int((now - began) * rate) + 1
            for k in range(number, due_count if last is None else min(due_count, last)):
                self._send(max(tick, began + k / rate))
            number = max(number, due_count)
            self._expire()
            tick = max(now + TICK, began + number / rate)
            await asyncio.sleep(max(0.0, tick - self.loop.time()))

    async def _keep_busy(self, seconds: float | None) -> None:
        for _ in range(self.settings.users):
            self._send(self.loop.time())
        end = None if seconds is None else self.loop.time() + seconds
        while not self._stopping.is_set() and (end is None or self.loop.time() < end):
            self._expire()
            await asyncio.sleep(TICK)
        self.stop()

    @property
    def _asks_again(self) -> bool:
        return bool(self.settings.users) and self.ready.is_set() and not self._stopping.is_set()

    def _begun(self, due: float) -> Flight:
        flight = Flight(due, self.tallies[-1])
        flight.tally.sent += 1
        return flight

    def _send(self, due: float) -> None:
        flight = self._begun(due)
        if self._idle:
            self._flights.append(flight)
            self._idle.pop().send(flight)
        elif self._open < self.settings.connections:
            self._flights.append(flight)
            self._open += 1
            task = self.loop.create_task(self._connect(flight))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        else:
            self.fail(flight, f"none of {self.settings.connections} connections was free")

    async def _connect(self, flight: Flight) -> None:
        connection = Connection(self, flight)
        try:
            async with asyncio.timeout(self.settings.timeout):
                host, port = self._address
                await self.loop.create_connection(
                    lambda: connection, host, port, ssl=self._tls, server_hostname=self._name
                )
        except TimeoutError:
            self.fail(flight, unanswered(connected=connection.made))
            if connection.made:  # in the same moment; it says itself when it is lost
                connection.abort()
            else:
                self._gone()
        except ssl.SSLCertVerificationError as error:
            self._gone()
            self.fail(flight, f"its certificate is not valid: {error.verify_message}")
        except OSError as error:
            self._gone()
            refused = isinstance(error, ConnectionRefusedError)
            self.fail(flight, "refused" if refused else f"no connection: {error.strerror or error}")

    def _expire(self) -> None:
        oldest = self.loop.time() - self.settings.timeout
        while self._flights and (self._flights[0].done or self._flights[0].due < oldest):
            flight = self._flights.popleft()
            if not flight.done:
                self.fail(flight, unanswered(connected=flight.connection is not None))
                if flight.connection:
                    flight.connection.abort()

    async def _first_good_answer(self) -> None:
        """Ask now and then until one answer is good; none of this is counted."""
        while not self._stopping.is_set():
            attempt = Tally("ready?", 0)
            self._open += 1
            flight = Flight(self.loop.time(), attempt)
            self._flights.append(flight)
            await self._connect(flight)
            while not flight.done:
                self._expire()
                await asyncio.sleep(TICK)
            if attempt.ok:
                self._unready = ""
                return
            self._unready = next(iter(attempt.reasons), "")
            await asyncio.sleep(READY_PAUSE)

    # --- what becomes of it; called by the connections

    def fail(self, flight: Flight, reason: str) -> None:
        if not flight.done:
            flight.done = True
            flight.tally.failed(flight.due + self._epoch, reason)

    def answered(self, flight: Flight, answer: Answer) -> None:
        if flight.done:  # too late: it has been counted as a timeout
            return
        flight.done = True
        at, took, tally = flight.due + self._epoch, self.loop.time() - flight.due, flight.tally
        tally.answered(took, answer.status)
        if self.settings.identify != Identify.NONE and (answer.digest or answer.colour):
            tally.named(at, answer.digest, answer.colour)
            tally.mixed += answer.mixed
        else:
            tally.unnamed += 1
        if problem := problem_of(answer, self.settings):
            tally.failed(at, problem)
        else:
            tally.ok += 1
            tally.late += took > self.settings.late_after

    def free(self, connection: Connection) -> None:
        if self._asks_again:
            flight = self._begun(self.loop.time())
            self._flights.append(flight)
            connection.send(flight)
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection, *, well: bool) -> None:
        self._gone(0.0 if well else READY_PAUSE)
        if connection in self._idle:
            self._idle.remove(connection)

    def _gone(self, pause: float = READY_PAUSE) -> None:
        """One connection less. After a failure its user waits a moment; without answers it would only spin."""
        self._open -= 1
        if self._asks_again:
            self.loop.call_later(pause, self._ask_again)

    def _ask_again(self) -> None:
        if self._asks_again:
            self._send(self.loop.time())


def unanswered(*, connected: bool) -> str:
    return "timeout" if connected else "timeout while connecting"


def trusting() -> ssl.SSLContext:
    """Verifies certificates by the authorities that the smoke checks trust (requests reads this variable), or else by
    this machine's."""
    return ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)


def problem_of(answer: Answer, settings: Settings) -> str:
    """Why an answer is not a good one; "" if it is. One that does not say what was asked is none."""
    if not 200 <= answer.status < 300:
        return "" if answer.status in settings.expect else f"status {answer.status}"
    if settings.well and not answer.well:
        return "it does not say `status: ok`"
    if settings.identify in (Identify.STATUS, Identify.HEADER) and settings.identify not in answer.names:
        where = "body" if settings.identify == Identify.STATUS else "headers"
        return f"its {where} do{'es' if where == 'body' else ''} not say which release answered"
    return ""


class Connection(asyncio.Protocol):
    """One request at a time; then idle, to be used again."""

    def __init__(self, engine: Engine, flight: Flight) -> None:
        self._engine = engine
        self._flight: Flight | None = flight
        self._received = b""
        self._used = 0
        self._transport: asyncio.Transport | None = None

    @property
    def made(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if self._flight and not self._flight.done:
            self.send(self._flight)
        else:  # it took so long that the request has been given up
            self.abort()

    def send(self, flight: Flight) -> None:
        assert self._transport is not None
        self._flight, self._received = flight, b""
        flight.connection = self
        self._used += 1
        self._transport.write(self._engine.request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._look(ended=False)

    def connection_lost(self, error: Exception | None) -> None:
        if self._flight and self._received and error is None:
            self._look(ended=True)
        well = self._flight is None
        if self._flight:
            # No second try: a real user's browser may not make one either (POST), and it would hide the fault.
            again = " (on a connection used before)" if self._used > 1 else ""
            self._engine.fail(self._flight, f"reset{again}" if error else f"closed without an answer{again}")
        self._engine.lost(self, well=well)

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        self._flight = None
        if self._transport:
            self._transport.abort()

    def _look(self, *, ended: bool) -> None:
        """Is the answer whole now?"""
        if self._flight is None:  # unrequested bytes, such as a 408 on an idle connection
            return self.close()
        try:
            answer = parse(self._received, ended=ended)
        except Malformed as error:
            self._engine.fail(self._flight, str(error))
            return self.abort()
        if answer is None:
            return None
        flight, self._flight = self._flight, None
        self._engine.answered(flight, answer)
        if answer.keep_alive and self._used < self._engine.settings.per_connection:
            self._engine.free(self)
        else:
            self.close()
        return None
