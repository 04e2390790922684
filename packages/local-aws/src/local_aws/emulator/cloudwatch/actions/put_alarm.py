"""PutMetricAlarm.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html

Alarms on expressions: up to 20 queries, all of one period; on one metric: its statistic or a percentile. Actions are
SNS topics of the alarm's region. Anomaly detection, Metrics Insights, PromQL, evaluation windows: refused.
"""

from __future__ import annotations

import re
from dataclasses import replace

from local_aws.emulator.cloudwatch import changes, parts
from local_aws.emulator.cloudwatch.actions.call import Call, Done
from local_aws.emulator.cloudwatch.errors import constraint, required, unsupported, wrong
from local_aws.emulator.cloudwatch.evaluation import COMPARE
from local_aws.emulator.cloudwatch.model import (
    BREACHING,
    IGNORE,
    MISSING,
    NOT_BREACHING,
    Alarm,
    MetricStat,
    Query,
    State,
)
from local_aws.emulator.cloudwatch.request import Members
from local_aws.emulator.cloudwatch.statistics import BASIC

DAY, WEEK, HOUR = 86_400, 604_800, 3_600  # seconds
MOST_QUERIES, MOST_ACTIONS = 20, 5
ONE_METRIC = ("Namespace", "MetricName", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
BANDS = ("LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")
ACTIONS = {
    "ok_actions": "OKActions",
    "alarm_actions": "AlarmActions",
    "insufficient_actions": "InsufficientDataActions",
}


def put(state: State, members: Members, call: Call) -> Done:
    members.only(
        *("AlarmName", "AlarmDescription", "ActionsEnabled", *ACTIONS.values(), *ONE_METRIC, "Metrics", "Tags"),
        *("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"),
        "EvaluateLowSampleCountPercentile",
    )
    name = members.required("AlarmName", most=parts.NAME)
    if not name.isprintable():
        raise wrong("AlarmName must not contain ASCII control characters")
    before, tags = state.alarms.get(call.arn(name)), parts.tags(members)
    alarm = _configured(name, members, call)
    if before is not None:
        alarm = _in_the_state_of(before, alarm)
    else:
        parts.check_tags(tags)
        state = replace(state, tags={**state.tags, alarm.arn: tags})
    _check_length(alarm)
    said = ("Update", "updated") if before else ("Create", "created")
    data = {"version": "1.0", "type": said[0], f"{said[1]}Alarm": {"alarmName": name, "alarmArn": alarm.arn}}
    state = changes.kept(state, alarm)
    return Done(changes.noted(state, alarm, "ConfigurationUpdate", f'Alarm "{name}" {said[1]}', data, call.now))


def _in_the_state_of(before: Alarm, alarm: Alarm) -> Alarm:
    """When an alarm is updated, its state is left as it is."""
    return replace(
        alarm,
        state=before.state,
        reason=before.reason,
        reason_data=before.reason_data,
        updated=before.updated,
        transitioned=before.transitioned,
    )


def _configured(name: str, members: Members, call: Call) -> Alarm:
    single = "Metrics" not in members
    missing = members.choice("TreatMissingData", (BREACHING, NOT_BREACHING, IGNORE, MISSING))
    periods = members.integer("EvaluationPeriods")
    if periods is None:
        raise required("EvaluationPeriods")
    return Alarm(
        arn=call.arn(name),
        name=name,
        description=members.text("AlarmDescription", most=1024),
        queries=(_one_metric(members, call),) if single else _several(members, call),
        single=single,
        periods=periods,
        needed=_needed(members, periods),
        threshold=_threshold(members),
        operator=_operator(members),
        missing=missing or MISSING,
        missing_given=missing is not None,
        low_samples=_low_samples(members),
        actions_enabled=members.flag("ActionsEnabled", True),
        **{ours: _actions(members, theirs, call) for ours, theirs in ACTIONS.items()},  # type: ignore[arg-type]
        configured=call.now,
        updated=call.now,
        transitioned=call.now,
    )


def _needed(members: Members, periods: int) -> int | None:
    needed = members.integer("DatapointsToAlarm")
    if needed is not None and needed > periods:
        raise wrong(f"DatapointsToAlarm ({needed}) must be less than or equal to EvaluationPeriods ({periods})")
    return needed


def _threshold(members: Members) -> float:
    threshold = members.number("Threshold")
    if threshold is None:
        raise required("Threshold")
    return threshold


def _operator(members: Members) -> str:
    operator = members.choice("ComparisonOperator", (*COMPARE, *BANDS))
    if operator is None:
        raise required("ComparisonOperator")
    if operator in BANDS:
        raise unsupported(f"anomaly detection, which {operator} is for")
    return operator


def _low_samples(members: Members) -> str | None:
    chosen = members.choice("EvaluateLowSampleCountPercentile", ("evaluate", "ignore"))
    if chosen is not None and "ExtendedStatistic" not in members:
        raise wrong("EvaluateLowSampleCountPercentile is for alarms on percentiles only")
    return chosen


# ---------------------------------------------------------------- what is watched


def _one_metric(members: Members, call: Call) -> Query:
    if "MetricName" not in members:
        raise wrong("Exactly one of MetricName and Metrics must be given")
    period = members.integer("Period")
    if period is None:
        raise required("Period")
    _check_period(period, call)
    stat = MetricStat(
        metric=parts.metric(members), period=period, statistic=_statistic(members), unit=parts.unit(members)
    )
    return Query(id="m1", stat=stat)


def _statistic(members: Members) -> str:
    basic, extended = members.choice("Statistic", BASIC), members.text("ExtendedStatistic")
    if (basic is None) == (extended is None):
        raise wrong("Exactly one of Statistic and ExtendedStatistic must be given")
    if extended is not None:
        if extended in BASIC:
            raise constraint(extended, "extendedStatistic", "be a percentile, such as p95")
        parts.check_statistic(extended)
    return basic or extended or ""


def _several(members: Members, call: Call) -> tuple[Query, ...]:
    for name in ONE_METRIC:
        if name in members:
            raise wrong(f"{name} must not be given together with Metrics")
    found = parts.queries(members, "Metrics")
    if len(found) > MOST_QUERIES:
        raise constraint(len(found), "metrics", f"have length less than or equal to {MOST_QUERIES}")
    if sum(query.returns for query in found) != 1:
        raise wrong("Exactly one element of the metrics list should return data.")
    periods = {query.stat.period for query in found if query.stat}
    if not periods:
        raise wrong("At least one element of the metrics list must be a metric")
    if len(periods) > 1:
        raise wrong("All metrics of an alarm must have the same period")
    _check_period(periods.pop(), call)
    return found


def _check_period(period: int, call: Call) -> None:
    """While load balancers report more often than AWS's, an alarm may be as quick as they are."""
    if period not in (10, 20, 30, call.clock.period) and period % 60:
        raise wrong("Period must be 10, 20, 30 or a multiple of 60")


def _check_length(alarm: Alarm) -> None:
    seconds = alarm.period * alarm.periods
    if alarm.period < HOUR and seconds > DAY:
        raise wrong("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).")
    if seconds > WEEK:
        raise wrong("Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= 604800).")


def _actions(members: Members, name: str, call: Call) -> tuple[str, ...]:
    arns = members.texts(name, most=MOST_ACTIONS)
    for arn in arns:
        _check_action(arn, call)
    return arns


def _check_action(arn: str, call: Call) -> None:
    found = re.fullmatch(r"arn:aws:([a-z0-9-]+):([a-z0-9-]*):(\d*):(.+)", arn)
    if found is None:
        raise wrong(f"Invalid arn syntax: {arn}")
    if found[1] != "sns":
        raise unsupported(f"the action {arn}: only SNS topics")
    if found[2] != call.scope.region:
        raise wrong(f"Invalid region {found[2]} specified. Only {call.scope.region} is supported.")
