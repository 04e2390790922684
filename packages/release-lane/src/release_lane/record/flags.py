"""Flags of an environment: for which share of its requests each of them is on. Pure.

A share is a whole number of percent: 0 is off, 100 is on. A flag that is not there is off for the service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from release_lane.record.names import Access

Flags = Mapping[str, int]
Asked = Mapping[str, int | None]
"""Shares to set by name; None removes the flag."""

OFF, ON, REMOVED = 0, 100, "removed"

MOST_BEFORE = 20
"""So many earlier values are kept: so many changes can be undone."""

_SUFFIX = "-flags"


def stack_of(environment: str) -> str:
    """The stack that holds an environment's flags. It has a lock of its own."""
    return f"{environment}{_SUFFIX}"


def environment_of(stack: str) -> str:
    """Whose flags a stack holds; "" for a name that is no such stack's."""
    return stack.removesuffix(_SUFFIX) if stack.endswith(_SUFFIX) else ""


def may_read(parameter: str, access: Access) -> dict[str, Any]:
    """An IAM policy for the service: this parameter and no other."""
    arn = f"arn:{access.partition}:ssm:{access.region}:{access.account}:parameter{parameter}"
    allowed = {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": arn}
    return {"Version": "2012-10-17", "Statement": [allowed]}


_PERCENT = re.compile(r"(\d{1,3})%")


def share_in(text: str) -> int | None:
    """Read `on`, `off`, `25%` or `removed` (None); ValueError for anything else."""
    match text:
        case "on":
            return ON
        case "off":
            return OFF
        case "removed":
            return None
    found = _PERCENT.fullmatch(text)
    if not found or int(found[1]) > ON:
        raise ValueError(f"should be on, off, removed or a whole number of percent such as 25%, not {text!r}")
    return int(found[1])


def in_words(share: int | None) -> str:
    """The inverse of `share_in`."""
    match share:
        case None:
            return REMOVED
        case 0:
            return "off"
        case 100:
            return "on"
    return f"{share}%"


@dataclass(frozen=True, kw_only=True)
class Turned:
    """What a change does to one flag. None: it is not there."""

    name: str
    before: int | None
    after: int | None

    @property
    def raises(self) -> bool:
        """Is it on for more requests than before?"""
        return (self.after or OFF) > (self.before or OFF)

    def __str__(self) -> str:
        return f"{self.name} {in_words(self.before) if self.before is not None else 'new'} -> {in_words(self.after)}"


@dataclass(frozen=True, kw_only=True)
class FlagRecord:
    """What a stack of flags recorded. `before`: the values before each of the last changes, the oldest first."""

    flags: Flags = field(default_factory=dict)
    before: tuple[Flags, ...] = ()

    @staticmethod
    def from_outputs(outputs: Mapping[str, Any]) -> FlagRecord:
        """Read what `as_outputs` gave; no flags where there is nothing."""
        before = tuple(_flags(each) for each in outputs.get("before") or ())
        return FlagRecord(flags=_flags(outputs.get("flags") or {}), before=before)

    def as_outputs(self) -> dict[str, Any]:
        """Plain JSON value, as the stack exports it."""
        return {"flags": dict(self.flags), "before": [dict(each) for each in self.before]}

    def changed(self, asked: Asked) -> FlagRecord:
        """With these shares; the same where nothing differs."""
        together = {**self.flags, **asked}
        flags = {name: share for name, share in together.items() if share is not None}
        return (
            self
            if flags == self.flags
            else replace(self, flags=flags, before=(*self.before, self.flags)[-MOST_BEFORE:])
        )

    def undone(self) -> FlagRecord | None:
        """As before the last change that was not undone yet; None where there is none."""
        return FlagRecord(flags=self.before[-1], before=self.before[:-1]) if self.before else None

    def turned(self, after: FlagRecord) -> tuple[Turned, ...]:
        """What differs in another one, by name."""
        names = sorted({*self.flags, *after.flags})
        each = (Turned(name=name, before=self.flags.get(name), after=after.flags.get(name)) for name in names)
        return tuple(one for one in each if one.before != one.after)

    def as_parameter(self) -> str:
        """The value of the parameter: a JSON object of names and percent."""
        return json.dumps(self.flags, sort_keys=True, separators=(",", ":"))


def _flags(value: Mapping[str, Any]) -> Flags:
    """Numbers come from the engine as floats."""
    return {str(name): int(share) for name, share in value.items()}
