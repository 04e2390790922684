"""An instance of RDS is a real PostgreSQL: TLS and its secret's password alone, and it keeps what was written."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from local_aws.emulator_process import ensure_environment
from local_aws.server_images import DATABASE
from local_aws.standins.install import install
from local_aws.toolchain.cache import cache_folder
from local_aws.toolchain.engine import ensure_engine
from tests.local.emulator.ecs.conftest import Emulator, eventually
from tests.local.standins.lifecycle.project import Project, environment

from tests.ports import free_port

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def image() -> str:
    """Made before, so that no test waits for it."""
    return DATABASE.ensure(cache_folder(), print)


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
    ours = {"label": f"local-aws.cloud={cloud}"}
    for container in client.containers.list(all=True, filters=ours):
        container.remove(force=True, v=True)
    for volume in client.volumes.list(filters=ours):
        volume.remove()
    network.remove()


class Database:
    """One instance, and what a client on the same network gets from it."""

    def __init__(self, emulator: Emulator, image: str, name: str = "orders", user: str = "owner") -> None:
        self._emulator, self._image, self._name, self._user = emulator, image, name, user
        self.api = emulator.client("rds")

    def shown(self) -> dict[str, Any]:
        return dict(self.api.describe_db_instances(DBInstanceIdentifier=self._name)["DBInstances"][0])

    def available(self) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            shown = self.shown()
            assert shown["DBInstanceStatus"] != "failed", shown["StatusInfos"]
            return shown if shown["DBInstanceStatus"] == "available" else None

        return eventually(look, "the instance is available") or {}

    @property
    def password(self) -> str:
        arn = self.shown()["MasterUserSecret"]["SecretArn"]
        found = self._emulator.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        return str(json.loads(found)["password"])

    def ask(self, sql: str, password: str = "", tls: str = "sslmode=require") -> tuple[int, str]:
        """By psql in a container of its own, next to the tasks; its exit code and what it says."""
        shown = self.shown()
        at = f"host={shown['Endpoint']['Address']} port={shown['Endpoint']['Port']} {tls}"
        at += f" dbname={self._name} user={self._user}"
        environment = ["--env", f"PGPASSWORD={password or self.password}"]
        trust = ["--volume", f"{self._emulator.state}/authority/ca.pem:/ca.pem:ro"]
        command = ["docker", "run", "--rm", "--network", self._emulator.cloud_id, *environment, *trust]
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


def volume_of(emulator: Emulator) -> str:
    """The one of this cloud, "" if there is none."""
    found = docker.from_env().volumes.list(filters={"label": f"local-aws.cloud={emulator.cloud_id}"})
    return str(found[0].name) if found else ""


PROGRAM = """
from pulumi_aws import ec2, rds

