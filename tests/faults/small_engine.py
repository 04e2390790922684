"""The real program and the real gates without the engine's process: updates that take a second instead of five.

Pulumi's mocks hand each resource here once its inputs are known. Those of the gates go to the `release` provider over
gRPC, with the state of the update before, as the engine does it; those of AWS only count as done. So it tells only
stories in which the program changes nothing in AWS itself: traffic-only switches, and updates that keep what is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from tests.kit.serving import Client, Refusal, plain
from tests.program.mocks import World, run

from tools.lane import PROJECT, Stack

OURS = "release:index:"


@dataclass(frozen=True)
class Ended:
    """How an update ended: the error's text, "" for a success."""

    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.error


@dataclass
class SmallEngine:
    """Updates of one environment. `state` is (inputs, outputs) of each gate; `record` the stack's outputs."""

    stack: Stack
    client: Client
    state: dict[str, tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens in the world before a gate of this name begins, in the next update."""

    def __post_init__(self) -> None:
        self.record = self.record or dict(self.stack.outputs)

    def up(self, **config: str) -> Ended:
        """One update; a failed one changes no record."""
        raw = {f"{PROJECT}:{key}": value for key, value in config.items()}
        outputs = {"artifacts": self._artifacts, self.stack.name: self.record}
        world = _World(outputs=outputs, state=self._held, engine=self)
        try:
            run(world, raw, stack=self.stack.name)
        except Exception as error:
            return Ended(f"{type(error).__name__}: {error}")
        if world.refusals:
            return Ended("\n".join(world.refusals))
        self.record = world.recorded(self.record)
        return Ended()

    @property
    def _artifacts(self) -> Mapping[str, Any]:
        return {"repositoryUrl": self.stack.lane.repository}

    @property
    def _held(self) -> Mapping[str, Any]:
        """What the state holds: these stories change nothing of it."""
        file = self.stack.lane.folder / f"state/.pulumi/stacks/{PROJECT}/{self.stack.name}.json"
        resources = json.loads(file.read_text())["checkpoint"]["latest"]["resources"]
        return {each["urn"]: {"type": each["type"], "outputs": each.get("outputs") or {}} for each in resources}


def _nothing() -> None:
    """Happens mostly."""


@dataclass
class _World(World):
    engine: SmallEngine | None = None
    refusals: list[str] = field(default_factory=list)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token != "release:index:observe":
            return super().call(args)
        found = self._client.call("Invoke", "InvokeRequest", tok=args.token, args=args.args)
        return plain(getattr(found, "return"))

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if not args.typ.startswith(OURS):
            return super().new_resource(args)
        try:
            outputs = self._made(args)
        except Refusal as refusal:
            self.refusals.append(f"{refusal.code.name}: {refusal.message}")
            raise
        assert self.engine is not None
        self.engine.state[args.name] = (dict(args.inputs), outputs)
        return args.name, outputs

    @property
    def _client(self) -> Client:
        assert self.engine is not None
        return self.engine.client

    def _made(self, args: pulumi.runtime.MockResourceArgs) -> dict[str, Any]:
        """Create, update, or leave as it is, as its diff says."""
        assert self.engine is not None
        self.engine.before.pop(args.name, _nothing)()
        urn = f"urn:pulumi:{self.engine.stack.name}::{PROJECT}::{args.typ}::{args.name}"
        if args.name not in self.engine.state:
            return plain(self._client.create(args.inputs, urn=urn).properties)
        inputs, outputs = self.engine.state[args.name]
        given = {"urn": urn, "id": args.name, "olds": outputs, "old_inputs": inputs, "news": args.inputs}
        if not self._client.call("Diff", "DiffRequest", **given).diffs:
            return outputs
        return plain(self._client.call("Update", "UpdateRequest", **given).properties)

    def recorded(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs of the switch are the stack's."""
        assert self.engine is not None
        return {**before, **self.engine.state["traffic-switch"][1]}
