"""ECS's small pure parts: references, definitions, log lines, overrides."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.emulator.ecs.arns import Scope
from local_aws.emulator.ecs.definitions import normalise
from local_aws.emulator.ecs.images import Reference
from local_aws.emulator.ecs.logs import Line, Stream, parse, stream_for
from local_aws.emulator.ecs.starting import overridden
from local_aws.emulator.wire import ServiceError

pytestmark = pytest.mark.pure
DIGEST = "sha256:" + "a" * 64
SCOPE = Scope("000000000000", "us-east-1")


@pytest.mark.parametrize(
    ("image", "host", "repository", "version"),
    [
        (f"localhost:4566/team/app@{DIGEST}", "localhost:4566", "team/app", DIGEST),
        (f"localhost:4566/team/app:v1@{DIGEST}", "localhost:4566", "team/app", DIGEST),
        ("localhost/app:v1", "localhost", "app", "v1"),
        (
            "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:v1",
            "000000000000.dkr.ecr.us-east-1.amazonaws.com",
            "app",
            "v1",
        ),
        ("nginx", "docker.io", "library/nginx", "latest"),
        ("team/app:v1", "docker.io", "team/app", "v1"),
    ],
)
def test_references_are_read_as_docker_reads_them(image: str, host: str, repository: str, version: str) -> None:
    assert Reference.parse(image) == Reference(host, repository, version)


def definition(**changes: Any) -> dict[str, Any]:
    container = {"name": "app", "image": "app:v1", "portMappings": [{"containerPort": 8080}]}
    return {
        "family": "web",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container | changes.pop("container", {})],
    } | changes


def test_a_definition_is_stored_with_awss_defaults() -> None:
    (container,) = normalise(definition(tags=[{"key": "a", "value": "b"}]))["containerDefinitions"]
    assert container["essential"] is True
    assert container["portMappings"] == [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp"}]
    assert "tags" not in normalise(definition(tags=[{"key": "a", "value": "b"}]))


LOGS = {"logConfiguration": {"logDriver": "awslogs", "options": {}}}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (definition(family="no spaces"), "Family contains invalid characters"),
        (definition(containerDefinitions=[]), "Container list cannot be empty"),
        (definition(networkMode="bridge"), "Fargate only supports network mode"),
        (definition(memory="600"), "No Fargate configuration exists for given values: 256 CPU, 600 memory"),
        (definition(cpu="0.5 vCPU"), "No Fargate configuration exists for given values: 512 CPU, 512 memory"),
        (definition(container={"image": ""}), "Container.image should not be null or empty"),
        (definition(container={"essential": False}), "At least one container must be essential"),
        (definition(container={"stopTimeout": 121}), "stopTimeout"),
        (definition(container={"mountPoints": [{"sourceVolume": "v"}]}), "does not run a container with mountPoints"),
        (definition(volumes=[{"name": "v"}]), "does not run a task definition with volumes"),
        (definition(container=LOGS), "execution role ARN to support log driver awslogs"),
        (
            definition(container={"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:v1"}),
            "execution role ARN to support ECR images",
        ),
    ],
)
def test_what_fargate_or_this_machine_cannot_run_is_refused(request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError, match=message) as refused:
        normalise(request_)
    assert refused.value.code == "ClientException"


def test_log_lines_keep_dockers_time_and_empty_ones_are_left_out() -> None:
    stream = Stream(SCOPE, "group", "stream")
    output = [b"1970-01-01T00:00:01.500000000Z first\n1970-01-01T00:00:02Z \n", b"1970-01-01T00:00:03Z a b\n"]
    assert list(parse(output, stream)) == [Line(stream, 1.5, "first"), Line(stream, 3.0, "a b")]


def test_a_log_stream_is_named_after_prefix_container_and_task() -> None:
    options = {"awslogs-group": "g", "awslogs-stream-prefix": "p", "awslogs-region": "eu-west-1"}
    container = {"name": "app", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    assert stream_for(container, "t1", SCOPE) == (Stream(Scope("000000000000", "eu-west-1"), "g", "p/app/t1"), False)
    assert stream_for({"name": "app"}, "t1", SCOPE) is None


def test_overrides_replace_the_command_and_merge_the_environment() -> None:
    container = {"name": "app", "command": ["serve"], "environment": [{"name": "A", "value": "1"}]}
    override = {"name": "app", "command": ["migrate"], "environment": [{"name": "B", "value": "2"}]}
    assert overridden(container, {"containerOverrides": [override]}) == {
        "name": "app",
        "command": ["migrate"],
        "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }
    assert overridden(container, {"containerOverrides": [override | {"name": "other"}]}) == container
