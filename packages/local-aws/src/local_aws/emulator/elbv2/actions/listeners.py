"""Listeners: an address and port that users reach, with a default rule of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from local_aws.emulator.elbv2 import attributes, parts, shapes
from local_aws.emulator.elbv2.actions import security
from local_aws.emulator.elbv2.actions.call import Call, page
from local_aws.emulator.elbv2.errors import missing
from local_aws.emulator.elbv2.model import DEFAULT, Action, Listener, Rule, State, groups_of
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.shapes import Shape
from local_aws.emulator.wire import ServiceError

PARAMETERS = ("DefaultActions", "Port", "Tags", *security.PARAMETERS)


def create(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    params.only("LoadBalancerArn", *PARAMETERS)
    arn = params.required("LoadBalancerArn")
    if arn not in state.load_balancers:
        raise missing("Load balancer", arn)
    params.required("Port")
    port = params.number("Port", 0, 1, 65535)
    _port_is_free(state, arn, port)
    action = parts.action(params.structs("DefaultActions"), state.target_groups)
    one_load_balancer(state, action, arn)
    path = f"app/{state.load_balancers[arn].name}/{arn.rpartition('/')[2]}/{call.new_id()}"
    one = security.secured(Listener(call.arn(f"listener/{path}"), arn, port), params, call)
    default = Rule(call.arn(f"listener-rule/{path}/{call.new_id()}"), one.arn, DEFAULT, (), action)
    after = replace(
        state,
        listeners={**state.listeners, one.arn: one},
        rules={**state.rules, default.arn: default},
        tags={**state.tags, one.arn: parts.tags(params)},
    )
    return after, {"Listeners": [shapes.listener(one, after)]}


def _port_is_free(state: State, load_balancer: str, port: int, but: str = "") -> None:
    for other in state.listeners_of(load_balancer):
        if other.port == port and other.arn != but:
            raise ServiceError(
                "DuplicateListener", f"A listener already exists on this port for this load balancer '{load_balancer}'"
            )


def one_load_balancer(state: State, action: Action, load_balancer: str) -> None:
    """Raises TargetGroupAssociationLimit: a target group belongs to one load balancer at most."""
    taken = [arn for arn in groups_of(action) if set(state.load_balancers_of(arn)) - {load_balancer}]
    if taken:
        raise ServiceError(
            "TargetGroupAssociationLimit",
            f"The following target groups cannot be associated with more than one load balancer: {', '.join(taken)}",
        )


def describe(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    balancer, arns = params.text("LoadBalancerArn"), params.texts("ListenerArns")
    if balancer and balancer not in state.load_balancers:
        raise missing("Load balancer", balancer)
    for lost in [arn for arn in arns if arn not in state.listeners]:
        raise missing("Listener", lost)
    chosen = [
        one
        for one in call.mine(state.listeners)
        if (not balancer or one.load_balancer == balancer) and (not arns or one.arn in arns)
    ]
    shown, more = page(chosen, params)
    return state, {"Listeners": [shapes.listener(one, state) for one in shown], **more}


def modify(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    params.only("ListenerArn", *PARAMETERS)
    old = security.find(state, params)
    one = security.secured(replace(old, port=params.number("Port", old.port, 1, 65535)), params, call)
    _port_is_free(state, one.load_balancer, one.port, but=one.arn)
    after = replace(state, listeners={**state.listeners, one.arn: one})
    if actions := params.structs("DefaultActions"):
        action = parts.action(actions, state.target_groups)
        one_load_balancer(state, action, one.load_balancer)
        default = replace(state.default_rule(one.arn), action=action)
        after = replace(after, rules={**after.rules, default.arn: default})
    return after, {"Listeners": [shapes.listener(one, after)]}


def delete(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    return without_listeners(state, {security.find(state, params).arn}), {}


def without_listeners(state: State, arns: Collection[str]) -> State:
    """Without these, their rules, and the tags of both."""
    rules = {arn: rule for arn, rule in state.rules.items() if rule.listener not in arns}
    gone = {*arns, *(arn for arn in state.rules if arn not in rules)}
    return replace(
        state,
        listeners={arn: one for arn, one in state.listeners.items() if arn not in arns},
        rules=rules,
        tags={arn: tags for arn, tags in state.tags.items() if arn not in gone},
    )


def describe_attributes(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    values = attributes.complete(attributes.LISTENER, security.find(state, params).attributes)
    return state, {"Attributes": shapes.pairs(values)}


def modify_attributes(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    one = security.find(state, params)
    values = attributes.changed(attributes.LISTENER, one.attributes, params)
    after = replace(state, listeners={**state.listeners, one.arn: replace(one, attributes=values)})
    return after, {"Attributes": shapes.pairs(attributes.complete(attributes.LISTENER, values))}
