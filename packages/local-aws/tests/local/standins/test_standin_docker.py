"""The docker stand-in: what it builds, where it pushes, and that a digest is always the registry's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from local_aws.standins.docker.command import environment_build_args, pushed_digest
from local_aws.standins.docker.image import Image, build_command, local_name, registry_host, repository
from provider_kit import Provider, UserError
from tests.kit.serving import UNKNOWN_STRING, Client, Refusal, fake_engine, plain, secret, served
from tests.local.standins.fake_docker import DIGEST, LOCAL_ID, FakeDocker

pytestmark = pytest.mark.provider

URN = "urn:pulumi:dev::p::docker:index/image:Image::app"
ECR = "000000000000.dkr.ecr.us-east-1.amazonaws.com"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


@contextmanager
def standin(environment: dict[str, str], engine: str = "") -> Iterator[Client]:
    with served(Provider("docker", "5", [Image(environment)]), engine) as client:
        client.configure()
        yield client


def inputs(client: Client, context: Path, **more: Any) -> dict[str, Any]:
    """Checked inputs of an image."""
    news = {"imageName": f"{ECR}/app:c1", "build": {"context": str(context)}} | more
    answer = client.check(news, urn=URN)
    assert list(answer.failures) == []
    return plain(answer.inputs)


def test_an_image_is_built_pushed_and_known_by_the_registrys_digest(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    with standin(docker.environment) as client:
        answer = client.create(inputs(client, context), urn=URN)
    outputs = plain(answer.properties)
    assert answer.id == f"{ECR}/app:c1"
    assert outputs["repoDigest"] == f"{ECR}/app@{DIGEST}"
    assert outputs["baseImageName"] == outputs["imageName"] == f"{ECR}/app:c1"
    assert outputs["registryServer"] == ECR
    assert (outputs["context"], outputs["dockerfile"]) == (str(context), str(context / "Dockerfile"))


def test_the_local_clouds_registry_answers_for_ecr(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    with standin(docker.environment) as client:
        client.create(inputs(client, context), urn=URN)
    (build,), (push,) = docker.calls("build"), docker.calls("push")
    assert build["arguments"][-3:] == ["--tag", "127.0.0.1:4566/app:c1", str(context)]
    assert push["arguments"] == ["push", "127.0.0.1:4566/app:c1"]
    assert build["buildkit"] == "0"


def test_credentials_are_for_that_registry_alone_and_never_stored_with_the_user(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    registry = {"server": f"{ECR}/app", "username": "AWS", "password": secret("hunter2")}
    with standin(docker.environment) as client:
        given = inputs(client, context, registry=registry)
        answer = client.create(given, urn=URN)
    (push,) = docker.calls("push")
    token = base64.b64encode(b"AWS:hunter2").decode()
    assert push["login"] == {"auths": {"127.0.0.1:4566": {"auth": token}}}
    assert push["host"] == "unix:///run/the-users.sock"  # not lost with the user's configuration
    assert plain(answer.properties)["registry"]["password"] == secret("hunter2")


@pytest.mark.parametrize("name", ["docker.io/me/app:1", "app:1", "ghcr.io/me/app", f"{ECR}.example.com/app"])
def test_a_registry_elsewhere_is_refused(name: str, context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    with standin(docker.environment) as client:
        (failure,) = client.check({"imageName": name, "build": {"context": str(context)}}, urn=URN).failures
    assert failure.property == "imageName"
    assert "is not a registry of this machine" in failure.reason


def test_an_image_that_is_not_pushed_has_its_local_id_for_a_digest(context: Path, tools: Path) -> None:
    """As documented for repoDigest. It names nothing that a registry knows: never deploy it."""
    docker = FakeDocker.make(tools)
    with standin(docker.environment) as client:
        outputs = plain(client.create(inputs(client, context, skipPush=True), urn=URN).properties)
    assert outputs["repoDigest"] == LOCAL_ID
    assert docker.calls("push") == []


def test_a_registry_that_is_added_is_a_change_and_another_password_is_none(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    login = {"server": "localhost:1", "username": "a", "password": "b"}
    with standin(docker.environment) as client:
        before, after = inputs(client, context), inputs(client, context, registry=login)
        assert list(client.diff(before, after, urn=URN).diffs) == ["registry"]
        again = inputs(client, context, registry=login | {"username": "c", "password": "d"})
        assert list(client.diff(after, again, urn=URN).diffs) == []


def test_a_push_that_does_not_say_its_digest_is_an_error() -> None:
    with pytest.raises(UserError, match="did not say which digest"):
        pushed_digest(["1: Pushed", "c1: digest: sha256:abc size: 1"])


def test_the_files_of_the_context_belong_to_the_diff(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    with standin(docker.environment) as client:
        before = inputs(client, context)
        assert list(client.diff(before, inputs(client, context), urn=URN).diffs) == []
        (context / "new").write_text("1")
        after = inputs(client, context)
        assert list(client.diff(before, after, urn=URN).detailedDiff) == ["build.contextDigest"]


def test_an_image_that_is_to_stay_as_it_is_stays_so(context: Path, tools: Path) -> None:
    """With ignoreChanges the engine hands back the inputs that an earlier check has completed."""
    with standin(FakeDocker.make(tools).environment) as client:
        before = inputs(client, context)
        (context / "new").write_text("1")
        after = inputs(client, context, **before)
        assert list(client.diff(before, after, urn=URN, ignoreChanges=["*"]).diffs) == []
        assert list(client.diff(before, after, urn=URN).detailedDiff) == ["build.contextDigest"]


def test_a_new_password_is_no_reason_to_build(context: Path, tools: Path) -> None:
    registry = {"server": "s", "username": "AWS", "password": "1"}
    with standin(FakeDocker.make(tools).environment) as client:
        before = inputs(client, context, registry=registry)
        again = inputs(client, context, registry=registry | {"password": "2"})
        moved = inputs(client, context, registry=registry | {"server": "other"})
        assert list(client.diff(before, again, urn=URN).diffs) == []
        assert list(client.diff(before, moved, urn=URN).diffs) == ["registry"]


@pytest.mark.parametrize("name", [f"{ECR}/app:c1", UNKNOWN_STRING])
def test_a_preview_builds_nothing_and_the_digest_is_not_known(name: str, context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    with standin(docker.environment) as client:
        given = inputs(client, context, imageName=name)
        created = plain(client.create(given, urn=URN, preview=True).properties)
        updated = plain(client.update(given, given, urn=URN, preview=True).properties)
    assert created["repoDigest"] == updated["repoDigest"] == UNKNOWN_STRING
    assert docker.calls("build") == []


def test_a_preview_that_is_to_build_builds_and_does_not_push(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    with standin(docker.environment) as client:
        client.create(inputs(client, context, buildOnPreview=True), urn=URN, preview=True)
    assert len(docker.calls("build")) == 1
    assert docker.calls("push") == []


def test_build_arguments_of_this_machine_are_added_and_are_no_inputs(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools)
    local = {"LOCAL_AWS_BUILD_ARGS": json.dumps({"BASE_IMAGE": "local/base"})}
    with standin(docker.environment | local) as client:
        given = inputs(client, context, build={"context": str(context), "args": {"COMMIT": "abc"}})
        answer = client.create(given, urn=URN)
    (build,) = docker.calls("build")
    arguments = build["arguments"]
    assert [arguments[at + 1] for at, word in enumerate(arguments) if word == "--build-arg"] == [
        "BASE_IMAGE",
        "COMMIT=abc",
    ]
    assert build["base"] == "local/base", "docker takes it from its environment"
    assert "local/base" not in str(answer.properties)


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_build_arguments_that_cannot_be_read_are_an_error(text: str) -> None:
    with pytest.raises(UserError, match="LOCAL_AWS_BUILD_ARGS"):
        environment_build_args({"LOCAL_AWS_BUILD_ARGS": text})


def test_every_part_of_a_build_is_passed_on() -> None:
    build = {
        "context": "app",
        "dockerfile": "app/Other",
        "args": {"A": "1"},
        "target": "final",
        "platform": "linux/arm64",
        "network": "none",
        "addHosts": ["db:10.0.0.1"],
        "cacheFrom": {"images": ["x:1"]},
    }
    assert " ".join(build_command("n:1", build, {}, "linux/amd64")) == (
        "build --network none --file app/Other --build-arg A=1 --target final --platform linux/arm64"
        " --add-host db:10.0.0.1 --cache-from x:1 --tag n:1 app"
    )
    command = build_command("n:1", build, {"PIP_INDEX_URL": "https://me:hunter2@example.test"}, "linux/amd64")
    assert command[command.index("PIP_INDEX_URL") - 1] == "--build-arg"
    assert "hunter2" not in " ".join(command)
    assert "--platform" not in build_command("n:1", build, {}, "linux/arm64")


def test_a_build_that_fails_shows_the_end_of_its_log(context: Path, tools: Path) -> None:
    log = "\n".join(f"Step {number}" for number in range(100)) + "\nThe command '/bin/false' returned 1"
    docker = FakeDocker.make(tools, build={"out": log, "code": 1})
    with standin(docker.environment) as client:
        with pytest.raises(Refusal) as refused:
            client.create(inputs(client, context), urn=URN)
    first, *rest = refused.value.message.splitlines()
    assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert first == f"the build of {ECR}/app:c1 failed:"
    assert rest[-1] == "The command '/bin/false' returned 1"
    assert len(rest) == 25
    assert docker.calls("push") == []


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("dial tcp 127.0.0.1:4566: connect: connection refused", "the registry 127.0.0.1:4566 could not be reached"),
        ("tag invalid: tag 'c1' is immutable", "its tags cannot be moved: commit the change"),
        ("denied: no", "127.0.0.1:4566 did not take 127.0.0.1:4566/app:c1"),
    ],
)
def test_a_push_that_fails_says_why(error: str, says: str, context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools, push={"err": error, "code": 1})
    with standin(docker.environment) as client:
        with pytest.raises(Refusal) as refused:
            client.create(inputs(client, context), urn=URN)
    first, *rest = refused.value.message.splitlines()
    assert says in first
    assert rest == [error]


def test_docker_that_does_not_run_is_reported(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools, version={"err": "Cannot connect to the Docker daemon at x.", "code": 1})
    with standin(docker.environment) as client:
        with pytest.raises(Refusal, match=r"Docker is not running: Cannot connect .* Start it"):
            client.create(inputs(client, context), urn=URN)


def test_a_docker_command_that_is_not_there_is_reported(context: Path, tools: Path) -> None:
    with standin({"PATH": str(tools), "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}) as client:
        with pytest.raises(Refusal, match="the docker command is not installed"):
            client.create(inputs(client, context), urn=URN)


def test_progress_is_shown_and_an_interruption_ends_the_build(context: Path, tools: Path) -> None:
    docker = FakeDocker.make(tools, build={"out": "Step 1/9 : FROM scratch", "hang": True})
    with fake_engine() as (engine, address), standin(docker.environment, address) as client:
        given = inputs(client, context)
        with ThreadPoolExecutor() as pool:
            building = pool.submit(client.create, given, urn=URN)
            line = engine.logged.get(timeout=30)
            assert (line.message, line.ephemeral) == ("Step 1/9 : FROM scratch", True)
            client.cancel()
            with pytest.raises(Refusal, match="docker build was cancelled"):
                building.result(timeout=30)


@pytest.mark.parametrize(
    ("build", "property_"),
    [({"context": "nowhere"}, "build.context"), ({"dockerfile": "nowhere"}, "build.dockerfile")],
)
def test_files_that_are_not_there_are_reported_before_anything_changes(
    build: dict[str, str], property_: str, context: Path, tools: Path
) -> None:
    with standin(FakeDocker.make(tools).environment) as client:
        news = {"imageName": "localhost:1/a", "build": {"context": str(context)} | build}
        (failure,) = client.check(news, urn=URN).failures
    assert failure.property == property_


def test_properties_that_are_not_there_are_refused(context: Path, tools: Path) -> None:
    with standin(FakeDocker.make(tools).environment) as client:
        news = {"imageName": "localhost:1/a", "build": {"context": str(context), "secrets": "x"}, "tags": 1}
        failures = client.check(news, urn=URN).failures
    assert sorted(failure.property for failure in failures) == ["build.secrets", "tags"]


@pytest.mark.parametrize(
    ("name", "host", "path"),
    [
        ("localhost:4566/a/b:1", "localhost:4566", "localhost:4566/a/b"),
        ("localhost/a", "localhost", "localhost/a"),
        (f"{ECR}/a:1", ECR, f"{ECR}/a"),
        ("me/app:1", "docker.io", "me/app"),
        ("app", "docker.io", "app"),
    ],
)
def test_names_of_images_are_taken_apart(name: str, host: str, path: str) -> None:
    assert registry_host(name) == host
    assert repository(name) == path


def test_only_ecr_is_answered_for_by_the_local_cloud() -> None:
    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
    assert local_name(f"{ECR}/a:1", environment) == "127.0.0.1:4566/a:1"
    assert local_name("ghcr.io/a:1", environment) == "ghcr.io/a:1"
    assert local_name(f"{ECR}/a:1", {}) == f"{ECR}/a:1"
