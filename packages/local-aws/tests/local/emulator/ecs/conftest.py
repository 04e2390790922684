"""An emulator of our own for these tests: spare port, own label and network, everything removed afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import docker
import pytest
from local_aws.base_image import ensure_base_image
from local_aws.emulator_process import ensure_environment
from local_aws.toolchain.cache import cache_folder
from tests.local.emulator.ecs.fake_targets import group
from tests.local.repository import ROOT

from tests.patience import PATIENCE
from tests.ports import free_port

T = TypeVar("T")
REPOSITORY, LOG_GROUP, CLUSTER = "tests/app", "/tests/ecs", "tests"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
SLEEP = ["sh", "-c", "echo started; exec sleep 1000"]


def say(text: str) -> None:
    print(text, file=sys.stderr)


def eventually(look: Callable[[], T], what: str = "the condition") -> T:
    """The first truthy answer of `look`."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"{what} did not come true within {PATIENCE:.0f} s"
        time.sleep(0.02)


@dataclass
class Emulator:
    """The process, and AWS clients for it."""

    python: Path
    state: Path
    port: int
    cloud_id: str
    module: str = "tests.local.emulator.ecs.serve"
    process: subprocess.Popen[bytes] | None = None
    module: str = "tests.local.emulator.ecs.serve"
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def registry(self) -> str:
        return f"localhost:{self.port}"

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(
                str(ROOT / part) for part in ("packages/local-aws/src", "packages/local-aws")
            ),
            "LOCAL_EMULATOR_PORT": str(self.port),
            "LOCAL_EMULATOR_STATE": str(self.state),
            "LOCAL_CLOUD_ID": self.cloud_id,
            "LOCAL_DOCKER_NETWORK": self.cloud_id,
            "LOG_LEVEL": "WARNING",
            **self.settings,
        }
        command = [str(self.python), "-m", self.module]
        with (self.state.parent / "emulator.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        eventually(self._answers, "the emulator's start")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.state.parent / "emulator.log").read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@dataclass
class Ecs:
    """One test's ECS: a cluster of its own, and the questions that tests ask."""

    emulator: Emulator
    image: str
    cluster: str
    services: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = self.emulator.client("ecs")
        self.logs = self.emulator.client("logs")
        self.api.create_cluster(clusterName=self.cluster)

    def define(
        self,
        command: list[str] = SLEEP,
        image: str = "",
        containers: list[dict[str, Any]] | None = None,
        role: str = "",
        **more: Any,
    ) -> str:
        """Register a task definition of one container named app, with `more` of it, or of `containers`; its ARN.

        `role`: the ARN of its task role.
        """
        options = {"awslogs-group": LOG_GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}
        definition = {
            "name": "app",
            "image": image or self.image,
            "command": command,
            "portMappings": [{"containerPort": 8080}],
            "linuxParameters": {"initProcessEnabled": True},
            "logConfiguration": {"logDriver": "awslogs", "options": options},
        }
        made = self.api.register_task_definition(
            family=self.cluster,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn="arn:aws:iam::000000000000:role/execution",
            **({"taskRoleArn": role} if role else {}),
            containerDefinitions=containers or [definition | more],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def create(self, definition: str, desired: int = 1, targets: str = "healthy", **more: Any) -> dict[str, Any]:
        balancer = {"targetGroupArn": group(targets), "containerName": "app", "containerPort": 8080}
        request = {
            "cluster": self.cluster,
            "serviceName": "web",
            "taskDefinition": definition,
            "desiredCount": desired,
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "loadBalancers": [balancer] if targets else [],
            "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": False}},
        }
        made: dict[str, Any] = self.api.create_service(**(request | more))["service"]
        return made

    def update(self, **changes: Any) -> dict[str, Any]:
        changed: dict[str, Any] = self.api.update_service(cluster=self.cluster, service="web", **changes)["service"]
        return changed

    def service(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.describe_services(cluster=self.cluster, services=["web"])["services"][0]
        return found

    def primary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.service()["deployments"][0]
        return found

    def rollout(self, state: str) -> dict[str, Any]:
        """Wait until the primary deployment is in this state; the deployment."""

        def look() -> dict[str, Any] | None:
            found = self.primary()
            return found if found["rolloutState"] == state else None

        return eventually(look, f"rollout state {state}") or {}

    def tasks(self, desired_status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.api.list_tasks(cluster=self.cluster, desiredStatus=desired_status)["taskArns"]
        return self.describe(arns) if arns else []

    def describe(self, arns: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.describe_tasks(cluster=self.cluster, tasks=arns)["tasks"]
        return found

    def task(self, arn: str, status: str) -> dict[str, Any]:
        """Wait until the task has this lastStatus; the task."""
        return (
            eventually(
                lambda: next((t for t in self.describe([arn]) if t["lastStatus"] == status), None), f"task {status}"
            )
            or {}
        )

    def run(self, definition: str, **more: Any) -> str:
        """Start a one-off task; its ARN."""
        request = {"cluster": self.cluster, "taskDefinition": definition, "networkConfiguration": NETWORK}
        answer = self.api.run_task(**(request | {"launchType": "FARGATE"} | more))
        return str(answer["tasks"][0]["taskArn"])

    def lines(self, task_arn: str) -> list[str]:
        stream = f"app/app/{task_arn.rsplit('/', 1)[-1]}"
        found = self.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True)
        return [event["message"] for event in found["events"]]

    def until_printed(self, task_arn: str, line: str) -> None:
        eventually(lambda: line in self.lines(task_arn), f"the line {line!r}")

    def clear(self) -> None:
        """Delete the service, stop what runs, and wait until nothing is left."""
        found = self.api.list_services(cluster=self.cluster)["serviceArns"]
        for arn in found:
            self.api.delete_service(cluster=self.cluster, service=arn, force=True)
        for task in self.tasks():
            self.api.stop_task(cluster=self.cluster, task=task["taskArn"])
        eventually(self.empty, "an empty cluster")

    def empty(self) -> bool:
        return all(t["lastStatus"] == "STOPPED" for t in [*self.tasks(), *self.tasks("STOPPED")])


@pytest.fixture(scope="session")
def docker_client() -> docker.DockerClient:
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"Docker is away: {error}")
    return client


@pytest.fixture(scope="session")
def emulator(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    python = ensure_environment(cache_folder(), say)
    state = tmp_path_factory.mktemp("ecs") / "state"
    emulator = Emulator(python, state, free_port(), f"ecs-tests-{uuid.uuid4().hex[:8]}")
    emulator.start()
    yield emulator
    emulator.stop()
    for container in docker_client.containers.list(all=True, filters={"label": f"local-aws.cloud={emulator.cloud_id}"}):
        container.remove(force=True)
    for network in docker_client.networks.list(names=[emulator.cloud_id]):
        network.remove()
    for pulled in docker_client.images.list(filters={"reference": f"{emulator.registry}/*/*"}):
        docker_client.images.remove(pulled.id, force=True)


# A shell and what it needs, out of the base image: pushed in a moment.
PACK = 'tar -chf - /bin/sh /bin/sleep /bin/cat $(ldd /bin/sh /bin/sleep /bin/cat | grep -o "/[^ ]*[0-9]" | sort -u)'


@pytest.fixture(scope="session")
def image(emulator: Emulator) -> str:
    """A pushed image with a shell, by digest, under ECR's own host name."""
    base = ensure_base_image(cache_folder(), say)
    name = f"{emulator.registry}/{REPOSITORY}"
    pack = f"docker run --rm --network none {base} sh -c '{PACK}'"
    emulator.client("ecr").create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    emulator.client("logs").create_log_group(logGroupName=LOG_GROUP)
    subprocess.run(["sh", "-c", f"{pack} 2>/dev/null | docker import - {name}:one"], check=True)
    subprocess.run(["docker", "push", "--quiet", f"{name}:one"], check=True)
    digest = emulator.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"][0]["imageDigest"]
    return f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{digest}"


@pytest.fixture
def ecs(emulator: Emulator, image: str) -> Iterator[Ecs]:
    ecs = Ecs(emulator, image, f"t{uuid.uuid4().hex[:8]}")
    yield ecs
    ecs.clear()
