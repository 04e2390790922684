"""`service` and `healthCheck`: how the container runs, and when it counts as healthy."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from release_lane.record.asking import HEALTH_PATH, STATUS_PATH
from release_lane.settings.section import Section, sound

FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
}
"""CPU units to MiB that Fargate accepts (AWS: Amazon ECS task definition parameters for Fargate, task size)."""

PATH = re.compile(r"/[\x21-\x7e]{0,1023}")


def health_path(path: str) -> str:
    """At most 1,024 characters (AWS/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html); that they are
    printable ASCII without blanks is what the API answers to others."""
    if PATH.fullmatch(path):
        return ""
    return "should begin with /, and have at most 1024 printable ASCII characters without a blank (write %20)"


def status_path(path: str) -> str:
    """A path that checks and probes ask for, by the same rule as `health_path`; "" means that there is none."""
    return health_path(path) if path else ""


HealthPath = Annotated[str, sound(health_path)]
StatusPath = Annotated[str, sound(status_path)]


class ServiceSettings(Section):
    """`service`: how the container runs. `statusPath` is empty where it has none."""

    cpu: Literal[256, 512, 1024, 2048, 4096] = 256
    memory: int = 512
    desired_count: int = Field(default=2, ge=1, le=200)
    port: int = Field(default=8080, ge=1, le=65535)
    health_path: HealthPath = HEALTH_PATH
    status_path: StatusPath = STATUS_PATH


class HealthCheckSettings(Section):
    """`healthCheck`: when the load balancer calls a target healthy (AWS: 5 to 300 s, timeout below interval)."""

    interval_seconds: int = Field(default=5, ge=5, le=300)
    timeout_seconds: int = Field(default=2, ge=2, le=120)
    healthy_threshold: int = Field(default=2, ge=2, le=10)
    unhealthy_threshold: int = Field(default=2, ge=2, le=10)
    drain_seconds: int = Field(default=30, ge=0, le=3600)


def service_problems(service: ServiceSettings, health_check: HealthCheckSettings) -> list[str]:
    """What several keys together get wrong."""
    problems = []
    memory = FARGATE_MEMORY[service.cpu]
    if service.memory not in memory:
        allowed = ", ".join(map(str, memory))
        problems.append(f"service.memory: with cpu {service.cpu} Fargate takes one of {allowed}")
    if health_check.timeout_seconds >= health_check.interval_seconds:
        problems.append("healthCheck.timeoutSeconds: must be less than healthCheck.intervalSeconds")
    return problems
