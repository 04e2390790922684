"""An instance of RDS is a real PostgreSQL: it takes its secret's password and no other, and keeps what was written."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from local_aws.database_image import ensure_database_image
from local_aws.emulator_process import ensure_environment
from local_aws.toolchain.cache import cache_folder
from tests.local.emulator.ecs.conftest import Emulator, eventually

from tests.ports import free_port

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def image() -> str:
    """Made before, so that no test waits for it."""
    return ensure_database_image(cache_folder(), print)


@pytest.fixture(scope="module")
def emulator(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    cloud = f"databases-{uuid.uuid4().hex[:8]}"
    client = docker.from_env()
    network = client.networks.create(cloud)
    one = Emulator(
        python=ensure_environment(cache_folder(), print),
        state=tmp_path_factory.mktemp("databases") / "state",
        port=free_port(),
        cloud_id=cloud,
        module="tests.local.emulator.serve_rds",
        settings={"LOCAL_AWS_DATABASE_IMAGE": image, "LOCAL_PYTHON": sys.executable},
    )
    one.start()
    yield one
    one.stop()
    for container in client.containers.list(all=True, filters={"label": f"local-aws.cloud={cloud}"}):
        container.remove(force=True, v=True)
    network.remove()


class Database:
    """One instance, and what a client on the same network gets from it."""

    def __init__(self, emulator: Emulator, image: str) -> None:
        self._emulator, self._image = emulator, image
        self.api = emulator.client("rds")

    def shown(self) -> dict[str, Any]:
        return dict(self.api.describe_db_instances(DBInstanceIdentifier="orders")["DBInstances"][0])

    def available(self) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            shown = self.shown()
            assert shown["DBInstanceStatus"] != "failed", shown["StatusInfos"]
            return shown if shown["DBInstanceStatus"] == "available" else None

        return eventually(look, "the instance is available") or {}

    @property
    def password(self) -> str:
        arn = self.shown()["MasterUserSecret"]["SecretArn"]
        return str(
            json.loads(self._emulator.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])[
                "password"
            ]
        )

    def ask(self, sql: str, password: str) -> tuple[int, str]:
        """By psql in a container of its own, next to the tasks; its exit code and what it says."""
        shown = self.shown()
        at = f"host={shown['Endpoint']['Address']} port={shown['Endpoint']['Port']} dbname=orders user=owner"
        command = ["docker", "run", "--rm", "--network", self._emulator.cloud_id, "--env", f"PGPASSWORD={password}"]
        command += ["--entrypoint", "psql", self._image, at, "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, (done.stdout + done.stderr).strip()


@pytest.fixture(scope="module")
def database(emulator: Emulator, image: str) -> Database:
    found = emulator.client("ec2").describe_subnets()["Subnets"]
    zones = {each["AvailabilityZone"]: each["SubnetId"] for each in found}
    one = Database(emulator, image)
    one.api.create_db_subnet_group(
        DBSubnetGroupName="orders", DBSubnetGroupDescription="of tests", SubnetIds=sorted(zones.values())[:2]
    )
    one.api.create_db_instance(
        DBInstanceIdentifier="orders",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="owner",
        ManageMasterUserPassword=True,
        DBName="orders",
        DBSubnetGroupName="orders",
    )
    one.available()
    return one


def test_it_takes_the_password_of_its_secret_and_no_other(database: Database) -> None:
    assert database.ask("select current_database() || ' of ' || current_user", database.password) == (
        0,
        "orders of owner",
    )
    code, said = database.ask("select 1", "another")
    assert code != 0
    assert "password authentication failed" in said


def test_what_was_written_is_there_after_a_restart_of_cloud_and_server(database: Database, emulator: Emulator) -> None:
    assert database.ask("create table kept (n int); insert into kept values (7)", database.password)[0] == 0
    emulator.stop()
    client = docker.from_env()
    (server,) = client.containers.list(filters={"label": f"local-aws.cloud={emulator.cloud_id}"})
    server.stop()
    emulator.start()
    eventually(lambda: client.containers.list(filters={"label": f"local-aws.cloud={emulator.cloud_id}"}), "it runs")
    eventually(lambda: database.ask("select n from kept", database.password) == (0, "7"), "the row is there")


def test_a_deleted_one_leaves_neither_server_nor_secret(database: Database, emulator: Emulator) -> None:
    arn = database.shown()["MasterUserSecret"]["SecretArn"]
    database.api.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    eventually(lambda: not database.api.describe_db_instances()["DBInstances"], "it is gone")
    left = docker.from_env().containers.list(all=True, filters={"label": f"local-aws.cloud={emulator.cloud_id}"})
    assert left == []
    secrets = emulator.client("secretsmanager")
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId=arn)
    database.api.delete_db_subnet_group(DBSubnetGroupName="orders")
