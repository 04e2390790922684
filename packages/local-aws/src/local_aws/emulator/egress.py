"""EC2's ways out of a private subnet, as AWS documents them: elastic addresses, NAT gateways, VPC endpoints.

ministack keeps them (`_addresses`, `_nat_gateways`, `_vpc_endpoints`), but answers little of them and refuses nothing.
Here they are recorded and answered whole; no packet goes through any of them, and everything is ready at once.

- A NAT gateway in a VPC without an internet gateway, or for an address that is in use, becomes `failed`.
- An address in use is not released; a subnet or a security group in use is not deleted; an internet gateway is not
  detached from a VPC with a NAT gateway.
- A gateway endpoint adds a route to the service's prefix list to its tables: one for each service and table.
- An interface endpoint has one subnet in a zone at most; its private name is free in its VPC, which resolves names.
- Network interfaces are found by filters, which ministack ignores: the AWS provider waits for those of a load balancer
  that it deleted, and would wait for the endpoints of other environments.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html
https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html
https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any
from xml.sax.saxutils import escape

from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.wire import ServiceError

Tree = Mapping[str, Any]
"""An answer: element to text, number, flag, another tree, or a list of them; what is None is left out."""

GATEWAY_SERVICES = ("s3", "dynamodb")
OPEN = json.dumps(
    {"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}], "Version": "2008-10-17"}
)


def answers(params: Params, ec2: Any) -> Tree | None:
    """The answer to one of these actions; None for an action that is ministack's. Raises ServiceError."""
    action = params.text("Action")
    _check_unused(action, params, ec2)
    handler = _HANDLERS.get(action)
    return handler(params, ec2) if handler else None


def xml(tree: Any) -> str:
    """As EC2 writes it: lists of `item`."""
    match tree:
        case Mapping():
            return "".join(f"<{name}>{xml(value)}</{name}>" for name, value in tree.items() if value is not None)
        case list() | tuple():
            return "".join(f"<item>{xml(each)}</item>" for each in tree)
        case bool():
            return str(tree).lower()
    return escape(str(tree))


# ---- what is in use


def _check_unused(action: str, params: Params, ec2: Any) -> None:
    endpoints = ec2._vpc_endpoints.values()
    match action:
        case "ReleaseAddress":
            check_released(ec2._addresses.get(params.text("AllocationId")))
        case "DeleteSubnet":
            subnet = params.text("SubnetId")
            gateways = [each for each in _gateways(ec2) if each["SubnetId"] == subnet]
            check_deleted("subnet", subnet, [*gateways, *(each for each in endpoints if subnet in each["SubnetIds"])])
        case "DeleteSecurityGroup":
            group = params.text("GroupId")
            check_deleted("resource", group, [each for each in endpoints if group in each.get("GroupIds", ())])
        case "DeleteVpc":
            vpc = params.text("VpcId")
            check_deleted("vpc", vpc, [each for each in (*endpoints, *_gateways(ec2)) if each["VpcId"] == vpc])
        case "DetachInternetGateway":
            vpc = params.text("VpcId")
            if any(each["VpcId"] == vpc for each in _gateways(ec2)):
                words = (
                    f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before"
                )
                raise ServiceError("DependencyViolation", f"{words} detaching the gateway.")


def check_released(address: Mapping[str, Any] | None) -> None:
    """`address`: its record, None if there is none."""
    if address and address.get("AssociationId"):
        raise ServiceError("InvalidIPAddress.InUse", f"Address {address['PublicIp']} is in use.")


def check_deleted(kind: str, id: str, users: Iterable[Any]) -> None:
    """`users`: records of what is in it."""
    if [*users]:
        raise ServiceError("DependencyViolation", f"The {kind} '{id}' has dependencies and cannot be deleted.")


def _gateways(ec2: Any) -> list[dict[str, Any]]:
    """NAT gateways that are there: those that failed or were deleted can be seen for a while on AWS."""
    return [each for each in ec2._nat_gateways.values() if each["State"] == "available"]


# ---- addresses


def _describe_addresses(params: Params, ec2: Any) -> Tree:
    wanted, filters = texts(params.tree("AllocationId")), filters_in(params)
    for id in wanted:
        if id not in ec2._addresses:
            raise ServiceError("InvalidAllocationID.NotFound", f"The allocation ID '{id}' does not exist")
    found = [each for each in ec2._addresses.values() if not wanted or each["AllocationId"] in wanted]
    keys = {"allocation-id": "AllocationId", "public-ip": "PublicIp", "domain": "Domain"}
    matching = [each for each in found if _matches(each, each["AllocationId"], filters, keys, ec2)]
    return {"addressesSet": [_address(each, ec2) for each in matching]}


