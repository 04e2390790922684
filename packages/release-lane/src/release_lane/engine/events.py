"""What the engine reported of one preview or update: its event log, read into plain values. Pure.

Source: `EngineEvent` of the Pulumi SDK (sdk/go/common/apitype/events.go), one JSON object a line. Debug messages
are skipped unread: the engine writes secrets into them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

UNCHANGED = frozenset({"same", "read", "refresh", "discard"})
"""Operations that change nothing in the cloud."""

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that a preview cannot know (sdk/go/common/resource/plugin: UnknownStringValue)."""

STACK = "pulumi:pulumi:Stack"

_BOILERPLATE = ("update failed", "preview failed", "an unhandled error occurred: the program exited")
_COLOURS = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_GRAVITY = ("same", "update", "create", "replace", "delete")
_REPLACING = frozenset({"replace", "create-replacement", "delete-replaced", "discard-replaced"})


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens to one resource. `op` is same, create, update, replace, delete, …; `paths` what changes.

    A component is not `custom`: it only groups others, and nothing of it exists in the cloud.
    """

    op: str
    urn: str
    type: str
    custom: bool = True
    paths: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    old_inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The logical name: the last part of the URN."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def changes(self) -> bool:
        """Is anything done to it at all?"""
        return self.op not in UNCHANGED


@dataclass(frozen=True)
class Message:
    """A message of the program, a provider or the engine; `urn` is the resource it is about ("" for the program).

    `mandatory`: of a policy that stops an update.
    """

    text: str
    urn: str = ""
    mandatory: bool = False

    @property
    def type(self) -> str:
        """The type of the resource it is about, "" for the program itself."""
        parts = self.urn.split("::")
        return parts[2].rsplit("$", 1)[-1] if len(parts) == 4 else ""


@dataclass(frozen=True, kw_only=True)
class EngineLog:
    """One run: its steps (one a resource), what was said, and how it ended ("" if the log breaks off)."""

    steps: tuple[Step, ...] = ()
    errors: tuple[Message, ...] = ()
    warnings: tuple[Message, ...] = ()
    infos: tuple[Message, ...] = ()
    policies: tuple[Message, ...] = ()
    began: tuple[str, ...] = ()
    """Names of what was begun to be changed, oldest first."""
    broke_off: bool = False
    """The engine did not come to its own end while something was being changed."""
    touched: bool = False
    """A step that changes something was finished, or was begun and failed, or was begun when the log breaks off."""
    refreshed: tuple[Step, ...] = ()
    """What a refresh found of each resource that it read: `same`, `update` or `delete`."""
    result: str = ""
    outputs: Mapping[str, Any] | None = None
    """The stack's outputs as the engine stored them at the end; None if the log does not say."""

    def step(self, type_: str) -> Step | None:
        """The step of the resource of this type; the first, if there are several."""
        return next((step for step in self.steps if step.type == type_), None)


def read_log(lines: Iterable[str]) -> EngineLog:
    """Read an event log; a last line that was cut off by a kill is left out."""
    events = [event for line in lines if (event := _event(line))]
    said = [diagnostic for event in events if (diagnostic := event.get("diagnosticEvent"))]
    began = tuple(dict.fromkeys(name for event in events if (name := _began(event))))
    result = next((str(e["summaryEvent"].get("result", "")) for e in events if "summaryEvent" in e), "")
    ended = any("summaryEvent" in event for event in events)
    return EngineLog(
        steps=_steps(event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event),
        errors=_errors(_messages(said, "error")),
        warnings=_messages(said, "warning"),
        infos=_messages(said, "info"),
        policies=tuple(_policy(event["policyEvent"]) for event in events if "policyEvent" in event),
        began=began,
        broke_off=bool(began) and not ended,
        touched=any(_touches(event) for event in events) or bool(began and not ended),
        refreshed=tuple(_refreshed(events)),
        result=result,
        outputs=_outputs(event["resOutputsEvent"] for event in events if "resOutputsEvent" in event),
    )


