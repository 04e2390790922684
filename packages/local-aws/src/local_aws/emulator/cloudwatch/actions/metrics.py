"""PutMetricData, GetMetricData, GetMetricStatistics, ListMetrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html

What is published can be read at once (AWS: within two minutes, and up to fifteen until ListMetrics shows it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.emulator.cloudwatch import parts, queries, shapes
from local_aws.emulator.cloudwatch.actions.call import Call, Done, page
from local_aws.emulator.cloudwatch.cbor import Moment
from local_aws.emulator.cloudwatch.errors import combination, constraint, invalid, required
from local_aws.emulator.cloudwatch.model import Metric, State
from local_aws.emulator.cloudwatch.request import Members
from local_aws.emulator.cloudwatch.statistics import BASIC, Summary, percentile_of, statistic
from local_aws.emulator.wire import Entries

MOST_DATA, MOST_VALUES, MOST_QUERIES, MOST_DATAPOINTS, MOST_METRICS = 1000, 150, 500, 1440, 500
PAST, FUTURE = 14 * 86_400, 2 * 3600  # seconds
LARGEST = 2.0**360


def put_data(state: State, members: Members, call: Call) -> Done:
    members.only("Namespace", "MetricData", "StrictEntityValidation")
    namespace, data = parts.namespace(members), members.structs("MetricData")
    if namespace.startswith("AWS/"):
        raise invalid(f"The value {namespace} for parameter Namespace is invalid.")
    if not data:
        raise required("MetricData")
    if len(data) > MOST_DATA:
        raise invalid(f"The collection MetricData must not have a size greater than {MOST_DATA}.")
    for add in [_datum(namespace, one, call.now) for one in data]:  # all are checked before the first is kept
        call.datapoints.add(**add)
    return Done(state)


def _datum(namespace: str, members: Members, now: float) -> dict[str, Any]:
    members.only(
        *("MetricName", "Dimensions", "Timestamp", "Value", "StatisticValues", "Values", "Counts", "Unit"),
        "StorageResolution",
    )
    name = members.required("MetricName", most=parts.NAME)
    at = members.moment("Timestamp")
    resolution = members.integer("StorageResolution") or 60
    if resolution not in (1, 60):
        raise invalid(f"The value {resolution} for parameter {members.at('StorageResolution')} is invalid.")
    if at is not None and at > now + FUTURE:
        raise invalid(
            f"The parameter {members.at('Timestamp')} must specify a time no more than two hours in the future."
        )
    if at is not None and at < now - PAST:
        raise invalid(f"The parameter {members.at('Timestamp')} must specify a time within the past two weeks.")
    return {
        "metric": Metric(namespace, name, parts.dimensions(members)),
        "unit": parts.unit(members) or "None",
        "at": now if at is None else at,
        "summary": _summary(members),
        "resolution": resolution,
    }


def _summary(members: Members) -> Summary:
    value, values, statistics = members.number("Value"), members.numbers("Values"), members.struct("StatisticValues")
    given = [value is not None, bool(values), statistics is not None]
    if sum(given) > 1:
        raise combination(
            f"The parameters {members.at('Value')}, {members.at('Values')} and {members.at('StatisticValues')} are "
            "mutually exclusive and you have specified more than one."
        )
    if statistics is not None:
        return _statistic_set(statistics)
    if value is not None:
        return Summary.of({_checked(members, "Value", value): 1.0})
    if not values:
        raise required(members.at("Value"))
    return Summary.of(_counted(members, values))


def _counted(members: Members, values: Sequence[float]) -> Mapping[float, float]:
    counts = members.numbers("Counts") or (1.0,) * len(values)
    if len(values) > MOST_VALUES:
        raise invalid(f"The collection {members.at('Values')} must not have a size greater than {MOST_VALUES}.")
    if len(counts) != len(values):
        raise invalid(f"The parameters {members.at('Values')} and {members.at('Counts')} must be of the same size.")
    if any(count <= 0 for count in counts):
        raise invalid(f"The parameter {members.at('Counts')} must be greater than 0.")
    found: dict[float, float] = {}
    for value, count in zip(values, counts, strict=True):
        found[_checked(members, "Values", value)] = found.get(value, 0.0) + count
    return found


def _statistic_set(members: Members) -> Summary:
    members.only("SampleCount", "Sum", "Minimum", "Maximum")
    found = []
    for name in ("SampleCount", "Sum", "Minimum", "Maximum"):
        value = members.number(name)
        if value is None:
            raise required(members.at(name))
        found.append(_checked(members, name, value))
    if found[0] <= 0:
        raise invalid(f"The parameter {members.at('SampleCount')} must be greater than 0.")
    if found[2] > found[3]:
        raise invalid(f"The parameter {members.at('Maximum')} must be greater than or equal to Minimum.")
    return Summary.statistic_set(*found)


def _checked(members: Members, name: str, value: float) -> float:
    if abs(value) > LARGEST:
        raise invalid(f"The value {value} for parameter {members.at(name)} is invalid: -2^360 to 2^360.")
    return value


# ---------------------------------------------------------------- reading


def get_data(state: State, members: Members, call: Call) -> Done:
    members.only("MetricDataQueries", "StartTime", "EndTime", "ScanBy")
    wanted = parts.queries(members, "MetricDataQueries")
    start, end = _times(members)
    newest_first = members.choice("ScanBy", ("TimestampDescending", "TimestampAscending")) != "TimestampAscending"
    if not wanted:
        raise required("MetricDataQueries")
    if len(wanted) > MOST_QUERIES:
        raise constraint(len(wanted), "MetricDataQueries", f"have length less than or equal to {MOST_QUERIES}")
    found = queries.run(wanted, call.datapoints, start=start, end=end, now=call.now)
    results = []
    for query in wanted:
        if query.returns:
            pairs = sorted(found[query.id].values.items(), reverse=newest_first)
            results.append(
                {
                    "Id": query.id,
                    "Label": query.label or (query.stat.metric.name if query.stat else query.id),
                    "Timestamps": [Moment(at) for at, _ in pairs],
                    "Values": [value for _, value in pairs],
                    "StatusCode": "Complete",
                }
            )
    return Done(state, {"MetricDataResults": results, "Messages": []})


def _times(members: Members) -> tuple[float, float]:
    start, end = members.moment("StartTime"), members.moment("EndTime")
    if start is None or end is None:
        raise required("StartTime" if start is None else "EndTime")
    if start >= end:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    return start, end


def get_statistics(state: State, members: Members, call: Call) -> Done:
    members.only(
        *("Namespace", "MetricName", "Dimensions", "StartTime", "EndTime", "Period", "Statistics"),
        *("ExtendedStatistics", "Unit"),
    )
    metric, unit, period = parts.metric(members), parts.unit(members), parts.period(members)
    basic, extended = members.texts("Statistics", most=5), members.texts("ExtendedStatistics", most=10)
    start, end = _times(members)
    if period is None:
        raise required("Period")
    _check_statistics(basic, extended)
    if (end - start) / period > MOST_DATAPOINTS:
        raise combination(
            f"You have requested up to {int((end - start) / period):,} datapoints, which exceeds the limit of 1,440. "
            "You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )
    units = [unit] if unit else call.datapoints.units(metric)
    first = queries.rounded(start, period)
    shown = []
    for one in units:
        found = call.datapoints.read(metric, period=period, start=first, end=end, now=call.now, unit=one)
        shown += [_shown(at, one, summary, basic, extended) for at, summary in found.items()]
    return Done(state, {"Label": metric.name, "Datapoints": shown})


def _check_statistics(basic: Sequence[str], extended: Sequence[str]) -> None:
    if bool(basic) == bool(extended):
        raise combination("Exactly one of the parameters Statistics and ExtendedStatistics must be specified.")
    for name in basic:
        if name not in BASIC:
            raise constraint(name, "statistics", f"satisfy enum value set: [{', '.join(BASIC)}]")
    for name in extended:
        parts.check_statistic(name)
        if percentile_of(name) is None:
            raise invalid(f"The value {name} for parameter ExtendedStatistics is invalid.")


def _shown(at: int, unit: str, summary: Summary, basic: Sequence[str], extended: Sequence[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"Timestamp": Moment(at), "Unit": unit}
    shown |= {name: statistic(summary, name) for name in basic}
    known = {name: value for name in extended if (value := statistic(summary, name)) is not None}
    return {**shown, "ExtendedStatistics": Entries(known)} if known else shown


def list_metrics(state: State, members: Members, call: Call) -> Done:
    members.only("Namespace", "MetricName", "Dimensions", "NextToken", "RecentlyActive")
    namespace, name = members.text("Namespace"), members.text("MetricName")
    filters = [(one.required("Name"), one.text("Value")) for one in members.structs("Dimensions")]
    recently = members.choice("RecentlyActive", ("PT3H",))
    there = call.datapoints.metrics(call.now, within=3 * 3600) if recently else call.datapoints.metrics(call.now)
    found = [
        metric
        for metric in there
        if namespace in (None, metric.namespace)
        and name in (None, metric.name)
        and all(
            any(wanted == key and value in (None, it) for key, it in metric.dimensions) for wanted, value in filters
        )
    ]
    some, more = page(found, members, size=None, usual=MOST_METRICS, most=MOST_METRICS)
    return Done(state, {"Metrics": [shapes.metric(one) for one in some], **more})
