"""Clusters, task definitions and services.

A service's rollout is not waited for: `waitForSteadyState` is refused, because in this project the gates wait,
and they know a lost cause when they see one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from provider_kit import Change, Context, Props, State
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, AwsResource, tag_map
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.aws.waiting import until, while_in_use
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, Table, canonical, upstream

SERVICE_DRAIN = 20 * 60.0  # seconds, as in pulumi-aws
CLUSTER_EMPTY = 60.0  # seconds for a cluster's last task to be gone


def ecs_tags(tags: Props | None) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in (tags or {}).items()]


class EcsResource(AwsResource):
    service = "ecs"

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.tag_resource(resourceArn=known["arn"], tags=ecs_tags(put))
        if drop:
            api.untag_resource(resourceArn=known["arn"], tagKeys=drop)


SETTING: Table = {"name": Prop("name", required=True), "value": Prop("value", required=True)}


class Cluster(EcsResource):
    token = "aws:ecs/cluster:Cluster"
    source = upstream("ecs/cluster", "ecs/cluster")
    props = (
        {
            "name": Prop("clusterName", replace=True),
            "settings": Prop("settings", fields=SETTING, computed=True, unordered=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn"})
    autoname = AutoName(longest=255)

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_cluster(**to_api(self.props, new), tags=ecs_tags(new.get("tags")))
        return str(answer["cluster"]["clusterArn"])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if old.get("settings") != new.get("settings"):
            api.update_cluster_settings(cluster=id, settings=new.get("settings") or [])

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        clusters = api.describe_clusters(clusters=[id], include=["TAGS", "SETTINGS"])["clusters"]
        active = [cluster for cluster in clusters if cluster["status"] != "INACTIVE"]
        if not active:
            return None
        (cluster,) = active
        return from_api(self.props, cluster) | {
            "id": cluster["clusterArn"],
            "arn": cluster["clusterArn"],
            "tags": tag_map(cluster.get("tags"), "key", "value"),
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        busy = ("ClusterContainsServicesException", "ClusterContainsTasksException", "UpdateInProgressException")
        while_in_use(ctx, CLUSTER_EMPTY, busy, api.delete_cluster, cluster=id)


PLATFORM: Table = {
    "cpuArchitecture": Prop("cpuArchitecture"),
    "operatingSystemFamily": Prop("operatingSystemFamily"),
}


STORAGE: Table = {"sizeInGib": Prop("sizeInGiB", required=True)}


class TaskDefinition(EcsResource):
    """One revision. Its id is the family. What it runs never changes: only tags and whether it is active do."""

    token = "aws:ecs/taskDefinition:TaskDefinition"
    source = upstream("ecs/taskdefinition", "ecs/task_definition")
    props = (
        {
            "family": Prop("family", replace=True, required=True),
            "containerDefinitions": Prop(json=True, replace=True, required=True),
            "cpu": Prop("cpu", text=True, replace=True),
            "memory": Prop("memory", text=True, replace=True),
            "networkMode": Prop("networkMode", replace=True, computed=True),
            "executionRoleArn": Prop("executionRoleArn", replace=True),
            "taskRoleArn": Prop("taskRoleArn", replace=True),
            "requiresCompatibilities": Prop("requiresCompatibilities", replace=True, unordered=True),
            "runtimePlatform": Prop("runtimePlatform", fields=PLATFORM, replace=True),
            "ephemeralStorage": Prop("ephemeralStorage", fields=STORAGE, replace=True),
            "skipDestroy": Prop(default=False, unread=True),
            "trackLatest": Prop(default=False, unread=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "arnWithoutRevision", "revision"})

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        changes = super().diff(ctx, old, inputs, ignore)
        before, after = (one.get("containerDefinitions") for one in (old.inputs, inputs))
        if not isinstance(before, str) or not isinstance(after, str) or essence(before) != essence(after):
            return changes
        # what AWS fills in is no change: as in pulumi-aws
        return [change for change in changes if change.top != "containerDefinitions"]

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.register_task_definition(
            **to_api(self.props, new),
            containerDefinitions=json.loads(new["containerDefinitions"]),
            **({"tags": ecs_tags(new["tags"])} if new.get("tags") else {}),
        )
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    @override
    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        _, outputs = super().create(ctx, inputs)
        return str(inputs["family"]), outputs

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        name = id if known.get("trackLatest") or id.startswith("arn:") else known.get("arn", id)
        answer = unless_gone(api.describe_task_definition, taskDefinition=name, include=["TAGS"])
        if not answer or answer["taskDefinition"]["status"] == "INACTIVE":
            return None
        definition = answer["taskDefinition"]
        arn = definition["taskDefinitionArn"]
        live = {
            "id": definition["family"],
            "arn": arn,
            "arnWithoutRevision": arn.rpartition(":")[0],
            "revision": definition["revision"],
            "tags": tag_map(answer.get("tags"), "key", "value"),
        }
        same = bool(known) and known.get("arn", id) == arn  # then it runs what was recorded: a revision is final
        content = {name: known.get(name) for name in self.props} if same else self._content(definition)
        return content | live

    def _content(self, definition: dict[str, Any]) -> Props:
        return from_api(self.props, definition) | {
            "containerDefinitions": canonical(definition["containerDefinitions"]),
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        if not known.get("skipDestroy"):
            unless_gone(api.deregister_task_definition, taskDefinition=known.get("arn", id))


def essence(definitions: str) -> Any:
    """Container definitions (JSON text) without what AWS fills in, and with the environment in one order."""
    return [_container(definition) for definition in json.loads(definitions)]


UNSET: Final = {"cpu": 0, "essential": True}
"""What AWS answers for fields of a container that were left out."""


def _container(definition: Props) -> Props:
    given = {
        name: value for name, value in definition.items() if value not in (None, [], {}) and value != UNSET.get(name)
    }
    ports = [_port(mapping) for mapping in given.pop("portMappings", ())]
    variables = sorted(given.pop("environment", ()), key=lambda one: str(one.get("name")))
    return given | {"portMappings": ports, "environment": variables}


def _port(mapping: Props) -> Props:
    """In network mode awsvpc the host's port is the container's."""
    host = mapping.get("hostPort") or mapping.get("containerPort")
    return {"protocol": "tcp"} | mapping | {"hostPort": host}


BREAKER: Table = {"enable": Prop("enable", required=True), "rollback": Prop("rollback", required=True)}
CONTROLLER: Table = {"type": Prop("type", default="ECS")}
LOAD_BALANCER: Table = {
    "targetGroupArn": Prop("targetGroupArn"),
    "containerName": Prop("containerName", required=True),
    "containerPort": Prop("containerPort", required=True),
}
NETWORK: Table = {
    "subnets": Prop("subnets", required=True, unordered=True),
    "securityGroups": Prop("securityGroups", unordered=True),
    "assignPublicIp": Prop(default=False),
}


class Service(EcsResource):
    """Its id is its ARN; an import also takes `cluster/name`."""

    token = "aws:ecs/service:Service"
    source = upstream("ecs/service", "ecs/service")
    props = (
        {
            "name": Prop("serviceName", replace=True),
            "cluster": Prop("cluster", replace=True, computed=True),
            "taskDefinition": Prop("taskDefinition"),
            "desiredCount": Prop("desiredCount", default=0),
            "launchType": Prop("launchType", replace=True, computed=True),
            "schedulingStrategy": Prop("schedulingStrategy", default="REPLICA", replace=True),
            "platformVersion": Prop("platformVersion", computed=True),
            "deploymentController": Prop("deploymentController", fields=CONTROLLER, computed=True),
            "deploymentCircuitBreaker": Prop(fields=BREAKER, unset={"enable": False, "rollback": False}),
            "deploymentMaximumPercent": Prop(default=200),
            "deploymentMinimumHealthyPercent": Prop(default=100),
            "enableEcsManagedTags": Prop("enableECSManagedTags", default=False),
            "enableExecuteCommand": Prop("enableExecuteCommand", default=False),
            "forceDelete": Prop(unread=True),
            "forceNewDeployment": Prop(unread=True),
            "healthCheckGracePeriodSeconds": Prop("healthCheckGracePeriodSeconds"),
            "loadBalancers": Prop("loadBalancers", fields=LOAD_BALANCER, unordered=True),
            "networkConfiguration": Prop(fields=NETWORK),
            "propagateTags": Prop("propagateTags", unset="NONE"),
            "triggers": Prop(computed=True, unread=True),
            "waitForSteadyState": Prop(default=False, unread=True, departs="true is refused: the gates wait"),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn"})
    autoname = AutoName(longest=255)
    # passed to UpdateService only when it has changed: to repeat the count would undo an autoscaler's work
    _GROUPED = ("deploymentCircuitBreaker", "deploymentMaximumPercent", "deploymentMinimumHealthyPercent")
    _NO_CALL = frozenset({"tags", "forceDelete", "waitForSteadyState"})
    # how UpdateService spells that something is taken away
    _NONE: ClassVar[dict[str, tuple[str, Any]]] = {
        "loadBalancers": ("loadBalancers", []),
        "healthCheckGracePeriodSeconds": ("healthCheckGracePeriodSeconds", 0),
    }

    @override
    def check(self, ctx: Context, inputs: Props, old: Props | None) -> tuple[Props, list[tuple[str, str]]]:
        values, wrong = super().check(ctx, inputs, old)
        if inputs.get("waitForSteadyState") is True:
            wrong.append(("waitForSteadyState", "is not served: the gates of this project wait for a rollout"))
        return values, wrong

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        changes = super().diff(ctx, old, inputs, ignore)
        if inputs.get("forceNewDeployment") is True and inputs.get("triggers"):
            return changes
        # as in pulumi-aws: triggers mean something together with forceNewDeployment alone
        return [change for change in changes if change.top != "triggers"]

    @override
    def make(self, api: Any, new: Props) -> str:
        given = {name: value for name, value in new.items() if value is not None}
        answer = api.create_service(
            **self._arguments(new, given),
            # a new one each time, as in pulumi-aws: a service that is there already is an error, and never taken over
            clientToken=os.urandom(16).hex(),
            **({"tags": ecs_tags(new["tags"])} if new.get("tags") else {}),
        )
        return str(answer["service"]["serviceArn"])

    def _arguments(self, new: Props, changed: Props) -> dict[str, Any]:
        arguments = to_api(self.props, changed)
        if any(name in changed for name in self._GROUPED):
            breaker = new.get("deploymentCircuitBreaker")
            arguments["deploymentConfiguration"] = {
                "maximumPercent": new["deploymentMaximumPercent"],
                "minimumHealthyPercent": new["deploymentMinimumHealthyPercent"],
                "deploymentCircuitBreaker": breaker or {"enable": False, "rollback": False},
            }
        if changed.get("networkConfiguration"):
            network = changed["networkConfiguration"]
            public = "ENABLED" if network["assignPublicIp"] else "DISABLED"
            arguments["networkConfiguration"] = {
                "awsvpcConfiguration": to_api(NETWORK, network) | {"assignPublicIp": public}
            }
        return arguments

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        changeable = self.props.keys() - self._NO_CALL - self.replace_on
        changed = {name: new.get(name) for name in self.props if name in changeable and old.get(name) != new.get(name)}
        if not changed:
            return
        arguments = self._arguments(new, changed)
        arguments |= {api: none for name, (api, none) in self._NONE.items() if name in changed and not changed[name]}
        force = bool(new.get("forceNewDeployment"))
        place = {"service": id, "cluster": new.get("cluster", "default")}
        api.update_service(**arguments, **place, forceNewDeployment=force)

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        service = self._describe(api, id, known)
        if service is None or service["status"] == "INACTIVE":
            return None
        deployment = service.get("deploymentConfiguration") or {}
        live = from_api(self.props, service) | {
            "id": service["serviceArn"],
            "arn": service["serviceArn"],
            "cluster": known.get("cluster", service["clusterArn"]),
            "taskDefinition": _named_like(service["taskDefinition"], known.get("taskDefinition")),
            "deploymentController": service.get("deploymentController") or {"type": "ECS"},
            "deploymentMaximumPercent": deployment.get("maximumPercent"),
            "deploymentMinimumHealthyPercent": deployment.get("minimumHealthyPercent"),
            "tags": tag_map(service.get("tags"), "key", "value"),
        }
        breaker = deployment.get("deploymentCircuitBreaker")
        network = (service.get("networkConfiguration") or {}).get("awsvpcConfiguration")
        if breaker:
            live["deploymentCircuitBreaker"] = from_api(BREAKER, breaker)
        if network:
            public = network.get("assignPublicIp") == "ENABLED"
            live["networkConfiguration"] = from_api(NETWORK, network) | {"assignPublicIp": public}
        return live

    def _describe(self, api: Any, id: str, known: Props) -> dict[str, Any] | None:
        cluster = known.get("cluster") or (id.split("/")[-2] if "/" in id else "default")
        service = id if id.startswith("arn:") else id.rpartition("/")[2]
        answer = unless_gone(api.describe_services, cluster=cluster, services=[service], include=["TAGS"])
        return answer["services"][0] if answer and answer["services"] else None

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        service = self._describe(api, id, known)
        if service is None or service["status"] == "INACTIVE":
            return
        place = {"cluster": service["clusterArn"], "service": id}
        forced = bool(known.get("forceDelete"))
        if service["status"] == "ACTIVE":
            if service["desiredCount"] and not forced:
                api.update_service(**place, desiredCount=0)
            unless_gone(api.delete_service, **place, force=forced)
        ctx.say("draining")
        until(ctx, f"service {service['serviceName']} drained", SERVICE_DRAIN, lambda: self._inactive(api, id, known))

    def _inactive(self, api: Any, id: str, known: Props) -> bool:
        service = self._describe(api, id, known)
        return service is None or service["status"] == "INACTIVE"


def _named_like(arn: str, known: str | None) -> str:
    """The task definition as ARN, or as `family:revision` or `family` where it was given so."""
    if not known or known.startswith("arn:"):
        return arn
    name = arn.rpartition("/")[2]
    return name if ":" in known else name.rpartition(":")[0]