def _address(one: Mapping[str, Any], ec2: Any) -> Tree:
    used = {
        "associationId": one.get("AssociationId"),
        "networkInterfaceId": one.get("NetworkInterfaceId"),
        "networkInterfaceOwnerId": ec2.get_account_id() if one.get("NetworkInterfaceId") else None,
        "privateIpAddress": one.get("PrivateIpAddress"),
        "instanceId": one.get("InstanceId"),
    }
    place = {"networkBorderGroup": ec2.get_region(), "publicIpv4Pool": "amazon"}
    basic = {"allocationId": one["AllocationId"], "publicIp": one["PublicIp"], "domain": one["Domain"]}
    return basic | place | used | {"tagSet": _tags(one["AllocationId"], ec2)}


# ---- NAT gateways


def _create_nat_gateway(params: Params, ec2: Any) -> Tree:
    subnet, address = ec2._subnets.get(params.text("SubnetId")), ec2._addresses.get(params.text("AllocationId"))
    if subnet is None:
        raise ServiceError("InvalidSubnetID.NotFound", f"The subnet ID '{params.text('SubnetId')}' does not exist")
    if address is None and params.text("ConnectivityType", "public") == "public":
        words = f"The allocation ID '{params.text('AllocationId')}' does not exist"
        raise ServiceError("InvalidAllocationID.NotFound", words)
    id = f"nat-{uuid.uuid4().hex[:17]}"
    attached = [each["VpcId"] for one in ec2._internet_gateways.values() for each in one.get("Attachments") or ()]
    why = failure(address, subnet["VpcId"], attached)
    record = {
        "NatGatewayId": id,
        "SubnetId": subnet["SubnetId"],
        "VpcId": subnet["VpcId"],
        "AllocationId": params.text("AllocationId"),
        "ConnectivityType": params.text("ConnectivityType", "public"),
        "State": "failed" if why else "available",
        "Failure": why,
        "CreateTime": ec2._now_ts(),
        "NetworkInterfaceId": f"eni-{uuid.uuid4().hex[:17]}",
        "PrivateIp": params.text("PrivateIpAddress") or ec2._random_ip(subnet["CidrBlock"].rsplit(".", 1)[0] + "."),
        "Tags": [],
    }
    ec2._nat_gateways[id] = record
    if address is not None and not why:
        address["AssociationId"] = f"eipassoc-{uuid.uuid4().hex[:17]}"
        address |= {"NetworkInterfaceId": record["NetworkInterfaceId"], "PrivateIpAddress": record["PrivateIp"]}
    _tag(params, id, "natgateway", ec2)
    return {"natGateway": _gateway(record, ec2)}


def failure(address: Mapping[str, Any] | None, vpc: str, attached: Iterable[str]) -> tuple[str, str] | None:
    """Code and message of a NAT gateway that does not come to be. `attached`: VPCs with an internet gateway."""
    if address and vpc not in attached:
        return "Gateway.NotAttached", f"Network {vpc} has no Internet gateway attached"
    if address and address.get("AssociationId"):
        return "Resource.AlreadyAssociated", f"Elastic IP address [{address['AllocationId']}] is already associated"
    return None


def _gateway(one: Mapping[str, Any], ec2: Any) -> Tree:
    address = ec2._addresses.get(one["AllocationId"]) or {}
    used = {
        "allocationId": one["AllocationId"] or None,
        "associationId": address.get("AssociationId"),
        "publicIp": address.get("PublicIp"),
        "networkInterfaceId": one.get("NetworkInterfaceId"),
        "privateIp": one.get("PrivateIp"),
        "isPrimary": True,
        "status": "succeeded",
    }
    code, message = one.get("Failure") or (None, None)
    return {
        "natGatewayId": one["NatGatewayId"],
        "subnetId": one["SubnetId"],
        "vpcId": one["VpcId"],
        "state": one["State"],
        "failureCode": code,
        "failureMessage": message,
        "connectivityType": one["ConnectivityType"],
        "availabilityMode": "zonal",
        "createTime": one["CreateTime"],
        "natGatewayAddressSet": [used] if one["State"] == "available" else [],
        "tagSet": _tags(one["NatGatewayId"], ec2),
    }


