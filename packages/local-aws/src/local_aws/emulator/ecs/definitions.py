"""RegisterTaskDefinition: what Fargate refuses, what this machine cannot do, and the defaults that AWS adds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.emulator.ecs.images import ECR_HOST, Reference
from local_aws.emulator.wire import ServiceError

LONGEST = 65_536
"""Bytes of a task definition; AWS says no more of how it counts. Here: of the request, as JSON without blanks."""

FAMILY = re.compile(r"^[A-Za-z0-9_-]{1,255}$")
CONTAINER_NAME = re.compile(r"^[A-Za-z0-9_-]{1,255}$")

# CPU units -> MiB, as Fargate offers them on Linux.
FARGATE_SIZES: Mapping[int, Sequence[int]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}

# Refused when they are not empty: to ignore them would be to run something else than was asked for.
NOT_HERE_TASK = ("volumes", "placementConstraints", "proxyConfiguration", "inferenceAccelerators")
NOT_HERE_CONTAINER = (
    "mountPoints",
    "volumesFrom",
    "environmentFiles",
    "dependsOn",
    "links",
    "dnsServers",
    "dnsSearchDomains",
    "extraHosts",
    "dockerSecurityOptions",
    "resourceRequirements",
    "privileged",
    "disableNetworking",
    "firelensConfiguration",
    "repositoryCredentials",
    "restartPolicy",
    "systemControls",
    "credentialSpecs",
)


def client_error(message: str) -> ServiceError:
    return ServiceError("ClientException", message)


def normalise(request: Mapping[str, Any]) -> dict[str, Any]:
    """What AWS would store for this request. Raises ServiceError as AWS does, and for what cannot run here."""
    _check_length(request)
    _check_task(request)
    containers = [_container(c) for c in request["containerDefinitions"]]
    _check_containers(request, containers)
    body = {k: v for k, v in request.items() if k != "tags"}
    compatible = list(body.get("requiresCompatibilities") or ["EC2", "FARGATE"])
    return body | {
        "containerDefinitions": containers,
        "volumes": [],
        "placementConstraints": [],
        "requiresCompatibilities": compatible,
        "compatibilities": sorted({"EC2", "FARGATE"} | set(compatible)),
    }


def _check_length(request: Mapping[str, Any]) -> None:
    length = len(json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode())
    if length > LONGEST:
        raise client_error(f"Actual length: '{length}'. Max allowed length is '{LONGEST}' bytes.")


def _check_task(request: Mapping[str, Any]) -> None:
    family = str(request.get("family", ""))
    if not FAMILY.match(family):
        raise client_error("Family contains invalid characters when it should only contain letters, numbers, -, _")
    if not request.get("containerDefinitions"):
        raise client_error("Container list cannot be empty.")
    _refuse_unsupported(request, NOT_HERE_TASK, "task definition")
    if request.get("networkMode") != "awsvpc":
        raise client_error("Fargate only supports network mode ‘awsvpc’.")
    _check_size(request.get("cpu"), request.get("memory"))


def _refuse_unsupported(given: Mapping[str, Any], refused: Sequence[str], where: str) -> None:
    for member in refused:
        if given.get(member):
            raise client_error(f"The local cloud does not run a {where} with {member}; AWS would.")


def _check_size(cpu: Any, memory: Any) -> None:
    units, mebibytes = _units(cpu, "vcpu"), _units(memory, "gb")
    if mebibytes not in FARGATE_SIZES.get(units, ()):
        raise client_error(f"No Fargate configuration exists for given values: {units} CPU, {mebibytes} memory.")


def _units(value: Any, unit: str) -> int:
    """`256`, `.25 vCPU` and `2 GB` as CPU units or MiB; 0 for what is neither."""
    text = str(value or "").strip().lower()
    try:
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * 1024)
        return int(text)
    except ValueError:
        return 0


def size(body: Mapping[str, Any]) -> tuple[int, int]:
    """A stored task definition's CPU units and MiB."""
    return _units(body.get("cpu"), "vcpu"), _units(body.get("memory"), "gb")


def _container(given: Mapping[str, Any]) -> dict[str, Any]:
    _refuse_unsupported(given, NOT_HERE_CONTAINER, "container")
    ports = [{"protocol": "tcp", "hostPort": p["containerPort"], **p} for p in given.get("portMappings") or ()]
    defaults = {"cpu": 0, "essential": True, "environment": [], "mountPoints": [], "volumesFrom": []}
    return {**defaults, **given, "portMappings": ports, "systemControls": []}


def _check_containers(request: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> None:
    names = [str(c.get("name", "")) for c in containers]
    for name, container in zip(names, containers, strict=True):
        if not CONTAINER_NAME.match(name):
            raise client_error("Container.name contains invalid characters.")
        if not container.get("image"):
            raise client_error("Container.image should not be null or empty.")
        if len(str(container["image"])) > 255:
            raise client_error("Container.image should be 255 characters or less")
        _check_stop_timeout(container)
    if len(set(names)) != len(names):
        raise client_error("Container name should be unique within a task definition.")
    if not any(c["essential"] for c in containers):
        raise client_error("Invalid setting for container(s). At least one container must be essential.")
    if not request.get("executionRoleArn"):
        _check_needs_no_execution_role(containers)


def _check_stop_timeout(container: Mapping[str, Any]) -> None:
    if not 0 <= int(container.get("stopTimeout", 30)) <= 120:
        raise client_error("Container.stopTimeout must be between 0 and 120 for Fargate.")


def _check_needs_no_execution_role(containers: Sequence[Mapping[str, Any]]) -> None:
    need = "Fargate requires task definition to have execution role ARN to support"
    for container in containers:
        if (container.get("logConfiguration") or {}).get("logDriver") == "awslogs":
            raise client_error(f"{need} log driver awslogs.")
        if ECR_HOST.match(Reference.parse(str(container["image"])).host):
            raise client_error(f"{need} ECR images.")
        if container.get("secrets"):
            raise client_error(f"{need} secrets.")
