"""Tags of load balancers, listeners, rules and target groups."""

from __future__ import annotations

from dataclasses import replace

from local_aws.emulator.elbv2 import parts, shapes
from local_aws.emulator.elbv2.actions.call import Call
from local_aws.emulator.elbv2.errors import constraint, missing, wrong
from local_aws.emulator.elbv2.model import State
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.shapes import Shape

KINDS = {
    "loadbalancer": "Load balancer",
    "listener": "Listener",
    "listener-rule": "Rule",
    "targetgroup": "Target group",
}


def _resources(state: State, params: Params) -> tuple[str, ...]:
    """The arns that the request names; raises ServiceError unless all of them exist."""
    arns = params.texts("ResourceArns")
    if not arns:
        raise constraint(None, "resourceArns", "not be null")
    there = {*state.load_balancers, *state.listeners, *state.rules, *state.target_groups}
    for arn in arns:
        if arn not in there:
            kind = KINDS.get(arn.rpartition(":")[2].partition("/")[0])
            raise missing(kind, arn) if kind else wrong(f"'{arn}' is not a valid load balancer ARN")
    return arns


def add(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    tagged = {arn: parts.tags(params, state.tags.get(arn, {})) for arn in _resources(state, params)}
    return replace(state, tags={**state.tags, **tagged}), {}


def remove(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    gone = params.texts("TagKeys")
    left = {
        arn: {key: value for key, value in state.tags.get(arn, {}).items() if key not in gone}
        for arn in _resources(state, params)
    }
    return replace(state, tags={**state.tags, **left}), {}


def describe(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    found = [{"ResourceArn": arn, "Tags": shapes.pairs(state.tags.get(arn, {}))} for arn in _resources(state, params)]
    return state, {"TagDescriptions": found}
