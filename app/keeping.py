"""What the service remembers of its results, and where: a database and a cache, or one of them, or neither."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

log = logging.getLogger("app")
SECONDS = 5  # that an answer from the cache may be old
FRESH = 1.0  # seconds that a look at both is good for: anyone may ask for the status, and often
Status = tuple[Mapping[str, Any], list[str], list[str]]


class Unavailable(Exception):
    """A database that does not do what was asked, or a cache; the text says why, in one line and without a secret."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was computed: `checksum` in hex of so many `bytes`. `release`: its id, if it has one."""

    algorithm: str
    checksum: str
    bytes: int
    release: str | None = None


class Records(Protocol):
    """Results for good; each call raises Unavailable."""

    async def add(self, result: Result) -> None: ...
    async def about(self, checksum: str) -> Mapping[str, Any] | None:
        """When it was computed first and last (ISO 8601), how often, by which release last; None if it never was."""
        ...

    async def check(self) -> Mapping[str, Any]:
        """Can it do all of the above? What there is to say of it."""
        ...

    async def close(self) -> None: ...


class Cache(Protocol):
    """Text by a key, for some seconds; each call raises Unavailable."""

    async def get(self, key: str) -> str | None: ...
    async def set(self, key: str, text: str, seconds: int) -> None: ...
    async def check(self) -> Mapping[str, Any]: ...
    async def close(self) -> None: ...


@dataclass
class Keeping:
    records: Records | None = None
    cache: Cache | None = None
    fresh: float = FRESH
    _looked: tuple[float, asyncio.Task[Status]] | None = field(default=None, init=False, repr=False)

    async def add(self, result: Result) -> None:
        if self.records:
            await self.records.add(result)

    async def about(self, checksum: str) -> Mapping[str, Any] | None:
        """From the cache if it is there; a cache that fails costs time alone. Unavailable without the database."""
        if not self.records:
            return None
        key = f"about:{checksum}"
        if self.cache and (kept := await self._spared(self.cache.get(key))):
            found: Mapping[str, Any] = json.loads(kept)
            return found
        read = await self.records.about(checksum)
        if self.cache and read:
            await self._spared(self.cache.set(key, json.dumps(read), SECONDS))
        return read

    async def _spared(self, asked: Awaitable[str | None]) -> str | None:
        try:
            return await asked
        except Unavailable as error:
            log.warning("the cache was left out: %s", error)
            return None

    async def close(self) -> None:
        """Before the event loop ends: the pool's tasks outlive a cancellation, and the process would not exit."""
        for each in (self.records, self.cache):
            if each:
                await each.close()

    async def status(self) -> Status:
        """How both are; what is wrong with what the service needs; and with what it can do without."""
        now = time.monotonic()
        if not self._looked or now - self._looked[0] > self.fresh:
            self._looked = now, asyncio.create_task(self._look())
        return await asyncio.shield(self._looked[1])

    async def _look(self) -> Status:
        looks = {
            "database": self.records.check if self.records else None,
            "cache": self.cache.check if self.cache else None,
        }
        found = dict(zip(looks, await asyncio.gather(*map(_look, looks.values())), strict=True))
        wrong = {name: [f"{name}: {each['problem']}"] if "problem" in each else [] for name, each in found.items()}
        return found, wrong["database"], wrong["cache"]


async def _look(check: Callable[[], Awaitable[Mapping[str, Any]]] | None) -> Mapping[str, Any]:
    if not check:
        return {"state": "not configured"}
    began = time.perf_counter()
    try:
        found = {"state": "ok", **await check()}
    except Unavailable as error:
        found = {"state": "failed", "problem": str(error)}
    return found | {"ms": round((time.perf_counter() - began) * 1000, 1)}
