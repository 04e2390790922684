"""Which layout a written value has. A reader takes every earlier layout, and refuses a later one by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from release_lane.errors import Refused

FIRST = 1
"""The layout of everything that carries no number."""


def schema_of(value: Mapping[str, Any], newest: int, what: str, key: str = "schema") -> int:
    """The layout of a written value; `Refused` for one that only a later version of the lane can read."""
    written = value.get(key) or FIRST
    try:
        schema = int(written)
    except ValueError:
        raise Refused(
            f"{what} cannot be read: its {key} is {written!r}, which is no number.",
            why="somebody else changed it",
            next_step="correct it to the number that it had, or remove it where there was none.",
        ) from None
    if schema > newest:
        raise Refused(
            f"{what} was written by a later version of the lane (schema {schema}); this one reads up to {newest}.",
            why="a field that this version does not know may change what is live",
            next_step="run it with the version of release-lane that made the last update, or a later one.",
        )
    return schema
