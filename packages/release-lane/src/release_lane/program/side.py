"""A colour in this update: what it holds, and the options that keep it as it is.

The template registers the resources of a colour (a subclass of `Side`); what may be changed of them is said here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import ecs

from release_lane.decide.foundations import COLOUR
from release_lane.program.hold import Hold, frozen, merged
from release_lane.record.placement import Colour, Release


@dataclass(frozen=True, kw_only=True)
class Held:
    """What one colour holds in this update, and how much of it may change.

    `container` is the definition of the release's container. `written`: this update may change the task definition and
    the service; `scaled`: of the service the number of tasks alone, and no task is restarted. `retry_of` is the ECS
    deployment that must not be mistaken for the one to come. `after` are gates to pass first.
    """

    colour: Colour
    name: str
    release: Release
    container: Mapping[str, Any]
    tasks: int
    written: bool
    scaled: bool
    retry_of: str
    hold: Hold
    after: Sequence[pulumi.Resource] = ()

    @property
    def triggers(self) -> dict[str, str] | None:
        """Of the service: another value starts a deployment, although nothing else differs."""
        return {"retryOf": self.retry_of} if self.retry_of else None

    @property
    def restarts(self) -> bool:
        """The service's `force_new_deployment`: a release that is started starts its own tasks."""
        return not self.scaled

    def task_definition_options(self, parent: pulumi.Resource) -> pulumi.ResourceOptions:
        """For the task definition: written after the gates that come before, or left as it is."""
        after = pulumi.ResourceOptions(depends_on=list(self.after) if self.written else [])
        return merged(pulumi.ResourceOptions(parent=parent), frozen(unless=self.written), after)

    def service_options(
        self, parent: pulumi.Resource, *, given: Sequence[str], after: Sequence[pulumi.Resource]
    ) -> pulumi.ResourceOptions:
        """For the service: written, scaled, or left as it is.

        `given` names the properties that the service is given besides its number of tasks: none of them changes when it
        is only scaled. `after` is what has to exist before tasks start.
        """
        kept = pulumi.ResourceOptions(ignore_changes=list(given)) if self.scaled else frozen(unless=self.written)
        rest = pulumi.ResourceOptions(depends_on=list(after), protect=self.hold.settled and not self.written)
        follows = self.hold.follow("networkConfiguration")
        return merged(pulumi.ResourceOptions(parent=parent), kept, rest, follows)


class Side(pulumi.ComponentResource):
    """One colour's task definition and service, named as `Held` says; the gates look at both."""

    task_definition: ecs.TaskDefinition
    service: ecs.Service

    def __init__(self, held: Held) -> None:
        super().__init__(COLOUR, held.name, None, None)
