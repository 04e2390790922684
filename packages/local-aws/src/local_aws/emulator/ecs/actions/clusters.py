"""Clusters, and tags on anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from local_aws.emulator.ecs import describe
from local_aws.emulator.ecs.backend import Answer, Backend, Request, invalid, missing, page, tags_in
from local_aws.emulator.ecs.model import Cluster
from local_aws.emulator.wire import ServiceError


def _shown(backend: Backend, cluster: Cluster) -> dict[str, Any]:
    store = backend.store
    return describe.cluster(cluster, store.services.values(), store.tasks.values())


def create_cluster(backend: Backend, request: Request) -> Answer:
    arn = backend.cluster_arn(request.get("clusterName"))
    with backend.store.changing():
        found = backend.store.clusters.get(arn)
        if found is None or found.status != "ACTIVE":
            found = Cluster(
                arn=arn,
                name=arn.rsplit("/", 1)[-1],
                settings=tuple(request.get("settings") or ()),
                tags=tags_in(request),
            )
            backend.store.clusters[arn] = found
        return {"cluster": _shown(backend, found)}


def update_cluster(backend: Backend, request: Request) -> Answer:
    with backend.store.changing():
        found = backend.cluster(request)
        if "settings" in request:
            found = replace(found, settings=tuple(request["settings"]))
        backend.store.clusters[found.arn] = found
        return {"cluster": _shown(backend, found)}


def describe_clusters(backend: Backend, request: Request) -> Answer:
    wanted = [backend.cluster_arn(given) for given in request.get("clusters") or ["default"]]
    with backend.store.lock:
        found = [c for arn in wanted if (c := backend.store.clusters.get(arn))]
        known = {c.arn for c in found}
        return {
            "clusters": [_shown(backend, c) for c in found],
            "failures": missing(arn for arn in wanted if arn not in known),
        }


def list_clusters(backend: Backend, request: Request) -> Answer:
    prefix = backend.scope.arn("cluster", "")
    with backend.store.lock:
        found = [c.arn for c in backend.store.clusters.values() if c.status == "ACTIVE"]
    return page([arn for arn in found if arn.startswith(prefix)], request, "clusterArns")


def delete_cluster(backend: Backend, request: Request) -> Answer:
    with backend.store.changing():
        found = backend.cluster(request)
        if any(s.cluster == found.arn and s.status != "INACTIVE" for s in backend.store.services.values()):
            raise ServiceError(
                "ClusterContainsServicesException",
                "The Cluster cannot be deleted while Services are active.",
            )
        if any(t.cluster == found.arn and not t.ended for t in backend.store.tasks.values()):
            raise ServiceError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        gone = replace(found, status="INACTIVE")
        backend.store.clusters[found.arn] = gone
        return {"cluster": _shown(backend, gone)}


# ---------------------------------------------------------------- tags


def _retag(backend: Backend, arn: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    store = backend.store
    tables: tuple[dict[str, Any], ...] = (store.clusters, store.definitions, store.services, store.tasks)
    for table in tables:
        if arn in table:
            table[arn] = replace(table[arn], tags=change(dict(table[arn].tags)))
            return
    raise invalid("The specified resource is not found.")


def tag_resource(backend: Backend, request: Request) -> Answer:
    with backend.store.changing():
        _retag(backend, request["resourceArn"], lambda tags: tags | tags_in(request))
    return {}


def untag_resource(backend: Backend, request: Request) -> Answer:
    gone = set(request.get("tagKeys") or ())
    with backend.store.changing():
        _retag(backend, request["resourceArn"], lambda tags: {k: v for k, v in tags.items() if k not in gone})
    return {}


def list_tags_for_resource(backend: Backend, request: Request) -> Answer:
    seen: dict[str, Any] = {}

    def keep(tags: dict[str, Any]) -> dict[str, Any]:
        seen.update(tags)
        return tags

    with backend.store.lock:
        _retag(backend, request["resourceArn"], keep)
    return {"tags": describe.tag_list(seen)}
