"""One action at a time: it says what the state would be, that is kept, and the servers follow."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from local_aws.emulator.elasticache.actions import ACTIONS, VERSION, Answer, Call
from local_aws.emulator.elasticache.model import ReplicationGroup, State, Status
from local_aws.emulator.query import Given, Scope
from local_aws.emulator.servers import Failed, in_a_thread
from local_aws.emulator.subnet_groups import Subnets, subnets_of
from local_aws.emulator.wire import ServiceError, StateFile

log = logging.getLogger("elasticache")
FORMAT = 1


class Caches(Protocol):
    """The caches themselves."""

    def start(self, cache: ReplicationGroup) -> str:
        """Have all its nodes answer, and no others; their version (`8.1.1`). Raises Failed."""

    def remove(self, cache: ReplicationGroup) -> None:
        """Gone is fine."""


class Service:
    """Amazon ElastiCache, thread-safe. Its state lies in `folder`. `begin` runs what servers need, by default in a
    thread of its own."""

    def __init__(
        self,
        folder: Path,
        caches: Caches,
        subnets: Subnets = subnets_of,
        begin: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._file = StateFile(folder / "elasticache.json")
        self._caches = caches
        self._subnets = subnets
        self._begin = begin or in_a_thread
        self._lock = threading.RLock()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._state = self._file.restore(State, FORMAT, "ElastiCache's state")

    def perform(self, action: str, given: Given, scope: Scope) -> Answer:
        """One API action; its answer. Raises ServiceError."""
        function = ACTIONS.get(action)
        if function is None:
            raise ServiceError("InvalidAction", f"The local cloud does not carry {action}.")
        with self._lock:
            before = self._state
            after, answer = function(before, given, self._call(scope))
            self._keep(after)
        for arn, cache in after.caches.items():
            if cache.status is not before.caches.get(arn, cache).status or arn not in before.caches:
                self._follow(arn)
        return answer

    def resume(self) -> None:
        """After a restart: go on with what was under way, and have every cache answer again. One that failed is tried
        once more: what was in its way may be gone."""
        for arn in self._state.caches:
            self._follow(arn)

    def _follow(self, arn: str) -> None:
        self._begin(lambda: self._do(arn))

    def _do(self, arn: str) -> None:
        """What is wanted by now; for each cache one thing at a time."""
        with self._turns[arn]:
            cache = self._state.caches.get(arn)
            if cache is None:
                return
            if cache.status is Status.DELETING:
                self._remove(cache)
            else:
                self._start(cache)

    def _start(self, cache: ReplicationGroup) -> None:
        try:
            version = self._caches.start(cache)
            if not version.startswith(f"{VERSION}."):
                raise Failed(f"the image has Valkey {version or '?'}, not {VERSION}")
        except Failed as error:
            log.warning("%s did not start: %s", cache.id, error)
            self._settle(cache, status=Status.FAILED, reason=str(error))
        except Exception as error:
            log.exception("%s did not start", cache.id)
            self._settle(cache, status=Status.FAILED, reason=repr(error))
        else:
            self._settle(cache, status=Status.AVAILABLE, version=version, reason="")

    def _remove(self, cache: ReplicationGroup) -> None:
        self._caches.remove(cache)
        with self._lock:
            kept = {arn: each for arn, each in self._state.caches.items() if arn != cache.arn}
            self._keep(replace(self._state, caches=kept))

    def _settle(self, cache: ReplicationGroup, **changes: object) -> None:
        """Unless something else is wanted of it by now: then that is done next, and settles it."""
        with self._lock:
            if self._state.caches[cache.arn] == cache:
                after = replace(cache, **changes)  # type: ignore[arg-type]
                self._keep(replace(self._state, caches={**self._state.caches, cache.arn: after}))

    def _keep(self, after: State) -> None:
        if after != self._state:
            self._file.keep(after, FORMAT)
            self._state = after

    def _call(self, scope: Scope) -> Call:
        return Call(
            region=scope.region,
            account=scope.account,
            now=time.time(),
            subnets=lambda ids: self._subnets(ids, scope),
        )
