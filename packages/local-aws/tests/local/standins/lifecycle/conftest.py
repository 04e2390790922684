"""An emulator of our own, what the resources refer to in it, and the stand-in on the engine's protocol."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from local_aws.emulator_process import ensure_environment
from local_aws.standins.aws.door import Door
from local_aws.standins.aws.provider import provider
from local_aws.toolchain.cache import cache_folder
from tests.kit.serving import Client, served
from tests.local.emulator.ecs.conftest import Emulator, say
from tests.local.standins.lifecycle.recording import Calls
from tests.local.standins.lifecycle.world import World, build

from tests.ports import free_port


@pytest.fixture(scope="session")
def docker_client() -> docker.DockerClient:
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"Docker is away, and the emulated ECS needs it: {error}")
    return client


@pytest.fixture(scope="session")
def emulator(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(
        ensure_environment(cache_folder(), say),
        tmp_path_factory.mktemp("standins") / "state",
        free_port(),
        f"standins-{uuid.uuid4().hex[:8]}",
        module="tests.local.standins.lifecycle.serve",
    )
    emulator.start()
    yield emulator
    emulator.stop()
    for network in docker_client.networks.list(names=[emulator.cloud_id]):
        network.remove()


@pytest.fixture(scope="session")
def world(emulator: Emulator) -> World:
    return build(emulator.client)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def connect(emulator: Emulator, calls: Calls) -> Iterator[Callable[[], Client]]:
    """Start the stand-in, as often as it is needed: like the engine, which starts it for each update."""
    open_ones: list[Any] = []

    def start() -> Client:
        door = Door({"AWS_ENDPOINT_URL": emulator.endpoint}, calls.client)
        context = served(provider(door))
        client = context.__enter__()
        open_ones.append(context)
        client.configure(region="us-east-1")
        calls.made.clear()
        return client

    yield start
    for context in reversed(open_ones):
        context.__exit__(None, None, None)


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()
