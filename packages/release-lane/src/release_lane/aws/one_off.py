"""Tasks that run once and end by themselves, next to those of services.

Sources: AWS API references of ECS (RunTask, ListTasks, DescribeTasks, StopTask) and CloudWatch Logs (GetLogEvents).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from release_lane.aws import patience
from release_lane.aws.cloud import LOGS_WITHIN, Cloud
from release_lane.errors import CloudError


@dataclass(frozen=True, kw_only=True)
class OneOff:
    """A task that runs once. `exit_code` is None before its container ended, or where it never started.

    `started_by` is what RunTask was given. `stopped`: why it ended, in ECS's words.
    """

    arn: str
    ended: bool = False
    exit_code: int | None = None
    started_by: str = ""
    stopped: str = ""

    @property
    def id(self) -> str:
        """The last part of its ARN, as `aws ecs stop-task` takes it."""
        return self.arn.rsplit("/", 1)[-1]


@dataclass(frozen=True, kw_only=True)
class Printed:
    """Lines that a task printed since the last look; `token` is where the next one goes on."""

    lines: tuple[str, ...] = ()
    token: str = ""


class Tasks(Protocol):
    """One-off tasks of one family of task definitions, in one environment. Every method asks AWS now."""

    def running(self) -> Sequence[OneOff]:
        """Those that have not ended, by hand or by an update."""

    def start(self, task_definition: str, subnets: Sequence[str], groups: Sequence[str], *, by: str, token: str) -> str:
        """Start one; its ARN. A repeated call with the same `token` starts no second one."""

    def look(self, task: str) -> OneOff | None:
        """One task as it is now; None if ECS does not know it: not yet, or no longer."""

    def stop(self, task: str, reason: str) -> None:
        """Ask its container to end (SIGTERM; SIGKILL after its stop timeout)."""

    def printed(self, task: str, token: str) -> Printed:
        """What it printed after `token` ("" for its first line)."""


class OneOffTasks:
    """`Tasks` of ECS. `container` is the name of the one container, and the prefix of its log streams."""

    def __init__(self, cloud: Cloud, family: str, container: str) -> None:
        self._cloud, self._family, self._container = cloud, family, container
        self._cluster = cloud.names.cluster

    def running(self) -> list[OneOff]:
        """Those of the family. One that was asked to end is listed as STOPPED, while its container may still run."""
        arns = [arn for status in ("RUNNING", "STOPPED") for arn in self._listed(status)]
        return [each for each in map(self._read, self._described(arns)) if not each.ended]

    def start(self, task_definition: str, subnets: Sequence[str], groups: Sequence[str], *, by: str, token: str) -> str:
        """RunTask on Fargate, without a public address. `CloudError` where AWS starts none."""
        answer = self._cloud.ecs.run_task(
            cluster=self._cluster,
            taskDefinition=task_definition,
            launchType="FARGATE",
            count=1,
            startedBy=by,
            clientToken=token,
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": list(subnets),
                    "securityGroups": list(groups),
                    "assignPublicIp": "DISABLED",
                }
            },
        )
        if not answer["tasks"]:
            reasons = ", ".join(str(each.get("reason") or "no reason given") for each in answer["failures"])
            raise CloudError(
                f"ECS started no task of {self._family}.",
                why=reasons or "it gave no reason",
                next_step="run the update again; RESOURCE:… means that Fargate has no room just now.",
            )
        return answer["tasks"][0]["taskArn"]

    def look(self, task: str) -> OneOff | None:
        """DescribeTasks. ECS describes a task for an hour after its end; and one that it has just started may be
        missing for some seconds ("Eventual consistency" of RunTask)."""
        found = self._described([task])
        return self._read(found[0]) if found else None

    def stop(self, task: str, reason: str) -> None:
        """StopTask. `CloudError` also where ECS does not know the task."""
        try:
            self._cloud.ecs.stop_task(cluster=self._cluster, task=task, reason=reason[:255])
        except self._cloud.ecs.exceptions.ClientError as error:
            raise CloudError(f"ECS did not stop the task {task.rsplit('/', 1)[-1]}.", why=str(error)) from error

    def printed(self, task: str, token: str) -> Printed:
        """GetLogEvents, oldest first; nothing while there is no stream, or where it cannot be read."""
        stream = f"{self._container}/{self._container}/{task.rsplit('/', 1)[-1]}"
        goes_on: Any = {"nextToken": token} if token else {}
        try:
            with patience.at_most(LOGS_WITHIN):
                found = self._cloud.logs.get_log_events(
                    logGroupName=self._cloud.names.log_group, logStreamName=stream, startFromHead=True, **goes_on
                )
        except (self._cloud.logs.exceptions.ClientError, CloudError):
            return Printed(token=token)
        lines = tuple(str(event.get("message", "")).rstrip() for event in found["events"])
        return Printed(lines=lines, token=found.get("nextForwardToken") or token)

    def _listed(self, status: Literal["RUNNING", "STOPPED"]) -> list[str]:
        """ARNs of the family's tasks, at most a hundred: as many as one call describes."""
        found = self._cloud.ecs.list_tasks(cluster=self._cluster, family=self._family, desiredStatus=status)
        return found["taskArns"]

    def _described(self, arns: Sequence[str]) -> list[Any]:
        if not arns:
            return []
        return list(self._cloud.ecs.describe_tasks(cluster=self._cluster, tasks=list(arns[:100]))["tasks"])

    def _read(self, task: Any) -> OneOff:
        main = next((each for each in task.get("containers", ()) if each.get("name") == self._container), None) or {}
        reasons = (task.get("stoppedReason", ""), main.get("reason", ""))
        return OneOff(
            arn=task["taskArn"],
            ended=task.get("lastStatus") == "STOPPED",
            exit_code=main.get("exitCode"),
            started_by=task.get("startedBy", ""),
            stopped="; ".join(dict.fromkeys(filter(None, reasons))),
        )