def _describe_nat_gateways(params: Params, ec2: Any) -> Tree:
    filters, wanted = filters_in(params), texts(params.tree("NatGatewayId"))
    for id in wanted:
        if id not in ec2._nat_gateways:
            raise ServiceError("NatGatewayNotFound", f"NAT gateway {id} was not found")
    found = [each for each in ec2._nat_gateways.values() if not wanted or each["NatGatewayId"] in wanted]
    keys = {"state": "State", "vpc-id": "VpcId", "subnet-id": "SubnetId", "nat-gateway-id": "NatGatewayId"}
    matching = [each for each in found if _matches(each, each["NatGatewayId"], filters, keys, ec2)]
    return {"natGatewaySet": [_gateway(each, ec2) for each in matching]}


def _delete_nat_gateway(params: Params, ec2: Any) -> Tree:
    id = params.text("NatGatewayId")
    one = ec2._nat_gateways.get(id)
    if one is None:
        raise ServiceError("NatGatewayNotFound", f"NAT gateway {id} was not found")
    if one["State"] == "available" and (address := ec2._addresses.get(one["AllocationId"])):
        address |= {"AssociationId": None, "NetworkInterfaceId": None, "PrivateIpAddress": None}
    one["State"] = "deleted"
    return {"natGatewayId": id}


# ---- endpoints


def _create_vpc_endpoint(params: Params, ec2: Any) -> Tree:
    vpc = ec2._vpcs.get(params.text("VpcId"))
    if vpc is None:
        raise ServiceError("InvalidVpcId.NotFound", f"The Vpc Id {params.text('VpcId')} does not exist")
    id, interface = f"vpce-{uuid.uuid4().hex[:17]}", params.text("VpcEndpointType", "Gateway") == "Interface"
    subnets, private = [*texts(params.tree("SubnetId"))], params.flag("PrivateDnsEnabled", False)
    record = {
        "VpcEndpointId": id,
        "VpcEndpointType": "Interface" if interface else "Gateway",
        "VpcId": vpc["VpcId"],
        "ServiceName": params.text("ServiceName"),
        "State": "available",
        "RouteTableIds": [],
        "SubnetIds": subnets,
        "GroupIds": [*texts(params.tree("SecurityGroupId"))],
        "PrivateDnsEnabled": interface and private,
        "PolicyDocument": params.text("PolicyDocument") or OPEN,
        "OwnerId": ec2.get_account_id(),
        "CreateTime": ec2._now_ts(),
    }
    check_service(record["ServiceName"], record["VpcEndpointType"], ec2.get_region())
    if interface:
        check_zones([ec2._subnets[each]["AvailabilityZone"] for each in subnets if each in ec2._subnets])
        check_private_name(record, vpc, ec2._vpc_endpoints.values())
    ec2._vpc_endpoints[id] = record
    _place_interfaces(record, ec2)
    try:
        for table in texts(params.tree("RouteTableId")):
            _add_route(record, table, ec2)
    except ServiceError:
        _drop(record, ec2)
        raise
    _tag(params, id, "vpc-endpoint", ec2)
    return {"vpcEndpoint": _endpoint(record, ec2)}


def check_service(name: str, kind: str, region: str) -> None:
    """Gateway endpoints are for S3 and DynamoDB; which other services there are is not checked."""
    prefix, service = f"com.amazonaws.{region}.", name.removeprefix(f"com.amazonaws.{region}.")
    if not name.startswith(prefix) or (kind == "Gateway" and service not in GATEWAY_SERVICES):
        raise ServiceError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")


def check_zones(zones: list[str]) -> None:
    """`zones` of an interface endpoint's subnets."""
    if len({*zones}) != len(zones):
        raise ServiceError("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone")


def check_private_name(one: Mapping[str, Any], vpc: Mapping[str, Any], there: Iterable[Mapping[str, Any]]) -> None:
    """`there`: all endpoints. A private name needs a VPC that resolves names, and is free in it."""
    if not one["PrivateDnsEnabled"]:
        return
    if not (vpc.get("EnableDnsSupport", True) and vpc.get("EnableDnsHostnames", False)):
        words = (
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for"
        )
        raise ServiceError("InvalidParameter", f"{words} {vpc['VpcId']}")
    key = ("VpcId", "ServiceName", "PrivateDnsEnabled")
    if any([each.get(part) for part in key] == [one[part] for part in key] for each in there):
        words = "private-dns-enabled cannot be set because there is already a conflicting DNS domain for"
        raise ServiceError("InvalidParameter", f"{words} {one['ServiceName']} in the VPC {one['VpcId']}")


