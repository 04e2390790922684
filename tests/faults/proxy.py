"""A proxy between us and AWS that records every call and makes chosen ones fail.

`AWS_ENDPOINT_URL` points to it. It injects faults only into our own calls (by their User-Agent): the AWS provider
has retries of its own. Everything else passes through.
"""

from __future__ import annotations

import http.client
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, assert_never
from urllib.parse import urlsplit

from release_lane.aws.session import AGENT

from tests.faults.budget import Timed
from tests.faults.wire import Answer, Call, error, read_call

PASSED_ON = frozenset({"transfer-encoding", "content-length", "connection"})


class Fault(Enum):
    """What can happen to one call."""

    THROTTLED = "throttled"
    SERVER_ERROR = "5xx"
    NO_ANSWER = "no answer"
    RESET = "reset"
    STALE = "stale"
    DONE_BUT_LATE = "done, answer too late"
    DONE_BUT_RESET = "done, then reset"
    DONE_BUT_SERVER_ERROR = "done, then 5xx"
    EXPIRED = "credentials expire"


TAKES_EFFECT = frozenset({Fault.STALE, Fault.DONE_BUT_LATE, Fault.DONE_BUT_RESET, Fault.DONE_BUT_SERVER_ERROR})


@dataclass
class Injection:
    """A fault for calls named `call`, or for every call ("*"): after `skip` of them, `times` of them."""

    fault: Fault
    call: str
    skip: int = 0
    times: int = 1
    struck: int = 0
    seen: int = 0

    def strikes(self, call: Call) -> bool:
        if self.call not in ("*", call.name):
            return False
        self.seen += 1
        if self.seen <= self.skip or self.struck >= self.times:
            return False
        self.struck += 1
        return True


ALWAYS = 10**9


@dataclass
class Away:
    """All calls of one service are refused (503) until a moment."""

    service: str
    until: float


@dataclass
class Meanwhile:
    """Something that happens in the world at a call of this name, the `skip`-th but one; once.

    Before it takes effect, or (`done`) after that and before it is answered.
    """

    call: str
    happen: Callable[[], None]
    done: bool = False
    skip: int = 0
    happened: bool = False


class _Drop(Exception):
    """The client gets no answer: the connection is held until it gives up, or reset."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


@dataclass(frozen=True)
class Request:
    """One HTTP request; `call` is None for what is no AWS call."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def call(self) -> Call | None:
        """Which call it is, if it is one of ours."""
        ours = AGENT in self.headers.get("User-Agent", "")
        return read_call(self.path, self.headers, self.body, self.method) if ours else None


