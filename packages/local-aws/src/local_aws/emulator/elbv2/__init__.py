"""Elastic Load Balancing (v2), our own: a small, truthful control plane for Application Load Balancers.

    api ──> service ──> actions (pure: state, request -> state, answer)
               │  └───> store (JSON, replaced as a whole)
               └──────> edge (HAProxy carries the state before a call returns)
    targets: what ECS asks in the same process; traffic: the numbers for CloudWatch
    neighbours: EC2, ACM and S3, which are asked in the same process

`start` makes it run, `stop` ends it, `api.handle_request` is what ministack calls. Known differences from AWS are
listed in `local_aws/emulator/edge/__init__.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from local_aws.emulator.elbv2.service import Neighbours, Service
from local_aws.emulator.elbv2.traffic import Traffic

_running: Service | None = None


def start(environ: Mapping[str, str] = os.environ, asked: Neighbours | None = None) -> None:
    """Go on from the state under LOCAL_EMULATOR_STATE, with the load balancer's files in LOCAL_EDGE_DIR.

    Load balancers get addresses LOCAL_BALANCERS.1 (127.0.10) and following.
    LOCAL_TIME_SCALE (0.1) multiplies health-check intervals and deregistration delays. Raises service.Refused when
    the load balancer cannot run (no HAProxy, a port is taken), wire.Unreadable.
    """
    global _running
    from local_aws.emulator import acm
    from local_aws.emulator.edge.driver import Driver
    from local_aws.emulator.elbv2 import api, neighbours
    from local_aws.emulator.elbv2.store import Store
    from local_aws.emulator.elbv2.targets import TARGET_GROUPS

    scale = float(environ.get("LOCAL_TIME_SCALE", "0.1"))
    state = Path(environ.get("LOCAL_EMULATOR_STATE", ".local/emulator")).absolute()
    edge = Driver(
        Path(environ.get("LOCAL_EDGE_DIR", ".local/edge")).absolute(),
        time_scale=scale,
        on_change=TARGET_GROUPS.announce,
        pem=neighbours.pem,
    )
    block = environ.get("LOCAL_BALANCERS", "127.0.10")
    service = Service(Store(state / "elbv2.json"), edge, asked or neighbours.NEIGHBOURS, scale, block)
    service.start()
    _running = service
    if certificates := acm.running():
        certificates.attach(service)
    TARGET_GROUPS.attach(service)
    api.attach(service)


def carried() -> Traffic:
    """What load balancers carried since the last call; nothing while they are not started."""
    running = _running
    return running.traffic() if running is not None else Traffic()


def stop() -> None:
    """End the load balancer; what is stored stays."""
    global _running
    from local_aws.emulator import acm
    from local_aws.emulator.elbv2 import api
    from local_aws.emulator.elbv2.targets import TARGET_GROUPS

    api.attach(None)
    if certificates := acm.running():
        certificates.attach(None)
    TARGET_GROUPS.attach(None)
    if _running is not None:
        _running.stop()
        _running = None
