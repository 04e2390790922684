"""The cache of the sample: what it holds, for how long, and that nothing breaks without it."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.cache import ANSWERS, Valkey
from app.keeping import SECONDS, Keeping, Result, Unavailable
from app.service import create_app
from app.settings import Settings
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.tls import authority

ABC = "/api/v1/checksums/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@dataclass
class FakeRecords:
    """In memory; `reads` counts what it was asked."""

    times: dict[str, int] = field(default_factory=dict)
    reads: int = 0

    async def add(self, result: Result) -> None:
        self.times[result.checksum] = self.times.get(result.checksum, 0) + 1

    async def about(self, checksum: str) -> Mapping[str, Any] | None:
        self.reads += 1
        return {"times": self.times[checksum]} if checksum in self.times else None

    async def check(self) -> Mapping[str, Any]:
        return {"schema": "0001"}

    async def close(self) -> None: ...


@dataclass
class FakeCache:
    """In memory; time passes by `expire`. With `problem` all fails."""

    held: dict[str, tuple[str, int]] = field(default_factory=dict)
    problem: str = ""

    async def get(self, key: str) -> str | None:
        self._fail()
        return self.held.get(key, (None, 0))[0]

    async def set(self, key: str, text: str, seconds: int) -> None:
        self._fail()
        self.held[key] = (text, seconds)

    async def check(self) -> Mapping[str, Any]:
        self._fail()
        return {}

    async def close(self) -> None: ...

    def expire(self, seconds: int) -> None:
        self.held = {key: each for key, each in self.held.items() if each[1] > seconds}

    def _fail(self) -> None:
        if self.problem:
            raise Unavailable(self.problem)


@pytest.mark.pure
def test_what_is_looked_up_often_comes_from_the_cache_and_is_some_seconds_old() -> None:
    records, cache = FakeRecords(), FakeCache()
    client = TestClient(create_app(Settings(), keeping=Keeping(records, cache)))
    assert client.get(ABC).status_code == 404
    client.post("/api/v1/checksums", content=b"abc")
    assert [client.get(ABC).json()["times"] for _ in range(3)] == [1, 1, 1], "what was not there is not kept"
    assert records.reads == 2
    client.post("/api/v1/checksums", content=b"abc")
    assert client.get(ABC).json()["times"] == 1
    cache.expire(SECONDS)
    assert client.get(ABC).json()["times"] == 2
    assert records.reads == 3


@pytest.mark.pure
def test_a_cache_that_fails_breaks_nothing_and_is_named() -> None:
    records = FakeRecords()
    client = TestClient(create_app(Settings(), keeping=Keeping(records, FakeCache(problem="no route"))))
    assert client.post("/api/v1/checksums", content=b"abc").status_code == 200
    assert [client.get(ABC).json()["times"] for _ in range(2)] == [1, 1]
    assert records.reads == 2
    status = client.get("/api/v1/status").json()
    assert (status["status"], status["problems"]) == ("ok", ["cache: no route"]), (
        "it does its job, and says what is slow"
    )
    assert (status["cache"]["state"], status["database"]["state"]) == ("failed", "ok")


@pytest.mark.pure
def test_the_status_looks_once_for_all_that_ask_within_a_second() -> None:
    """Anyone may ask for it: the database must not pay for each time."""
    looks = 0

    class Counting(FakeRecords):
        async def check(self) -> Mapping[str, Any]:
            nonlocal looks
            looks += 1
            await asyncio.sleep(0)
            return {}

    async def asked(keeping: Keeping) -> None:
        await asyncio.gather(*(keeping.status() for _ in range(3)))
        await keeping.status()

    asyncio.run(asked(Keeping(Counting(), fresh=1e9)))
    assert looks == 1
    asyncio.run(asked(Keeping(Counting(), fresh=-1)))
    assert looks == 5


@pytest.mark.pure
def test_without_a_database_nothing_is_remembered_and_it_says_so() -> None:
    client = TestClient(create_app(Settings()))
    assert client.post("/api/v1/checksums", content=b"abc").status_code == 200
    answer = client.get(ABC)
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "this environment has no database: no checksum is remembered",
    )


# ---- over a socket


@dataclass
class Server:
    """The part of Valkey's protocol that the client uses; `answers` false: it hears, and says nothing."""

    held: dict[bytes, bytes] = field(default_factory=dict)
    expires: list[int] = field(default_factory=list)
    answers: bool = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readline():
                words = []
                for _ in range(int(head[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                if self.answers:
                    writer.write(self._answer(*words))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answer(self, verb: bytes, *words: bytes) -> bytes:
        match verb:
            case b"GET":
                found = self.held.get(words[0])
                return b"$-1\r\n" if found is None else b"$%d\r\n%s\r\n" % (len(found), found)
            case b"SET":
                self.held[words[0]] = words[1]
                assert words[2] == b"EX"
                self.expires.append(int(words[3]))
                return b"+OK\r\n"
            case b"PING":
                return b"+PONG\r\n"
            case _:
                return b"+OK\r\n"


@asynccontextmanager
async def running(server: Server, **given: Any) -> AsyncIterator[int]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, family=socket.AF_INET, **given)
    yield listening.sockets[0].getsockname()[1]
    listening.close()


async def used(cache: Valkey, do: Callable[[Valkey], Awaitable[Any]]) -> Any:
    try:
        return await do(cache)
    finally:
        await cache.close()


def at(port: int, host: str = "127.0.0.1", answers: float = PATIENCE, **more: Any) -> Valkey:
    return Valkey(Settings(cache_host=host, cache_port=port, **more), connects=PATIENCE, answers=answers)


async def there_and_back(cache: Valkey) -> tuple[str | None, str | None, Mapping[str, Any]]:
    before = await cache.get("a")
    await cache.set("a", "ä", 7)
    return before, await cache.get("a"), await cache.check()


@pytest.mark.provider
def test_text_is_kept_with_its_time_to_live() -> None:
    server = Server()

    async def main() -> Any:
        async with running(server) as port:
            return await used(at(port), there_and_back)

    assert asyncio.run(main()) == (None, "ä", {})
    assert server.expires == [7]


@pytest.mark.provider
def test_a_server_that_is_away_or_says_nothing_is_unavailable() -> None:
    async def main() -> None:
        with pytest.raises(Unavailable, match="111"):
            await used(at(free_port()), lambda cache: cache.get("a"))
        async with running(Server(answers=False)) as port:
            with pytest.raises(Unavailable, match="Timeout"):
                await used(at(port, answers=ANSWERS), lambda cache: cache.get("a"))

    asyncio.run(main())


@pytest.mark.provider
def test_a_server_with_tls_has_to_have_a_certificate_of_its_name_by_a_trusted_authority(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context: ssl.SSLContext = authority().serving("localhost")

    async def main(**more: Any) -> Any:
        async with running(Server(), ssl=context) as port:
            return await used(at(port, cache_tls=True, **more), there_and_back)

    with pytest.raises(Unavailable, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
        asyncio.run(main(host="localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority().bundle))
    assert asyncio.run(main(host="localhost"))[1] == "ä"
    with pytest.raises(Unavailable, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|IP address mismatch"):
        asyncio.run(main(host="127.0.0.1"))