def _place_interfaces(one: dict[str, Any], ec2: Any) -> None:
    """An interface endpoint has a network interface in each of its subnets."""
    there: dict[str, str] = one.setdefault("Interfaces", {})
    for subnet in [each for each in there if each not in one["SubnetIds"]]:
        ec2._network_interfaces.pop(there.pop(subnet), None)
    for subnet in [each for each in one["SubnetIds"] if each not in there and each in ec2._subnets]:
        id = there[subnet] = f"eni-{uuid.uuid4().hex[:17]}"
        place = ec2._subnets[subnet]
        ec2._network_interfaces[id] = {
            "NetworkInterfaceId": id,
            "SubnetId": subnet,
            "VpcId": one["VpcId"],
            "AvailabilityZone": place["AvailabilityZone"],
            "Description": f"VPC Endpoint Interface {one['VpcEndpointId']}",
            "OwnerId": one["OwnerId"],
            "Status": "in-use",
            "PrivateIpAddress": ec2._random_ip(place["CidrBlock"].rsplit(".", 1)[0] + "."),
            "SourceDestCheck": True,
            "InterfaceType": "vpc_endpoint",
            "Attachment": None,
            "Groups": [],
            "MacAddress": "02:00:00:00:00:01",
        }


def _add_route(one: dict[str, Any], table: str, ec2: Any) -> None:
    """To the service's prefix list."""
    found, prefixes = ec2._route_tables.get(table), ec2._aws_pl_id_from_name(one["ServiceName"])
    if found is None:
        raise ServiceError("InvalidRouteTableId.NotFound", f"The routeTable ID '{table}' does not exist")
    if any(route.get("DestinationPrefixListId") == prefixes for route in found["Routes"]):
        words = f"route table {table} already has a route with destination-prefix-list-id {prefixes}"
        raise ServiceError("RouteAlreadyExists", words)
    route = {"DestinationPrefixListId": prefixes, "GatewayId": one["VpcEndpointId"]}
    found["Routes"].append(route | {"State": "active", "Origin": "CreateRoute"})
    one["RouteTableIds"].append(table)


def _drop_route(one: dict[str, Any], table: str, ec2: Any) -> None:
    found = ec2._route_tables.get(table)
    if found:
        found["Routes"] = [each for each in found["Routes"] if each.get("GatewayId") != one["VpcEndpointId"]]
    one["RouteTableIds"] = [each for each in one["RouteTableIds"] if each != table]


def _drop(one: dict[str, Any], ec2: Any) -> None:
    for table in [*one["RouteTableIds"]]:
        _drop_route(one, table, ec2)
    one["SubnetIds"] = []
    _place_interfaces(one, ec2)
    ec2._vpc_endpoints.pop(one["VpcEndpointId"], None)
    ec2._tags.pop(one["VpcEndpointId"], None)


def _modify_vpc_endpoint(params: Params, ec2: Any) -> Tree:
    one = _known_endpoint(params.text("VpcEndpointId"), ec2)
    for table in texts(params.tree("AddRouteTableId")):
        _add_route(one, table, ec2)
    for table in texts(params.tree("RemoveRouteTableId")):
        _drop_route(one, table, ec2)
    for key, part in (("SubnetIds", "SubnetId"), ("GroupIds", "SecurityGroupId")):
        kept = [each for each in one.get(key, ()) if each not in texts(params.tree(f"Remove{part}"))]
        one[key] = [*kept, *(each for each in texts(params.tree(f"Add{part}")) if each not in kept)]
    _place_interfaces(one, ec2)
    if "PrivateDnsEnabled" in params:
        one["PrivateDnsEnabled"] = params.flag("PrivateDnsEnabled", False)
    if params.text("PolicyDocument") or params.flag("ResetPolicy", False):
        one["PolicyDocument"] = params.text("PolicyDocument") or OPEN
    return {"return": True}


def _known_endpoint(id: str, ec2: Any) -> dict[str, Any]:
    one: dict[str, Any] | None = ec2._vpc_endpoints.get(id)
    if one is None:
        raise ServiceError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{id}' does not exist")
    return one


