"""The API's actions, one function each: (state, request, call) -> (state after it, answer). Pure.

A function raises ServiceError and leaves no trace, or returns the whole new state; `service.py` carries that state to
the load balancer and keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

from local_aws.emulator.elbv2.actions import listeners, load_balancers, rules, security, tags, target_groups
from local_aws.emulator.elbv2.actions.call import Call
from local_aws.emulator.elbv2.model import State
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.shapes import Shape

Perform = Callable[[State, Params, Call], tuple[State, Shape]]

ACTIONS: dict[str, Perform] = {
    "CreateLoadBalancer": load_balancers.create,
    "DescribeLoadBalancers": load_balancers.describe,
    "DeleteLoadBalancer": load_balancers.delete,
    "DescribeLoadBalancerAttributes": load_balancers.describe_attributes,
    "ModifyLoadBalancerAttributes": load_balancers.modify_attributes,
    "SetSecurityGroups": load_balancers.set_security_groups,
    "SetSubnets": load_balancers.set_subnets,
    "SetIpAddressType": load_balancers.set_address_type,
    "DescribeCapacityReservation": load_balancers.describe_capacity,
    "CreateTargetGroup": target_groups.create,
    "DescribeTargetGroups": target_groups.describe,
    "ModifyTargetGroup": target_groups.modify,
    "DeleteTargetGroup": target_groups.delete,
    "DescribeTargetGroupAttributes": target_groups.describe_attributes,
    "ModifyTargetGroupAttributes": target_groups.modify_attributes,
    "RegisterTargets": target_groups.register,
    "DeregisterTargets": target_groups.deregister,
    "DescribeTargetHealth": target_groups.describe_health,
    "CreateListener": listeners.create,
    "DescribeListeners": listeners.describe,
    "ModifyListener": listeners.modify,
    "DeleteListener": listeners.delete,
    "DescribeListenerAttributes": listeners.describe_attributes,
    "ModifyListenerAttributes": listeners.modify_attributes,
    "DescribeListenerCertificates": security.describe,
    "AddListenerCertificates": security.add,
    "RemoveListenerCertificates": security.remove,
    "DescribeSSLPolicies": security.describe_policies,
    "CreateRule": rules.create,
    "DescribeRules": rules.describe,
    "ModifyRule": rules.modify,
    "DeleteRule": rules.delete,
    "SetRulePriorities": rules.set_priorities,
    "AddTags": tags.add,
    "RemoveTags": tags.remove,
    "DescribeTags": tags.describe,
}
