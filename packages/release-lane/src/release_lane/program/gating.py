"""The gates as Pulumi resources of the `release` provider (see `gates/`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pulumi

from release_lane.program.hold import Hold
from release_lane.record.inputs import GATE_OUTPUTS, ImageInputs, RolloutInputs, SmokeInputs, SwitchInputs
from release_lane.record.records import OUTPUTS


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


def image_gate(inputs: ImageInputs) -> GateResource:
    """The registry has the digest."""
    return GateResource("Image", inputs.as_dict(), pulumi.ResourceOptions())


def rollout_gate(inputs: RolloutInputs, *, after: pulumi.Resource) -> GateResource:
    """The colour runs the digest and is fully healthy; looked at after its resources were written."""
    return GateResource("Rollout", inputs.as_dict(), pulumi.ResourceOptions(depends_on=[after]))


def smoke_gate(inputs: SmokeInputs, *, after: GateResource) -> GateResource:
    """The smoke checks pass on the colour's test listener."""
    return GateResource("SmokeGate", inputs.as_dict(), pulumi.ResourceOptions(depends_on=[after]))


def traffic_switch(inputs: SwitchInputs, everything: Sequence[pulumi.Resource], hold: Hold) -> TrafficSwitchResource:
    """Users are moved after everything else of the stack is as it should be. Without the switch they have no rule."""
    return TrafficSwitchResource(
        inputs.as_dict(),
        pulumi.ResourceOptions.merge(pulumi.ResourceOptions(depends_on=list(everything)), hold.protect()),
    )
