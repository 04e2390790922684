"""ECS's wire: an action's name and JSON in, JSON or an error out."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from local_aws.emulator.ecs.actions import clusters, definitions, services, tasks
from local_aws.emulator.ecs.arns import Scope
from local_aws.emulator.ecs.backend import Answer, Backend, Request
from local_aws.emulator.wire import Response, ServiceError, json_error, json_response

logger = logging.getLogger("ecs")
Action = Callable[[Backend, Request], Answer]

ACTIONS: Mapping[str, Action] = {
    "CreateCluster": clusters.create_cluster,
    "UpdateCluster": clusters.update_cluster,
    "UpdateClusterSettings": clusters.update_cluster,
    "DescribeClusters": clusters.describe_clusters,
    "ListClusters": clusters.list_clusters,
    "DeleteCluster": clusters.delete_cluster,
    "TagResource": clusters.tag_resource,
    "UntagResource": clusters.untag_resource,
    "ListTagsForResource": clusters.list_tags_for_resource,
    "RegisterTaskDefinition": definitions.register_task_definition,
    "DescribeTaskDefinition": definitions.describe_task_definition,
    "DeregisterTaskDefinition": definitions.deregister_task_definition,
    "ListTaskDefinitions": definitions.list_task_definitions,
    "ListTaskDefinitionFamilies": definitions.list_task_definition_families,
    "CreateService": services.create_service,
    "UpdateService": services.update_service,
    "DescribeServices": services.describe_services,
    "ListServices": services.list_services,
    "DeleteService": services.delete_service,
    "RunTask": tasks.run_task,
    "StopTask": tasks.stop_task,
    "DescribeTasks": tasks.describe_tasks,
    "ListTasks": tasks.list_tasks,
}

Opener = Callable[[Scope], Backend]
_open: Opener | None = None


def serve_with(opener: Opener | None) -> None:
    """Answer from the backends that `opener` gives for an account and region; None to answer no more."""
    global _open
    _open = opener


async def handle_request(
    _method: str, _path: str, headers: Mapping[str, str], body: bytes, _query: Mapping[str, Any]
) -> Response:
    """ministack's handler signature; work happens in a thread, so that its event loop stays free."""
    from ministack.core.responses import get_account_id, get_region

    action = headers.get("x-amz-target", "").rpartition(".")[2]
    return await asyncio.to_thread(answer, action, body, Scope(get_account_id(), get_region()))


def answer(action: str, body: bytes, scope: Scope) -> Response:
    try:
        return json_response(_act(action, body, scope))
    except ServiceError as error:
        return json_error(error)
    except Exception as error:
        logger.exception("%s failed", action)
        return json_error(ServiceError("ServerException", f"the local cloud's own fault: {error!r}", 500))


def _act(action: str, body: bytes, scope: Scope) -> Answer:
    if _open is None:
        raise ServiceError("ServerException", "ECS has not started.", 503)
    if action not in ACTIONS:
        raise ServiceError("UnknownOperationException", f"The local cloud has no ECS action {action}; AWS may.")
    try:
        request = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"Not JSON: {error}") from error
    backend = _open(scope)
    answer = ACTIONS[action](backend, request)
    if not action.startswith(("Describe", "List")):
        backend.store.wait_saved()  # what was answered outlives this process
    return answer
