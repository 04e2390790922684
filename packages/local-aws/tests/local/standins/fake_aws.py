"""A fake of all AWS APIs at once, made from the models that botocore carries.

It takes only calls that AWS's own model allows (names, types, required fields), and answers every one with
something of the right shape, or with what a test has scripted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

Answer = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] | Exception
INCOMPLETE = ("missing required field", "invalid length", "invalid range")
"""What a scripted answer may be: the rest is generated."""
READING = ("describe_", "get_", "list_")


@dataclass(frozen=True)
class Call:
    """One call: `ecs.update_service`, its arguments, and the region that it went to."""

    name: str
    arguments: dict[str, Any]
    region: str

    @property
    def reads(self) -> bool:
        return self.name.partition(".")[2].startswith(READING)


@dataclass
class FakeAws:
    """Give its `client` to a Door. `script` says what calls answer; `calls` are those that were made."""

    script: dict[str, Answer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def client(self, service: str, region: str, access: Mapping[str, str]) -> FakeClient:
        assert access["endpoint"], "a client without an endpoint would go to AWS"
        return FakeClient(service, region, self)

    def named(self, name: str) -> list[dict[str, Any]]:
        """The arguments of all calls of that name."""
        return [call.arguments for call in self.calls if call.name == name]

    @property
    def changes(self) -> list[Call]:
        """The calls that change something."""
        return [call for call in self.calls if not call.reads]


class FakeClient:
    def __init__(self, service: str, region: str, aws: FakeAws) -> None:
        self._service, self._aws, self._region = service, aws, region

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        model = _operations(self._service).get(operation)
        if model is None:
            raise AttributeError(f"AWS has no {self._service}.{operation}")

        def call(**arguments: Any) -> Any:
            name = f"{self._service}.{operation}"
            _validate(name, arguments, model.input_shape)
            self._aws.calls.append(Call(name, arguments, self._region))
            answer = self._aws.script.get(name, {})
            if isinstance(answer, Exception):
                raise answer
            scripted = dict(answer(arguments) if callable(answer) else answer)
            _validate(f"the scripted answer of {name}", scripted, model.output_shape, INCOMPLETE)
            return _generated(model.output_shape) | scripted

        return call


def refusal(operation: str, code: str, message: str = "no") -> ClientError:
    """An error as AWS answers it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@cache
def _operations(service: str) -> dict[str, Any]:
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


def _validate(what: str, values: dict[str, Any], shape: Any, allowed: Collection[str] = ()) -> None:
    if shape is None:
        return
    report = ParamValidator().validate(values, shape)
    if any(reason not in allowed for reason, _, _ in report._errors):
        raise AssertionError(f"{what}: {report.generate_report()}")


def _generated(shape: Any, depth: int = 0) -> Any:
    match shape.type_name if shape is not None else "nothing":
        case "nothing":
            return {}
        case "structure" if depth < 8:
            return {name: _generated(member, depth + 1) for name, member in shape.members.items()}
        case "list" if depth < 8:
            return [_generated(shape.member, depth + 1)]
        case "map":
            return {"key": "value"}
        case "boolean":
            return True
        case "integer" | "long" | "double" | "float":
            return 1
        case "timestamp":
            return datetime(2026, 1, 1, tzinfo=UTC)
        case "string":
            return (shape.metadata.get("enum") or ["text"])[0]
        case "structure":
            return {}
        case "list":
            return []
        case other:
            raise NotImplementedError(other)
