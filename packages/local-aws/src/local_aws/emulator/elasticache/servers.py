"""Valkey servers, one for each node of a replication group.

The image is Debian's, as local_aws/server_images.py makes it; the official one has the same programs and the same user.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from local_aws.emulator.elasticache.actions import MOST_NODES
from local_aws.emulator.elasticache.model import ReplicationGroup
from local_aws.emulator.servers import FILES, Server, Servers, certificate_of, image_of

KIND = "cache"
STARTS = f"""
chown -R valkey:valkey {FILES}
exec setpriv --reuid=valkey --regid=valkey --clear-groups valkey-server {FILES}/valkey.conf
"""
REFUSED = ("bgrewriteaof", "bgsave", "config", "debug", "migrate", "replicaof", "save", "shutdown", "slaveof", "sync")
"""Commands that no client has on ElastiCache:
https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ClientConfig.RestrictedCommands.html"""

CONFIGURATION = f"""\
bind * -::*
protected-mode no
dir /tmp
save ""
maxmemory-policy volatile-lru
user default on nopass ~* &* +@all {" ".join(f"-{command}" for command in REFUSED)}
"""
"""Of every node. Nothing is kept on a disk, and a client that reaches it may read and write: on AWS the security groups
say which one does."""

TLS = f"""\
tls-cert-file {FILES}/tls.crt
tls-key-file {FILES}/tls.key
tls-ca-cert-file {FILES}/ca.crt
tls-auth-clients no
tls-replication yes
port 0
"""


def configuration(cache: ReplicationGroup, member: str) -> str:
    """The text of a node's valkey.conf."""
    port = f"{TLS}tls-port {cache.port}\n" if cache.tls else f"port {cache.port}\n"
    follows = "" if member == cache.members[0] else f"replicaof {cache.primary} {cache.port}\n"
    return CONFIGURATION + port + follows


def ready(cache: ReplicationGroup, member: str) -> str:
    """A primary answers; a replica has all that the primary has."""
    ask = f"valkey-cli -p {cache.port}" + (f" --tls --cacert {FILES}/ca.crt" if cache.tls else "")
    if member == cache.members[0]:
        return f"{ask} ping | grep -q PONG"
    return f"{ask} info replication | grep -q master_link_status:up"


def names(cache: ReplicationGroup, member: str) -> tuple[str, ...]:
    """All its names on the tasks' network, its own first."""
    primary = (cache.primary,) if member == cache.members[0] else ()
    return (cache.host(member), *primary, cache.reader)


class Caches:
    """`service.Caches`. `folder` holds the state of this cloud, and so its authority."""

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        image: Callable[[], str] = lambda: image_of(KIND),
    ) -> None:
        self._servers, self._folder, self._image = servers, folder, image

    def start(self, cache: ReplicationGroup) -> str:
        for member in cache.members:
            self._servers.start(self._server(cache, member), self._image)
        for number in range(cache.nodes + 1, MOST_NODES + 1):
            self._servers.remove(KIND, cache.member(number))
        return version_in(self._servers.answer_of(KIND, cache.members[0], "valkey-server --version"))

    def remove(self, cache: ReplicationGroup) -> None:
        for member in cache.members:
            self._servers.remove(KIND, member)

    def _server(self, cache: ReplicationGroup, member: str) -> Server:
        host, *more = names(cache, member)
        tls = certificate_of(host, self._folder, *more) if cache.tls else {}
        return Server(
            kind=KIND,
            id=member,
            host=host,
            more=tuple(more),
            starts=STARTS,
            ready=ready(cache, member),
            files={**tls, "valkey.conf": configuration(cache, member).encode()},
        )


def version_in(said: str) -> str:
    """`Valkey server v=8.1.1 sha=00000000:0 …` -> `8.1.1`; "" where there is none."""
    found = re.search(r"\bv=(\d+\.\d+\.\d+)\b", said)
    return found[1] if found else ""
