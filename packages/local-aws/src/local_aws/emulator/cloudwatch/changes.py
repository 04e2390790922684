"""How an alarm's state and history change. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from local_aws.emulator.cloudwatch.model import Alarm, HistoryItem, State

MOST_HISTORY = 500  # items in all; AWS keeps 30 days


def kept(state: State, alarm: Alarm) -> State:
    return replace(state, alarms={**state.alarms, alarm.arn: alarm})


def moved(alarm: Alarm, to: str, reason: str, data: str | None, now: float) -> Alarm:
    """The alarm in another state, or in the same one for a new reason."""
    transitioned = now if to != alarm.state else alarm.transitioned
    return replace(alarm, state=to, reason=reason, reason_data=data, updated=now, transitioned=transitioned)


def noted(state: State, alarm: Alarm, kind: str, summary: str, data: dict[str, Any], now: float) -> State:
    item = HistoryItem(
        arn=alarm.arn, name=alarm.name, at=now, kind=kind, summary=summary[:255], data=json.dumps(data)[:4095]
    )
    return replace(state, history=(*state.history, item)[-MOST_HISTORY:])


def noted_move(state: State, before: Alarm, after: Alarm) -> State:
    data = {"version": "1.0", "oldState": _state(before), "newState": _state(after)}
    summary = f"Alarm updated from {before.state} to {after.state}"
    return noted(state, after, "StateUpdate", summary, data, after.updated)


def _state(alarm: Alarm) -> dict[str, Any]:
    shown: dict[str, Any] = {"stateValue": alarm.state, "stateReason": alarm.reason}
    if alarm.reason_data is None:
        return shown
    try:
        return {**shown, "stateReasonData": json.loads(alarm.reason_data)}
    except ValueError:
        return {**shown, "stateReasonData": alarm.reason_data}


def noted_action(state: State, alarm: Alarm, action: str, failure: str | None, now: float) -> State:
    """`failure`: what the action's service said, None if it took place."""
    data = {
        "version": "1.0",
        "actionState": "Failed" if failure else "Succeeded",
        "stateUpdateTimestamp": round(alarm.updated * 1000),
        "notificationResource": action,
        "publishedMessage": None,
        "error": failure,
    }
    summary = f"Failed to execute action {action}. Received error: {failure}"
    if failure is None:
        summary = f"Successfully executed action {action}"
    return noted(state, alarm, "Action", summary, data, now)
