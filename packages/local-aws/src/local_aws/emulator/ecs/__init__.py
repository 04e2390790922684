"""Elastic Container Service over Docker: our own, small, and truthful about deployments.

    api ──> actions ──> store <── control (asks scheduler, the pure part)
                          ^           └──> tasks ──> starting, ending ──> containers, images, logs, registration
                          └────────────────────────────────┘

How it behaves, and where AWS differs
- Only what Fargate's rolling deployments need: launch type FARGATE, network mode awsvpc, scheduling REPLICA. A request
  for more (volumes, dependsOn, service connect, capacity providers, …) is refused, never ignored.
- A task is on the Docker network of this cloud, with an address of its own; its subnets and security groups are only
  shown. CPU is a share, not a limit; memory is a limit. There is no metadata endpoint. A task with a task role gets the
  emulator's endpoint and credentials as variables; on Fargate it gets credentials from an address, and what its role
  permits counts.
- The registry is asked for every start, so an image must be there even when Docker has it; layers are not pulled again.
- AWS's seconds (grace period, back-off, container health checks, draining) are scaled; stopTimeout is the
  application's and is not. Starting takes well under a second here and half a minute on Fargate.
- Without a load balancer a task counts as started well once it has run for 10 (scaled) seconds.
- The circuit breaker counts tasks in a row that could not start, ended by themselves or failed a health check before
  they were healthy once. A FAILED deployment keeps what runs; tasks of older deployments are not replaced then.
- Unhealthy tasks are stopped first and replaced then; AWS starts the replacement first where maximumPercent allows.
- Events are written task by task where AWS gathers several into one sentence.

`start` makes it run, `stop` ends it (containers stay), `api.handle_request` is what ministack calls. Imports
happen late, so that the pure parts can be used where neither ministack nor Docker is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_aws.emulator.ecs.targets import TargetGroups


def start(targets: TargetGroups | None = None) -> None:
    """Begin with the state of before; `targets` are ELBv2's unless others are given.

    Raises docker.errors.DockerException when Docker is away.
    """
    from local_aws.emulator.ecs import running

    running.start(targets)


def stop() -> None:
    """Answer no more, move no more, and write the last state."""
    from local_aws.emulator.ecs import running

    running.stop()
