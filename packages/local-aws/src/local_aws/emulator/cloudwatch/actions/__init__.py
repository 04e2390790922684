"""The API's actions, one function each: (state, request, call) -> what is done. Pure, but for datapoints put there.

A function raises ServiceError and leaves no trace, or returns the whole new state; `service.py` keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

from local_aws.emulator.cloudwatch.actions import alarms, metrics, put_alarm, tags
from local_aws.emulator.cloudwatch.actions.call import Call, Done
from local_aws.emulator.cloudwatch.model import State
from local_aws.emulator.cloudwatch.request import Members

Perform = Callable[[State, Members, Call], Done]

ACTIONS: dict[str, Perform] = {
    "PutMetricData": metrics.put_data,
    "GetMetricData": metrics.get_data,
    "GetMetricStatistics": metrics.get_statistics,
    "ListMetrics": metrics.list_metrics,
    "PutMetricAlarm": put_alarm.put,
    "DescribeAlarms": alarms.describe,
    "DescribeAlarmsForMetric": alarms.describe_for_metric,
    "DescribeAlarmHistory": alarms.history,
    "DeleteAlarms": alarms.delete,
    "EnableAlarmActions": alarms.enable_actions,
    "DisableAlarmActions": alarms.disable_actions,
    "SetAlarmState": alarms.set_state,
    "TagResource": tags.add,
    "UntagResource": tags.remove,
    "ListTagsForResource": tags.describe,
}
