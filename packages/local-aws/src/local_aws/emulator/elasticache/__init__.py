"""Amazon ElastiCache, our own: replication groups of Valkey whose nodes are real servers, each in a container.

    api ──> service ──> actions (state, request -> state, answer)
               │  ├───> servers (what makes a Valkey; its container: local_aws/emulator/servers.py)
               │  └───> store: one JSON file
               └──────> EC2: the subnets of a subnet group

How it behaves, and where AWS differs
- Engine valkey, version 8.1 alone, without cluster mode, and what a program asks for: a replication group, a subnet
  group. A request for more (shards, users, passwords, snapshots, parameter groups, serverless caches, other engines and
  versions) is refused, never ignored. The version that is shown is the one that the server says of itself.
- Addresses are names that only tasks can resolve, as in private subnets. The reader's leads to every node (AWS: to
  replicas, where there are some).
- With TransitEncryptionEnabled the servers speak TLS alone. The certificate is by the local cloud's authority, which
  tasks trust by SSL_CERT_FILE. It cannot be changed later (AWS: in two steps).
- Replicas are replicas. There is no failover: a server that is stopped is started again with the emulator, empty.
- Node type, subnets, security groups, encryption at rest, windows and backups are only shown: every task of this cloud
  may connect, and memory has no limit.
- A change is there at once; on AWS it takes minutes, or waits for the maintenance window. So does a creation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def start(environ: Mapping[str, str] = os.environ) -> None:
    """Go on from the state under LOCAL_EMULATOR_STATE; servers that should run are started again."""
    from local_aws.emulator.elasticache import api
    from local_aws.emulator.elasticache.servers import Caches
    from local_aws.emulator.elasticache.service import Service
    from local_aws.emulator.environment import Environment
    from local_aws.emulator.servers import Servers

    environment = Environment.read(environ)
    servers = Servers(environment.cloud_id, environment.network)
    service = Service(environment.state, Caches(servers, environment.state))
    api.attach(service)
    service.resume()


def stop() -> None:
    """What is stored stays, and so do the containers."""
    from local_aws.emulator.elasticache import api

    api.attach(None)