def _delete_vpc_endpoints(params: Params, ec2: Any) -> Tree:
    """What does not exist is said in the answer, which is none of an error."""
    lost = [id for id in texts(params.tree("VpcEndpointId")) if id not in ec2._vpc_endpoints]
    for id in texts(params.tree("VpcEndpointId")):
        if id not in lost:
            _drop(ec2._vpc_endpoints[id], ec2)
    code = "InvalidVpcEndpoint.NotFound"  # what pulumi-aws takes for success, unlike the code of a describe call
    why = {id: {"code": code, "message": f"The Vpc Endpoint Id '{id}' does not exist"} for id in lost}
    return {"unsuccessful": [{"resourceId": id, "error": error} for id, error in why.items()]}


def _describe_vpc_endpoints(params: Params, ec2: Any) -> Tree:
    wanted = texts(params.tree("VpcEndpointId"))
    found = [_known_endpoint(id, ec2) for id in wanted] if wanted else [*ec2._vpc_endpoints.values()]
    keys = {
        "vpc-id": "VpcId",
        "service-name": "ServiceName",
        "vpc-endpoint-id": "VpcEndpointId",
        "vpc-endpoint-state": "State",
        "vpc-endpoint-type": "VpcEndpointType",
    }
    filters = filters_in(params)
    matching = [each for each in found if _matches(each, each["VpcEndpointId"], filters, keys, ec2)]
    return {"vpcEndpointSet": [_endpoint(each, ec2) for each in matching]}


def _endpoint(one: Mapping[str, Any], ec2: Any) -> Tree:
    interface = one["VpcEndpointType"] == "Interface"
    groups = [{"groupId": id, "groupName": ec2._security_groups[id]["GroupName"]} for id in _groups(one, ec2)]
    name = f"{one['VpcEndpointId']}.{one['ServiceName'].rsplit('.', 1)[-1]}.{ec2.get_region()}.vpce.amazonaws.com"
    options = {"dnsRecordIpType": "ipv4" if interface else "service-defined"}
    return {
        "vpcEndpointId": one["VpcEndpointId"],
        "vpcEndpointType": one["VpcEndpointType"],
        "vpcId": one["VpcId"],
        "serviceName": one["ServiceName"],
        "state": one["State"],
        "policyDocument": one.get("PolicyDocument") or OPEN,
        "routeTableIdSet": one["RouteTableIds"],
        "subnetIdSet": one["SubnetIds"],
        "groupSet": groups,
        "ipAddressType": "ipv4",
        "dnsOptions": options | ({"privateDnsOnlyForInboundResolverEndpoint": False} if interface else {}),
        "privateDnsEnabled": bool(one.get("PrivateDnsEnabled")),
        "requesterManaged": False,
        "networkInterfaceIdSet": [*one.get("Interfaces", {}).values()],
        "dnsEntrySet": [{"dnsName": name, "hostedZoneId": "Z7HUB22UULQXV"}] if interface else [],
        "creationTimestamp": one.get("CreateTime"),
        "ownerId": one["OwnerId"],
        "tagSet": _tags(one["VpcEndpointId"], ec2),
    }


# ---- network interfaces


def _describe_network_interfaces(params: Params, ec2: Any) -> Tree:
    wanted, filters = texts(params.tree("NetworkInterfaceId")), filters_in(params)
    for id in wanted:
        if id not in ec2._network_interfaces:
            words = f"The networkInterface ID '{id}' does not exist"
            raise ServiceError("InvalidNetworkInterfaceID.NotFound", words)
    found = [each for id, each in ec2._network_interfaces.items() if not wanted or id in wanted]
    matching = [
        each for each in found if is_interface(each, filters) and _is_tagged(each["NetworkInterfaceId"], filters, ec2)
    ]
    return {"networkInterfaceSet": [_interface(each, ec2) for each in matching]}


