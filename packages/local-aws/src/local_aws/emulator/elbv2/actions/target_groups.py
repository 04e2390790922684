"""Target groups, and the targets in them: of type `ip`, spoken to by HTTP/1.1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from local_aws.emulator.elbv2 import attributes, parts, shapes
from local_aws.emulator.elbv2.actions.call import Call, page
from local_aws.emulator.elbv2.errors import in_use, missing, unsupported
from local_aws.emulator.elbv2.model import Address, HealthCheck, State, Target, TargetGroup, TargetHealth
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.shapes import Shape
from local_aws.emulator.wire import ServiceError

CHECK_PARAMETERS = (
    "HealthCheckProtocol", "HealthCheckPort", "HealthCheckEnabled", "HealthCheckPath", "HealthCheckIntervalSeconds",
    "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount", "Matcher",
)  # fmt: skip
DEFAULT_CHECK = HealthCheck(
    path="/", port="traffic-port", interval=30, timeout=5, healthy=5, unhealthy=2, matcher="200"
)
NOT_REGISTERED = TargetHealth("unused", "Target.NotRegistered", "Target is not registered to the target group")
MOST_TARGETS = 1000


def create(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    params.only("Name", "Protocol", "ProtocolVersion", "Port", "VpcId", "TargetType", "Tags", "IpAddressType",
                *CHECK_PARAMETERS)  # fmt: skip
    _only_http_by_address(params)
    name = parts.name(params, "Target group")
    params.required("Port")
    wanted = TargetGroup(
        arn=call.arn(f"targetgroup/{name}/{call.new_id()}"),
        name=name,
        port=params.number("Port", 0, 1, 65535),
        vpc=params.required("VpcId"),
        check=parts.health_check(params, DEFAULT_CHECK),
    )
    for other in call.mine(state.target_groups):
        if other.name == name:
            return state, {"TargetGroups": [shapes.target_group(_same(other, wanted), state)]}
    after = replace(
        state,
        target_groups={**state.target_groups, wanted.arn: wanted},
        tags={**state.tags, wanted.arn: parts.tags(params)},
    )
    return after, {"TargetGroups": [shapes.target_group(wanted, after)]}


def _only_http_by_address(params: Params) -> None:
    if (kind := params.text("TargetType", "instance")) != "ip":
        raise unsupported(f"target type '{kind}': use 'ip'")
    if (protocol := params.required("Protocol")) != "HTTP":
        raise unsupported(f"target protocol '{protocol}': use 'HTTP'")
    if (version := params.text("ProtocolVersion", "HTTP1")) != "HTTP1":
        raise unsupported(f"protocol version '{version}': use 'HTTP1'")
    if (family := params.text("IpAddressType", "ipv4")) != "ipv4":
        raise unsupported(f"targets of address type '{family}'")


def _same(other: TargetGroup, wanted: TargetGroup) -> TargetGroup:
    """As on AWS, a repeated create returns the one that exists, if it was asked for in the same words."""
    if replace(wanted, arn=other.arn, attributes=other.attributes) != other:
        raise ServiceError(
            "DuplicateTargetGroupName",
            f"A target group with the same name '{other.name}' exists, but with different settings",
        )
    return other


def describe(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    arns, names = params.texts("TargetGroupArns"), params.texts("Names")
    balancer = params.text("LoadBalancerArn")
    if balancer and balancer not in state.load_balancers:
        raise missing("Load balancer", balancer)
    found = call.mine(state.target_groups)
    for lost in [arn for arn in arns if arn not in state.target_groups]:
        raise missing("Target group", lost)
    for lost in [name for name in names if name not in {one.name for one in found}]:
        raise missing("Target group", lost)
    chosen = [
        one
        for one in found
        if (not arns or one.arn in arns)
        and (not names or one.name in names)
        and (not balancer or balancer in state.load_balancers_of(one.arn))
    ]
    shown, more = page(chosen, params)
    return state, {"TargetGroups": [shapes.target_group(one, state) for one in shown], **more}


def find(state: State, params: Params) -> TargetGroup:
    arn = params.required("TargetGroupArn")
    if arn not in state.target_groups:
        raise missing("Target group", arn)
    return state.target_groups[arn]


def _put(state: State, one: TargetGroup) -> State:
    return replace(state, target_groups={**state.target_groups, one.arn: one})


def modify(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    params.only("TargetGroupArn", *CHECK_PARAMETERS)
    one = find(state, params)
    after = _put(state, replace(one, check=parts.health_check(params, one.check)))
    return after, {"TargetGroups": [shapes.target_group(after.target_groups[one.arn], after)]}


def delete(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    """Deleting what does not exist succeeds, as on AWS."""
    arn = params.required("TargetGroupArn")
    if state.load_balancers_of(arn):
        raise in_use(arn)
    return replace(
        state,
        target_groups={key: one for key, one in state.target_groups.items() if key != arn},
        targets={key: one for key, one in state.targets.items() if key != arn},
        tags={key: one for key, one in state.tags.items() if key != arn},
    ), {}


def describe_attributes(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    values = attributes.complete(attributes.TARGET_GROUP, find(state, params).attributes)
    return state, {"Attributes": shapes.pairs(values)}


def modify_attributes(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    one = find(state, params)
    values = attributes.changed(attributes.TARGET_GROUP, one.attributes, params)
    shown = attributes.complete(attributes.TARGET_GROUP, values)
    return _put(state, replace(one, attributes=values)), {"Attributes": shapes.pairs(shown)}


# ---------------------------------------------------------------- targets


def delay(group: TargetGroup) -> int:
    """Deregistration delay in AWS's seconds, not scaled."""
    return int(attributes.complete(attributes.TARGET_GROUP, group.attributes)["deregistration_delay.timeout_seconds"])


