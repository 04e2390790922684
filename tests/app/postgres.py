"""A PostgreSQL for tests, with TLS and passwords as RDS has them, and a Secrets Manager that knows the password.

The server is the one that DATABASE_TEST_URL names (a user that may create databases; it has to take TLS), or one of the
tests' own, by the programs of this machine (Debian: postgresql). Without both, tests that need it are left out.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app.database import Database, login, where
from app.settings import Settings
from tests.patience import PATIENCE
from tests.ports import free_port
from tests.proxies import without
from tests.tls import authority

ROOT = Path(__file__).parents[2]
GIVEN = "DATABASE_TEST_URL"
AS_IT_IS = "DATABASE_TEST_AS_IT_IS"
"""Set by a test that runs tests of other code: DATABASE_HOST and so on name a database whose schema stays as it is."""
LEFT_OUT = f"LEFT OUT: there is no PostgreSQL here. Give {GIVEN}, or install Debian's postgresql."


@dataclass(frozen=True)
class Server:
    """`user` may create databases."""

    host: str
    port: int
    user: str
    password: str

    @contextlib.contextmanager
    def administered(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        """A connection that commits each statement."""
        by = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        with psycopg.connect(**by, dbname=database, sslmode="require", autocommit=True) as connection:
            yield connection


@contextlib.contextmanager
def server() -> Iterator[Server]:
    if url := os.environ.get(GIVEN):
        parts = conninfo_to_dict(url)
        yield Server(
            str(parts["host"]), int(parts.get("port") or 5432), str(parts["user"]), str(parts.get("password") or "")
        )
        return
    folders = [*glob.glob("/usr/lib/postgresql/*/bin"), *os.environ["PATH"].split(os.pathsep)]
    programs = next((folder for folder in folders if shutil.which("initdb", path=folder)), None)
    if not programs:
        pytest.skip(LEFT_OUT)
    with _own(Path(programs)) as own:
        yield own


@contextlib.contextmanager
def _own(programs: Path) -> Iterator[Server]:
    """Made and removed here. PostgreSQL refuses to run as root, so root's runs as the user that Debian made for it."""
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    made = Server("localhost", free_port(), "boss", uuid.uuid4().hex)
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder, certificate = Path(name), authority().issued("localhost")
        files = {"password": made.password, "cert.pem": certificate.certificate, "key.pem": certificate.key}
        for file, text in files.items():
            (folder / file).write_text(text)
            (folder / file).chmod(0o600)
        for path in (folder, *folder.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)
        data, log = folder / "data", folder / "log"
        how = ["--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync", "--encoding=UTF8", "--no-locale"]
        run = functools.partial(subprocess.run, check=True, capture_output=True, cwd="/", **as_user)
        run([programs / "initdb", f"--pgdata={data}", f"--username={made.user}", *how])
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        options = {
            "port": made.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
            "ssl": "on", "ssl_cert_file": folder / "cert.pem", "ssl_key_file": folder / "key.pem",
        }  # fmt: skip
        command = [str(programs / "postgres"), "-D", str(data), *(f"--{key}={each}" for key, each in options.items())]
        with log.open("w") as out, subprocess.Popen(command, cwd="/", stderr=out, **as_user) as process:
            try:
                _until_it_answers(made, process, log)
                yield made
            finally:
                process.terminate()
                if process.wait(PATIENCE):
                    print(log.read_text(), file=sys.stderr)


def _until_it_answers(made: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(psycopg.OperationalError), made.administered():
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)


@dataclass
class Secrets:
    """Answers GetSecretValue as AWS does, with what is set here; `asked` counts."""

    secret: Mapping[str, str]
    asked: int = 0
    url: str = ""

    @contextlib.contextmanager
    def served(self) -> Iterator[Secrets]:
        held = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                held.asked += 1
                body = json.dumps({"SecretString": json.dumps(held.secret)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
            self.url = f"http://127.0.0.1:{http.server_port}"
            threading.Thread(target=http.serve_forever, daemon=True).start()
            yield self
            http.shutdown()


@dataclass(frozen=True)
class Given:
    """A database, and what a task of the lane is given for it, as environment variables."""

    server: Server
    secrets: Secrets
    name: str = field(default_factory=lambda: f"test_{uuid.uuid4().hex[:12]}")

    @property
    def environ(self) -> dict[str, str]:
        return {
            "DATABASE_HOST": self.server.host,
            "DATABASE_PORT": str(self.server.port),
            "DATABASE_NAME": self.name,
            "DATABASE_SECRET": "arn:aws:secretsmanager:us-east-1:000000000000:secret:test",
            "AWS_ENDPOINT_URL": self.secrets.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    @property
    def settings(self) -> Settings:
        return Settings.from_environment(self.environ)

    def database(self, waits: float = PATIENCE, answers: float = PATIENCE, **other: str | int) -> Database:
        """As the service opens it, but for some parts of its connection, and with patience: a busy machine is no
        outage."""
        asked = {**where(self.settings), **other}
        return Database(asked, lambda: login(self.settings, self.environ), waits, answers)

    def migration(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command of Alembic, with the variables that the migration's task has."""
        environ = {name: text for name, text in without(os.environ).items() if name != "PYTHONPATH"}
        command = [sys.executable, "-m", "alembic", "-c", "app/alembic.ini", *arguments]
        return command, {**environ, **self.environ}

    def alembic(self, *arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """How it ended, with the code below `root`."""
        command, environ = self.migration(*arguments)
        return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, timeout=PATIENCE)

    def led_to(self, revision: str, root: Path = ROOT) -> Given:
        done = self.alembic("upgrade", revision, root=root)
        assert done.returncode == 0, done.stdout + done.stderr
        return self

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with self.server.administered(self.name) as connection:
            return connection.execute(query).fetchall() if query else []

    def does(self, *statements: str) -> None:
        with self.server.administered(self.name) as connection:
            for statement in statements:
                connection.execute(statement)

    def ends_connections(self) -> None:
        """As a failover does."""
        with self.server.administered() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.name])


@contextlib.contextmanager
def empty(server: Server) -> Iterator[Given]:
    """A database of its own, with a user of its own, and nothing in it."""
    with Secrets({}).served() as secrets:
        made = Given(server, secrets)
        with server.administered() as connection:
            connection.execute(f"CREATE ROLE {made.name} LOGIN PASSWORD 'first'")
            connection.execute(f"CREATE DATABASE {made.name} OWNER {made.name}")
            secrets.secret = {"username": made.name, "password": "first"}
            yield made
            connection.execute(f"DROP DATABASE {made.name} WITH (FORCE)")
            connection.execute(f"DROP ROLE {made.name}")