def is_interface(one: Mapping[str, Any], filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Do all filters, tags apart, match it?"""
    attachment = one.get("Attachment") or {}
    seen = {
        "network-interface-id": [one["NetworkInterfaceId"]],
        "subnet-id": [one["SubnetId"]],
        "vpc-id": [one["VpcId"]],
        "description": [one["Description"]],
        "status": [one["Status"]],
        "interface-type": [one.get("InterfaceType", "interface")],
        "group-id": [each["GroupId"] for each in one.get("Groups", ())],
        "attachment.attachment-id": [attachment.get("AttachmentId", "")],
        "attachment.instance-id": [attachment.get("InstanceId", "")],
        "attachment.instance-owner-id": [attachment.get("InstanceOwnerId", "")],
    }
    return matches(seen, filters)


def _interface(one: Mapping[str, Any], ec2: Any) -> Tree:
    attachment, address = one.get("Attachment"), one["PrivateIpAddress"]
    return {
        "networkInterfaceId": one["NetworkInterfaceId"],
        "subnetId": one["SubnetId"],
        "vpcId": one["VpcId"],
        "availabilityZone": one.get("AvailabilityZone"),
        "description": one["Description"],
        "ownerId": one["OwnerId"],
        "status": one["Status"],
        "privateIpAddress": address,
        "sourceDestCheck": bool(one.get("SourceDestCheck", True)),
        "interfaceType": one.get("InterfaceType", "interface"),
        "macAddress": one["MacAddress"],
        "groupSet": [{"groupId": each["GroupId"], "groupName": each["GroupName"]} for each in one.get("Groups", ())],
        "privateIpAddressesSet": [{"privateIpAddress": address, "primary": True}],
        "attachment": {key[0].lower() + key[1:]: value for key, value in attachment.items()} if attachment else None,
        "tagSet": _tags(one["NetworkInterfaceId"], ec2),
    }


def _groups(one: Mapping[str, Any], ec2: Any) -> list[str]:
    """Without any the VPC's default one is in force."""
    default = [
        id
        for id, each in ec2._security_groups.items()
        if each["VpcId"] == one["VpcId"] and each["GroupName"] == "default"
    ]
    given = [id for id in one.get("GroupIds", ()) if id in ec2._security_groups]
    return given or (default if one["VpcEndpointType"] == "Interface" else [])


# ---- requests


def filters_in(params: Params) -> dict[str, tuple[str, ...]]:
    """By name."""
    return {each.text("Name"): texts(each.tree("Value")) for each in structs(params.tree("Filter"))}


def structs(listed: Mapping[str, Any]) -> list[Params]:
    """EC2 counts the items of a list without `member` in between: `Filter.1.Name`."""
    return [Params(listed[key]) for key in sorted(listed, key=int)]


def texts(listed: Mapping[str, Any]) -> tuple[str, ...]:
    """`SubnetId.1`, `SubnetId.2`."""
    return tuple(str(listed[key]) for key in sorted(listed, key=int))


def _matches(
    one: Mapping[str, Any], id: str, filters: Mapping[str, tuple[str, ...]], keys: Mapping[str, str], ec2: Any
) -> bool:
    """Filters by fields (`keys`: filter to key of the record) and by tags."""
    return matches({name: [one[key]] for name, key in keys.items()}, filters) and _is_tagged(id, filters, ec2)


def matches(seen: Mapping[str, Iterable[str]], filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Do all filters match, tags apart? `seen`: what each filter looks at. Values may have `*` and `?`. ServiceError
    for a filter that would be ignored in silence."""
    asked = {name: values for name, values in filters.items() if not name.startswith("tag")}
    for name in asked:
        if name not in seen:
            raise ServiceError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return all(
        any(fnmatchcase(value, pattern) for value in seen[name] for pattern in patterns)
        for name, patterns in asked.items()
    )


def _is_tagged(id: str, filters: Mapping[str, tuple[str, ...]], ec2: Any) -> bool:
    return bool(ec2._resource_matches_tag_filters(id, {name: [*values] for name, values in filters.items()}))


def _tag(params: Params, id: str, kind: str, ec2: Any) -> None:
    for each in structs(params.tree("TagSpecification")):
        if each.text("ResourceType") == kind:
            tags = structs(each.tree("Tag"))
            ec2._tags[id] = [{"Key": tag.text("Key"), "Value": tag.text("Value")} for tag in tags]


def _tags(id: str, ec2: Any) -> list[dict[str, str]]:
    return [{"key": tag["Key"], "value": tag.get("Value", "")} for tag in ec2._tags.get(id, ())]


_HANDLERS: Mapping[str, Callable[[Params, Any], Tree]] = {
    "DescribeAddresses": _describe_addresses,
    "CreateNatGateway": _create_nat_gateway,
    "DescribeNatGateways": _describe_nat_gateways,
    "DeleteNatGateway": _delete_nat_gateway,
    "CreateVpcEndpoint": _create_vpc_endpoint,
    "ModifyVpcEndpoint": _modify_vpc_endpoint,
    "DescribeVpcEndpoints": _describe_vpc_endpoints,
    "DeleteVpcEndpoints": _delete_vpc_endpoints,
    "DescribeNetworkInterfaces": _describe_network_interfaces,
}
