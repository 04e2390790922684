"""Results in PostgreSQL. Imported only where there is a database: the driver takes time to load."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.aws import get_secret
from app.keeping import Result, Unavailable
from app.settings import Settings

WAITS = 2.0  # seconds for a connection
ANSWERS = 4.0  # seconds for all of it: more than a migration waits for its locks (app/migrations/env.py)
AT_ONCE = 8  # connections of one task; both colours together have to stay below the server's max_connections

ADD = """
INSERT INTO results (algorithm, checksum, bytes, release)
VALUES (%(algorithm)s, %(checksum)s, %(bytes)s, %(release)s)
"""
ABOUT = """
SELECT min(at), max(at), count(*),
       (SELECT release FROM results WHERE checksum = %(checksum)s ORDER BY at DESC LIMIT 1)
FROM results WHERE checksum = %(checksum)s
"""
CHECK = """
SELECT version_num FROM alembic_version
WHERE NOT EXISTS (SELECT id, algorithm, checksum, bytes, at, release FROM results WHERE false)
"""
"""Every column that the service uses, and no row: a schema that it cannot live with is an error."""

Connection = psycopg.AsyncConnection[TupleRow]


def where(settings: Settings) -> dict[str, Any]:
    """Everything of a connection but the login. With TLS, always; with DATABASE_CA the server has to be the right
    one as well."""
    tls = {"sslmode": "verify-full", "sslrootcert": settings.database_ca} if settings.database_ca else {}
    return {
        "host": settings.database_host,
        "port": settings.database_port,
        "dbname": settings.database_name,
        "connect_timeout": 2,
        "tcp_user_timeout": int(ANSWERS * 1000),
        "sslmode": "require",
        **tls,
    }


def login(settings: Settings, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """User and password as AWS has them now. OSError, ValueError or KeyError where it does not say."""
    found = json.loads(get_secret(settings.database_secret, env))
    return {"user": found["username"], "password": found["password"]}


class Database:
    """`Records`; connects when it is asked first. `login` blocks, so it is called in a thread: at the first connection,
    and again when the server refuses what it gave, because passwords rotate."""

    def __init__(
        self,
        where: Mapping[str, Any],
        login: Callable[[], Mapping[str, str]],
        waits: float = WAITS,
        answers: float = ANSWERS,
    ) -> None:
        self._where, self._login = where, login
        self._waits, self._answers = waits, answers
        self._known: Mapping[str, str] = {}
        self._reading = asyncio.Lock()
        self._failed = ""  # why the last connection could not be made
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._asked: set[asyncio.Task[TupleRow | None]] = set()

    async def add(self, result: Result) -> None:
        await self._ask(ADD, vars(result))

    async def about(self, checksum: str) -> Mapping[str, Any] | None:
        row = await self._ask(ABOUT, {"checksum": checksum})
        assert row, "an aggregate has one row"
        first, last, times, release = row
        if not times:
            return None
        return {
            "firstSeen": first.isoformat(),
            "lastSeen": last.isoformat(),
            "times": times,
            "lastRelease": release,
        }

    async def check(self) -> Mapping[str, Any]:
        row = await self._ask(CHECK, {})
        return {"schema": row[0] if row else None}

    async def close(self) -> None:
        if self._pool:
            await self._pool.close(timeout=1)

    async def _ask(self, statement: str, values: Mapping[str, Any]) -> TupleRow | None:
        """The first row, if it has any. All that goes wrong is Unavailable, also what the schema lacks.

        The driver waits for seconds for a server that does not even answer a cancellation; requests do not.
        """
        asked = asyncio.create_task(self._execute(statement, values))
        self._asked.add(asked)
        asked.add_done_callback(self._ended)
        done, _ = await asyncio.wait({asked}, timeout=self._answers)
        if not done:
            asked.cancel()
            raise Unavailable(self._failed or f"no answer within {self._answers:.0f} s")
        try:
            return asked.result()
        except PoolTimeout:
            raise Unavailable(self._failed or f"no connection was free within {self._waits:.0f} s") from None
        except psycopg.Error as error:
            raise Unavailable(_first_line(error)) from error

    def _ended(self, asked: asyncio.Task[TupleRow | None]) -> None:
        self._asked.discard(asked)
        if not asked.cancelled():
            asked.exception()  # seen, also where no request waits for it any more

    async def _execute(self, statement: str, values: Mapping[str, Any]) -> TupleRow | None:
        async with (await self._opened()).connection() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchone() if cursor.description else None

    async def _opened(self) -> AsyncConnectionPool[Connection]:
        if not self._pool:
            self._pool = AsyncConnectionPool(
                connection_class=self._connecting(),
                min_size=1,
                max_size=AT_ONCE,
                timeout=self._waits,
                # A server that was restarted leaves dead connections behind, and a long outage should end soon.
                check=AsyncConnectionPool.check_connection,
                reconnect_timeout=self._waits,
                open=False,
            )
        await self._pool.open()  # once; nothing when it is
        return self._pool

    def _connecting(self) -> type[Connection]:
        of = self

        class Connecting(psycopg.AsyncConnection[TupleRow]):
            @classmethod
            async def connect(cls, *_: Any, **__: Any) -> Connection:  # type: ignore[override]
                try:
                    made = await of._connect(super().connect)
                except (psycopg.Error, OSError, ValueError, KeyError) as error:
                    of._failed = _first_line(error)
                    raise psycopg.OperationalError(of._failed) from error
                of._failed = ""
                return made

        return Connecting

    async def _connect(self, connect: Callable[..., Any]) -> Connection:
        used = self._known or await self._read({})
        try:
            made: Connection = await connect(**self._where, **used, autocommit=True)
        except psycopg.OperationalError as error:
            # The driver has no code for a refused login.
            if "authentication failed" not in str(error) or (now := await self._read(used)) == used:
                raise
            made = await connect(**self._where, **now, autocommit=True)
        return made

    async def _read(self, used: Mapping[str, str]) -> Mapping[str, str]:
        """What is known if it is not `used`; otherwise it is read again, once for all that connect at the same time."""
        async with self._reading:
            if self._known == used:
                self._known = await asyncio.to_thread(self._login)
            return self._known


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}".rstrip(": ")
