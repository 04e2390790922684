"""Elastic Container Service over Docker: our own, small, and truthful about deployments.

    api ──> actions ──> store <── control (asks scheduler, the pure part)
                          ^           └──> tasks ──> starting, ending ──> containers, images, logs, registration
                          └────────────────────────────────┘

`start` makes it run, `stop` ends it (containers stay), `api.handle_request` is what ministack calls. Imports
happen late, so that the pure parts can be used where neither ministack nor Docker is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.emulator.ecs.targets import TargetGroups


def start(targets: TargetGroups | None = None) -> None:
    """Begin with the state of before; `targets` are ELBv2's unless others are given.

    Raises docker.errors.DockerException when Docker is away.
    """
    from local.emulator.ecs import running

    running.start(targets)


def stop() -> None:
    """Answer no more, move no more, and write the last state."""
    from local.emulator.ecs import running

    running.stop()
