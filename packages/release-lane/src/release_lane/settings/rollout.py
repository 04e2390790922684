"""`rollout` and `smoke`: for how long tasks may take to start, and the smoke checks to pass."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from release_lane.record.asking import Identify
from release_lane.settings.section import Section
from release_lane.settings.service import ServiceSettings


class RolloutSettings(Section):
    """`rollout`: for how long tasks may take to start without a terminal failure.

    `graceSeconds`: failing health checks of a task younger than that do not count (ECS health check grace period).
    """

    grace_seconds: int = Field(default=30, ge=0, le=3600)
    deadline_seconds: int = Field(default=300, ge=10, le=3600)


class SmokeSettings(Section):
    """`smoke`: for how long the checks may be repeated before they count as failed.

    `identify`: how answers say which release they are. It belongs to a release, as `service` does.
    """

    deadline_seconds: int = Field(default=20, ge=1, le=900)
    identify: Annotated[Identify, Field(strict=False)] = Identify.STATUS


def smoke_problems(smoke: SmokeSettings, service: ServiceSettings) -> list[str]:
    """Can answers say which release they are as `identify` says?"""
    if smoke.identify is Identify.STATUS and not service.status_path:
        return ["smoke.identify: status needs a service.statusPath; without one give header or none"]
    return []
