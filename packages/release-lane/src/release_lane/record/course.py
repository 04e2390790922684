"""How one switch moves users: in which steps, watched for how long, and back to where. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.record.placement import Colour, Weights, shared


@dataclass(frozen=True, kw_only=True)
class Course:
    """What one switch does: the weights of the receiving colour still to be set; seconds of watching after each.

    No step is left where all traffic already is on the receiving colour; `bake` is then that of the last step, which an
    update began that did not end. `home` is the colour of the recorded release, to which traffic is rolled back (None:
    to the weights found). `goes_back`: to a release that was live before; alarms do not stop that. `hold`: the percent
    at which the switch ends, and both releases go on serving.
    """

    steps: tuple[int, ...] = (100,)
    bake: float = 0.0
    home: Colour | None = None
    goes_back: bool = False
    hold: int | None = None

    @property
    def stages(self) -> tuple[int, ...]:
        """Percents of the receiving colour, one after the other; where users already are, the last one alone."""
        return self.steps or (self.hold or 100,)

    def after(self, receiving: Colour) -> Weights:
        """The weights at its end."""
        return shared(receiving, self.hold or 100)

    @property
    def least(self) -> float:
        """Seconds that all bakes take at least."""
        return self.bake * max(1, len(self.steps))

    def words(self) -> str:
        """What the switch will do, in one line."""
        bake = f", {self.bake:.0f} s of watching" if self.bake else ""
        held = f"; then a hold keeps {self.hold} % there until it is ended" if self.hold else ""
        if not self.steps:
            return f"users are there already{bake}{held}"
        if len(self.steps) == 1:
            first = f"in 1 step: {self.hold} %" if self.hold else "all at once"
            return f"{first}{bake}{held}"
        shares = ", ".join(f"{step} %" for step in self.steps)
        after = f", {self.bake:.0f} s of watching after each ({self.least:.0f} s at least)" if self.bake else ""
        return f"in {len(self.steps)} steps: {shares}{after}{held}"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value, as the switch gets it; the inverse is `from_dict`."""
        return {
            "steps": list(self.steps),
            "bakeSeconds": self.bake,
            "atLeastSeconds": self.least,
            "home": str(self.home) if self.home else "",
            "goesBack": self.goes_back,
            **({"hold": self.hold} if self.hold else {}),
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Course:
        """Read what `as_dict` wrote."""
        return Course(
            steps=tuple(int(step) for step in value["steps"]),
            bake=float(value["bakeSeconds"]),
            home=Colour(value["home"]) if value.get("home") else None,
            goes_back=bool(value.get("goesBack")),
            hold=int(value["hold"]) if value.get("hold") else None,
        )
