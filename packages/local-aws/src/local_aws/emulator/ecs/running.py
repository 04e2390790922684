"""ECS put together and set going: the only place that knows all of its parts."""

from __future__ import annotations

import logging
import os

from docker import APIClient
from docker.utils import kwargs_from_env

from local_aws.emulator.ecs import api
from local_aws.emulator.ecs.arns import Scope
from local_aws.emulator.ecs.backend import Backend
from local_aws.emulator.ecs.containers import Containers
from local_aws.emulator.ecs.control import Control
from local_aws.emulator.ecs.doorway import Doorway
from local_aws.emulator.ecs.images import Images
from local_aws.emulator.ecs.logs import CloudWatchLogs, Shipper
from local_aws.emulator.ecs.registration import Registration
from local_aws.emulator.ecs.secrets import SecretStores
from local_aws.emulator.ecs.starting import Tools
from local_aws.emulator.ecs.store import Pulse, Store
from local_aws.emulator.ecs.targets import TargetGroups
from local_aws.emulator.ecs.tasks import Lives
from local_aws.emulator.environment import Environment
from local_aws.emulator.wire import StateFile

_running: tuple[Control, Store, Doorway] | None = None


def start(targets: TargetGroups | None) -> None:
    global _running
    environment = Environment.read(os.environ)
    targets = targets or _elbv2_targets()
    client = APIClient(version="auto", **kwargs_from_env())
    bundle = environment.state / "authority/bundle.pem"  # local_aws/places.py: ca_bundle
    containers = Containers(client, environment.cloud_id, environment.network, environment.time_scale, bundle)
    store = Store(StateFile(environment.state / "ecs.json"), Pulse())
    log_service = CloudWatchLogs()
    doorway = Doorway(containers.gateway, environment.port)
    tools = Tools(
        containers=containers,
        images=Images(client, environment.port),
        shipper=Shipper(log_service, logging.getLogger("ecs").warning),
        log_service=log_service,
        secrets=SecretStores(),
        doorway=doorway,
    )
    target_pulse = Pulse()
    lives = Lives(store, tools, Registration(store, targets, target_pulse))
    control = Control(store, lives, containers, targets, target_pulse, environment.port, environment.time_scale)

    def open_backend(scope: Scope) -> Backend:
        return Backend(store, lives, targets, scope)

    api.serve_with(open_backend)
    if store.tasks:  # those of before the restart have its address
        doorway.open()
    control.start()
    _running = (control, store, doorway)


def stop() -> None:
    global _running
    if _running is not None:
        api.serve_with(None)
        _running[0].stop()
        _running[1].close()
        _running[2].close()
        _running = None


def _elbv2_targets() -> TargetGroups:
    from local_aws.emulator.elbv2.targets import TARGET_GROUPS

    found: TargetGroups = TARGET_GROUPS
    return found
