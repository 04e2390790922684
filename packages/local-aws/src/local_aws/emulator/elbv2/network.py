"""Subnets, asked of ministack's EC2 in the same process."""

from __future__ import annotations

import xml.etree.ElementTree as tree
from collections.abc import Sequence
from urllib.parse import urlencode

from local_aws.emulator.elbv2.actions.call import Network
from local_aws.emulator.elbv2.model import Subnet
from local_aws.emulator.query import Scope
from local_aws.emulator.wire import ServiceError


def find_subnets(ids: Sequence[str], scope: Scope) -> Network:
    """Raises ServiceError SubnetNotFound, or InvalidConfigurationRequest for subnets of several VPCs."""
    from ministack import app
    from ministack.core.responses import request_scope

    asked = {f"SubnetId.{at}": one for at, one in enumerate(ids, 1)}
    body = urlencode({"Action": "DescribeSubnets", "Version": "2016-11-15", **asked}).encode()
    with request_scope(scope.account, scope.region):
        handler = app.SERVICE_HANDLERS["ec2"]
        headers = {"content-type": "application/x-www-form-urlencoded"}
        status, _, answer = app.call_service_handler_sync(handler, "POST", "/", headers, body, {})
    if status >= 300:
        raise ServiceError("SubnetNotFound", message_of(answer))
    return read_subnets(answer, ids)


def message_of(answer: bytes) -> str:
    """What EC2's error says: which subnet it does not know."""
    found = next(tree.fromstring(answer).iter("Message"), None)
    return found.text or "" if found is not None else answer.decode(errors="replace")


def read_subnets(answer: bytes, ids: Sequence[str]) -> Network:
    """From the XML of a DescribeSubnets answer, in the order of `ids`."""
    found = {}
    for item in tree.fromstring(answer).iter():
        member = {child.tag.rpartition("}")[2]: child.text or "" for child in item}
        if "subnetId" in member and "vpcId" in member:
            found[member["subnetId"]] = (member["vpcId"], member.get("availabilityZone", ""))
    for one in ids:
        if one not in found:
            raise ServiceError("SubnetNotFound", f"The subnet ID '{one}' does not exist")
    vpcs = {found[one][0] for one in ids}
    if len(vpcs) > 1:
        raise ServiceError("InvalidConfigurationRequest", "All subnets must belong to the same VPC")
    return Network(vpc=vpcs.pop(), subnets=tuple(Subnet(one, found[one][1]) for one in ids))
