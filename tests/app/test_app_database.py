"""The service and a database that fails, moves, changes its password, or has a schema that the code does not know."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from app.database import Database, where
from app.keeping import Keeping, Result, Unavailable
from app.service import create_app
from app.settings import Settings
from tests.app.postgres import ROOT, Given
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.tls import authority

pytestmark = pytest.mark.provider

ABC = "/api/v1/checksums/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


SOON = 0.5
"""Seconds after which an outage is one, sooner than in the service."""


@contextmanager
def serving(database: Database) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(), keeping=Keeping(database, fresh=0))) as client:
        yield client


def outage(client: TestClient, problem: str) -> None:
    """What needs the database says so; the rest works."""
    for answer in (client.post("/api/v1/checksums", content=b"abc"), client.get(ABC)):
        assert answer.status_code == 503
        assert answer.json() == {"detail": "the database is unavailable: try again"}
        assert answer.headers["Retry-After"]
    status = client.get("/api/v1/status")
    assert (status.status_code, status.json()["status"]) == (200, "error")
    (found,) = status.json()["problems"]
    assert found.startswith("database: ")
    assert problem in found
    assert status.json()["database"]["state"] == "failed"
    assert status.json()["database"]["ms"] > 0
    assert client.get("/health").json() == {"status": "ok"}, "a database's outage must not stop tasks"


def test_without_a_server_endpoints_that_need_it_answer_503_and_health_stays_ok(empty: Given) -> None:
    with serving(empty.database(SOON, port=free_port())) as client:
        outage(client, "onnection refused")


def test_a_schema_that_the_code_cannot_live_with_is_a_problem_by_name(migrated: Given) -> None:
    with serving(migrated.database()) as client:
        assert client.post("/api/v1/checksums", content=b"abc").status_code == 200
        migrated.does("ALTER TABLE results RENAME COLUMN checksum TO digest")
        outage(client, 'column "checksum"')
        migrated.does("ALTER TABLE results RENAME COLUMN digest TO checksum")
        assert client.get(ABC).json()["times"] == 1, "and it is well again"


def test_connections_that_the_server_ended_cost_no_request(migrated: Given) -> None:
    with serving(migrated.database()) as client:
        for _ in range(3):
            assert client.post("/api/v1/checksums", content=b"abc").status_code == 200
            migrated.ends_connections()
        assert client.get(ABC).json()["times"] == 3
    assert migrated.secrets.asked == 2, "by the migration, and once by the service"


def test_a_refused_login_is_tried_again_with_the_secret_of_now(migrated: Given) -> None:
    with serving(migrated.database()) as client:
        assert client.get("/api/v1/status").json()["status"] == "ok"
        before = migrated.secrets.asked
        with migrated.server.administered() as connection:
            connection.execute(f"ALTER ROLE {migrated.name} PASSWORD 'second'")
        migrated.secrets.secret = {"username": migrated.name, "password": "second"}
        migrated.ends_connections()
        assert client.post("/api/v1/checksums", content=b"abc").status_code == 200
        assert migrated.secrets.asked == before + 1


def test_a_secret_that_stays_wrong_is_a_problem_and_no_loop(empty: Given) -> None:
    empty.secrets.secret = {"username": empty.name, "password": "wrong"}
    with serving(empty.database(SOON)) as client:
        outage(client, "password authentication failed")
    assert "wrong" not in repr(client.get), "no secret in what is shown"
    assert empty.secrets.asked < 20


def test_a_secret_that_cannot_be_read_is_a_problem(empty: Given) -> None:
    def denied() -> dict[str, str]:
        raise OSError("HTTP Error 400: AccessDeniedException")

    with serving(Database(where(empty.settings), denied, SOON, PATIENCE)) as client:
        outage(client, "AccessDeniedException")


def test_an_answer_that_takes_long_is_an_outage(migrated: Given) -> None:
    async def add() -> None:
        database = migrated.database(answers=SOON)
        try:
            await database.add(Result(algorithm="sha256", checksum="aa", bytes=1))
        finally:
            await database.close()

    with migrated.server.administered(migrated.name) as connection, connection.transaction():
        connection.execute("LOCK TABLE results IN EXCLUSIVE MODE")  # which lets the check read
        with pytest.raises(Unavailable, match="no answer within"):
            asyncio.run(add())


def test_the_server_is_spoken_to_by_tls_and_has_to_prove_itself_where_that_is_asked(empty: Given) -> None:
    if empty.server.host != "localhost":
        pytest.skip("a server of another's, with another certificate")
    proven = Settings.from_environment({**empty.environ, "DATABASE_CA": str(authority().bundle)})
    login = {"user": empty.server.user, "password": empty.server.password}

    async def encrypted(how: dict[str, object], waits: float = PATIENCE) -> bool:
        database = Database(how, lambda: login, waits, PATIENCE)
        try:
            row = await database._ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", {})
            return bool(row and row[0])
        finally:
            await database.close()

    assert asyncio.run(encrypted(where(empty.settings)))
    assert asyncio.run(encrypted(where(proven)))
    with pytest.raises(Unavailable, match="does not match host name"):
        asyncio.run(encrypted(where(proven) | {"host": "127.0.0.1"}, SOON))
    with pytest.raises(Unavailable, match=r"no encryption|no pg_hba.conf entry"):
        asyncio.run(encrypted(where(empty.settings) | {"sslmode": "disable"}, SOON))


def test_a_service_without_a_database_loads_no_driver() -> None:
    """It starts as quickly as before."""
    look = "import sys, os; from app.__main__ import keeping; from app.settings import Settings;"
    look += "print(keeping(Settings.from_environment(os.environ)), sorted({'psycopg', 'valkey'} & {*sys.modules}))"

    def loaded(**given: str) -> str:
        environ = {name: text for name, text in os.environ.items() if not name.startswith(("DATABASE_", "CACHE_"))}
        command = [sys.executable, "-c", look]
        done = subprocess.run(command, cwd=ROOT, env={**environ, **given}, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert loaded() == "Keeping(records=None, cache=None, fresh=1.0) []"
    assert loaded(DATABASE_HOST="db", CACHE_HOST="cache").endswith("['psycopg', 'valkey']")
