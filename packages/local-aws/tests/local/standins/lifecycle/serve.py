"""The whole emulator, with no HAProxy behind its load balancers and no server behind its databases and caches.

Run by conftest.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from local_aws.emulator.__main__ import prepare, serve
from local_aws.emulator.environment import Environment

if __name__ == "__main__":
    environment = Environment.read(os.environ)
    prepare(environment)  # before ministack is imported
    from local_aws.emulator import acm, cloudwatch, ecs
    from local_aws.emulator.acm.api import handle_request as acm_handler
    from local_aws.emulator.cloudwatch.api import handle_request as cloudwatch_handler
    from local_aws.emulator.ecs.api import handle_request as ecs_handler
    from local_aws.emulator.elasticache import api as caching_api
    from local_aws.emulator.elasticache import service as caching
    from local_aws.emulator.elasticache.model import ReplicationGroup
    from local_aws.emulator.elbv2 import api, neighbours
    from local_aws.emulator.elbv2.api import handle_request as elbv2_handler
    from local_aws.emulator.elbv2.service import Service
    from local_aws.emulator.elbv2.store import Store
    from local_aws.emulator.elbv2.targets import TARGET_GROUPS
    from local_aws.emulator.rds import api as rds_api
    from local_aws.emulator.rds.model import Instance
    from local_aws.emulator.rds.service import Service as Rds

    class NoEdge:
        """Carries no traffic, and takes no port for it."""

        def start(self, state: Any) -> None: ...
        def stop(self) -> None: ...
        def apply(self, state: Any) -> None: ...
        def health(self, _group: Any) -> Mapping[Any, Any]:
            return {}

    class Balancing:
        def start(self) -> None:
            store = Store(environment.state / "elbv2.json")
            service = Service(store, NoEdge(), neighbours.NEIGHBOURS, environment.time_scale)
            service.start()
            certificates = acm.running()
            assert certificates is not None
            certificates.attach(service)
            TARGET_GROUPS.attach(service)
            api.attach(service)

        def stop(self) -> None:
            api.attach(None)
            TARGET_GROUPS.attach(None)

    class NoDatabases:
        """Answers at once, and holds nothing."""

        def start(self, instance: Instance, _password: str) -> str:
            return f"{instance.version.partition('.')[0]}.6"

        def set_password(self, _instance: Instance, _password: str) -> None: ...
        def remove(self, _instance: Instance) -> None: ...
        def forget(self, _resource_id: str) -> None: ...

    class Databases:
        def start(self) -> None:
            rds_api.attach(Rds(environment.state, NoDatabases()))

        def stop(self) -> None:
            rds_api.attach(None)

    class NoCaches:
        """The same."""

        def start(self, _cache: ReplicationGroup) -> str:
            return "8.1.1"

        def remove(self, _cache: ReplicationGroup) -> None: ...

    class Caching:
        def start(self) -> None:
            caching_api.attach(caching.Service(environment.state, NoCaches()))

        def stop(self) -> None:
            caching_api.attach(None)

    handlers = {
        "elasticloadbalancing": elbv2_handler,
        "ecs": ecs_handler,
        "monitoring": cloudwatch_handler,
        "acm": acm_handler,
        "rds": rds_api.handle_request,
        "elasticache": caching_api.handle_request,
    }
    serve(handlers, [acm, Balancing(), ecs, cloudwatch, Databases(), Caching()])
