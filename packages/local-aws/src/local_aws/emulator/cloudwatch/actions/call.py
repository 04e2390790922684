"""What an action knows besides state and request, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from local_aws.emulator.cloudwatch.datapoints import Datapoints
from local_aws.emulator.cloudwatch.errors import constraint
from local_aws.emulator.cloudwatch.model import Alarm, Clock, Scope, State
from local_aws.emulator.cloudwatch.request import Members
from local_aws.emulator.wire import ServiceError

T = TypeVar("T")
Shape = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Call:
    """`datapoints` of the call's account and region; PutMetricData adds to them."""

    scope: Scope
    now: float  # seconds since the epoch
    clock: Clock
    datapoints: Datapoints

    def arn(self, name: str) -> str:
        return f"arn:aws:cloudwatch:{self.scope.region}:{self.scope.account}:alarm:{name}"

    def mine(self, state: State) -> dict[str, Alarm]:
        """By name, in that order."""
        prefix = self.arn("")
        return {alarm.name: alarm for arn, alarm in sorted(state.alarms.items()) if arn.startswith(prefix)}


@dataclass(frozen=True)
class Transition:
    """An alarm that changed its state; its actions are due."""

    before: Alarm
    after: Alarm


@dataclass(frozen=True)
class Done:
    """The state afterwards, the answer, and alarms that changed their state."""

    state: State
    answer: Shape = field(default_factory=dict)
    transitions: tuple[Transition, ...] = ()


def page(
    items: Sequence[T], members: Members, *, size: str | None, usual: int, most: int
) -> tuple[Sequence[T], dict[str, Any]]:
    """The page that NextToken and the member called `size` ask for, and the NextToken member if there is more."""
    asked = members.integer(size, high=most) if size else None
    token = members.text("NextToken") or "0"
    if not token.isdecimal():
        raise ServiceError("InvalidNextToken", "The next token specified is invalid.")
    start, length = int(token), asked or usual
    more = start + length < len(items)
    return items[start : start + length], {"NextToken": str(start + length)} if more else {}


def only_metric_alarms(members: Members) -> None:
    """There are no others here; AWS leaves those out unless they are asked for."""
    for kind in members.texts("AlarmTypes"):
        if kind not in ("MetricAlarm", "CompositeAlarm", "LogAlarm"):
            raise constraint(kind, "alarmTypes", "satisfy enum value set: [CompositeAlarm, MetricAlarm, LogAlarm]")
