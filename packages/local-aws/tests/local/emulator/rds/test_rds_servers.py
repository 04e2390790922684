"""What a PostgreSQL is given at its start: who may connect, as whom, and what the cluster begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from local_aws.emulator.rds.model import Instance, Options
from local_aws.emulator.rds.servers import HBA, STARTS, Databases, first, version_in
from local_aws.emulator.servers import Server, Servers

pytestmark = pytest.mark.pure

ORDERS = Instance(
    arn="arn:aws:rds:us-east-1:000000000000:db:shop-orders",
    id="shop-orders",
    resource_id="db-1",
    host="shop-orders.rds.internal",
    version="17",
    user="owner",
    database="orders",
    secret="arn:secret",
    subnet_group="shop",
    encrypted=True,
    options=Options(
        instance_class="db.t4g.micro",
        storage=20,
        storage_type="gp3",
        backup_days=7,
        deletion_protection=False,
        copy_tags=False,
        multi_zone=False,
        minor_upgrades=True,
        groups=(),
    ),
    created=0.0,
)


class OneServer(Servers):
    """Takes what it is given. `said`: what is asked in its container, with its environment."""

    def __init__(self) -> None:
        super().__init__("c1", "lane", client=object())
        self.given: list[Server] = []
        self.gone: list[str] = []
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    def start(self, server: Server, image: Callable[[], str]) -> None:
        assert image() == "postgres:1"
        self.given.append(server)

    def remove(self, kind: str, id: str, volume: str = "") -> None:
        self.gone.append(f"remove {kind} {id} {volume}")

    def end(self, kind: str, id: str) -> None:
        self.gone.append(f"end {kind} {id}")

    def ask(self, kind: str, id: str, script: str, environment: Mapping[str, str] | None = None) -> str:
        assert (kind, id) == ("database", "shop-orders")
        self.asked.append((script, environment or {}))
        return "postgres (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)"


@pytest.fixture
def server() -> OneServer:
    return OneServer()


@pytest.fixture
def databases(server: OneServer, tmp_path: Path) -> Databases:
    return Databases(server, tmp_path, lambda: "postgres:1")


def test_its_version_is_what_the_server_says(databases: Databases) -> None:
    assert databases.start(ORDERS, "secret word") == "17.6"
    assert version_in("sh: postgres: not found") == ""


def test_its_password_is_in_a_file_alone(databases: Databases, server: OneServer) -> None:
    databases.start(ORDERS, "secret word")
    (given,) = server.given
    assert b"PASSWORD 'secret word'" in given.files["first.sql"]
    assert "secret word" not in f"{given.starts} {given.environment} {given.ready}"
    assert "rm -f /local-aws/first.sql" in STARTS


def test_it_serves_tls_under_its_name(databases: Databases, server: OneServer) -> None:
    databases.start(ORDERS, "secret word")
    (given,) = server.given
    assert given.host == "shop-orders.rds.internal"
    assert given.files["tls.crt"].startswith(b"-----BEGIN CERTIFICATE-----")
    assert "ssl=on" in given.starts


def test_its_data_is_named_by_its_resource_id_and_stays_as_a_last_snapshot(
    databases: Databases, server: OneServer
) -> None:
    databases.start(ORDERS, "secret word")
    assert server.given[0].volume == "db-1"
    databases.remove(ORDERS)
    databases.remove(replace(ORDERS, last="last"))
    assert server.gone == ["remove database shop-orders db-1", "end database shop-orders"]


def test_clients_need_tls_and_a_password() -> None:
    rules = [line.split() for line in HBA.splitlines()]
    assert rules == [["local", "all", "rdsadmin", "trust"], ["hostssl", "all", "all", "all", "scram-sha-256"]]


def test_the_master_user_owns_the_database_and_is_no_superuser() -> None:
    statements = first("owner", "it's", "orders").splitlines()
    assert statements[1:] == [
        "CREATE ROLE \"owner\" LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser PASSWORD 'it''s';",
        'CREATE DATABASE "orders";',
        'ALTER DATABASE "postgres" OWNER TO "owner";',
        'ALTER DATABASE "orders" OWNER TO "owner";',
    ]


@pytest.mark.parametrize("database", ["", "postgres"])
def test_without_a_database_of_its_own_there_is_the_usual_one(database: str) -> None:
    assert "CREATE DATABASE" not in first("owner", "word", database)


def test_another_password_is_no_argument_of_a_process(databases: Databases, server: OneServer) -> None:
    databases.set_password(ORDERS, "new word")
    ((script, environment),) = server.asked
    assert environment == {"STATEMENT": "ALTER ROLE \"owner\" PASSWORD 'new word';"}
    assert "new word" not in script