def register(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    group = find(state, params)
    return registered(state, group, parts.targets(params, group.port)), {}


def registered(state: State, group: TargetGroup, new: Iterable[Target]) -> State:
    """One that is there already stays as it is; one that drains begins anew."""
    there = {target.address: target for target in state.targets.get(group.arn, ())}
    for target in new:
        old = there.get(target.address)
        if old is None or old.draining_until is not None:
            there[target.address] = target
    if len(there) > MOST_TARGETS:
        raise ServiceError("TooManyTargets", f"A target group can have at most {MOST_TARGETS} targets")
    return state.with_targets(group.arn, tuple(there.values()))


def deregister(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    group = find(state, params)
    given = params.structs("Targets")
    ports = {one.required("Id"): "Port" in one for one in given}
    wanted = parts.targets(params, group.port)
    addresses = [
        target.address
        for target in state.targets.get(group.arn, ())
        for one in wanted
        if target.ip == one.ip and (target.port == one.port or not ports[one.ip])
    ]
    return deregistered(state, group, addresses, call.now + delay(group) * call.delay_scale), {}


def deregistered(state: State, group: TargetGroup, addresses: Iterable[Address], until: float) -> State:
    """They drain until then; where no load balancer uses the group there is nothing to drain, and they go at once."""
    gone = set(addresses)
    used = bool(state.load_balancers_of(group.arn))
    left = []
    for target in state.targets.get(group.arn, ()):
        if target.address not in gone or target.draining_until is not None:
            left.append(target)
        elif used:
            left.append(replace(target, draining_until=until))
    return state.with_targets(group.arn, tuple(left))


def drained(state: State, now: float) -> State:
    """Without the targets whose delay is over."""
    left = {
        arn: tuple(one for one in targets if one.draining_until is None or one.draining_until > now)
        for arn, targets in state.targets.items()
    }
    return state if left == state.targets else replace(state, targets=left)


def describe_health(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    group = find(state, params)
    health = dict(call.health(group.arn))
    if asked := parts.targets(params, group.port):
        health = {one.address: health.get(one.address, NOT_REGISTERED) for one in asked}
    return state, {"TargetHealthDescriptions": [_health(group, at, one) for at, one in health.items()]}


def _health(group: TargetGroup, address: Address, health: TargetHealth) -> Shape:
    ip, port = address
    check = group.check.port
    return {
        "Target": {"Id": ip, "Port": port},
        "HealthCheckPort": str(port) if check == "traffic-port" else check,
        "TargetHealth": {
            "State": health.state,
            "Reason": health.reason or None,
            "Description": health.description or None,
        },
    }
