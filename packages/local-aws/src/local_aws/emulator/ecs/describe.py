"""Our values in the API's words."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from typing import Any

from local_aws.emulator.ecs import scheduler
from local_aws.emulator.ecs.arns import scope_of
from local_aws.emulator.ecs.model import (
    Cluster,
    Container,
    Deployment,
    LoadBalancer,
    RolloutState,
    Service,
    Task,
    TaskDefinition,
)

ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
PLATFORM = {"platformVersion": "1.4.0", "platformFamily": "Linux"}


def present(**members: Any) -> dict[str, Any]:
    """The members that are not None, as AWS leaves out what is not there."""
    return {name: value for name, value in members.items() if value is not None}


def tag_list(tags: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def cluster(value: Cluster, services: Iterable[Service], tasks: Iterable[Task]) -> dict[str, Any]:
    mine = [t for t in tasks if t.cluster == value.arn]
    return {
        "clusterArn": value.arn,
        "clusterName": value.name,
        "status": value.status,
        "registeredContainerInstancesCount": 0,
        **{f"{kind[:-5]}TasksCount": count for kind, count in scheduler.counts(mine).items()},
        "activeServicesCount": sum(s.cluster == value.arn and s.status == "ACTIVE" for s in services),
        "statistics": [],
        "tags": tag_list(value.tags),
        "settings": list(value.settings),
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    }


def task_definition(value: TaskDefinition) -> dict[str, Any]:
    return {
        **value.body,
        "taskDefinitionArn": value.arn,
        "revision": value.revision,
        "status": "ACTIVE" if value.active else "INACTIVE",
        "registeredAt": value.registered_at,
        "registeredBy": f"arn:aws:iam::{scope_of(value.arn).account}:root",
        **present(deregisteredAt=value.deregistered_at),
    }


def load_balancers(values: Iterable[LoadBalancer]) -> list[dict[str, Any]]:
    return [
        {"targetGroupArn": lb.target_group, "containerName": lb.container, "containerPort": lb.port} for lb in values
    ]


def deployment(value: Deployment, service: Service, tasks: Iterable[Task]) -> dict[str, Any]:
    mine = [t for t in tasks if t.started_by == value.id]
    primary = value.id == service.primary.id
    return {
        "id": value.id,
        "status": "PRIMARY" if primary else "ACTIVE",
        "taskDefinition": value.task_definition,
        "desiredCount": service.desired if primary else sum(t.wanted for t in mine),
        **scheduler.counts(mine),
        "failedTasks": value.failed_tasks,
        "createdAt": value.created_at,
        "updatedAt": value.updated_at,
        "launchType": "FARGATE",
        **PLATFORM,
        "networkConfiguration": dict(value.network),
        "rolloutState": value.rollout.value,
        "rolloutStateReason": value.reason or _in_progress(value),
    }


def _in_progress(value: Deployment) -> str:
    state = {RolloutState.IN_PROGRESS: "in progress", RolloutState.COMPLETED: "completed"}
    return f"ECS deployment {value.id} {state.get(value.rollout, 'failed')}."


def service(value: Service, tasks: tuple[Task, ...], include: Iterable[str] = ()) -> dict[str, Any]:
    account = scope_of(value.arn).account
    active = value.status != "INACTIVE"
    lbs = load_balancers(value.primary.load_balancers)
    return {
        "serviceArn": value.arn,
        "serviceName": value.name,
        "clusterArn": value.cluster,
        "status": value.status,
        "desiredCount": value.desired,
        **scheduler.counts(tasks),
        "launchType": "FARGATE",
        **PLATFORM,
        **value.extra,
        "taskDefinition": value.primary.task_definition,
        "deploymentConfiguration": _rules(value),
        "deployments": [deployment(d, value, tasks) for d in value.deployments] if active else [],
        "loadBalancers": lbs,
        "serviceRegistries": [],
        "events": [{"id": e.id, "createdAt": e.at, "message": e.message} for e in value.events],
        "createdAt": value.created_at,
        "networkConfiguration": dict(value.primary.network),
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "roleArn": f"arn:aws:iam::{account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        "createdBy": f"arn:aws:iam::{account}:root",
        "placementConstraints": [],
        "placementStrategy": [],
        **({"healthCheckGracePeriodSeconds": int(value.grace)} if lbs else {}),
        **({"tags": tag_list(value.tags)} if "TAGS" in include else {}),
    }


def _rules(value: Service) -> dict[str, Any]:
    return {
        "deploymentCircuitBreaker": {"enable": value.rules.breaker, "rollback": value.rules.rollback},
        "maximumPercent": value.rules.maximum_percent,
        "minimumHealthyPercent": value.rules.minimum_healthy_percent,
        "strategy": "ROLLING",
        "bakeTimeInMinutes": 0,
    }


def task(value: Task, definition: TaskDefinition, include: Iterable[str] = ()) -> dict[str, Any]:
    return present(
        taskArn=value.arn,
        clusterArn=value.cluster,
        taskDefinitionArn=value.task_definition,
        group=value.group,
        startedBy=value.started_by or None,
        lastStatus=value.last_status.value,
        desiredStatus=value.desired_status,
        cpu=definition.body.get("cpu"),
        memory=definition.body.get("memory"),
        launchType="FARGATE",
        **PLATFORM,
        version=1,
        connectivity="CONNECTED" if value.ip else None,
        healthStatus=_task_health(value),
        containers=[container(c, value) for c in value.containers],
        attachments=_attachments(value),
        attributes=[{"name": "ecs.cpu-architecture", "value": ARCHITECTURE}],
        overrides={"containerOverrides": [{"name": c.name} for c in value.containers], **value.overrides},
        availabilityZone=f"{scope_of(value.arn).region}a",
        createdAt=value.created_at,
        pullStartedAt=value.pull_started_at,
        pullStoppedAt=value.pull_stopped_at,
        startedAt=value.started_at,
        stoppingAt=value.stopping_at,
        executionStoppedAt=value.stopped_at,
        stoppedAt=value.stopped_at,
        stopCode=value.stop_code.value if value.stop_code else None,
        stoppedReason=value.stopped_reason,
        enableExecuteCommand=False,
        tags=tag_list(value.tags) if "TAGS" in include else None,
    )


def container(value: Container, of: Task) -> dict[str, Any]:
    interfaces = [{"attachmentId": of.id, "privateIpv4Address": of.ip}] if of.ip else []
    return present(
        containerArn=value.arn,
        taskArn=of.arn,
        name=value.name,
        image=value.image,
        imageDigest=value.image_digest,
        runtimeId=value.docker_id,
        lastStatus=value.status,
        exitCode=value.exit_code,
        reason=value.reason,
        healthStatus=value.health or "UNKNOWN",
        networkBindings=[],
        networkInterfaces=interfaces,
    )


def _task_health(value: Task) -> str:
    states = {c.health for c in value.containers if c.essential and c.health}
    if "UNHEALTHY" in states:
        return "UNHEALTHY"
    return "HEALTHY" if states == {"HEALTHY"} else "UNKNOWN"


def _attachments(value: Task) -> list[dict[str, Any]]:
    """The network interface, as awsvpc tasks show it."""
    subnets = (value.network.get("awsvpcConfiguration") or {}).get("subnets") or [None]
    details = {
        "subnetId": subnets[0],
        "networkInterfaceId": f"eni-{value.id[:17]}",
        "macAddress": value.mac,
        "privateIPv4Address": value.ip,
    }
    status = "DELETED" if value.ended else "ATTACHED" if value.ip else "PRECREATED"
    shown = [{"name": name, "value": text} for name, text in details.items() if text]
    return [{"id": value.id, "type": "ElasticNetworkInterface", "status": status, "details": shown}]
