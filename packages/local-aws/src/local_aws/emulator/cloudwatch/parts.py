"""Parts of requests that several actions have: metrics, queries, statistics, tags. Pure.

Limits: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html, API_MetricDataQuery.html,
API_Dimension.html, API_Tag.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from local_aws.emulator.cloudwatch import expression
from local_aws.emulator.cloudwatch.errors import combination, constraint, invalid, required, unsupported, wrong
from local_aws.emulator.cloudwatch.model import Dimensions, Metric, MetricStat, Query
from local_aws.emulator.cloudwatch.request import Members
from local_aws.emulator.cloudwatch.statistics import is_known

NAME = 255  # characters of a namespace, a metric's, a dimension's or an alarm's name
DIMENSIONS = 30
TAGS = 50
SHORT_PERIODS = (1, 5, 10, 20, 30)
UNITS = (
    *("Seconds", "Microseconds", "Milliseconds"),
    *("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes"),
    *("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits"),
    *("Percent", "Count"),
    *("Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second"),
    *("Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second"),
    *("Count/Second", "None"),
)  # fmt: skip


def dimensions(members: Members) -> Dimensions:
    given = members.structs("Dimensions")
    if len(given) > DIMENSIONS:
        raise constraint(len(given), members.at("Dimensions"), f"have length less than or equal to {DIMENSIONS}")
    found = {}
    for one in given:
        one.only("Name", "Value")
        found[_ascii(one, "Name", NAME)] = _ascii(one, "Value", 1024)
    if len(found) < len(given):
        raise invalid(f"The parameter {members.at('Dimensions')} has a dimension more than once.")
    return tuple(sorted(found.items()))


def _ascii(members: Members, name: str, most: int) -> str:
    value = members.required(name, most=most)
    if not value.isascii() or not value.strip() or not value.isprintable():
        raise invalid(f"The parameter {members.at(name)} must contain only ASCII characters, and one that is visible.")
    return value


def namespace(members: Members) -> str:
    value = members.required("Namespace", most=NAME)
    if value.startswith(":"):
        raise invalid(f"The value {value} for parameter {members.at('Namespace')} is invalid.")
    return value


def metric(members: Members) -> Metric:
    return Metric(namespace(members), members.required("MetricName", most=NAME), dimensions(members))


def unit(members: Members) -> str | None:
    return members.choice("Unit", UNITS)


def statistic(members: Members, name: str) -> str:
    value = members.required(name)
    check_statistic(value)
    return value


def check_statistic(value: str) -> None:
    if not is_known(value):
        raise unsupported(f"the statistic {value}")


def period(members: Members, name: str = "Period") -> int | None:
    value = members.integer(name)
    if value is not None and value not in SHORT_PERIODS and value % 60:
        raise invalid(f"The parameter {members.at(name)} must be 1, 5, 10, 20, 30 or a multiple of 60.")
    return value


# ---------------------------------------------------------------- queries


def queries(members: Members, name: str) -> tuple[Query, ...]:
    """MetricDataQueries whose expressions can be evaluated: every id is known, and none needs itself."""
    found = tuple(map(_query, members.structs(name)))
    if len({query.id for query in found}) < len(found):
        raise wrong("The values for parameter id in MetricDataQueries are not unique.")
    in_order(found)
    return found


def _query(members: Members) -> Query:
    members.only("Id", "MetricStat", "Expression", "Label", "ReturnData", "Period")
    id = members.required("Id", most=NAME)
    if not re.fullmatch(r"[a-z]\w*", id, re.ASCII):
        raise wrong(f"The value {id} for parameter {members.at('Id')} is not matching the expected pattern [a-z]\\w*")
    stat, text = members.struct("MetricStat"), members.text("Expression", most=expression.LONGEST)
    if (stat is None) == (text is None):
        raise combination(f"Exactly one of {members.at('MetricStat')} and {members.at('Expression')} must be given.")
    return Query(
        id=id,
        stat=_metric_stat(stat) if stat else None,
        expression=text,
        label=members.text("Label"),
        returns=members.flag("ReturnData", True),
        period=period(members),
    )


def _metric_stat(members: Members) -> MetricStat:
    members.only("Metric", "Period", "Stat", "Unit")
    of, every = members.struct("Metric"), period(members)
    if of is None:
        raise required(members.at("Metric"))
    if every is None:
        raise required(members.at("Period"))
    of.only("Namespace", "MetricName", "Dimensions")
    return MetricStat(metric=metric(of), period=every, statistic=statistic(members, "Stat"), unit=unit(members))


def in_order(queries: Iterable[Query]) -> list[tuple[Query, expression.Expression | None]]:
    """Each with its tree, those first that others need."""
    waiting = {query.id: (query, _parsed(query)) for query in queries}
    done: dict[str, tuple[Query, expression.Expression | None]] = {}
    while waiting:
        ready = [id for id, (_, tree) in waiting.items() if tree is None or expression.references(tree) <= done.keys()]
        if not ready:
            raise wrong(_unknown_ids(waiting, done))
        for id in ready:
            done[id] = waiting.pop(id)
    return list(done.values())


def _unknown_ids(waiting: Mapping[str, tuple[Query, expression.Expression | None]], done: Mapping[str, object]) -> str:
    for id, (_, tree) in waiting.items():
        for name in sorted(expression.references(tree) if tree else ()):
            if name not in waiting and name not in done:
                return f"Error in expression '{id}': Unknown operator or function or id: {name}"
    return f"Error in expressions {', '.join(sorted(waiting))}: they need each other"


def _parsed(query: Query) -> expression.Expression | None:
    if query.expression is None:
        return None
    try:
        return expression.parse(query.expression)
    except expression.Invalid as error:
        raise wrong(f"Error in expression '{query.id}': {error}") from error


# ---------------------------------------------------------------- tags


def tags(members: Members) -> dict[str, str]:
    found = {}
    for one in members.structs("Tags"):
        one.only("Key", "Value")
        found[one.required("Key", most=128)] = one.text("Value", most=256) or ""
    if any(key.lower().startswith("aws:") for key in found):
        raise wrong("aws: prefixed tag key names are not allowed for external use.")
    return found


def check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > TAGS:
        raise wrong(f"The resultant tag set must not have more than {TAGS} user tags.")
