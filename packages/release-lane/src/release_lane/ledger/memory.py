"""Objects in memory, for tests: with everything that a bucket can do, and with a switch that takes it away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from release_lane.errors import CloudError
from release_lane.ledger.store import Ledger
from release_lane.record.chain import Traces


@dataclass
class Memory:
    """`objects` by name. `away`: it does not answer. `meanwhile` runs before each write, as another writer would."""

    objects: dict[str, bytes] = field(default_factory=dict)
    away: bool = False
    calls: list[str] = field(default_factory=list)
    traced: Traces = field(default_factory=Traces)
    meanwhile: Callable[[], None] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def newest(self, folder: str) -> str | None:
        """The smallest name."""
        self._asked("newest")
        return min((name for name in self.objects if name.startswith(folder)), default=None)

    def names(self, folder: str) -> Sequence[str]:
        """In order."""
        self._asked("names")
        return sorted(name for name in self.objects if name.startswith(folder))

    def read(self, name: str) -> bytes:
        """As given."""
        self._asked("read")
        return self.objects[name]

    def create(self, name: str, content: bytes) -> bool:
        """Kept, if there is none."""
        self._asked("create")
        self.meanwhile()
        with self._lock:
            return self.objects.setdefault(name, content) is content

    def traces(self) -> Traces:
        """As given."""
        return self.traced

    def _asked(self, what: str) -> None:
        self.calls.append(what)
        if self.away:
            raise CloudError("The network is down.")


def in_memory(objects: Memory | None = None) -> Ledger:
    """A ledger for tests."""
    return Ledger(objects=objects or Memory(), url="memory")
