"""What the engine does with one resource, step by step, over the provider's own protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from provider_kit import Props
from tests.kit.serving import Client, Refusal, plain

Op = Literal["create", "update", "replace", "same"]
SIGNATURE = "4dabf18193072939515e22adb298388d"


@dataclass
class Managed:
    """One resource in a state file: what is recorded of it is in wire form, secrets wrapped.

    `failed` says that it was only half made; then the engine updates it whatever the diff says.
    """

    client: Client
    token: str
    name: str = "thing"
    id: str = ""
    inputs: Props = field(default_factory=dict)
    outputs: Props = field(default_factory=dict)
    failed: bool = False
    changed: list[str] = field(default_factory=list)
    """Property paths that the last `up` saw differ."""

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::project::{self.token}::{self.name}"

    def check(self, inputs: Mapping[str, Any]) -> Props:
        """The inputs with defaults. AssertionError with what is wrong."""
        wrong = self.wrong(inputs)
        assert wrong == {}, wrong
        return plain(self._check(inputs).inputs)

    def wrong(self, inputs: Mapping[str, Any]) -> dict[str, str]:
        """What a check refuses: property -> why."""
        return {failure.property: failure.reason for failure in self._check(inputs).failures}

    def _check(self, inputs: Mapping[str, Any]) -> Any:
        return self.client.check(inputs, self.inputs, urn=self.urn, randomSeed=b"seed")

    def diff(self, inputs: Mapping[str, Any]) -> Any:
        """What an update to these checked inputs would change."""
        place = {"urn": self.urn, "id": self.id}
        return self.client.call(
            "Diff", "DiffRequest", **place, olds=self.outputs, old_inputs=self.inputs, news=dict(inputs)
        )

    def up(self, inputs: Mapping[str, Any]) -> Op:
        """Make it so; what had to be done. Raises Refusal, after which the state is what the engine would keep."""
        news = self.check(inputs)
        if not self.id:
            self._create(news)
            return "create"
        diff = self.diff(news)
        self.changed = sorted(diff.detailedDiff)
        if diff.replaces:
            self._replace(inputs, first_delete=diff.deleteBeforeReplace)
            return "replace"
        if diff.changes == diff.DIFF_NONE and not self.failed:
            self.inputs = news
            return "same"
        self._update(news)
        return "update"

    def _create(self, news: Props) -> None:
        try:
            made = self.client.create(news, urn=self.urn)
        except Refusal as refusal:
            self._keep(refusal, news)
            raise
        self.id, self.inputs, self.outputs, self.failed = made.id, news, _kept(made.properties), False

    def _update(self, news: Props) -> None:
        place = {"urn": self.urn, "id": self.id}
        try:
            made = self.client.call(
                "Update", "UpdateRequest", **place, olds=self.outputs, old_inputs=self.inputs, news=news
            )
        except Refusal as refusal:
            self._keep(refusal, news)
            raise
        self.inputs, self.outputs, self.failed = news, _kept(made.properties), False

    def _keep(self, refusal: Refusal, news: Props) -> None:
        if refusal.kept is not None:
            self.id, self.inputs, self.failed = refusal.kept.id, news, True
            self.outputs = _kept(refusal.kept.properties)

    def _replace(self, inputs: Mapping[str, Any], *, first_delete: bool) -> None:
        old = Managed(self.client, self.token, self.name, self.id, self.inputs, self.outputs)
        self.inputs = {}  # the engine checks again as for a new one: it gets another made-up name
        news = self.check(inputs)
        if first_delete:
            old.destroy()
        self._create(news)
        if not first_delete:
            old.destroy()

    def preview(self, inputs: Mapping[str, Any]) -> Props:
        """What a preview shows of it."""
        news = self.check(inputs)
        if not self.id:
            return plain(self.client.create(news, urn=self.urn, preview=True).properties)
        made = self.client.call(
            "Update",
            "UpdateRequest",
            urn=self.urn,
            id=self.id,
            olds=self.outputs,
            old_inputs=self.inputs,
            news=news,
            preview=True,
        )
        return plain(made.properties)

    def refresh(self) -> Literal["same", "update", "gone"]:
        """Record what is live."""
        found = self.client.read(self.id, self.outputs, self.inputs, urn=self.urn)
        if not found.id:
            self.id, self.inputs, self.outputs = "", {}, {}
            return "gone"
        inputs, outputs = _kept(found.inputs), _kept(found.properties)
        same = (inputs, outputs) == (self.inputs, self.outputs)
        self.inputs, self.outputs = inputs, outputs
        return "same" if same else "update"

    def drift(self) -> Props:
        """Refresh, and say what has changed: property -> (recorded, live)."""
        before = {"inputs": self.inputs, "outputs": self.outputs}
        self.refresh()
        after = {"inputs": self.inputs, "outputs": self.outputs}
        return {
            f"{kind}.{name}": (before[kind].get(name), after[kind].get(name))
            for kind in before
            for name in before[kind].keys() | after[kind].keys()
            if before[kind].get(name) != after[kind].get(name)
        }

    def adopt(self, id: str) -> None:
        """Import what is there already. AssertionError when it is not."""
        found = self.client.read(id, {}, {}, urn=self.urn)
        assert found.id, f"{id} is not there"
        self.id, self.inputs, self.outputs = found.id, _kept(found.inputs), _kept(found.properties)

    def destroy(self) -> None:
        """Delete it. Raises Refusal; then it stays in the state."""
        self.client.call(
            "Delete", "DeleteRequest", urn=self.urn, id=self.id, properties=self.outputs, old_inputs=self.inputs
        )
        self.id, self.inputs, self.outputs = "", {}, {}

    def in_clear(self) -> str:
        """All of the state that is not marked as secret, as text."""
        return json.dumps([list(_clear(self.inputs)), list(_clear(self.outputs))])


def _kept(properties: Any) -> Props:
    """What the engine keeps of an answer: no secret of nothing, which it could not hand over again."""
    nothing = {"value": None}
    return {
        name: value
        for name, value in plain(properties).items()
        if not (isinstance(value, dict) and SIGNATURE in value and value.items() >= nothing.items())
    }


def _clear(value: Any) -> Iterator[Any]:
    match value:
        case dict() if SIGNATURE in value:
            return
        case dict():
            for key, item in value.items():
                yield key
                yield from _clear(item)
        case list():
            for item in value:
                yield from _clear(item)
        case _:
            yield value
