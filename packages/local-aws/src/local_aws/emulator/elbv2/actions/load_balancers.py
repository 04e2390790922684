"""Load balancers. Each has an address of its own, <block>.<number>, which is also its DNS name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from local_aws.emulator.elbv2 import attributes, parts, shapes
from local_aws.emulator.elbv2.actions.call import Call, Network, page
from local_aws.emulator.elbv2.actions.listeners import without_listeners
from local_aws.emulator.elbv2.errors import missing, not_permitted, unsupported, wrong
from local_aws.emulator.elbv2.model import LoadBalancer, State
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.shapes import Shape
from local_aws.emulator.wire import ServiceError

LAST_NUMBER = 254


def create(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    params.only("Name", "Subnets", "SubnetMappings", "SecurityGroups", "Scheme", "Tags", "Type", "IpAddressType")
    if params.text("Type", "application") != "application":
        raise unsupported(f"load balancers of type '{params.text('Type')}'")
    name = parts.name(params, "Load balancer")
    network = _network(params, call)
    wanted = LoadBalancer(
        arn=call.arn(f"loadbalancer/app/{name}/{call.new_id()}"),
        name=name,
        number=_free_number(state),
        block=call.block,
        scheme=params.choice("Scheme", "internet-facing", "internal"),
        vpc=network.vpc,
        subnets=network.subnets,
        security_groups=params.texts("SecurityGroups"),
        address_type=_address_type(params),
        created=time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(call.now)),
    )
    for other in call.mine(state.load_balancers):
        if other.name == name:
            return state, {"LoadBalancers": [shapes.load_balancer(_same(other, wanted))]}
    after = replace(
        state,
        load_balancers={**state.load_balancers, wanted.arn: wanted},
        tags={**state.tags, wanted.arn: parts.tags(params)},
    )
    return after, {"LoadBalancers": [shapes.load_balancer(wanted)]}


def _same(other: LoadBalancer, wanted: LoadBalancer) -> LoadBalancer:
    """As on AWS, a repeated create returns the one that exists, if it was asked for in the same words."""
    kept = {name: getattr(other, name) for name in ("arn", "number", "block", "created", "attributes")}
    alike = replace(wanted, **kept)
    if alike != other:
        raise ServiceError(
            "DuplicateLoadBalancerName",
            f"A load balancer with the same name '{other.name}' exists, but with different settings",
        )
    return other


def _free_number(state: State) -> int:
    taken = {one.number for one in state.load_balancers.values()}
    for number in range(1, LAST_NUMBER + 1):
        if number not in taken:
            return number
    raise ServiceError("TooManyLoadBalancers", f"There are already {LAST_NUMBER} load balancers on this machine")


def _network(params: Params, call: Call) -> Network:
    mapped = tuple(one.required("SubnetId") for one in params.structs("SubnetMappings"))
    ids = params.texts("Subnets") or mapped
    network = call.network(ids) if ids else None
    zones = {subnet.zone for subnet in network.subnets} if network else set()
    if network is None or len(zones) < 2:
        raise wrong("At least two subnets in two different Availability Zones must be specified")
    if len(zones) < len(network.subnets):
        raise ServiceError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    return network


def _address_type(params: Params) -> str:
    found = params.choice("IpAddressType", "ipv4", "dualstack", "dualstack-without-public-ipv4")
    if found != "ipv4":
        raise unsupported("IP address types other than 'ipv4'")
    return found


def describe(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    arns, names = params.texts("LoadBalancerArns"), params.texts("Names")
    found = call.mine(state.load_balancers)
    _all_found(arns, [one.arn for one in found])
    _all_found(names, [one.name for one in found])
    chosen = [one for one in found if (not arns or one.arn in arns) and (not names or one.name in names)]
    shown, more = page(chosen, params)
    return state, {"LoadBalancers": [shapes.load_balancer(one) for one in shown], **more}


def _all_found(wanted: tuple[str, ...], there: list[str]) -> None:
    lost = [one for one in wanted if one not in there]
    if lost:
        raise ServiceError("LoadBalancerNotFound", f"Load balancers '[{', '.join(lost)}]' not found")


def find(state: State, params: Params) -> LoadBalancer:
    arn = params.required("LoadBalancerArn")
    if arn not in state.load_balancers:
        raise missing("Load balancer", arn)
    return state.load_balancers[arn]


def _put(state: State, one: LoadBalancer) -> State:
    return replace(state, load_balancers={**state.load_balancers, one.arn: one})


def delete(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    """With its listeners and rules. Deleting what does not exist succeeds, as on AWS."""
    arn = params.required("LoadBalancerArn")
    if arn not in state.load_balancers:
        return state, {}
    values = attributes.complete(attributes.LOAD_BALANCER, state.load_balancers[arn].attributes)
    if values["deletion_protection.enabled"] == "true":
        raise not_permitted(f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled")
    bare = without_listeners(state, {one.arn for one in state.listeners_of(arn)})
    return replace(
        bare,
        load_balancers={key: one for key, one in bare.load_balancers.items() if key != arn},
        tags={key: one for key, one in bare.tags.items() if key != arn},
    ), {}


def describe_attributes(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    values = attributes.complete(attributes.LOAD_BALANCER, find(state, params).attributes)
    return state, {"Attributes": shapes.pairs(values)}


def modify_attributes(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    one = find(state, params)
    values = attributes.changed(attributes.LOAD_BALANCER, one.attributes, params)
    shown = attributes.complete(attributes.LOAD_BALANCER, values)
    _check_logs(attributes.complete(attributes.LOAD_BALANCER, one.attributes), shown, call)
    return _put(state, replace(one, attributes=values)), {"Attributes": shapes.pairs(shown)}


def _check_logs(before: Mapping[str, str], after: Mapping[str, str], call: Call) -> None:
    """Whether logs can be written where they are to go from now on."""
    keys = ("access_logs.s3.enabled", "access_logs.s3.bucket", "access_logs.s3.prefix")
    enabled, bucket, prefix = (after[key] for key in keys)
    if enabled != "true" or all(before[key] == after[key] for key in keys):
        return
    if not bucket:
        raise wrong("The value of 'access_logs.s3.bucket' cannot be empty when access logs are enabled")
    call.log_to(bucket, prefix)


def set_security_groups(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    params.only("LoadBalancerArn", "SecurityGroups")
    one = replace(find(state, params), security_groups=params.texts("SecurityGroups"))
    return _put(state, one), {"SecurityGroupIds": one.security_groups}


def set_subnets(state: State, params: Params, call: Call) -> tuple[State, Shape]:
    params.only("LoadBalancerArn", "Subnets", "SubnetMappings", "IpAddressType")
    one = replace(find(state, params), subnets=_network(params, call).subnets, address_type=_address_type(params))
    return _put(state, one), {"AvailabilityZones": shapes.zones(one), "IpAddressType": one.address_type}


def set_address_type(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    one = find(state, params)
    return state, {"IpAddressType": _address_type(params) and one.address_type}


def describe_capacity(state: State, params: Params, _: Call) -> tuple[State, Shape]:
    """No capacity is reserved here; the official plugin asks all the same."""
    find(state, params)
    return state, {"DecreaseRequestsRemaining": 2, "CapacityReservationState": []}
