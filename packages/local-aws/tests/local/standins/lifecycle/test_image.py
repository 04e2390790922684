"""docker.Image over the engine's protocol, with the real Docker and the emulator's registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest
from local_aws.base_image import ensure_base_image
from local_aws.standins.docker.image import Image
from local_aws.toolchain.cache import cache_folder
from provider_kit import Props, Provider
from tests.kit.serving import UNKNOWN_STRING, Client, Refusal, fake_engine, secret, served
from tests.local.emulator.ecs.conftest import Emulator, say
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.world import ACCOUNT, World

pytestmark = pytest.mark.cloud

PASSWORD = "a-token-that-lives-for-hours"


@pytest.fixture(scope="module")
def base() -> str:
    """An image with a shell; none can be pulled in a closed network."""
    return ensure_base_image(cache_folder(), say)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nARG EDITION\nCOPY word /word\n")
    (folder / "word").write_text("one")
    return folder


@pytest.fixture
def connect(emulator: Emulator) -> Iterator[Callable[[], Client]]:
    open_ones: list[Any] = []

    def start(engine: str = "") -> Client:
        environment = {**os.environ, "AWS_ENDPOINT_URL": emulator.endpoint}
        context = served(Provider("docker", "5.0.0", [Image(environment)]), engine)
        open_ones.append(context)
        client = context.__enter__()
        client.configure()
        return client

    yield start
    for one in open_ones:
        one.__exit__(None, None, None)


@pytest.fixture
def good(context: Path, world: World, emulator: Emulator, docker_client: docker.DockerClient) -> Iterator[Props]:
    """Inputs for an image in a repository of its own."""
    repository = world.name()
    world.aws("ecr").create_repository(repositoryName=repository)
    yield {
        "imageName": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{repository}:one",
        "build": {"context": str(context), "dockerfile": str(context / "Dockerfile"), "args": {"EDITION": "1"}},
        "registry": {"server": "x", "username": "AWS", "password": secret(PASSWORD)},
    }
    for left in docker_client.images.list(name=f"{registry(emulator)}/{repository}", all=True):
        docker_client.images.remove(left.id, force=True)


def registry(emulator: Emulator) -> str:
    """Under which name the stand-in pushes."""
    return emulator.endpoint.removeprefix("http://")


def pushed(world: World, inputs: Props) -> set[str]:
    """The digests that the registry has."""
    repository = inputs["imageName"].partition("/")[2].partition(":")[0]
    found = world.aws("ecr").describe_images(repositoryName=repository)["imageDetails"]
    return {one["imageDigest"] for one in found}


def image(client: Client) -> Managed:
    return Managed(client, Image.token)


def test_its_digest_is_the_one_that_the_registry_has(connect: Callable[[], Client], good: Props, world: World) -> None:
    one = image(connect())
    assert one.up(good) == "create"
    assert one.id == good["imageName"]
    name, _, digest = one.outputs["repoDigest"].partition("@")
    assert name == good["imageName"].removesuffix(":one")
    assert {digest} == pushed(world, good)
    assert one.up(good) == "same"
    assert one.drift() == {}
    assert PASSWORD not in one.in_clear()


def test_changed_files_are_built_and_pushed_anew(
    connect: Callable[[], Client], good: Props, context: Path, world: World
) -> None:
    one = image(connect())
    one.up(good)
    before = one.outputs["repoDigest"]
    (context / "word").write_text("two")
    assert one.up(good) == "update"
    assert one.changed == ["build.contextDigest"]
    assert one.outputs["repoDigest"] != before
    assert one.outputs["repoDigest"].partition("@")[2] in pushed(world, good)


def test_another_password_builds_nothing(connect: Callable[[], Client], good: Props) -> None:
    one = image(connect())
    one.up(good)
    assert one.up(good | {"registry": good["registry"] | {"password": secret("another-token")}}) == "same"


def test_deleting_it_leaves_it_in_the_registry(connect: Callable[[], Client], good: Props, world: World) -> None:
    one = image(connect())
    one.up(good)
    one.destroy()
    assert len(pushed(world, good)) == 1


def test_a_preview_builds_nothing_and_does_not_know_the_digest(
    connect: Callable[[], Client], good: Props, world: World
) -> None:
    one = image(connect())
    for inputs in (good, good | {"imageName": UNKNOWN_STRING}):
        assert one.preview(inputs)["repoDigest"] == UNKNOWN_STRING
    assert pushed(world, good) == set()


def test_a_build_that_fails_says_how_it_ended_and_records_nothing(
    connect: Callable[[], Client], good: Props, context: Path
) -> None:
    (context / "Dockerfile").write_text("FROM scratch\nCOPY nothing /nothing\n")
    one = image(connect())
    with pytest.raises(Refusal, match="COPY failed") as refused:
        one.up(good)
    assert refused.value.kept is None
    (context / "Dockerfile").write_text("FROM scratch\nCOPY word /word\n")
    assert one.up(good) == "create"


def test_an_image_that_is_not_pushed_has_the_id_that_docker_gave_it(
    connect: Callable[[], Client], good: Props, world: World, emulator: Emulator, docker_client: docker.DockerClient
) -> None:
    one = image(connect())
    one.up(good | {"skipPush": True})
    local = good["imageName"].replace(f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com", registry(emulator))
    assert one.outputs["repoDigest"] == docker_client.images.get(local).id
    assert pushed(world, good) == set()


def test_an_interrupted_build_ends_at_once_and_records_nothing(
    connect: Callable[[str], Client], good: Props, context: Path, base: str
) -> None:
    (context / "Dockerfile").write_text(f"FROM {base}\nRUN sleep 60\n")
    with fake_engine() as (engine, address):
        client = connect(address)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(image(client).up, good)
            while "Running in" not in engine.logged.get(timeout=30).message:
                pass
            client.cancel()
            error = done.exception(timeout=10)
    assert isinstance(error, Refusal)
    assert "was cancelled" in error.message
    assert error.kept is None
