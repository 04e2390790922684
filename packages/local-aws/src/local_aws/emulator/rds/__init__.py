"""Amazon RDS, our own: PostgreSQL instances that are real servers, each in a container.

    api ──> service ──> actions (state, request -> state, answer)
               │  ├───> servers (a container at Docker for each instance)
               │  ├───> Secrets Manager (the password of the master user)
               │  └───> store: one JSON file, for its owner alone
               └──────> EC2: the subnets of a subnet group

How it behaves, and where AWS differs
- Engine postgres, version 15 alone, and what the program asks for: an instance, a subnet group. A request for more
  (replicas, clusters, snapshots, parameter groups, other engines) is refused, never ignored.
- The password is always RDS's own to make (ManageMasterUserPassword), and is never rotated.
- `Endpoint.Address` is an IP address on the network of the tasks (AWS: a name). It may be another one after a restart.
- Subnets, security groups, class, storage and encryption are only shown. There is no TLS (AWS: offered).
- Backups are only shown; a final snapshot is refused, since none could be made.
- A change is there at once; on AWS it takes minutes, or waits for the maintenance window. So does a creation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_aws.emulator.rds.service import Service

_running: Service | None = None


def start(environ: Mapping[str, str] = os.environ) -> None:
    """Go on from the state under LOCAL_EMULATOR_STATE; servers that should run are started again."""
    global _running
    from local_aws.emulator.environment import Environment
    from local_aws.emulator.rds import api
    from local_aws.emulator.rds.servers import DockerServers
    from local_aws.emulator.rds.service import Service

    environment = Environment.read(environ)
    servers = DockerServers(environment.cloud_id, environment.network)
    _running = Service(environment.state, servers)
    api.attach(_running)
    _running.resume()


def stop() -> None:
    """What is stored stays, and so do the containers."""
    global _running
    from local_aws.emulator.rds import api

    api.attach(None)
    _running = None
