"""A hold: a share of users stays on a new release next to the live one, for a test of two variants. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from release_lane.record.digest import short
from release_lane.record.placement import Colour, Release, Weights, shared


class Winner(StrEnum):
    """Which of the two releases gets all users when a hold ends."""

    NEW = "new"
    OLD = "old"


@dataclass(frozen=True, kw_only=True)
class Hold:
    """`percent` of the users are on `release`, which runs on `colour`, since `since` (ISO 8601, UTC); all others are on
    the live release, on the other colour."""

    percent: int
    colour: Colour
    release: Release
    since: str

    @property
    def weights(self) -> Weights:
        """Those that the production rule has meanwhile."""
        return shared(self.colour, self.percent)

    def words(self) -> str:
        """For people."""
        since = f" since {self.since}" if self.since else ""
        return f"{short(self.release.digest)} on {self.colour} has {self.percent} % of the users{since}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value, as kept in stack outputs."""
        return {
            "percent": self.percent,
            "colour": str(self.colour),
            "nextTo": str(self.colour.other),
            "since": self.since,
            "release": self.release.as_dict(),
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any] | None) -> Hold | None:
        """Read what `as_dict` wrote; None where no hold stands."""
        if not value:
            return None
        return Hold(
            percent=int(value["percent"]),
            colour=Colour(value["colour"]),
            release=Release.from_dict(value["release"]),
            since=str(value["since"]),
        )


def how_to_end(environment: str) -> str:
    """The next step that everything names which a hold stands in the way of."""
    return f"`release hold end {environment} --winner new|old --reason …`"
