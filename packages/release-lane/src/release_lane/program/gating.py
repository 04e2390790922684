"""The gates as Pulumi resources of the `release` provider (`release_lane.gates`), in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pulumi

from release_lane.program.hold import Hold
from release_lane.record.inputs import (
    GATE_OUTPUTS,
    ImageInputs,
    MigrationInputs,
    RolloutInputs,
    SmokeInputs,
    SwitchInputs,
)

CHECKS = {"SmokeGate": "smoke"}
"""What a colour has to pass on its test listener between Rollout and the switch, in order: each gate by the name of
its class in release_lane.gates, and the logical name of its resource, which states keep."""


class GateResource(pulumi.CustomResource):
    """One gate; `passedFor` is what it hands to the next."""

    passedFor: pulumi.Output[dict[str, Any]]

    def __init__(self, kind: str, name: str, inputs: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        props = {**inputs, **dict.fromkeys(GATE_OUTPUTS)}
        super().__init__(f"release:index:{kind}", name, props, opts)


class TrafficSwitchResource(pulumi.CustomResource):
    """The switch; its outputs are the stack's record."""

    exported: tuple[str, ...]
    """The outputs that the stack hands out."""
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

    def __init__(self, inputs: dict[str, Any], exported: tuple[str, ...], opts: pulumi.ResourceOptions) -> None:
        self.exported = exported
        props = {**inputs, **dict.fromkeys(exported)}
        super().__init__("release:index:TrafficSwitch", "traffic-switch", props, opts)


def image_gate(inputs: ImageInputs) -> GateResource:
    """The registry has the digest."""
    return GateResource("Image", "image", inputs.as_dict(), pulumi.ResourceOptions())


def migration_gate(inputs: MigrationInputs, *, after: Sequence[pulumi.Resource]) -> GateResource:
    """The database's schema is what the release needs."""
    return GateResource("Migration", "migration", inputs.as_dict(), pulumi.ResourceOptions(depends_on=list(after)))


def rollout_gate(inputs: RolloutInputs, *, after: pulumi.Resource) -> GateResource:
    """The colour runs the digest and is fully healthy; looked at after its resources were written."""
    return GateResource("Rollout", "rollout", inputs.as_dict(), pulumi.ResourceOptions(depends_on=[after]))


def checks(inputs: SmokeInputs, *, after: GateResource) -> GateResource:
    """Every gate of CHECKS, each with the pass of the one before; the last one opens the switch."""
    for kind, name in CHECKS.items():
        given = replace(inputs, pass_of_before=after.passedFor)
        after = GateResource(kind, name, given.as_dict(), pulumi.ResourceOptions(depends_on=[after]))
    return after


def traffic_switch(
    inputs: SwitchInputs, everything: Sequence[pulumi.Resource], hold: Hold, *, exported: tuple[str, ...]
) -> TrafficSwitchResource:
    """Users are moved after everything else of the stack is as it should be. Without the switch they have no rule."""
    # Protected as all that is shared, and never left as it is.
    opts = pulumi.ResourceOptions(depends_on=list(everything), protect=hold.shared)
    return TrafficSwitchResource(inputs.as_dict(), exported, opts)
