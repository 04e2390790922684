"""What the engine's state of one stack says, read from `pulumi stack export`. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from release_lane.record.container import release_in
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Recorded
from release_lane.record.revisions import Schema

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key by which the engine marks a mapping as something else than data, such as an encrypted secret
(pulumi/pulumi: sdk/go/common/resource/sig)."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the last update gave a colour, by the stack's state; AWS may differ by now."""

    release: Release | None
    tasks: int


@dataclass(frozen=True, kw_only=True)
class StackState:
    """One stack's state. `pending` are URNs of operations that a killed update left unfinished.

    `schema`: the database's, as migrations left it. `exported` is all of it, as the engine wrote it; what is secret
    there is encrypted.
    """

    outputs: Mapping[str, Any] = field(default_factory=dict)
    held: Mapping[Colour, Held] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    schema: Schema = field(default_factory=Schema)
    exported: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def recorded(self) -> Recorded | None:
        """The environment's record; None before its first release."""
        return Recorded.from_outputs(self.outputs)

    @staticmethod
    def of(stack: str, project: str, exported: Mapping[str, Any]) -> StackState:
        """Read what `pulumi stack export` wrote."""
        deployment = exported.get("deployment") or {}
        # A replaced resource stays in the state until it is deleted, under the same URN as the one in its place.
        resources = [each for each in deployment.get("resources") or () if not each.get("delete")]
        root: Mapping[str, Any] = next((each for each in resources if each["type"] == "pulumi:pulumi:Stack"), {})
        prefix = f"{project}-{stack}"
        return StackState(
            outputs=root.get("outputs") or {},
            held={colour: _held(resources, f"{prefix}-{colour}") for colour in Colour},
            pending=tuple(each["resource"]["urn"] for each in deployment.get("pending_operations") or ()),
            schema=Schema.from_resources({each["urn"]: each for each in resources}, f"{prefix}-migration"),
            exported=exported,
        )


def _held(resources: Iterable[Mapping[str, Any]], name: str) -> Held:
    found = {each["type"]: each.get("inputs") or {} for each in resources if each["urn"].endswith(f"::{name}")}
    definitions = found.get("aws:ecs/taskDefinition:TaskDefinition", {}).get("containerDefinitions")
    tasks = found.get("aws:ecs/service:Service", {}).get("desiredCount")
    release = release_in(json.loads(definitions), "app") if isinstance(definitions, str) else None
    return Held(release=release, tasks=int(tasks or 0))
