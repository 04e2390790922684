"""Users who are answered slowly while everything around them moves: does each answer come whole, from one release?"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import requests

from tools.soak.service import LINES, SECONDS

WAIT = SECONDS + 10  # seconds for one answer


@dataclass
class LongAnswers:
    """`whole`: answers that came to their end, by kind; `broken`: why the others did not."""

    url: str
    every: float = 0.5
    """Seconds between two requests of each kind."""

    whole: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asking: set[threading.Thread] = field(default_factory=set)

    def __enter__(self) -> Self:
        for kind in ("slow", "stream"):
            threading.Thread(target=self._keep_asking, args=(kind,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """No new request; those under way are waited for."""
        self._stop.set()
        deadline = time.monotonic() + WAIT
        for thread in list(self._asking):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _keep_asking(self, kind: str) -> None:
        while not self._stop.wait(self.every):
            thread = threading.Thread(target=self._ask, args=(kind,), daemon=True)
            self._asking.add(thread)
            thread.start()

    def _ask(self, kind: str) -> None:
        try:
            problem = problem_of(requests.get(f"{self.url}/{kind}", timeout=WAIT), LINES if kind == "stream" else 1)
        except requests.RequestException as error:
            problem = f"{kind}: {type(error).__name__}"
        with self._lock:
            self._asking.discard(threading.current_thread())
            if problem:
                self.broken[problem] += 1
            else:
                self.whole[kind] += 1


def problem_of(answer: requests.Response, lines: int) -> str:
    """What is wrong with it; "" if it is whole and every line names the release of its headers."""
    if answer.status_code != 200:
        return f"status {answer.status_code}"
    found = answer.text.splitlines()
    if len(found) != lines:
        return f"{len(found)} of {lines} lines"
    named = answer.headers.get("X-Release-Digest", "")
    return "" if named and all(named in line for line in found) else "more than one release in one answer"
