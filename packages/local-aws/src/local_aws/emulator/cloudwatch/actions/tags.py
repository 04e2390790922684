"""Tags of alarms.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_TagResource.html
"""

from __future__ import annotations

from dataclasses import replace

from local_aws.emulator.cloudwatch import parts
from local_aws.emulator.cloudwatch.actions.call import Call, Done
from local_aws.emulator.cloudwatch.errors import not_found
from local_aws.emulator.cloudwatch.model import State
from local_aws.emulator.cloudwatch.request import Members


def _arn(state: State, members: Members, call: Call) -> str:
    arn = members.required("ResourceARN", most=1024)
    if arn not in state.alarms or not arn.startswith(call.arn("")):
        raise not_found(f"{arn} does not exist")
    return arn


def _with(state: State, arn: str, tags: dict[str, str]) -> State:
    parts.check_tags(tags)
    return replace(state, tags={**state.tags, arn: tags})


def add(state: State, members: Members, call: Call) -> Done:
    members.only("ResourceARN", "Tags")
    arn = _arn(state, members, call)
    return Done(_with(state, arn, {**state.tags.get(arn, {}), **parts.tags(members)}))


def remove(state: State, members: Members, call: Call) -> Done:
    members.only("ResourceARN", "TagKeys")
    arn, gone = _arn(state, members, call), members.texts("TagKeys")
    return Done(_with(state, arn, {key: value for key, value in state.tags.get(arn, {}).items() if key not in gone}))


def describe(state: State, members: Members, call: Call) -> Done:
    members.only("ResourceARN")
    tags = state.tags.get(_arn(state, members, call), {})
    return Done(state, {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]})