@dataclass
class FaultProxy:
    """Stands at `url` before the AWS at `endpoint`. `calls` are ours, in the order in which they came; `timed` are
    those that were answered, in the order of their answers."""

    endpoint: str
    latency: float = 0.0
    """Seconds that are added to each of our calls, so that what is asked side by side is seen to be."""
    calls: list[Call] = field(default_factory=list)
    timed: list[Timed] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._expired: set[str] = set()
        self._answers: dict[tuple[str, bytes], list[Answer]] = {}
        self._away: list[Away] = []
        self._meanwhile: list[Meanwhile] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    # ---- what a test says

    def inject(self, fault: Fault, call: str = "*", *, skip: int = 0, times: int = 1) -> Injection:
        """Let calls go wrong from now on; the answer counts how many did."""
        made = Injection(fault, call, skip, times)
        with self._lock:
            self.injections.append(made)
        return made

    def take_away(self, service: str, seconds: float) -> None:
        """A service's control plane is away for some seconds from now on."""
        with self._lock:
            self._away.append(Away(service, time.monotonic() + seconds))

    def meanwhile(self, call: str, happen: Callable[[], None], *, done: bool = False, skip: int = 0) -> Meanwhile:
        """Let something happen when this call comes, before it takes effect or (`done`) after that."""
        made = Meanwhile(call, happen, done, skip)
        with self._lock:
            self._meanwhile.append(made)
        return made

    def heal(self) -> None:
        """No more faults; credentials that expired stay so."""
        with self._lock:
            self.injections.clear()
            self._away.clear()
            self._meanwhile.clear()

    def begin(self) -> None:
        """Forget the calls so far (but not their answers: stale ones come from there)."""
        with self._lock:
            self.calls.clear()
            self.timed.clear()

    def counted(self) -> Counter[str]:
        """How often each call came."""
        with self._lock:
            return Counter(call.name for call in self.calls)

    # ---- what happens to a request

    def answer(self, request: Request) -> Answer:
        """The answer, true or not. Raises _Drop where there is to be none."""
        call = request.call
        if call is None:
            return self.forward(request)
        begun = time.monotonic()
        answer = self._answered(call, request)
        time.sleep(self.latency)
        with self._lock:
            self.timed.append(Timed(call, begun, time.monotonic()))
        return answer

    def _answered(self, call: Call, request: Request) -> Answer:
        self._let_happen(call)
        fault = self._fault_of(call)
        match fault:
            case None:
                return self._true_answer(call, request)
            case Fault.THROTTLED:
                code = "Throttling" if call.form == "query" else "ThrottlingException"
                return error(call, 400, code, "Rate exceeded")
            case Fault.SERVER_ERROR:
                return error(call, 503, "ServiceUnavailable", "Service unavailable")
            case Fault.EXPIRED:
                code = "ExpiredToken" if call.form == "query" else "ExpiredTokenException"
                return error(call, 403, code, "The security token included in the request is expired")
            case Fault.NO_ANSWER | Fault.RESET:
                raise _Drop(reset=fault is Fault.RESET)
            case Fault.STALE:
                return self._stale(call, request)
            case Fault.DONE_BUT_LATE | Fault.DONE_BUT_RESET:
                self._true_answer(call, request)
                raise _Drop(reset=fault is Fault.DONE_BUT_RESET)
            case Fault.DONE_BUT_SERVER_ERROR:
                self._true_answer(call, request)
                return error(call, 500, "InternalFailure", "Internal failure")
        assert_never(fault)

    def _let_happen(self, call: Call, *, done: bool = False) -> None:
        due = None
        with self._lock:
            for each in self._meanwhile:
                if each.call != call.name or each.done != done or each.happened:
                    continue
                each.happened, each.skip = each.skip == 0, each.skip - 1
                due = each if each.happened else due
                break
        if due is not None:
            due.happen()

    def _fault_of(self, call: Call) -> Fault | None:
        with self._lock:
            self.calls.append(call)
            if any(each.service == call.service and time.monotonic() < each.until for each in self._away):
                return Fault.SERVER_ERROR
            struck = next((each.fault for each in self.injections if each.strikes(call)), None)
            if struck is Fault.EXPIRED:
                self._expired.add(call.key)
            return Fault.EXPIRED if call.key in self._expired else struck

    def _stale(self, call: Call, request: Request) -> Answer:
        """The newest earlier answer to the same question that said something else; the truth if there was none."""
        with self._lock:
            earlier = list(self._answers.get((call.name, call.body), ()))
        truth = self._true_answer(call, request)
        return next((old for old in reversed(earlier) if old.says != truth.says), truth)

    def _true_answer(self, call: Call, request: Request) -> Answer:
        answer = self.forward(request)
        self._let_happen(call, done=True)
        if answer.status == 200:
            with self._lock:
                known = self._answers.setdefault((call.name, call.body), [])
                if not known or known[-1].says != answer.says:
                    known.append(answer)
        return answer

    def forward(self, request: Request) -> Answer:
        """What the AWS behind it answers."""
        onward = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)
        try:
            onward.request(request.method, request.path, request.body, dict(request.headers))
            got = onward.getresponse()
            headers = tuple((name, value) for name, value in got.getheaders() if name.lower() not in PASSED_ON)
            return Answer(got.status, headers, got.read())
        finally:
            onward.close()

    def hold(self, connection: socket.socket) -> None:
        """Say nothing until the client hangs up."""
        while not self._closed.is_set():
            readable, _, _ = select.select([connection], [], [], 0.1)
            if readable:
                return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def shutdown_request(self, request: Any) -> None:
        """Close without a farewell: one that is to be reset is reset."""
        self.close_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what this proxy is about."""


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self._body()
            try:
                answer = proxy.answer(Request(self.command, self.path, dict(self.headers), body))
            except _Drop as drop:
                self._drop(drop.reset)
                return
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def _body(self) -> bytes:
            """Whole. What comes in chunks, as a layer of an image does, goes on in one piece."""
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            del self.headers["Transfer-Encoding"]
            parts = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return b"".join(parts)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve

        def _drop(self, reset: bool) -> None:
            self.close_connection = True
            if reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                proxy.hold(self.connection)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
