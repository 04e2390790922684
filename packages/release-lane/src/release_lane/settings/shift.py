"""`shift` and `idle`: how traffic moves to a release, and what is kept of the one before."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

from pydantic import Field, PlainValidator

from release_lane.settings.section import Section


class ShiftSettings(Section):
    """`shift`: the steps in which traffic moves (percent of the new release), how long each is watched, and the percent
    at which both releases go on serving until the hold is ended."""

    steps: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(default=(100,), min_length=1, strict=False)
    bake_seconds: int = Field(default=0, ge=0, le=86400)
    hold: int | None = Field(default=None, ge=1, le=99)


def shift_problems(shift: ShiftSettings) -> list[str]:
    """What is wrong with the steps together."""
    steps = shift.steps
    if any(low >= high for low, high in itertools.pairwise(steps)) or steps[-1] != 100:
        return [f"shift.steps: must rise strictly and end with 100, not {list(steps)}"]
    return []


KEEP = "keep"


def _keep_or_tasks(value: Any) -> str | int:
    """One message for both forms."""
    if value == KEEP or (type(value) is int and 0 <= value <= 200):
        return value  # type: ignore[no-any-return]
    raise ValueError(f"should be {KEEP} or 0 to 200 tasks, not {value!r}")


class IdleSettings(Section):
    """`idle`: how many tasks of the previous release the idle colour keeps after the watch."""

    after_watch: Annotated[str | int, PlainValidator(_keep_or_tasks)] = KEEP

    @property
    def tasks(self) -> int | None:
        """None: as many as the live colour has."""
        return self.after_watch if isinstance(self.after_watch, int) else None
