"""What is looked up often, in Valkey. Imported only where there is a cache."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import valkey.asyncio as valkey
from valkey.asyncio.retry import Retry
from valkey.backoff import NoBackoff
from valkey.exceptions import ValkeyError

from app.keeping import Unavailable
from app.settings import Settings

CONNECTS, ANSWERS = 0.5, 0.2  # seconds: a cache that takes longer is no help


class Valkey:
    """`Cache`; connects when it is asked first."""

    def __init__(self, settings: Settings, *, connects: float = CONNECTS, answers: float = ANSWERS) -> None:
        tls = {"ssl": True, "ssl_check_hostname": True} if settings.cache_tls else {}
        self._client = valkey.Valkey(
            host=settings.cache_host,
            port=settings.cache_port,
            socket_connect_timeout=connects,
            socket_timeout=answers,
            retry=Retry(NoBackoff(), 1),  # a connection that the server closed meanwhile
            decode_responses=True,
            **tls,
        )

    async def get(self, key: str) -> str | None:
        async with _failing():
            found: str | None = await self._client.get(key)
            return found

    async def set(self, key: str, text: str, seconds: int) -> None:
        async with _failing():
            await self._client.set(key, text, ex=seconds)

    async def check(self) -> Mapping[str, Any]:
        async with _failing():
            await self._client.ping()
        return {}

    async def close(self) -> None:
        await self._client.aclose()


@asynccontextmanager
async def _failing() -> AsyncIterator[None]:
    try:
        yield
    except (ValkeyError, OSError) as error:
        raise Unavailable(f"{type(error).__name__}: {error}") from error
