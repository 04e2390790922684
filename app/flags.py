"""Flags that `release flag` sets, as this task read them last: some seconds old, kept while AWS does not answer."""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping

log = logging.getLogger("app")
EVERY = 3.0  # seconds between two reads; SSM takes 40 a second of all tasks together, unless more is asked for


class Flags:
    """`read` gives the parameter's value, a JSON object of names and percent of requests; None for no parameter."""

    def __init__(self, read: Callable[[], str | None] = lambda: None) -> None:
        self._read = read
        self.shares: Mapping[str, int] = {}
        self.problem = ""

    def refresh(self) -> None:
        """Read once. A failure leaves what was read before."""
        try:
            found = json.loads(self._read() or "{}")
            self.shares = {str(name): int(share) for name, share in found.items()}
            self.problem = ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if not self.problem:
                log.warning("flags stay as they were: %s", error)
            self.problem = f"{type(error).__name__}: {error}"

    def follow(self, ended: threading.Event, every: float = EVERY) -> None:
        """Read again and again."""
        while not ended.wait(every):
            self.refresh()

    def on(self, name: str, who: str) -> bool:
        """Is it on for this one? The same share of a flag always has the same ones in it."""
        number = int.from_bytes(hashlib.sha256(f"{name}/{who}".encode()).digest()[:4], "big")
        return number % 100 < self.shares.get(name, 0)
