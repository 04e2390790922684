"""What a deployment registers, resource by resource: an environment that is live keeps all of it through an upgrade.

`registered.json` has each resource as the engine gets it. More may be registered; none of these may be renamed,
moved below another parent, or given other inputs or options without a thought for the states that are there. To write
it anew: `UPDATE=1 pytest tests/infra/test_registered.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from release_lane.record.placement import Colour
from tests.program.mocks import (
    ARTIFACTS,
    FIRST,
    SECOND,
    Monitor,
    World,
    observed,
    outputs_of,
    release,
    run,
    standing_on,
)

pytestmark = pytest.mark.program
KEPT = Path(__file__).parent / "registered.json"
OPTIONS = ("parent", "protect", "ignoreChanges", "aliases", "replaceOnChanges", "deleteBeforeReplace", "retainOnDelete")
SETTINGS: dict[str, Any] = {
    "imageDigest": SECOND,
    "alarms": {"errorPercent": 5, "latencySeconds": 1.5, "unhealthyTargets": 1},
    "testAccess": ["192.0.2.0/24"],
    "secrets": {"DB": "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf:password::"},
    "env": {"LOG_LEVEL": "info"},
}


class Listening(Monitor):
    """Keeps what the engine gets."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.heard: dict[str, dict[str, Any]] = {}

    def RegisterResource(self, request: Any) -> Any:
        told = MessageToDict(request)
        kept = {key: told[key] for key in OPTIONS if told.get(key)}
        if request.custom and request.type.startswith("aws:"):
            # Of gates the inputs are the library's own affair: they change with releases.
            kept["inputs"] = told["object"]
        if not request.type.startswith("pulumi:"):
            self.heard[f"{request.type} {request.name}"] = kept
        return super().RegisterResource(request)


@pytest.fixture
def registered() -> dict[str, dict[str, Any]]:
    """FIRST is live on blue, in an environment of 0.2.0, and SECOND is deployed."""
    seen = observed(blue=release(FIRST), live=Colour.BLUE, image=SECOND)
    outputs = {**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)}
    world = World(outputs=outputs, observed=seen, state=standing_on(blue="", green=""))
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in SETTINGS.items()}
    listening = Listening(world)
    run(world, {f"release-lane:{key}": value for key, value in config.items()}, monitor=listening)
    return listening.heard


def test_what_a_deployment_registers_is_registered_as_ever(registered: dict[str, dict[str, Any]]) -> None:
    if os.environ.get("UPDATE"):
        lines = (f"{json.dumps(name)}: {json.dumps(registered[name], sort_keys=True)}" for name in sorted(registered))
        KEPT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    kept = json.loads(KEPT.read_text())
    assert len(kept) > 40
    assert {name: registered.get(name) for name in kept} == kept
