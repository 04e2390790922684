"""Task definitions."""

from __future__ import annotations

from dataclasses import replace

from local_aws.emulator.ecs import definitions, describe
from local_aws.emulator.ecs.backend import Answer, Backend, Request, page, tags_in
from local_aws.emulator.ecs.model import TaskDefinition
from local_aws.emulator.wire import ServiceError


def register_task_definition(backend: Backend, request: Request) -> Answer:
    body = definitions.normalise(request)
    family = body["family"]
    with backend.store.changing():
        revisions = backend.revisions(family)
        revision = revisions[-1].revision + 1 if revisions else 1
        made = TaskDefinition(
            arn=backend.scope.arn("task-definition", f"{family}:{revision}"),
            family=family,
            revision=revision,
            body=body,
            registered_at=backend.store.clock(),
            tags=tags_in(request),
        )
        backend.store.definitions[made.arn] = made
    return {"taskDefinition": describe.task_definition(made), "tags": describe.tag_list(made.tags)}


def describe_task_definition(backend: Backend, request: Request) -> Answer:
    with backend.store.lock:
        found = backend.definition(request["taskDefinition"])
    if found is None:
        raise ServiceError("ClientException", "Unable to describe task definition.")
    tags = {"tags": describe.tag_list(found.tags)} if "TAGS" in (request.get("include") or ()) else {}
    return {"taskDefinition": describe.task_definition(found)} | tags


def deregister_task_definition(backend: Backend, request: Request) -> Answer:
    with backend.store.changing():
        found = backend.definition(request["taskDefinition"])
        if found is None or ":" not in request["taskDefinition"]:
            raise ServiceError("ClientException", "Unable to describe task definition.")
        if found.active:
            found = replace(found, deregistered_at=backend.store.clock())
        backend.store.definitions[found.arn] = found
    return {"taskDefinition": describe.task_definition(found)}


def list_task_definitions(backend: Backend, request: Request) -> Answer:
    family, status = request.get("familyPrefix"), request.get("status") or "ACTIVE"
    prefix = backend.scope.arn("task-definition", "")
    with backend.store.lock:
        known = [d for d in backend.store.definitions.values() if d.arn.startswith(prefix)]
    known = [d for d in known if family in (None, d.family) and d.active == (status == "ACTIVE")]
    known.sort(key=lambda d: (d.family, d.revision), reverse=request.get("sort") == "DESC")
    return page([d.arn for d in known], request, "taskDefinitionArns")


def list_task_definition_families(backend: Backend, request: Request) -> Answer:
    prefix, status = request.get("familyPrefix") or "", request.get("status") or "ALL"
    scope = backend.scope.arn("task-definition", "")
    with backend.store.lock:
        known = [d for d in backend.store.definitions.values() if d.arn.startswith(scope)]
    active = {d.family for d in known if d.active}
    chosen = {"ACTIVE": active, "INACTIVE": {d.family for d in known} - active}
    families = chosen.get(status, {d.family for d in known})
    return page(sorted(f for f in families if f.startswith(prefix)), request, "families")