vpc = ec2.Vpc("vpc", cidr_block="10.7.0.0/16")
subnets = [
    ec2.Subnet(zone, vpc_id=vpc.id, cidr_block=f"10.7.{{number}}.0/24", availability_zone=f"us-east-1{{zone}}")
    for number, zone in enumerate("ab")
]
group = rds.SubnetGroup("private", name="stock", subnet_ids=[subnet.id for subnet in subnets])
rds.Instance(
    "stock",
    identifier="stock",
    instance_class="db.t4g.micro",
    engine="postgres",
    engine_version="17",
    db_name="stock",
    username="keeper",
    manage_master_user_password=True,
    allocated_storage=20,
    storage_type="gp3",
    storage_encrypted=True,
    db_subnet_group_name=group.name,
    deletion_protection={protected},
    final_snapshot_identifier="stock-last",
)
"""


@pytest.fixture
def project(emulator: Emulator, tmp_path: Path) -> Project:
    home, folder = tmp_path / "home", tmp_path / "project"
    install(home)
    engine = ensure_engine(cache_folder(), print).bin
    project = Project(folder, environment(engine, home, folder / "state", emulator.endpoint))
    project.begin()
    return project


def test_a_program_gets_a_database_that_serves_and_deletes_it_once_it_is_not_protected(
    emulator: Emulator, image: str, project: Project
) -> None:
    database = Database(emulator, image, "stock", "keeper")
    project.program(PROGRAM.format(protected=True))
    assert project.up().code == 0
    outputs = project.resources()["stock"]["outputs"]
    (secret,) = outputs["masterUserSecrets"]
    assert outputs["address"] == "stock.000000000000.us-east-1.rds.internal"
    assert outputs["endpoint"] == f"{outputs['address']}:5432"
    assert (outputs["status"], outputs["engineVersion"]) == ("available", "17")
    assert outputs["engineVersionActual"].startswith("17.")
    assert secret["secretArn"] == database.shown()["MasterUserSecret"]["SecretArn"]
    assert database.ask("create table kept (n int); insert into kept values (7); select n from kept")[1].endswith("7")
    assert database.password not in project.run("stack", "export", "--show-secrets").text
    assert project.run("up", "--yes", "--skip-preview", "--expect-no-changes").code == 0
    assert project.run("refresh", "--yes", "--expect-no-changes").code == 0
    refused = project.run("destroy", "--yes", "--skip-preview")
    assert "Cannot delete protected DB Instance" in refused.text
    project.program(PROGRAM.format(protected=False))
    assert "1 updated" in project.up().text
    assert database.ask("select n from kept") == (0, "7")
    volume = volume_of(emulator)
    assert project.run("destroy", "--yes", "--skip-preview").code == 0
    assert "stock" not in [each["DBInstanceIdentifier"] for each in database.api.describe_db_instances()["DBInstances"]]
    (snapshot,) = database.api.describe_db_snapshots()["DBSnapshots"]
    assert snapshot["DBSnapshotIdentifier"] == "stock-last"
    assert volume_of(emulator) == volume
    database.api.delete_db_snapshot(DBSnapshotIdentifier="stock-last")
    assert volume_of(emulator) == ""


def test_it_takes_the_password_of_its_secret_and_no_other(database: Database) -> None:
    assert database.ask("select current_database() || ' of ' || current_user") == (0, "orders of owner")
    code, said = database.ask("select 1", "another")
    assert code != 0
    assert "password authentication failed" in said


def test_its_version_is_the_one_that_is_shown(database: Database) -> None:
    code, said = database.ask("show server_version")
    assert code == 0
    assert said.split()[0] == database.shown()["EngineVersion"]
    assert said.startswith("17.")


def test_a_connection_without_tls_is_refused(database: Database) -> None:
    code, said = database.ask("select 1", tls="sslmode=disable")
    assert code != 0
    assert "no pg_hba.conf entry" in said
    assert "no encryption" in said


def test_its_certificate_is_of_its_name_and_by_the_authority_of_the_cloud(database: Database) -> None:
    assert database.ask("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == (0, "t")
    assert database.ask("select 1", tls="sslmode=verify-full sslrootcert=/ca.pem") == (0, "1")
    code, said = database.ask("select 1", tls="sslmode=verify-full sslrootcert=system")
    assert code != 0
    assert "certificate verify failed" in said


def test_the_master_user_owns_its_database_and_is_no_superuser(database: Database) -> None:
    assert database.ask("create schema own; create role reader; create extension citext; select 'done'")[1].endswith(
        "done"
    )
    code, said = database.ask("copy (select 1) to program 'true'")
    assert code != 0
    assert "permission denied" in said


def test_a_rotated_password_is_the_one_that_serves(database: Database) -> None:
    before = database.password
    database.api.modify_db_instance(DBInstanceIdentifier="orders", RotateMasterUserPassword=True, ApplyImmediately=True)
    database.available()
    assert database.password != before
    assert database.ask("select 1") == (0, "1")
    assert database.ask("select 1", before)[0] != 0


def test_docker_shows_no_password(database: Database, emulator: Emulator) -> None:
    (server,) = docker.from_env().containers.list(filters={"label": f"local-aws.cloud={emulator.cloud_id}"})
    assert database.password not in json.dumps(server.attrs)
    assert server.exec_run(["ls", "/local-aws"]).output.split() == [b"ca.crt", b"hba.conf", b"tls.crt", b"tls.key"]


def test_what_was_written_is_there_after_a_restart_of_cloud_and_server(database: Database, emulator: Emulator) -> None:
    assert database.ask("create table kept (n int); insert into kept values (7)")[0] == 0
    emulator.stop()
    client = docker.from_env()
    (server,) = client.containers.list(filters={"label": f"local-aws.cloud={emulator.cloud_id}"})
    server.stop()
    emulator.start()
    eventually(lambda: client.containers.list(filters={"label": f"local-aws.cloud={emulator.cloud_id}"}), "it runs")
    eventually(lambda: database.ask("select n from kept") == (0, "7"), "the row is there")


def test_one_that_runs_is_not_disturbed_by_a_restart_of_the_cloud(database: Database, emulator: Emulator) -> None:
    client = docker.from_env()
    (before,) = client.containers.list(filters={"label": f"local-aws.cloud={emulator.cloud_id}"})
    emulator.kill()
    emulator.start()
    database.available()
    (after,) = client.containers.list(filters={"label": f"local-aws.cloud={emulator.cloud_id}"})
    assert (after.id, after.attrs["State"]["StartedAt"]) == (before.id, before.attrs["State"]["StartedAt"])


def test_a_deleted_one_leaves_neither_server_nor_volume_nor_secret(database: Database, emulator: Emulator) -> None:
    arn = database.shown()["MasterUserSecret"]["SecretArn"]
    database.api.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    eventually(lambda: not database.api.describe_db_instances()["DBInstances"], "it is gone")
    client, ours = docker.from_env(), {"label": f"local-aws.cloud={emulator.cloud_id}"}
    assert client.containers.list(all=True, filters=ours) == []
    assert client.volumes.list(filters=ours) == []
    secrets = emulator.client("secretsmanager")
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.get_secret_value(SecretId=arn)
    database.api.delete_db_subnet_group(DBSubnetGroupName="orders")
