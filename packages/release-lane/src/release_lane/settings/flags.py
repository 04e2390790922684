"""The stack with `role: flags`: the flags of an environment, whose stack file it reads.

It has no file of its own, so account, ledger and freeze windows are the environment's. What it has no use for there is
judged by the environment's own updates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from release_lane.record.flags import Asked, environment_of, share_in, stack_of
from release_lane.settings.freeze import FreezeSettings
from release_lane.settings.ledger import place, reason
from release_lane.settings.limits import stack_name
from release_lane.settings.section import Stack, sound

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def flag_name(text: str) -> str:
    """The name of a flag, as a label of the image lists it, separated by commas."""
    return "" if NAME.fullmatch(text) else "should be a letter and up to 63 letters, digits, _ . or -"


def _share(text: str) -> str:
    share_in(text)
    return text


FlagName = Annotated[str, sound(flag_name)]
Share = Annotated[str, AfterValidator(_share)]


class FlagsSettings(Stack):
    """`flags` and `undoFlags` are given for one update; without them the flags stay as they are."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["flags"]
    flags: dict[FlagName, Share] = Field(default={})
    undo_flags: bool = False
    artifacts: Annotated[str, sound(stack_name)] = "artifacts"
    freeze: FreezeSettings = FreezeSettings()
    through_freeze: Annotated[str, sound(reason)] = ""
    ledger: Annotated[str, sound(place)] | None = None
    without_ledger: Annotated[str, sound(reason)] | None = None

    @property
    def asked(self) -> Asked:
        """The shares to set, None to remove a flag."""
        return {name: share_in(share) for name, share in self.flags.items()}


def flags_problems(settings: FlagsSettings, stack: str) -> list[str]:
    """Problems of several keys together."""
    problems = []
    if not environment_of(stack):
        problems.append(f"role: flags are in a stack named like {stack_of('production')}, not in {stack}")
    if settings.flags and settings.undo_flags:
        problems.append("undoFlags: goes back to earlier values; give either it or flags")
    return problems


def asked_in(pairs: Mapping[str, str]) -> dict[str, Any]:
    """`flags` for one update, checked; ValueError says which pair is wrong, and why."""
    for name, share in pairs.items():
        if problem := flag_name(name):
            raise ValueError(f"{name!r} {problem}")
        try:
            share_in(share)
        except ValueError as wrong:
            raise ValueError(f"{name} {wrong}") from wrong
    return dict(pairs)
