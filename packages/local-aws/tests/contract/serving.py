"""Services and tasks for one test or one file, in the run's cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.stage import ACTOR_PORT, Stage

CONTAINER = "app"
STREAM_PREFIX = "app"
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
ROLLING = {"minimumHealthyPercent": 100, "maximumPercent": 200, **BREAKER}


class Serving:
    """Registers task definitions, runs tasks and services, and ends those that it made."""

    def __init__(self, aws: Aws, stage: Stage, label: str) -> None:
        self.aws, self.stage = aws, stage
        self.api = aws.client("ecs")
        self._label = label
        self._services: list[str] = []
        self._tasks: list[str] = []

    # ---- task definitions

    def define(self, *, image: str = "", env: Mapping[str, str] | None = None, **more: Any) -> str:
        """Register a definition of one container, an actor that gets `env`; its ARN."""
        options = {
            "awslogs-group": self.stage.log_group,
            "awslogs-region": self.aws.where.region,
            "awslogs-stream-prefix": STREAM_PREFIX,
        }
        container = {
            "name": CONTAINER,
            "image": image or self.stage.image.uri,
            "essential": True,
            "portMappings": [{"containerPort": ACTOR_PORT, "protocol": "tcp"}],
            "environment": [{"name": name, "value": value} for name, value in sorted((env or {}).items())],
            "readonlyRootFilesystem": True,
            "linuxParameters": {"initProcessEnabled": True},
            "logConfiguration": {"logDriver": "awslogs", "options": options},
            **more,
        }
        made = self.api.register_task_definition(
            family=self.aws.named(self._label),
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=self.stage.execution_role,
            runtimePlatform=self._platform(),
            containerDefinitions=[container],
            tags=self.aws.tags("key", "value"),
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def _platform(self) -> dict[str, str]:
        architecture = self.stage.images.architecture(self.stage.image)
        return {"operatingSystemFamily": "LINUX", "cpuArchitecture": architecture}

    # ---- services

    def service(self, name: str, definition: str, *, tasks: int = 1, group: str = "", grace: int = 300) -> Service:
        """Create a service, behind a target group if one is given."""
        balanced: dict[str, Any] = {
            "loadBalancers": [{"targetGroupArn": group, "containerName": CONTAINER, "containerPort": ACTOR_PORT}],
            "healthCheckGracePeriodSeconds": grace,
        }
        self.api.create_service(
            cluster=self.stage.cluster,
            serviceName=name,
            taskDefinition=definition,
            desiredCount=tasks,
            launchType="FARGATE",
            deploymentConfiguration=ROLLING,
            networkConfiguration=self.stage.network.of_tasks(),
            tags=self.aws.tags("key", "value"),
            **(balanced if group else {}),
        )
        self._services.append(name)
        return Service(self, name)

    # ---- single tasks

    def run(self, definition: str, **more: Any) -> str:
        """Start a task by itself; its ARN."""
        made = self.api.run_task(
            cluster=self.stage.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            networkConfiguration=self.stage.network.of_tasks(),
            tags=self.aws.tags("key", "value"),
            **more,
        )
        assert not made["failures"], made["failures"]
        self._tasks.append(made["tasks"][0]["taskArn"])
        return str(made["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        """The task as it is now."""
        found: dict[str, Any] = self.api.describe_tasks(cluster=self.stage.cluster, tasks=[arn])["tasks"][0]
        return found

    def until(self, arn: str, status: str) -> dict[str, Any]:
        """Wait until the task has this lastStatus; the task."""

        def look() -> dict[str, Any] | None:
            found = self.task(arn)
            ended = found["lastStatus"] == "STOPPED" != status
            assert not ended, f"the task ended: {found.get('stoppedReason')}"
            return found if found["lastStatus"] == status else None

        return self.aws.eventually(look, f"task {status}") or {}

    def ended(self, **container: Any) -> dict[str, Any]:
        """Run a task with such a container until it is STOPPED; the task."""
        return self.until(self.run(self.define(**container)), "STOPPED")

    def lines(self, task: str) -> list[str]:
        """All log lines of a task so far; none while there is no stream."""
        stream = f"{STREAM_PREFIX}/{CONTAINER}/{task.rsplit('/', 1)[-1]}"
        logs = self.aws.client("logs")
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            found = logs.get_log_events(
                logGroupName=self.stage.log_group, logStreamName=stream, startFromHead=True, limit=1000
            )
            return [event["message"] for event in found["events"]]
        return []

    def printed(self, task: str, line: str) -> list[str]:
        """Wait until the task's log has this line; all lines."""
        self.aws.eventually(lambda: line in self.lines(task), f"the log line {line!r}")
        return self.lines(task)

    def close(self) -> None:
        """Ask all that was started to end; `leftovers` waits for it."""
        for name in self._services:
            with contextlib.suppress(ClientError):
                self.api.delete_service(cluster=self.stage.cluster, service=name, force=True)
        for task in self._tasks:
            with contextlib.suppress(ClientError):
                self.api.stop_task(cluster=self.stage.cluster, task=task)


@dataclass(frozen=True)
class Service:
    """One service, and the questions that tests ask of it."""

    serving: Serving
    name: str

    @property
    def _named(self) -> dict[str, str]:
        return {"cluster": self.serving.stage.cluster, "service": self.name}

    def update(self, **changes: Any) -> dict[str, Any]:
        """UpdateService; the service as it answers."""
        changed: dict[str, Any] = self.serving.api.update_service(**self._named, **changes)["service"]
        return changed

    def now(self) -> dict[str, Any]:
        """DescribeServices."""
        found: dict[str, Any] = self.serving.api.describe_services(
            cluster=self.serving.stage.cluster, services=[self.name]
        )["services"][0]
        return found

    def primary(self) -> dict[str, Any]:
        """The newest deployment."""
        return next(each for each in self.now()["deployments"] if each["status"] == "PRIMARY")

    def until(self, state: str) -> dict[str, Any]:
        """Wait until the primary deployment has this rolloutState; the deployment."""

        def look() -> dict[str, Any] | None:
            found = self.primary()
            return found if found["rolloutState"] == state else None

        return self.serving.aws.eventually(look, f"rollout state {state}") or {}

    def tasks(self, desired: str = "RUNNING") -> list[dict[str, Any]]:
        """Tasks that ECS wants to run, or wants stopped."""
        cluster = self.serving.stage.cluster
        arns = self.serving.api.list_tasks(cluster=cluster, serviceName=self.name, desiredStatus=desired)["taskArns"]
        if not arns:
            return []
        found: list[dict[str, Any]] = self.serving.api.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
        return found

    def running(self) -> list[dict[str, Any]]:
        """Tasks that run."""
        return [task for task in self.tasks() if task["lastStatus"] == "RUNNING"]

    def delete(self) -> None:
        """DeleteService, by force."""
        self.serving.api.delete_service(**self._named, force=True)
