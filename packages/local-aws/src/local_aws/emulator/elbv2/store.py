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
from local_aws.emulator.wire import NOT_A_STATE, StateFile, Unreadable

VERSION = 1


class Store:
    """Loads and saves a State. Not thread-safe: its owner holds a lock."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path)

    def load(self) -> State:
        """The state of before, or an empty one. Raises Unreadable."""
        try:
            found = self._file.versioned(VERSION)
            state = State() if found is None else decode(found)
        except NOT_A_STATE as error:
            raise self._file.unreadable("a load balancer state", error) from error
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
