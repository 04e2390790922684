"""Amazon RDS, our own: PostgreSQL instances that are real servers, each in a container.

    api ──> service ──> actions (state, request -> state, answer)
               │  ├───> servers (what a PostgreSQL is given; its container: local_aws/emulator/servers.py)
               │  ├───> Secrets Manager (the password of the master user)
               │  └───> store: one JSON file, for its owner alone
               └──────> EC2: the subnets of a subnet group

How it behaves, and where AWS differs
- Engine postgres, version 17 alone, and what the program asks for: an instance, a subnet group. A request for more
  (replicas, clusters, restores, parameter groups, other engines, a minor version) is refused, never ignored. The
  version that is shown is the one that the server says of itself.
- The password is always RDS's own to make (ManageMasterUserPassword). It is rotated when that is asked for
  (RotateMasterUserPassword), not every seven days.
- `Endpoint.Address` is a name that only tasks can resolve, as in private subnets.
- TLS alone, as with rds.force_ssl. The certificate is by the local cloud's authority (AWS: by RDS's own).
- The master user is no superuser; rds_superuser has fewer rights than RDS's.
- Subnets, security groups, class, storage and encryption are only shown: every task of this cloud may connect.
- Backups are only shown. A final snapshot is the data of the instance, in its volume: it is kept and listed until it is
  deleted, and restored by hand alone. There are no other snapshots.
- A change is there at once; on AWS it takes minutes, or waits for the maintenance window. So does a creation.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_aws.emulator.rds.service import Service


def start(environ: Mapping[str, str] = os.environ) -> None:
    """Go on from the state under LOCAL_EMULATOR_STATE; servers that should run are started again."""
    from local_aws.emulator.environment import Environment
    from local_aws.emulator.rds import api
    from local_aws.emulator.rds.servers import Databases
    from local_aws.emulator.rds.service import Service
    from local_aws.emulator.servers import Servers

    environment = Environment.read(environ)
    servers = Servers(environment.cloud_id, environment.network)
    service = Service(environment.state, Databases(servers, environment.state))
    api.attach(service)
    threading.Thread(target=_resume, args=(service, environment.port), name="rds", daemon=True).start()


def _resume(service: Service, port: int) -> None:
    from local_aws.emulator import inprocess

    inprocess.wait_until_served(port)
    service.resume()


def stop() -> None:
    """What is stored stays, and so do the containers."""
    from local_aws.emulator.rds import api

    api.attach(None)
