"""The gates as Pulumi resources of the `release` provider (see `gates/`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pulumi

from release_lane.decide.lineage import is_about_order
from release_lane.program.hold import Hold
from release_lane.program.side import Side
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Release
from release_lane.record.records import OUTPUTS

GATE_OUTPUTS = ("passedFor", "detail")


class GateResource(pulumi.CustomResource):
    """One gate; `passedFor` is what it hands to the next."""

    passedFor: pulumi.Output[dict[str, Any]]

    def __init__(self, kind: str, inputs: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        props = {**inputs, **dict.fromkeys(GATE_OUTPUTS)}
        super().__init__(f"release:index:{kind}", _logical(kind), props, opts)


class TrafficSwitchResource(pulumi.CustomResource):
    """The switch; its outputs are the stack's record."""

    exported: ClassVar[tuple[str, ...]] = OUTPUTS
    url: pulumi.Output[str]
    liveColour: pulumi.Output[str]
    imageDigest: pulumi.Output[str]
    commit: pulumi.Output[str]
    releaseId: pulumi.Output[str]
    liveRelease: pulumi.Output[dict[str, Any]]
    previousDigest: pulumi.Output[str]
    previousRelease: pulumi.Output[dict[str, Any]]
    liveHistory: pulumi.Output[list[Any]]
    evidence: pulumi.Output[list[Any]]

    def __init__(self, inputs: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        props = {**inputs, **dict.fromkeys(self.exported)}
        super().__init__("release:index:TrafficSwitch", "traffic-switch", props, opts)


def _logical(kind: str) -> str:
    return {"Image": "image", "Rollout": "rollout", "SmokeGate": "smoke"}[kind]


def image_gate(names: Names, release: Release, *, active: bool, unchecked: Sequence[str]) -> GateResource:
    """The registry has the digest. `unchecked` is what no gate can see of this update; the image's part is this
    gate's to say, the order of commits the switch's."""
    inputs = {
        "active": active,
        "digest": release.digest,
        "environment": names.as_dict(),
        "unchecked": [each for each in unchecked if not is_about_order(each)],
    }
    return GateResource("Image", inputs, pulumi.ResourceOptions())


def rollout_gate(
    names: Names,
    release: Release,
    colour: Colour,
    *,
    side: Side,
    tasks: int,
    starts: bool,
    corrects: bool,
    retry_of: str,
    runs: str,
    active: bool,
    deadline: int,
    image: GateResource,
) -> GateResource:
    """The colour runs the digest, fully healthy."""
    inputs = {
        "active": active,
        "digest": release.digest,
        "colour": str(colour),
        "tasks": tasks,
        "port": release.service.port,
        "healthPath": release.service.health_path,
        "starts": starts,
        "corrects": corrects,
        "retryOf": retry_of,
        # What was just written there; or else what the colour was seen to run when this update decided.
        "taskDefinition": side.task_definition.arn if corrects else runs,
        "deadlineSeconds": deadline,
        "passOfBefore": image.passedFor,
        "environment": names.as_dict(),
    }
    return GateResource("Rollout", inputs, pulumi.ResourceOptions(depends_on=[side]))


def smoke_gate(
    names: Names, release: Release, colour: Colour, *, active: bool, deadline: int, rollout: GateResource
) -> GateResource:
    """The smoke checks pass on the colour's test listener."""
    inputs = {
        "active": active,
        "digest": release.digest,
        "commit": release.commit,
        "colour": str(colour),
        "asked": release.service.asked.as_dict(),
        "deadlineSeconds": deadline,
        "passOfBefore": rollout.passedFor,
        "environment": names.as_dict(),
    }
    return GateResource("SmokeGate", inputs, pulumi.ResourceOptions(depends_on=[rollout]))


def traffic_switch(
    names: Names, inputs: dict[str, Any], smoke: GateResource, everything: Sequence[pulumi.Resource], hold: Hold
) -> TrafficSwitchResource:
    """Users are moved after everything else of the stack is as it should be. Without the switch they have no rule."""
    return TrafficSwitchResource(
        {**inputs, "passOfBefore": smoke.passedFor, "environment": names.as_dict()},
        pulumi.ResourceOptions.merge(pulumi.ResourceOptions(depends_on=[smoke, *everything]), hold.protect()),
    )
