"""What our own services share: AWS's two response formats, errors, and state that survives a restart.

A service raises `ServiceError` with AWS's error code; `json_error` or `query_error` turns it into the answer that
SDKs understand. State is plain frozen dataclasses; `encode` and `decode` carry them to JSON and back.
"""

from __future__ import annotations

import json
import os
import types
import typing
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, Union, cast
from xml.sax.saxutils import escape

Response = tuple[int, dict[str, str], bytes]
T = TypeVar("T")


class ServiceError(Exception):
    """An answer that is an error: `code` as AWS spells it, `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


# ---------------------------------------------------------------- JSON (ECS: awsJson1_1)


def json_response(body: Mapping[str, Any], status: int = 200) -> Response:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body).encode()


def json_error(error: ServiceError) -> Response:
    return json_response({"__type": error.code, "message": error.message}, error.status)


# ---------------------------------------------------------------- XML (ELBv2: awsQuery)


class Entries(dict[str, Any]):
    """A map whose keys are data, not names of members."""


class Items(list[Any]):
    """A list whose items are elements of another name than `member`."""

    def __init__(self, item: str, values: Sequence[Any]) -> None:
        super().__init__(values)
        self.item = item


def to_xml(name: str, value: Any) -> str:
    """One element: mappings nest, sequences become <member>s (Items those that they name), Entries <entry>s; no None,
    booleans in lower case."""
    match value:
        case None:
            return ""
        case bool():
            text = "true" if value else "false"
        case Entries():
            text = "".join(to_xml("entry", {"key": key, "value": inner}) for key, inner in value.items())
        case Mapping():
            text = "".join(to_xml(str(key), inner) for key, inner in value.items())
        case str():
            text = escape(value)
        case Items():
            text = "".join(to_xml(value.item, inner) for inner in value)
        case Sequence():
            text = "".join(to_xml("member", inner) for inner in value)
        case _:
            text = escape(str(value))
    return f"<{name}>{text}</{name}>"


def query_response(action: str, result: Mapping[str, Any], namespace: str) -> Response:
    """The answer to a query-protocol action: <ActionResponse><ActionResult>…, with a request id."""
    request_id = to_xml("ResponseMetadata", {"RequestId": str(uuid.uuid4())})
    body = f'<{action}Response xmlns="{namespace}">{to_xml(f"{action}Result", result)}{request_id}</{action}Response>'
    return 200, {"Content-Type": "text/xml"}, body.encode()


def query_error(error: ServiceError, namespace: str) -> Response:
    fault = to_xml(
        "Error",
        {
            "Type": "Sender" if error.status < 500 else "Receiver",
            "Code": error.code,
            "Message": error.message,
        },
    )
    request_id = to_xml("RequestId", str(uuid.uuid4()))
    body = f'<ErrorResponse xmlns="{namespace}">{fault}{request_id}</ErrorResponse>'
    return error.status, {"Content-Type": "text/xml"}, body.encode()


# ---------------------------------------------------------------- state on disk


class Unreadable(Exception):
    """A file holds no state of this version."""


NOT_A_STATE = (ValueError, KeyError, TypeError, AttributeError)
"""What reading raises where something else was written."""


@dataclass(frozen=True)
class StateFile:
    """One JSON document, replaced as a whole: a reader sees the old or the new one, never half of either."""

    path: Path
    mode: int = 0o666
    """What the file's permissions may be at most."""

    def load(self) -> Any:
        """The document, or None when there is none yet; ValueError when it is not JSON."""
        try:
            return json.loads(self.path.read_text())
        except FileNotFoundError:
            return None

    def versioned(self, version: int) -> Any:
        """What was saved with this version, or None when there is nothing yet; ValueError (and KeyError, TypeError)
        when it is something else."""
        document = self.load()
        if document is None:
            return None
        if document["version"] != version:
            raise ValueError(f"version {document['version']}, not {version}")
        return document["state"]

    def restore(self, kind: type[T], version: int, what: str) -> T:
        """The state that `keep` saved, or an empty one. Raises Unreadable; `what` it should be, in words."""
        try:
            state = self.versioned(version)
            return kind() if state is None else decode(kind, state)
        except NOT_A_STATE as error:
            raise self.unreadable(what, error) from error

    def unreadable(self, what: str, error: Exception) -> Unreadable:
        return Unreadable(f"{self.path} does not hold {what} ({error!r}); remove it")

    def keep(self, state: Any, version: int) -> None:
        """Dataclasses, as `restore` reads them."""
        self.save({"version": version, "state": encode(state)})

    def save(self, document: Any) -> None:
        self.write(json.dumps(document))

    def write(self, text: str) -> None:
        """The document as JSON already."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, self.mode), "w") as file:
            file.write(text)
        os.replace(draft, self.path)


class Texts:
    """JSON of frozen values, each encoded once for as long as it is among them: between two saves little changes."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, str]] = {}

    def of(self, values: Iterable[Any]) -> str:
        """All of them as a JSON list."""
        known, self._known = self._known, {}
        for value in values:
            kept, text = known.get(id(value), (None, ""))
            self._known[id(value)] = (value, text if kept is value else json.dumps(encode(value)))
        return f"[{', '.join(text for _, text in self._known.values())}]"


def encode(value: Any) -> Any:
    """Dataclasses, enums, tuples and sets as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    match value:
        case Enum():
            return value.value
        case Mapping():
            return {str(key): encode(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [encode(inner) for inner in value]
        case _:
            return value


def decode(kind: type[T], value: Any) -> T:
    """The inverse of `encode` for a dataclass or any type made of them; unknown fields raise TypeError."""
    return cast(T, _decode(kind, value))


def _decode(kind: Any, value: Any) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType):
        chosen = [arg for arg in args if arg is not type(None)]
        return None if value is None else _decode(chosen[0], value)
    if origin is tuple:
        inner = args[:1] * len(value) if len(args) == 2 and args[1] is ... else args
        return tuple(_decode(arg, item) for arg, item in zip(inner, value, strict=True))
    if origin in (list, set, frozenset):
        return origin(_decode(args[0], item) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _decode(args[1], item) for key, item in value.items()}
    if is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return cast(Any, kind)(**{name: _decode(hints[name], item) for name, item in value.items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    return value
