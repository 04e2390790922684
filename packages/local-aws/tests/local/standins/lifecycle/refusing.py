"""An AWS behind a door that takes one change, and then refuses everything until it is opened again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.proxy import FaultProxy, Request
from tests.faults.wire import Answer, Call, error, read_call

READING = ("Describe", "Get", "List")
WHY = "out of order"
"""Of the refusals. No code that the provider's SDK tries again."""


class Refusing(FaultProxy):
    """At `url`. One at a time goes through `once()`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._turn, self._order, self._taken = threading.Lock(), threading.Lock(), False

    @contextmanager
    def once(self) -> Iterator[None]:
        """Within, one change is taken."""
        with self._turn:
            self._taken = False
            yield

    def answer(self, request: Request) -> Answer:
        """That of the AWS behind it, or a refusal. Every client's calls count, not only ours."""
        call = read_call(request.path, request.headers, request.body)
        call = call or Call("", request.method.title(), "query", "", request.body)
        with self._order:
            if self._taken:
                return error(call, 400, "OutOfOrder", WHY)
            answer = self.forward(request)
            self._taken = not call.operation.startswith(READING) and answer.status < 300
            return answer
