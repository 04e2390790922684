"""A node's server: its configuration, which names it has, and when it counts as started."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography import x509
from local_aws.emulator.acm.authority import Authority
from local_aws.emulator.elasticache.model import Options, ReplicationGroup
from local_aws.emulator.elasticache.servers import REFUSED, STARTS, Caches, configuration, ready, version_in
from local_aws.emulator.servers import Server

pytestmark = pytest.mark.pure

SHOP = ReplicationGroup(
    arn="arn:aws:elasticache:us-east-1:000000000000:replicationgroup:shop",
    id="shop",
    domain="shop.cache.internal",
    version="8.1",
    subnet_group="shop",
    encrypted=True,
    tls=True,
    port=6380,
    nodes=2,
    options=Options(
        description="of the shop",
        node_type="cache.t4g.micro",
        failover=False,
        multi_zone=False,
        groups=(),
        snapshot_days=0,
        snapshot_window="05:00-06:00",
        maintenance_window="sun:07:00-sun:08:00",
        minor_upgrades=True,
    ),
    created=0.0,
)
PLAIN = replace(SHOP, tls=False)


@dataclass
class FakeServers:
    """`local_aws.emulator.servers.Servers`."""

    made: dict[str, Server] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def start(self, server: Server, image: Callable[[], str]) -> None:
        self.calls.append(f"start {server.kind} {server.id} of {image()}")
        self.made[server.id] = server

    def remove(self, kind: str, id: str) -> None:
        self.calls.append(f"remove {kind} {id}")

    def answer_of(self, kind: str, id: str, script: str) -> str:
        assert (kind, id, script) == ("cache", "shop-001", "valkey-server --version")
        return "Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1\n"


def started(cache: ReplicationGroup, folder: Path) -> FakeServers:
    servers = FakeServers()
    caches = Caches(servers, folder, lambda: "local-aws/valkey:1")  # type: ignore[arg-type]
    assert caches.start(cache) == "8.1.1"
    return servers


def settings(cache: ReplicationGroup, member: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in configuration(cache, member).splitlines())


def test_with_encryption_it_takes_no_plain_connection() -> None:
    found = settings(SHOP, "shop-001")
    assert (found["port"], found["tls-port"], found["tls-auth-clients"]) == ("0", "6380", "no")
    assert settings(PLAIN, "shop-001")["port"] == "6380"
    assert "tls" not in configuration(PLAIN, "shop-001")


def test_a_replica_follows_the_primary_by_its_name_and_encrypted_as_clients_are() -> None:
    found = settings(SHOP, "shop-002")
    assert (found["replicaof"], found["tls-replication"]) == ("master.shop.cache.internal 6380", "yes")
    assert "replicaof" not in settings(SHOP, "shop-001")


def test_it_refuses_the_commands_that_elasticache_refuses_and_keeps_nothing_on_disk() -> None:
    found = settings(PLAIN, "shop-001")
    assert found["save"] == '""'
    rights = found["user"].split()
    assert rights[:6] == ["default", "on", "nopass", "~*", "&*", "+@all"]
    assert {one.removeprefix("-") for one in rights[6:]} == {*REFUSED}
    assert "config" in REFUSED
    assert "psync" not in REFUSED, "a replica could not follow"


def test_a_replica_counts_as_started_once_it_has_what_the_primary_has() -> None:
    assert ready(PLAIN, "shop-001") == "valkey-cli -p 6380 ping | grep -q PONG"
    assert ready(SHOP, "shop-002") == (
        "valkey-cli -p 6380 --tls --cacert /local-aws/ca.crt info replication | grep -q master_link_status:up"
    )


def test_each_node_is_a_server_and_those_that_are_too_many_go(tmp_path: Path) -> None:
    servers = started(SHOP, tmp_path)
    assert servers.calls == [
        "start cache shop-001 of local-aws/valkey:1",
        "start cache shop-002 of local-aws/valkey:1",
        *(f"remove cache shop-00{number}" for number in (3, 4, 5, 6)),
    ]
    assert {server.starts for server in servers.made.values()} == {STARTS}
    assert "--reuid=valkey" in STARTS


def test_the_primary_has_the_primarys_name_and_all_have_the_readers(tmp_path: Path) -> None:
    made = started(SHOP, tmp_path).made
    assert (made["shop-001"].host, *made["shop-001"].more) == (
        "shop-001.shop.cache.internal",
        "master.shop.cache.internal",
        "replica.shop.cache.internal",
    )
    assert (made["shop-002"].host, *made["shop-002"].more) == (
        "shop-002.shop.cache.internal",
        "replica.shop.cache.internal",
    )


def test_its_certificate_is_for_its_names_and_by_the_authority_of_this_cloud(tmp_path: Path) -> None:
    server = started(SHOP, tmp_path).made["shop-001"]
    made = x509.load_pem_x509_certificate(server.files["tls.crt"])
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [server.host, *server.more]
    authority = Authority.read(tmp_path / "authority").certificate
    made.verify_directly_issued_by(authority)
    assert x509.load_pem_x509_certificate(server.files["ca.crt"]) == authority
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(server.files[name])
    ssl.create_default_context().load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")


def test_without_encryption_it_gets_no_key(tmp_path: Path) -> None:
    assert started(PLAIN, tmp_path).made["shop-001"].files.keys() == {"valkey.conf"}


def test_all_its_nodes_are_removed(tmp_path: Path) -> None:
    servers = FakeServers()
    Caches(servers, tmp_path, str).remove(SHOP)  # type: ignore[arg-type]
    assert servers.calls == ["remove cache shop-001", "remove cache shop-002"]


@pytest.mark.parametrize(("said", "version"), [("Valkey server v=8.1.1 sha=0", "8.1.1"), ("no such file", "")])
def test_its_version_is_what_it_says(said: str, version: str) -> None:
    assert version_in(said) == version
