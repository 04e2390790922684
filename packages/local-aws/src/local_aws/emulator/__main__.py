"""`python -m local_aws.emulator`: ministack, and our own services in place of some of its.

Environment: see environment.py. Everything is bound to 127.0.0.1, and for tasks that have a role to this machine's
address in their Docker network (ecs/doorway.py). SIGTERM and SIGINT end it in order; containers
stay, and the next start finds them again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any, Protocol

from local_aws.emulator.environment import Environment
from local_aws.emulator.scaling import SERVICE as SCALING
from local_aws.toolchain.cache import cache_folder

MINISTACK = "1.5.33"
REPLACED = ("ecs", "elasticloadbalancing", "monitoring", "acm", "rds", "elasticache")
Handler = Callable[..., Awaitable[tuple[int, dict[str, str], bytes]]]


class OwnService(Protocol):
    """A package that replaces one of ministack's services."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Unfit(Exception):
    """What is wrong, why it matters, and what to do."""


def prepare(environment: Environment) -> None:
    """Tell ministack, which reads its settings when it is imported, where to listen and to keep its state."""
    settings = {
        "GATEWAY_PORT": str(environment.port),
        "BIND_HOST": "127.0.0.1",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(environment.state / "ministack"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(environment.state / "s3"),
        # listeners that nothing here needs, on fixed ports
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    os.environ.update(settings)
    environment.state.mkdir(parents=True, exist_ok=True)


CORRECTED = ("ec2", "ecr", "iam", "route53", "s3", "sns", "ssm")
"""Services of ministack's own that ours stand in front of."""


def check_ministack(installed: str, table: Mapping[str, Any]) -> None:
    """Raises Unfit unless this is the ministack whose service table we know."""
    if installed != MINISTACK:
        raise Unfit(
            f"ministack is {installed}, not {MINISTACK}.\n"
            "Our services replace entries of a table inside ministack, which only that version is known to have.\n"
            "Next: remove the emulator's virtual environment and let `local-aws up` install the locked versions again."
        )
    if SCALING in table:
        raise Unfit(
            f"ministack {installed} has a service {SCALING!r} of its own, which ours would hide.\n"
            "Next: read it; remove local_aws/emulator/scaling.py if it will do."
        )
    for name in (*REPLACED, *CORRECTED):
        if name not in table:
            raise Unfit(
                f"ministack {installed} has no service {name!r} to replace.\n"
                "Is SERVICES set? It hides services, and ours would never be called.\n"
                "Next: unset SERVICES and start again."
            )


def main() -> None:
    environment = Environment.read(os.environ)
    prepare(environment)
    from local_aws.emulator import acm, cloudwatch, ecs, elasticache, elbv2, rds
    from local_aws.emulator.acm.api import handle_request as acm_handler
    from local_aws.emulator.cloudwatch.api import handle_request as cloudwatch_handler
    from local_aws.emulator.ecs.api import handle_request as ecs_handler
    from local_aws.emulator.elasticache.api import handle_request as elasticache_handler
    from local_aws.emulator.elbv2.api import handle_request as elbv2_handler
    from local_aws.emulator.rds.api import handle_request as rds_handler

    own = (ecs_handler, elbv2_handler, cloudwatch_handler, acm_handler, rds_handler, elasticache_handler)
    serve(dict(zip(REPLACED, own, strict=True)), [acm, elbv2, ecs, cloudwatch, rds, elasticache])


def serve(handlers: Mapping[str, Handler], services: list[OwnService]) -> None:
    """Start `services` in order, serve until a signal, stop them in reverse. `prepare` comes first."""
    from ministack import app

    from local_aws.emulator import durable, ec2, ecr, iam, route53, scaling, seams, sns, ssm

    environment = Environment.read(os.environ)
    check_ministack(version("ministack"), app.SERVICE_HANDLERS)
    try:
        seams.check()
    except seams.Moved as error:
        raise Unfit(str(error)) from error
    ec2.install()
    iam.install()
    ecr.install(environment.state / "ecr-layers", cache_folder())
    route53.install()
    sns.install(environment.time_scale)
    ssm.install()
    durable.install(own=frozenset(handlers))
    scaling.install(environment.state)
    app.SERVICE_HANDLERS.update(handlers)
    app._HypercornConfig.graceful_timeout = 0.5  # clients keep connections open; do not wait long for them to go
    started: list[OwnService] = []
    try:
        for service in services:
            service.start()
            started.append(service)
        app.main()
    finally:
        for service in reversed(started):
            service.stop()


if __name__ == "__main__":
    try:
        main()
    except Unfit as error:
        sys.exit(f"The local cloud's emulator cannot start: {error}")
