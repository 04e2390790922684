"""A task's containers at Docker: what to create, and the few calls that we make."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound
from docker.types import Healthcheck, LogConfig, Ulimit

CLOUD_LABEL, TASK_LABEL, NAME_LABEL = "local-aws.cloud", "local-aws.task", "local-aws.container"
GROUP_LABEL = "local-aws.group"  # for people: `service:<name>`
DEFAULT_STOP_TIMEOUT = 30
MEBIBYTE = 1024 * 1024
NANOSECONDS = 1_000_000_000
NEVER = "0001-01-01"  # Docker's date of what has not happened
TRUSTS, BUNDLE = "SSL_CERT_FILE", "/local-aws/ca.pem"
"""The variable that says to a container whom to trust, and where it finds them."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A container to start: everything that Docker gets, in the task definition's own terms.

    `memory` in MiB, `cpu` in CPU units (1024 = one CPU; shares here, so that many tasks fit a small machine);
    `joins` is the Docker id of the container whose network it shares.
    """

    name: str
    task: str
    group: str
    image_id: str
    environment: Mapping[str, str]
    command: Sequence[str] | None
    entry_point: Sequence[str] | None
    memory: int | None
    cpu: int | None
    definition: Mapping[str, Any]
    joins: str | None = None


@dataclass(frozen=True)
class Seen:
    """What Docker says of a container."""

    running: bool
    ip: str | None
    mac: str | None
    exit_code: int | None
    out_of_memory: bool
    health: str | None


@dataclass(frozen=True)
class Happening:
    """An event of one of our containers: `die`, `oom`, or a health status."""

    task: str
    container: str
    docker_id: str
    kind: str
    exit_code: int | None
    health: str | None


class Containers:
    """Docker, limited to containers that carry our cloud's label.

    `bundle`: certificates of all whom a task trusts, this cloud's authority among them. On AWS its kind is in every
    image. A container that says itself whom to trust, by its definition or its image, is left alone.
    """

    def __init__(self, client: docker.APIClient, cloud_id: str, network: str, time_scale: float, bundle: Path) -> None:
        self._client = client
        self._cloud = cloud_id
        self._network = network
        self._scale = time_scale
        self._bundle = bundle

    def ensure_network(self) -> None:
        try:
            self._client.inspect_network(self._network)
        except NotFound:
            with contextlib.suppress(APIError):  # two tasks at once: the other one has just made it
                self._client.create_network(self._network, driver="bridge", check_duplicate=True)

    def gateway(self) -> str | None:
        """This machine's address in the tasks' network, which is made if it is not there."""
        self.ensure_network()
        ranges = self._client.inspect_network(self._network)["IPAM"]["Config"] or ()
        return next((str(each["Gateway"]) for each in ranges if each.get("Gateway")), None)

    def create(self, plan: Plan) -> str:
        """Docker's id of the new container. Raises APIError."""
        definition, trusts = plan.definition, self._trusts(plan)
        made = self._client.create_container(
            plan.image_id,
            command=list(plan.command) if plan.command is not None else None,
            entrypoint=list(plan.entry_point) if plan.entry_point is not None else None,
            environment=dict(plan.environment) | ({TRUSTS: BUNDLE} if trusts else {}),
            user=definition.get("user"),
            working_dir=definition.get("workingDirectory"),
            name=f"local-aws-{self._cloud}-{plan.task.rsplit('/', 1)[-1][:12]}-{plan.name}",
            labels={
                CLOUD_LABEL: self._cloud,
                TASK_LABEL: plan.task,
                NAME_LABEL: plan.name,
                GROUP_LABEL: plan.group,
            },
            healthcheck=self._healthcheck(definition.get("healthCheck")),
            host_config=self._host_config(plan, trusts),
        )
        return str(made["Id"])

    def _trusts(self, plan: Plan) -> Path | None:
        """The file that the container gets."""
        if not self._bundle.is_file() or TRUSTS in plan.environment:
            return None
        of_image = self._client.inspect_image(plan.image_id)["Config"].get("Env") or ()
        return None if any(each.startswith(f"{TRUSTS}=") for each in of_image) else self._bundle

    def _host_config(self, plan: Plan, trusts: Path | None) -> Any:
        definition = plan.definition
        return self._client.create_host_config(
            network_mode=f"container:{plan.joins}" if plan.joins else self._network,
            binds={str(trusts): {"bind": BUNDLE, "mode": "ro"}} if trusts else None,
            mem_limit=plan.memory * MEBIBYTE if plan.memory else None,
            # On Fargate a task has its CPU for itself; here it must at least not starve next to all others.
            cpu_shares=max(1024, plan.cpu) if plan.cpu else None,
            read_only=bool(definition.get("readonlyRootFilesystem")),
            init=bool((definition.get("linuxParameters") or {}).get("initProcessEnabled")),
            log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "2"}),
            ulimits=[
                Ulimit(name=u["name"], soft=u["softLimit"], hard=u["hardLimit"])
                for u in definition.get("ulimits") or ()
            ],
        )

    def _healthcheck(self, check: Mapping[str, Any] | None) -> Healthcheck | None:
        if check is None:
            return None

        def nanoseconds(seconds: float) -> int:
            return int(seconds * self._scale * NANOSECONDS)

        return Healthcheck(
            test=check["command"],
            interval=nanoseconds(check.get("interval", 30)),
            timeout=nanoseconds(check.get("timeout", 5)),
            retries=check.get("retries", 3),
            start_period=nanoseconds(check.get("startPeriod", 0)),
        )

    def start(self, docker_id: str) -> Seen:
        """Raises APIError when it does not start."""
        self._client.start(docker_id)
        return self.look(docker_id)

    def look(self, docker_id: str) -> Seen:
        """Raises NotFound when it is gone."""
        found = self._client.inspect_container(docker_id)
        state = found["State"]
        ended = not state["Running"] and not state["StartedAt"].startswith(NEVER)
        network = (found["NetworkSettings"]["Networks"] or {}).get(self._network, {})
        return Seen(
            running=bool(state["Running"]),
            ip=network.get("IPAddress") or None,
            mac=network.get("MacAddress") or None,
            exit_code=int(state["ExitCode"]) if ended else None,
            out_of_memory=bool(state.get("OOMKilled")),
            health=_health((state.get("Health") or {}).get("Status")),
        )

    def find(self, docker_id: str | None) -> Seen | None:
        """None when there is none, or none any more."""
        try:
            return self.look(docker_id) if docker_id else None
        except NotFound:
            return None

    def stop(self, docker_id: str, timeout: float) -> None:
        """SIGTERM, and SIGKILL after `timeout` seconds; returns when it has ended. Gone or ended is fine."""
        with contextlib.suppress(NotFound):
            self._client.stop(docker_id, timeout=int(timeout))

    def remove(self, docker_id: str) -> None:
        """Gone, or being removed by somebody else, is fine."""
        try:
            self._client.remove_container(docker_id, v=True, force=True)
        except APIError as error:
            if error.status_code not in (404, 409):
                raise

    def of_task(self, task: str) -> dict[str, str]:
        """Container name -> Docker id of every container that carries the task's label, running or not."""
        return {c["Labels"].get(NAME_LABEL, ""): c["Id"] for c in self._list(f"{TASK_LABEL}={task}")}

    def all(self) -> dict[str, str]:
        """Docker id -> task ARN of every task's container that this cloud has at Docker."""
        return {c["Id"]: c["Labels"].get(TASK_LABEL, "") for c in self._list(TASK_LABEL)}

    def _list(self, *labels: str) -> list[dict[str, Any]]:
        wanted = [f"{CLOUD_LABEL}={self._cloud}", *labels]
        found: list[dict[str, Any]] = self._client.containers(all=True, filters={"label": wanted})
        return found

    def events(self, since: float, opened: Callable[[Any], None]) -> Iterator[Happening]:
        """Our tasks' containers' ends and health changes as they happen; `opened` gets what can be closed."""
        filters = {
            "type": "container",
            "label": [f"{CLOUD_LABEL}={self._cloud}", TASK_LABEL],
            "event": ["die", "oom", "health_status"],
        }
        stream = self._client.events(since=since, filters=filters, decode=True)
        opened(stream)
        for event in stream:
            about = event["Actor"]["Attributes"]
            kind, _, detail = event["Action"].partition(": ")
            yield Happening(
                task=about.get(TASK_LABEL, ""),
                container=about.get(NAME_LABEL, ""),
                docker_id=event["Actor"]["ID"],
                kind=kind,
                exit_code=int(about["exitCode"]) if "exitCode" in about else None,
                health=_health(detail),
            )

    def logs(self, docker_id: str, since: float) -> Iterator[bytes]:
        """The container's output from `since` on (0: all of it), a timestamped line at a time, until it ends."""
        stream: Iterator[bytes] = self._client.logs(
            docker_id, stdout=True, stderr=True, stream=True, follow=True, timestamps=True, since=since or None
        )
        return stream


def _health(status: str | None) -> str | None:
    """Docker's word for a health check's state as ECS's; None without a check."""
    return {"starting": "UNKNOWN", "healthy": "HEALTHY", "unhealthy": "UNHEALTHY"}.get(status or "")
