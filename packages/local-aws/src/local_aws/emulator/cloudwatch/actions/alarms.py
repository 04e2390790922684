"""Describe, delete, enable, disable and set alarms; their history.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html and its neighbours
"""

from __future__ import annotations

import json
from dataclasses import replace

from local_aws.emulator.cloudwatch import changes, parts, shapes
from local_aws.emulator.cloudwatch.actions.call import Call, Done, Transition, only_metric_alarms, page
from local_aws.emulator.cloudwatch.errors import combination, not_found, required
from local_aws.emulator.cloudwatch.model import STATES, Alarm, State
from local_aws.emulator.cloudwatch.request import Members
from local_aws.emulator.wire import ServiceError

USUAL, MOST = 50, 100  # records in an answer; names in a request
KINDS = ("ConfigurationUpdate", "StateUpdate", "Action", "AlarmContributorStateUpdate", "AlarmContributorAction")


def describe(state: State, members: Members, call: Call) -> Done:
    members.only("AlarmNames", "AlarmNamePrefix", "AlarmTypes", "StateValue", "ActionPrefix", "MaxRecords", "NextToken")
    only_metric_alarms(members)
    names, prefix = members.texts("AlarmNames", most=MOST), members.text("AlarmNamePrefix", most=parts.NAME)
    if names and prefix:
        raise combination("AlarmNamePrefix and AlarmNames cannot be given together")
    wanted, action = members.choice("StateValue", STATES), members.text("ActionPrefix", most=1024)
    found = [
        alarm
        for alarm in call.mine(state).values()
        if (not names or alarm.name in names)
        and alarm.name.startswith(prefix or "")
        and wanted in (None, alarm.state)
        and (action is None or any(arn.startswith(action) for to in STATES for arn in alarm.actions_for(to)))
        and "MetricAlarm" in (members.texts("AlarmTypes") or ("MetricAlarm",))
    ]
    some, more = page(found, members, size="MaxRecords", usual=USUAL, most=MOST)
    return Done(state, {"MetricAlarms": [shapes.alarm(alarm) for alarm in some], "CompositeAlarms": [], **more})


def describe_for_metric(state: State, members: Members, call: Call) -> Done:
    members.only("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")
    metric, unit, period = parts.metric(members), parts.unit(members), members.integer("Period")
    statistic = members.text("Statistic") or members.text("ExtendedStatistic")
    found = []
    for alarm in call.mine(state).values():
        stat = alarm.watched.stat if alarm.single else None
        if stat is None or stat.metric != metric or statistic not in (None, stat.statistic):
            continue
        if period in (None, stat.period) and unit in (None, stat.unit):
            found.append(alarm)
    return Done(state, {"MetricAlarms": [shapes.alarm(alarm) for alarm in found]})


def _named(state: State, members: Members, call: Call) -> list[Alarm]:
    """Those that exist."""
    names = members.texts("AlarmNames", most=MOST)
    if not names:
        raise required("AlarmNames")
    mine = call.mine(state)
    return [mine[name] for name in names if name in mine]


def delete(state: State, members: Members, call: Call) -> Done:
    """All of them, or none if there is one that does not exist."""
    members.only("AlarmNames")
    found = _named(state, members, call)
    missing = sorted(set(members.texts("AlarmNames")) - {alarm.name for alarm in found})
    if missing:
        raise not_found(f"Unable to delete alarms {', '.join(missing)}: they do not exist")
    gone = {alarm.arn for alarm in found}
    for alarm in found:
        data = {"version": "1.0", "type": "Delete", "deletedAlarm": {"alarmName": alarm.name, "alarmArn": alarm.arn}}
        state = changes.noted(state, alarm, "ConfigurationUpdate", f'Alarm "{alarm.name}" deleted', data, call.now)
    left = {arn: alarm for arn, alarm in state.alarms.items() if arn not in gone}
    tags = {arn: tags for arn, tags in state.tags.items() if arn not in gone}
    return Done(replace(state, alarms=left, tags=tags))


def enable_actions(state: State, members: Members, call: Call) -> Done:
    return _switch_actions(state, members, call, True)


def disable_actions(state: State, members: Members, call: Call) -> Done:
    return _switch_actions(state, members, call, False)


def _switch_actions(state: State, members: Members, call: Call, on: bool) -> Done:
    members.only("AlarmNames")
    for alarm in _named(state, members, call):
        state = changes.kept(state, replace(alarm, actions_enabled=on, configured=call.now))
    return Done(state)


def set_state(state: State, members: Members, call: Call) -> Done:
    """Until the next evaluation."""
    members.only("AlarmName", "StateValue", "StateReason", "StateReasonData")
    name = members.required("AlarmName", most=parts.NAME)
    to, reason = members.choice("StateValue", STATES), members.text("StateReason", most=1023)
    data = members.text("StateReasonData", most=4000)
    if to is None or reason is None:
        raise required("StateValue" if to is None else "StateReason")
    if data is not None and not _is_json(data):
        raise ServiceError("InvalidFormat", "StateReasonData was not syntactically valid JSON")
    before = call.mine(state).get(name)
    if before is None:
        raise not_found(f"Alarm {name} does not exist")
    after = changes.moved(before, to, reason, data, call.now)
    state = changes.kept(state, after)
    if before.state == to:
        return Done(state)
    return Done(changes.noted_move(state, before, after), {}, (Transition(before, after),))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def history(state: State, members: Members, call: Call) -> Done:
    members.only(
        "AlarmName", "AlarmTypes", "HistoryItemType", "StartDate", "EndDate", "MaxRecords", "NextToken", "ScanBy"
    )
    only_metric_alarms(members)
    name, kind = members.text("AlarmName", most=parts.NAME), members.choice("HistoryItemType", KINDS)
    start, end = members.moment("StartDate"), members.moment("EndDate")
    oldest_first = members.choice("ScanBy", ("TimestampDescending", "TimestampAscending")) == "TimestampAscending"
    found = [
        item
        for item in state.history
        if item.arn.startswith(call.arn(""))
        and name in (None, item.name)
        and kind in (None, item.kind)
        and (start is None or item.at >= start)
        and (end is None or item.at <= end)
    ]
    some, more = page(found if oldest_first else found[::-1], members, size="MaxRecords", usual=USUAL, most=MOST)
    return Done(state, {"AlarmHistoryItems": [shapes.history_item(item) for item in some], **more})
