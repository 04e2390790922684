"""A replication group of ElastiCache is real: it speaks TLS by its names, replicates, and refuses what AWS refuses."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from local_aws.base_image import ensure_base_image
from local_aws.emulator_process import ensure_environment
from local_aws.server_images import CACHE
from local_aws.toolchain.cache import cache_folder
from local_aws.trust import write_bundle
from tests.local.emulator.ecs.conftest import Emulator, eventually

from tests.ports import free_port

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]

PRIMARY, READER, SECOND = (
    f"{name}.shop.000000000000.us-east-1.cache.internal" for name in ("master", "replica", "shop-002")
)
CLIENT = """
import socket, ssl, sys
host, secure, *commands = sys.argv[1:]
connection = socket.create_connection((host, 6379), timeout=10)
if secure == "tls":
    connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
with connection.makefile("rwb") as stream:
    for command in commands:
        stream.write(command.encode() + b"\\r\\n")
        stream.flush()
        said = stream.readline().strip()
        if said.startswith(b"$") and said != b"$-1":
            said = stream.readline().strip()
        print(said.decode())
"""
"""The protocol's inline commands, and one line of each answer. Python checks certificate and name."""


@pytest.fixture(scope="module")
def images() -> tuple[str, str]:
    """Of servers and of their client, made before, so that no test waits for them."""
    return CACHE.ensure(cache_folder(), print), ensure_base_image(cache_folder(), print)