def _refreshed(events: Iterable[Mapping[str, Any]]) -> Iterator[Step]:
    """A refresh says first that it reads a resource, then what it found."""
    reading = set()
    for event in events:
        begun, ended = event.get("resourcePreEvent") or {}, event.get("resOutputsEvent") or {}
        if begun and begun["metadata"]["op"] == "refresh":
            reading.add(begun["metadata"]["urn"])
        if ended and ended["metadata"]["urn"] in reading:
            yield _step(ended["metadata"])


def _outputs(found: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Of a step that really is done. A stack that was registered and never got that far has none."""
    stacks = [each["metadata"] for each in found if not each.get("planning")]
    reported = [each.get("new") or {} for each in stacks if each.get("type") == STACK]
    return next((new["outputs"] for new in reversed(reported) if new.get("outputs")), None)


def _event(line: str) -> dict[str, Any] | None:
    if '"severity":"debug"' in line:
        return None
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return event


def _steps(found: Iterable[Mapping[str, Any]]) -> tuple[Step, ...]:
    """One step a resource: the several of a replacement become one `replace`."""
    steps: dict[str, Step] = {}
    for metadata in found:
        step = _step(metadata)
        earlier = steps.get(step.urn)
        steps[step.urn] = _together(earlier, step) if earlier else step
    return tuple(steps.values())


def _step(metadata: Mapping[str, Any]) -> Step:
    op = str(metadata["op"])
    changed = metadata.get("detailedDiff") or dict.fromkeys(metadata.get("diffs") or ())
    return Step(
        op="replace" if op in _REPLACING else op,
        urn=str(metadata["urn"]),
        type=str(metadata["type"]),
        custom=bool((metadata.get("new") or metadata.get("old") or {}).get("custom")),
        paths=tuple(sorted({*changed, *(metadata.get("keys") or ())})),
        inputs=(metadata.get("new") or {}).get("inputs") or {},
        old_inputs=(metadata.get("old") or {}).get("inputs") or {},
    )


def _together(earlier: Step, later: Step) -> Step:
    """The graver operation counts."""
    first = max(earlier, later, key=lambda step: _GRAVITY.index(step.op) if step.op in _GRAVITY else 0)
    return Step(
        op=first.op,
        urn=first.urn,
        type=first.type,
        custom=first.custom,
        paths=tuple(sorted({*earlier.paths, *later.paths})),
        inputs=earlier.inputs or later.inputs,
        old_inputs=earlier.old_inputs or later.old_inputs,
    )


def _messages(said: Iterable[Mapping[str, Any]], severity: str) -> tuple[Message, ...]:
    found = (
        Message(_plain(str(each["message"])), str(each.get("urn") or ""))
        for each in said
        if each.get("severity") == severity and not each.get("ephemeral")
    )
    return tuple(dict.fromkeys(found))


def _plain(text: str) -> str:
    """Without colours: the engine's own marks (`<{%reset%}>`), or a terminal's."""
    return _COLOURS.sub("", text).strip()


def _errors(found: tuple[Message, ...]) -> tuple[Message, ...]:
    """Without the engine's own closing words, where another message says more."""
    telling = tuple(message for message in found if not message.text.startswith(_BOILERPLATE))
    return telling or found


def _policy(event: Mapping[str, Any]) -> Message:
    level = str(event.get("enforcementLevel"))
    text = f"{event.get('policyPackName')}/{event.get('policyName')} ({level}): {_plain(str(event.get('message', '')))}"
    return Message(text, str(event.get("resourceUrn") or ""), mandatory=level == "mandatory")


def _touches(event: Mapping[str, Any]) -> bool:
    return "resOpFailedEvent" in event or _changes(event.get("resOutputsEvent") or {})


def _began(event: Mapping[str, Any]) -> str:
    begun = event.get("resourcePreEvent") or {}
    custom = ((begun.get("metadata") or {}).get("new") or (begun.get("metadata") or {}).get("old") or {}).get("custom")
    return str(begun["metadata"]["urn"]).rsplit("::", 1)[-1] if custom and _changes(begun) else ""


def _changes(step: Mapping[str, Any]) -> bool:
    """Of a step that really is done, and not in a preview."""
    metadata = step.get("metadata") or {}
    changing = metadata.get("op", "same") not in UNCHANGED
    return bool(changing and not step.get("planning") and not str(metadata.get("type")).startswith("pulumi:"))
