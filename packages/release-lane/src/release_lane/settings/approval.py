"""`approval` in a stack file: what an approval of a release has to be. The `release` command checks it.

Only `required` is the program's: an update that goes forward without a seal is refused, by plain `pulumi up` as well.
"""

from __future__ import annotations

import re
from typing import Annotated

from release_lane.settings.section import Section, sound

_HOURS = re.compile(r"(?=.)(?:(\d{1,4})h)?(?:(\d{1,5})m)?")


def _valid_for(text: str) -> str:
    """`24h`, `90m`, `1h30m`: some minutes at least, or no approval would be in time."""
    found = _HOURS.fullmatch(text)
    if found and _minutes(text) >= 1:
        return ""
    return f"should be a time in hours and minutes, such as 24h or 1h30m, not {text!r}"


def _minutes(text: str) -> int:
    found = _HOURS.fullmatch(text)
    hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0)
    return hours * 60 + minutes


def seal_problem(text: str) -> str:
    """`sealed`: what `release` hands to an update with the seal of its review."""
    return "" if re.fullmatch(r"[0-9a-f]{10}|", text) else "is given by `release … --seal`, and never by hand"


class ApprovalSettings(Section):
    """`approval`: for how long a seal is valid, whether another person has to approve, and whether it is required."""

    valid_for: Annotated[str, sound(_valid_for)] = "24h"
    distinct: bool = True
    required: bool = False

    @property
    def seconds(self) -> float:
        """For how long a seal is valid."""
        return _minutes(self.valid_for) * 60.0
