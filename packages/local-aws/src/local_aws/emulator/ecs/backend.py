"""What every action works with, and how it finds things by the names that callers use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from local_aws.emulator.ecs.arns import Scope, name_of
from local_aws.emulator.ecs.model import Cluster, Service, Task, TaskDefinition
from local_aws.emulator.ecs.store import Store
from local_aws.emulator.ecs.targets import TargetGroups
from local_aws.emulator.ecs.tasks import Lives
from local_aws.emulator.wire import ServiceError

Request = Mapping[str, Any]
Answer = dict[str, Any]
MOST_IN_A_PAGE = 100
T = TypeVar("T")


@dataclass(frozen=True)
class Backend:
    """One caller's view: the store, limited by `scope` to the caller's account and region."""

    store: Store
    lives: Lives
    targets: TargetGroups
    scope: Scope

    def cluster_arn(self, given: str | None) -> str:
        name = name_of(given or "default")
        return self.scope.arn("cluster", name)

    def cluster(self, request: Request) -> Cluster:
        found = self.store.clusters.get(self.cluster_arn(request.get("cluster")))
        if found is None or found.status != "ACTIVE":
            raise ServiceError("ClusterNotFoundException", "Cluster not found.")
        return found

    def service_arn(self, cluster: Cluster, given: str) -> str:
        return self.scope.arn("service", cluster.name, name_of(given))

    def service(self, cluster: Cluster, given: str) -> Service:
        found = self.store.services.get(self.service_arn(cluster, given))
        if found is None:
            raise ServiceError("ServiceNotFoundException", "Service not found.")
        return found

    def task(self, cluster: Cluster, given: str) -> Task | None:
        return self.store.tasks.get(self.scope.arn("task", cluster.name, name_of(given)))

    def definition(self, given: str) -> TaskDefinition | None:
        """By ARN, `family:revision`, or `family` for its latest active revision."""
        family, _, revision = name_of(given).partition(":")
        if revision:
            return self.store.definitions.get(self.scope.arn("task-definition", f"{family}:{revision}"))
        active = [d for d in self.revisions(family) if d.active]
        return active[-1] if active else None

    def revisions(self, family: str) -> list[TaskDefinition]:
        prefix = self.scope.arn("task-definition", f"{family}:")
        found = [d for d in self.store.definitions.values() if d.arn.startswith(prefix)]
        return sorted(found, key=lambda d: d.revision)

    def startable(self, given: str) -> TaskDefinition:
        found = self.definition(given)
        if found is None:
            raise ServiceError("ClientException", "TaskDefinition not found.")
        if not found.active:
            raise ServiceError("ClientException", "TaskDefinition is inactive")
        return found


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def tags_in(request: Request) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in request.get("tags") or ()}


def missing(arns: Iterable[str]) -> list[dict[str, str]]:
    return [{"arn": arn, "reason": "MISSING"} for arn in arns]


def page(values: Sequence[T], request: Request, name: str) -> Answer:
    """`maxResults` of the values from `nextToken` on; the token is the place to go on from."""
    begin, size = int(request.get("nextToken") or 0), int(request.get("maxResults") or MOST_IN_A_PAGE)
    end = begin + size
    more = {"nextToken": str(end)} if end < len(values) else {}
    return {name: list(values[begin:end])} | more
