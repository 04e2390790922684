"""Tasks: those of services are only described and stopped here; one-off tasks are also started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.emulator.ecs import describe
from local_aws.emulator.ecs.backend import Answer, Backend, Request, invalid, missing, page, tags_in
from local_aws.emulator.ecs.control import new_task
from local_aws.emulator.ecs.model import StopCode, Task, TaskDefinition

MOST_STARTED = 10
MOST_DESCRIBED = 100


def _shown(backend: Backend, task: Task, include: tuple[str, ...] = ()) -> dict[str, Any]:
    return describe.task(task, backend.store.definitions[task.task_definition], include)


def run_task(backend: Backend, request: Request) -> Answer:
    count = int(request.get("count") or 1)
    if not 1 <= count <= MOST_STARTED:
        raise invalid("count should be between 1 and 10.")
    if request.get("launchType") not in (None, "FARGATE"):
        raise invalid("The local cloud runs only launchType FARGATE; AWS would run others.")
    with backend.store.changing():
        repeated = _of_same_call(backend, request)
        tasks = repeated or [_one_off(backend, request) for _ in range(count)]
        for task in tasks:
            backend.store.tasks[task.arn] = task
        answer = {"tasks": [_shown(backend, t, ("TAGS",)) for t in tasks], "failures": []}
    for task in () if repeated else tasks:
        backend.lives.launch(task.arn)
    return answer


def _of_same_call(backend: Backend, request: Request) -> list[Task]:
    """What an earlier call with the same client token started: SDKs repeat a call whose answer they did not get."""
    token = request.get("clientToken")
    return [t for t in backend.store.tasks.values() if token and t.client_token == token]


def _one_off(backend: Backend, request: Request) -> Task:
    cluster = backend.cluster(request)
    definition = backend.startable(request.get("taskDefinition") or "")
    network = request.get("networkConfiguration") or {}
    if not (network.get("awsvpcConfiguration") or {}).get("subnets"):
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    overrides = request.get("overrides") or {}
    _check_overrides(overrides, definition)
    return new_task(
        definition,
        cluster=cluster.arn,
        group=request.get("group") or f"family:{definition.family}",
        started_by=request.get("startedBy") or "",
        now=backend.store.clock(),
        network=network,
        overrides=overrides,
        tags=tags_in(request),
        client_token=request.get("clientToken") or "",
    )


def _check_overrides(overrides: Mapping[str, Any], definition: TaskDefinition) -> None:
    names = {c["name"] for c in definition.containers}
    for override in overrides.get("containerOverrides") or ():
        if override.get("name") not in names:
            raise invalid(
                f"Override for container named {override.get('name')} is not a container in the TaskDefinition."
            )


def stop_task(backend: Backend, request: Request) -> Answer:
    with backend.store.lock:
        task = backend.task(backend.cluster(request), request["task"])
    if task is None:
        raise invalid("The referenced task was not found.")
    backend.lives.stop(task.arn, request.get("reason") or "Task stopped by user", StopCode.USER)
    with backend.store.lock:
        return {"task": _shown(backend, backend.store.tasks[task.arn])}


def describe_tasks(backend: Backend, request: Request) -> Answer:
    wanted = request.get("tasks") or []
    if not wanted:
        raise invalid("Tasks cannot be empty.")
    if len(wanted) > MOST_DESCRIBED:
        raise invalid("Tasks cannot have more than 100 elements.")
    include = tuple(request.get("include") or ())
    with backend.store.lock:
        cluster = backend.cluster(request)
        pairs = [(given, backend.task(cluster, given)) for given in wanted]
        return {
            "tasks": [_shown(backend, task, include) for _, task in pairs if task],
            "failures": missing(
                backend.scope.arn("task", cluster.name, given.rsplit("/", 1)[-1])
                for given, task in pairs
                if task is None
            ),
        }


def list_tasks(backend: Backend, request: Request) -> Answer:
    with backend.store.lock:
        cluster = backend.cluster(request)
        tasks = [t for t in backend.store.tasks.values() if t.cluster == cluster.arn]
        group = None
        if name := request.get("serviceName"):
            group = f"service:{backend.service(cluster, name).name}"
    chosen = [t for t in tasks if _matches(t, request, group)]
    return page([t.arn for t in chosen], request, "taskArns")


def _matches(task: Task, request: Request, group: str | None) -> bool:
    family = task.task_definition.rsplit("/", 1)[-1].partition(":")[0]
    return (
        task.desired_status == (request.get("desiredStatus") or "RUNNING")
        and group in (None, task.group)
        and request.get("startedBy") in (None, task.started_by)
        and request.get("family") in (None, family)
        and request.get("launchType") in (None, "FARGATE")
    )