@pytest.fixture(scope="module")
def emulator(images: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    cloud = f"caches-{uuid.uuid4().hex[:8]}"
    client = docker.from_env()
    network = client.networks.create(cloud)
    one = Emulator(
        python=ensure_environment(cache_folder(), print),
        state=tmp_path_factory.mktemp("caches") / "state",
        port=free_port(),
        cloud_id=cloud,
        module="tests.local.emulator.serve_caches",
        settings={"LOCAL_AWS_CACHE_IMAGE": images[0], "LOCAL_PYTHON": sys.executable},
    )
    one.start()
    yield one
    one.stop()
    for container in of_cloud(one):
        container.remove(force=True, v=True)
    network.remove()


def of_cloud(emulator: Emulator) -> list[Any]:
    return list(docker.from_env().containers.list(all=True, filters={"label": f"local-aws.cloud={emulator.cloud_id}"}))


class Cache:
    """One replication group, and what a client on the same network gets from it."""

    def __init__(self, emulator: Emulator, image: str, bundle: Path) -> None:
        self._emulator, self._image, self._bundle = emulator, image, bundle
        self.api = emulator.client("elasticache")

    def shown(self) -> dict[str, Any]:
        return dict(self.api.describe_replication_groups(ReplicationGroupId="shop")["ReplicationGroups"][0])

    def available(self) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            shown = self.shown()
            assert shown["Status"] != "create-failed", self.api.describe_events()["Events"]
            return shown if shown["Status"] == "available" else None

        return eventually(look, "the cache is available") or {}

    def ask(self, host: str, *commands: str, secure: str = "tls", trusts: bool = True) -> list[str]:
        """What it says to each command; the last line of an error instead."""
        command = ["docker", "run", "--rm", "--network", self._emulator.cloud_id]
        command += ["--volume", f"{self._bundle}:/ca.pem:ro", "--env", "SSL_CERT_FILE=/ca.pem"] if trusts else []
        done = subprocess.run(
            [*command, self._image, "python3", "-c", CLIENT, host, secure, *commands], capture_output=True, text=True
        )
        return done.stdout.splitlines() if done.returncode == 0 else done.stderr.splitlines()[-1:]


@pytest.fixture(scope="module")
def cache(emulator: Emulator, images: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Cache:
    bundle = tmp_path_factory.mktemp("bundle") / "bundle.pem"
    write_bundle(emulator.state / "authority/ca.pem", bundle)
    one = Cache(emulator, images[1], bundle)
    subnets = [each["SubnetId"] for each in emulator.client("ec2").describe_subnets()["Subnets"][:2]]
    one.api.create_cache_subnet_group(
        CacheSubnetGroupName="shop", CacheSubnetGroupDescription="of tests", SubnetIds=subnets
    )
    one.api.create_replication_group(
        ReplicationGroupId="shop",
        ReplicationGroupDescription="of tests",
        Engine="valkey",
        EngineVersion="8.1",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=2,
        CacheSubnetGroupName="shop",
        TransitEncryptionEnabled=True,
    )
    one.available()
    return one


def test_a_client_that_trusts_the_authority_reads_what_it_wrote(cache: Cache) -> None:
    (nodes,) = cache.shown()["NodeGroups"]
    assert (nodes["PrimaryEndpoint"]["Address"], nodes["ReaderEndpoint"]["Address"]) == (PRIMARY, READER)
    assert cache.ask(PRIMARY, "SET colour blue EX 60", "GET colour") == ["+OK", "blue"]


def test_its_version_is_the_servers(cache: Cache) -> None:
    (node,) = cache.api.describe_cache_clusters(CacheClusterId="shop-001")["CacheClusters"]
    assert node["EngineVersion"].startswith("8.1.")


def test_a_client_that_does_not_trust_it_refuses_it_and_a_plain_one_gets_nothing(cache: Cache) -> None:
    (said,) = cache.ask(PRIMARY, "PING", trusts=False)
    assert "CERTIFICATE_VERIFY_FAILED" in said
    assert cache.ask(PRIMARY, "PING", secure="plain") != ["+PONG"]


def test_a_replica_has_what_the_primary_has_and_takes_no_writes(cache: Cache) -> None:
    assert cache.ask(PRIMARY, "SET size 7") == ["+OK"]
    eventually(lambda: cache.ask(SECOND, "GET size") == ["7"], "the replica has it")
    (said,) = cache.ask(SECOND, "SET size 8")
    assert said.startswith("-READONLY")


def test_commands_that_elasticache_keeps_to_itself_are_refused(cache: Cache) -> None:
    said = cache.ask(PRIMARY, "CONFIG GET maxmemory", "SHUTDOWN", "PING")
    assert [line.split()[0] for line in said] == ["-NOPERM", "-NOPERM", "+PONG"]


def test_after_a_restart_of_cloud_and_server_it_answers_again_empty(cache: Cache, emulator: Emulator) -> None:
    assert cache.ask(PRIMARY, "SET kept 7") == ["+OK"]
    emulator.stop()
    for server in of_cloud(emulator):
        server.kill()
    emulator.start()
    eventually(lambda: cache.ask(PRIMARY, "GET kept") == ["$-1"], "the primary answers")
    eventually(lambda: cache.ask(SECOND, "GET kept") == ["$-1"], "the replica answers")


def test_a_replica_that_is_removed_is_gone_and_one_that_is_added_follows(cache: Cache, emulator: Emulator) -> None:
    cache.available()
    scale = {"ReplicationGroupId": "shop", "ApplyImmediately": True}
    cache.api.decrease_replica_count(**scale, NewReplicaCount=0)
    cache.available()
    assert [each.name.rpartition("-cache-")[2] for each in of_cloud(emulator)] == ["shop-001"]
    assert cache.ask(READER, "SET size 9") == ["+OK"]
    cache.api.increase_replica_count(**scale, NewReplicaCount=1)
    cache.available()
    assert cache.ask(SECOND, "GET size") == ["9"]


def test_a_deleted_one_leaves_no_server(cache: Cache, emulator: Emulator) -> None:
    cache.available()
    cache.api.delete_replication_group(ReplicationGroupId="shop")
    eventually(lambda: not cache.api.describe_replication_groups()["ReplicationGroups"], "it is gone")
    assert of_cloud(emulator) == []
    cache.api.delete_cache_subnet_group(CacheSubnetGroupName="shop")
