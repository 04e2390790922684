"""CloudWatch alarms that a switch looks at: the stack's own, a few for each colour, and the adopter's. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from release_lane.record.names import Names
from release_lane.record.placement import Colour


class Kind(StrEnum):
    """What the stack's own alarms of a colour are about."""

    ERRORS = "errors"  # share of answers that are 5xx
    LATENCY = "latency"  # p95 of the time that targets take to answer
    UNHEALTHY = "unhealthy"  # targets that fail their health check


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm as it is now. `since` is the epoch second of its last change of state.

    `firing`: in the state ALARM. `colour` is whose alarm it is, None for one of the adopter's. `no_data`: in the state
    INSUFFICIENT_DATA, as new ones are for minutes: it says neither that the release is well nor that it is not.
    """

    name: str
    firing: bool
    since: float = 0.0
    colour: Colour | None = None
    why: str = ""
    no_data: bool = False

    @property
    def episode(self) -> tuple[str, float]:
        """This spell of firing: an alarm that went back to OK and fires again begins another one."""
        return self.name, self.since

    def words(self) -> str:
        """For people."""
        return f"the alarm {self.name} is firing" + (f" ({self.why})" if self.why else "")

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; the inverse is `from_dict`."""
        colour = str(self.colour) if self.colour else ""
        return {
            "name": self.name,
            "firing": self.firing,
            "since": self.since,
            "colour": colour,
            "why": self.why,
            "noData": self.no_data,
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Alarm:
        """Read what `as_dict` wrote."""
        return Alarm(
            name=str(value["name"]),
            firing=bool(value["firing"]),
            since=float(value["since"]),
            colour=Colour(value["colour"]) if value.get("colour") else None,
            why=str(value.get("why") or ""),
            no_data=bool(value.get("noData")),
        )


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Names of the alarms to look at: `own` with the colour they are of, `theirs` without."""

    own: Mapping[str, Colour] = field(default_factory=dict)
    theirs: tuple[str, ...] = ()

    @staticmethod
    def of(names: Names, kinds: Collection[Kind], theirs: Iterable[str] = ()) -> Watched:
        """The alarms of an environment that has these kinds for each colour."""
        own = {alarm_name(names, colour, kind): colour for colour in Colour for kind in Kind if kind in kinds}
        return Watched(own=own, theirs=tuple(theirs))

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.own, *self.theirs)

    def missing(self, found: Iterable[Alarm]) -> tuple[str, ...]:
        """The adopter's alarms that do not exist. The stack's own are made by the update itself."""
        return tuple(name for name in self.unseen(found) if name not in self.own)

    def unseen(self, found: Iterable[Alarm]) -> tuple[str, ...]:
        """All that do not exist."""
        there = {alarm.name for alarm in found}
        return tuple(name for name in self.names if name not in there)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; the inverse is `from_dict`."""
        return {"own": {name: str(colour) for name, colour in self.own.items()}, "theirs": list(self.theirs)}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Watched:
        """Read what `as_dict` wrote."""
        own = {str(name): Colour(colour) for name, colour in (value.get("own") or {}).items()}
        return Watched(own=own, theirs=tuple(str(name) for name in value.get("theirs") or ()))


def alarm_name(names: Names, colour: Colour, kind: Kind) -> str:
    """`<project>-<stack>-<colour>-<kind>`."""
    return f"{names.services[colour]}-{kind}"


def alarms_named(names: Collection[str]) -> str:
    """`the alarm a`, `the alarms a, b`."""
    return f"the alarm{'s' if len(names) > 1 else ''} {', '.join(names)}"


def without_data(alarms: Iterable[Alarm]) -> tuple[str, ...]:
    """Names of those that have no data."""
    return tuple(sorted(alarm.name for alarm in alarms if alarm.no_data))


def no_sign(names: Collection[str]) -> str:
    """That these alarms have no data, in words."""
    return f"no data for {alarms_named(names)}: no sign of health"


def memory(period: float, datapoints: int, lateness: float) -> float:
    """For at most so many seconds an alarm fires about something that is over.

    The period in which it ended has to end, the next datapoints have to be good, and they come late.
    """
    return (datapoints + 1) * period + lateness


@dataclass(frozen=True, kw_only=True)
class Start:
    """Before a release went live its targets were starting, which counts as unhealthy: an alarm of its `colour` that
    began to fire before `over` (epoch seconds) may be about that, and is OK by then if it is about nothing else."""

    colour: Colour
    over: float

    def explains(self, alarm: Alarm) -> bool:
        """Could it?"""
        return alarm.colour is self.colour and alarm.since < self.over


def forbidding(alarms: Iterable[Alarm], serving: Collection[Colour]) -> tuple[Alarm, ...]:
    """Those that are firing and concern what users get now: of a colour that serves, or the adopter's."""
    return tuple(alarm for alarm in alarms if alarm.firing and (alarm.colour is None or alarm.colour in serving))


def newly_firing(alarms: Iterable[Alarm], before: Collection[tuple[str, float]]) -> tuple[Alarm, ...]:
    """Those that are firing, and were not already (or were OK in between)."""
    return tuple(alarm for alarm in alarms if alarm.firing and alarm.episode not in before)
