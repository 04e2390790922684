"""`alarms`: which alarms an environment has and honours, and what CloudWatch takes of them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from release_lane.record.alarms import Kind, Watched, memory
from release_lane.record.names import Names
from release_lane.record.placement import Colour
from release_lane.settings.limits import PARTITION
from release_lane.settings.section import Section, sound

LOCAL_ACCOUNT = "000000000000"

ALARM_NAMES = 100
"""Names in one question (AWS/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html). All that have a say are
read at one moment."""


def alarms_asked(own: int, others: int) -> str:
    """The stack's own, and those by `alarms.names`."""
    if own + others <= ALARM_NAMES:
        return ""
    return (
        f"{others} are too many: with the stack's own {own} they are {own + others}, and CloudWatch describes "
        f"{ALARM_NAMES} at a time. A composite alarm stands for many"
    )


def alarm_name(name: str) -> str:
    """1 to 255 characters without control characters (AWS/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html,
    AlarmName)."""
    if 1 <= len(name) <= 255 and name.isprintable():
        return ""
    return "should have 1 to 255 characters, none of them a control character"


DAY, WEEK, HOUR = 86_400, 604_800, 3_600


def alarm_period(period: int) -> str:
    """An alarm looks every 10, 20 or 30 s, or every n minutes (API_PutMetricAlarm.html, Period). Metrics have shorter
    periods; alarms on them have not."""
    return (
        "" if period in (10, 20, 30) or period % 60 == 0 else f"CloudWatch takes 10, 20, 30 or n times 60, not {period}"
    )


def alarm_length(period: int, datapoints: int) -> str:
    """`period` times `datapoints`: at most a day, or a week for periods of an hour and more (API_PutMetricAlarm.html,
    EvaluationPeriods)."""
    most = WEEK if period >= HOUR else DAY
    if period * datapoints <= most:
        return ""
    return f"{datapoints} periods of {period} s are {period * datapoints:,} s, and CloudWatch looks back {most:,} s"


_TOPIC = re.compile(rf"{PARTITION}:sns:(?P<region>[a-z0-9-]+):[0-9]{{12}}:\S+")


def alarm_action(arn: str, region: str) -> str:
    """At most 1,024 characters; a topic is in the alarm's own region (API_PutMetricAlarm.html, AlarmActions)."""
    if len(arn) > 1024 or not re.fullmatch(rf"{PARTITION}:[a-z0-9-]+:\S+", arn):
        return "should be an ARN of at most 1024 characters"
    topic = _TOPIC.fullmatch(arn)
    if topic and topic["region"] != region:
        return f"is a topic in {topic['region']}, and an alarm in {region} notifies only topics there"
    return ""


class AlarmSettings(Section):
    """`alarms`: CloudWatch alarms of each colour (those with a threshold), and others that count as well.

    `lateSeconds`: how late datapoints may arrive; a bake without traffic waits that much longer.
    """

    error_percent: float | None = Field(default=None, gt=0, le=100)
    latency_seconds: float | None = Field(default=None, gt=0, le=3600)
    unhealthy_targets: int | None = Field(default=None, ge=1, le=1000)
    period_seconds: int = Field(default=60, ge=1, le=3600)
    datapoints: int = Field(default=1, ge=1, le=60)
    late_seconds: int = Field(default=120, ge=0, le=3600)
    names: tuple[Annotated[str, sound(alarm_name)], ...] = Field(default=(), strict=False)
    actions: tuple[str, ...] = Field(default=(), max_length=5, strict=False)

    def thresholds(self) -> dict[Kind, float]:
        """Of the kinds that were asked for."""
        given = {
            Kind.ERRORS: self.error_percent,
            Kind.LATENCY: self.latency_seconds,
            Kind.UNHEALTHY: self.unhealthy_targets,
        }
        return {kind: float(limit) for kind, limit in given.items() if limit is not None}

    @property
    def memory(self) -> float:
        """For at most so many seconds an alarm fires about something that is over."""
        return memory(self.period_seconds, self.datapoints, self.late_seconds)

    def watched(self, names: Names) -> Watched:
        """All alarms that count in a switch of this environment."""
        return Watched.of(names, self.thresholds(), self.names)


def alarm_problems(alarms: AlarmSettings, account: str, region: str) -> list[str]:
    """What several keys together get wrong."""
    problems, period = [], alarms.period_seconds
    if problem := alarm_period(period):
        problems.append(f"alarms.periodSeconds: {problem}")
    elif period < 60 and account != LOCAL_ACCOUNT:
        problems.append("alarms.periodSeconds: on AWS a load balancer's metrics come by the minute; not less than 60")
    elif problem := alarm_length(period, alarms.datapoints):
        problems.append(f"alarms.datapoints: {problem}")
    own = len(alarms.thresholds()) * len(Colour)
    problems += [f"alarms.names: {problem}"] if (problem := alarms_asked(own, len(alarms.names))) else []
    for number, arn in enumerate(alarms.actions):
        problems += [f"alarms.actions.{number}: {problem}"] if (problem := alarm_action(arn, region)) else []
    doubled = sorted({name for name in alarms.names if alarms.names.count(name) > 1})
    return problems + [f"alarms.names: {name} is named twice" for name in doubled]
