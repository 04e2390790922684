"""A server's container: what Docker gets, when it counts as started, and what is said when it does not start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound
from local_aws.emulator.rds.model import Instance, Options
from local_aws.emulator.rds.servers import STARTS, DockerServers, container, image_made_by, name_of, ready
from local_aws.emulator.rds.service import Address, Failed

pytestmark = pytest.mark.pure

ORDERS = Instance(
    arn="arn:aws:rds:us-east-1:000000000000:db:shop-orders",
    id="shop-orders",
    resource_id="db-1",
    version="15.13",
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


def test_its_container_is_one_of_this_cloud_and_none_of_a_task() -> None:
    given = container(ORDERS, "secret word", "c1", "local-aws/postgres:1")
    assert given["labels"] == {
        "local-aws.cloud": "c1",
        "local-aws.database": "shop-orders",
        "local-aws.group": "database:shop-orders",
    }
    assert given["name"] == name_of("shop-orders", "c1") == "local-aws-c1-db-shop-orders"
    assert given["stop_signal"] == "SIGINT"


def test_its_data_is_in_a_volume_and_its_password_in_no_argument() -> None:
    given = container(ORDERS, "secret word", "c1", "local-aws/postgres:1")
    assert given["volumes"] == ["/var/lib/postgresql/local-aws"]
    assert "secret word" not in " ".join(given["entrypoint"])
    assert given["environment"]["MASTER_PASSWORD"] == "secret word"
    assert "unset MASTER_PASSWORD" in STARTS


def test_clients_from_elsewhere_need_the_password() -> None:
    assert "host all all all scram-sha-256" in STARTS
    assert "-A scram-sha-256" in STARTS
    assert "trust" not in STARTS


NAME = "local-aws-c1-db-shop-orders"


@dataclass
class FakeDocker:
    """Docker's client, for one container. `answers`: exit codes of `pg_isready`, one a look."""

    answers: list[int] = field(default_factory=lambda: [2, 0])
    exists: bool = False
    runs: bool = True
    calls: list[str] = field(default_factory=list)

    def inspect_container(self, name: str) -> dict[str, Any]:
        if not self.exists:
            raise NotFound(name)
        networks = {"lane": {"IPAddress": "172.18.0.9"}}
        return {"State": {"Running": self.runs, "ExitCode": 1}, "NetworkSettings": {"Networks": networks}}

    def create_host_config(self, **given: Any) -> dict[str, Any]:
        return given

    def create_container(self, **given: Any) -> None:
        self.calls.append(f"create {given['name']} of {given['image']} on {given['host_config']['network_mode']}")
        self.exists = True

    def start(self, name: str) -> None:
        self.calls.append(f"start {name}")

    def exec_create(self, name: str, command: list[str]) -> dict[str, str]:
        assert command == ready(5432)
        return {"Id": f"exec of {name}"}

    def exec_start(self, id: str) -> None:
        assert id == f"exec of {NAME}"
        self.calls.append("ready?")

    def exec_inspect(self, id: str) -> dict[str, int]:
        assert id == f"exec of {NAME}"
        return {"ExitCode": self.answers.pop(0)}

    def logs(self, name: str, **_: Any) -> bytes:
        assert name == NAME
        return b"initdb: no space left\n"

    def remove_container(self, name: str, **given: Any) -> None:
        if not self.exists:
            raise NotFound(name)
        self.calls.append(f"remove {name} {given}")


def servers(client: FakeDocker, image: Callable[[], str] = lambda: "local-aws/postgres:1") -> DockerServers:
    return DockerServers("c1", "lane", client, image, pause=0.0)


def test_it_counts_as_started_once_it_takes_connections() -> None:
    client = FakeDocker()
    assert servers(client).start(ORDERS, "secret word") == Address("172.18.0.9", 5432)
    assert client.calls == [f"create {NAME} of local-aws/postgres:1 on lane", f"start {NAME}", "ready?", "ready?"]


def test_one_that_is_there_is_started_again_with_its_data() -> None:
    def none() -> str:
        raise AssertionError("no image is needed")

    client = FakeDocker(exists=True, answers=[0])
    assert servers(client, none).start(ORDERS, "secret word").host == "172.18.0.9"
    assert client.calls == [f"start {NAME}", "ready?"]


def test_one_that_ends_at_once_says_its_last_words() -> None:
    with pytest.raises(Failed, match="PostgreSQL ended with 1: initdb: no space left"):
        servers(FakeDocker(runs=False)).start(ORDERS, "secret word")


def test_without_an_image_it_says_why() -> None:
    def none() -> str:
        raise Failed("Debian's packages did not make a base image.")

    with pytest.raises(Failed, match="Debian's packages"):
        servers(FakeDocker(), none).start(ORDERS, "secret word")


def test_it_is_removed_with_its_data_and_gone_is_fine() -> None:
    client = FakeDocker(exists=True)
    servers(client).remove("shop-orders")
    assert client.calls == [f"remove {NAME} {{'v': True, 'force': True}}"]
    servers(FakeDocker()).remove("shop-orders")


def test_the_image_is_made_by_the_interpreter_of_the_command(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$*" = "-m local_aws.database_image" ] && echo local-aws/postgres:7\n')
    python.chmod(0o755)
    assert image_made_by(str(python)) == "local-aws/postgres:7"
    python.write_text("#!/bin/sh\necho 'Debian is away' >&2; exit 3\n")
    with pytest.raises(Failed, match="Debian is away"):
        image_made_by(str(python))
