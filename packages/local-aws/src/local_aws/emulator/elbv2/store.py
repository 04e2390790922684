"""The state on disk: one JSON document, replaced as a whole after every change.

A value of a union (Action, Condition) carries its class's name, so that it comes back as what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from local_aws.emulator.elbv2 import model
from local_aws.emulator.elbv2.model import State
from local_aws.emulator.wire import StateFile

VERSION = 1


class Unreadable(Exception):
    """The file is not a state of this version."""


class Store:
    """Loads and saves a State. Not thread-safe: its owner holds a lock."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path)

    def load(self) -> State:
        """The state of before, or an empty one. Raises Unreadable."""
        try:
            document = self._file.load()
            if document is None:
                return State()
            if document["version"] != VERSION:
                raise ValueError(f"version {document['version']}, not {VERSION}")
            state = decode(document["state"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unreadable(f"{self._file.path} does not hold a load balancer state ({error!r}); remove it") from error
        if not isinstance(state, State):
            raise Unreadable(f"{self._file.path} holds something else than a load balancer state; remove it")
        return state

    def save(self, state: State) -> None:
        self._file.save({"version": VERSION, "state": encode(state)})


def encode(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        members = {field.name: encode(getattr(value, field.name)) for field in fields(value)}
        return {"is": type(value).__name__, **members}
    match value:
        case Mapping():
            return {key: encode(inner) for key, inner in value.items()}
        case tuple():
            return [encode(inner) for inner in value]
        case _:
            return value


def decode(value: Any) -> Any:
    """The inverse of `encode`; raises AttributeError or TypeError for what it never wrote."""
    match value:
        case {"is": str(name)}:
            members = {str(key): decode(inner) for key, inner in value.items() if key != "is"}
            return getattr(model, name)(**members)
        case dict():
            return {key: decode(inner) for key, inner in value.items()}
        case list():
            return tuple(decode(inner) for inner in value)
        case _:
            return value
