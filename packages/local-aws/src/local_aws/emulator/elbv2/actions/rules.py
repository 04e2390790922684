"""Rules of a listener: tried by priority; the first whose conditions all hold decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from local_aws.emulator.elbv2 import parts, shapes
from local_aws.emulator.elbv2.actions.call import Call, page
from local_aws.emulator.elbv2.actions.listeners import one_load_balancer
from local_aws.emulator.elbv2.errors import missing, not_permitted, wrong
from local_aws.emulator.elbv2.model import DEFAULT, Rule, State
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.shapes import Shape
from local_aws.emulator.wire import ServiceError

LOWEST, HIGHEST = 1, 50000
MOST_RULES = 100


def create(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    params.only("ListenerArn", "Conditions", "Priority", "Actions", "Tags")
    listener = params.required("ListenerArn")
    if listener not in state.listeners:
        raise missing("Listener", listener)
    params.required("Priority")
    priority = params.number("Priority", 0, LOWEST, HIGHEST)
    conditions = parts.conditions(params.structs("Conditions"))
    action = parts.action(params.structs("Actions"), state.target_groups)
    one_load_balancer(state, action, state.listeners[listener].load_balancer)
    others = state.rules_of(listener)
    if priority in {rule.priority for rule in others}:
        raise ServiceError("PriorityInUse", f"Priority '{priority}' is currently in use")
    if len(others) > MOST_RULES:
        raise ServiceError("TooManyRules", f"A listener can have at most {MOST_RULES} rules")
    path = listener.partition(":listener/")[2]
    one = Rule(call.arn(f"listener-rule/{path}/{call.new_id()}"), listener, priority, conditions, action)
    after = replace(state, rules={**state.rules, one.arn: one}, tags={**state.tags, one.arn: parts.tags(params)})
    return after, {"Rules": [shapes.rule(one)]}


def describe(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    listener, arns = params.text("ListenerArn"), params.texts("RuleArns")
    if bool(listener) == bool(arns):
        raise wrong("You must specify either listener ARN or rule ARNs")
    if listener and listener not in state.listeners:
        raise missing("Listener", listener)
    found = state.rules_of(listener) if listener else [_find(state, arn) for arn in arns]
    shown, more = page(found, params)
    return state, {"Rules": [shapes.rule(one) for one in shown], **more}


def _find(state: State, arn: str) -> Rule:
    if arn not in state.rules:
        raise missing("Rule", arn)
    return state.rules[arn]


def modify(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    params.only("RuleArn", "Conditions", "Actions")
    one = _find(state, params.required("RuleArn"))
    if one.priority == DEFAULT:
        raise not_permitted(f"Default rule '{one.arn}' cannot be modified")
    conditions, actions = params.structs("Conditions"), params.structs("Actions")
    if not conditions and not actions:
        raise wrong("You must provide either conditions or actions")
    if conditions:
        one = replace(one, conditions=parts.conditions(conditions))
    if actions:
        one = replace(one, action=parts.action(actions, state.target_groups))
        one_load_balancer(state, one.action, state.listeners[one.listener].load_balancer)
    return replace(state, rules={**state.rules, one.arn: one}), {"Rules": [shapes.rule(one)]}


def delete(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    one = _find(state, params.required("RuleArn"))
    if one.priority == DEFAULT:
        raise not_permitted(f"Default rule '{one.arn}' cannot be deleted")
    return replace(
        state,
        rules={arn: rule for arn, rule in state.rules.items() if arn != one.arn},
        tags={arn: tags for arn, tags in state.tags.items() if arn != one.arn},
    ), {}


def set_priorities(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    wanted = {
        pair.required("RuleArn"): pair.number("Priority", 0, LOWEST, HIGHEST)
        for pair in params.structs("RulePriorities")
    }
    moved = {arn: replace(_find(state, arn), priority=priority) for arn, priority in wanted.items()}
    for arn in moved:
        if state.rules[arn].priority == DEFAULT:
            raise not_permitted(f"Priority of the default rule '{arn}' cannot be changed")
    rules = {**state.rules, **moved}
    _all_different(rules)
    return replace(state, rules=rules), {"Rules": [shapes.rule(rules[arn]) for arn in wanted]}


def _all_different(rules: Mapping[str, Rule]) -> None:
    seen: set[tuple[str, int]] = set()
    for rule in rules.values():
        place = (rule.listener, rule.priority)
        if place in seen:
            raise ServiceError("PriorityInUse", f"Priority '{rule.priority}' is currently in use")
        seen.add(place)
