"""Ways out of private subnets: elastic addresses, NAT gateways, VPC endpoints."""

from __future__ import annotations

from typing import Any

from provider_kit import Context, Props, UserError
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, tag_map
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.aws.ec2 import DescribedResource, Ec2Resource, tags_at_creation
from local_aws.standins.aws.waiting import until, while_in_use
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, upstream

CREATED, DELETED = 600, 1200
"""Seconds that the provider waits for a gateway or an endpoint."""


class Eip(Ec2Resource):
    """An address of its own, that nothing has yet: a NAT gateway takes it by its `allocationId`."""

    token = "aws:ec2/eip:Eip"
    source = upstream("ec2/eip", "ec2/ec2_eip")
    props = {"domain": Prop("Domain", replace=True, computed=True)} | TAGS | REGION
    outputs = frozenset({"arn", "allocationId", "publicIp"})
    not_given = frozenset(
        {"associationId", "carrierIp", "customerOwnedIp", "privateDns", "privateIp", "ptrRecord", "publicDns"}
    )

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.allocate_address(Domain=new.get("domain") or "vpc", **tags_at_creation("elastic-ip", new))
        return str(answer["AllocationId"])

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_addresses, AllocationIds=[id])
        if not answer or not answer["Addresses"]:
            return None
        (entry,) = answer["Addresses"]
        return from_api(self.props, entry) | {
            "arn": self.arn("elastic-ip", id, known, self.door.account()),
            "allocationId": id,
            "publicIp": entry["PublicIp"],
            "tags": tag_map(entry.get("Tags")),
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        while_in_use(ctx, 180, ("InvalidIPAddress.InUse", "AuthFailure"), api.release_address, AllocationId=id)


class NatGateway(Ec2Resource):
    """In one zone, with one address."""

    token = "aws:ec2/natGateway:NatGateway"
    source = upstream("ec2/natgateway", "ec2/vpc_nat_gateway")
    props = (
        {
            "allocationId": Prop("AllocationId", replace=True),
            "connectivityType": Prop("ConnectivityType", default="public", replace=True),
            "privateIp": Prop("PrivateIpAddress", replace=True, computed=True),
            "subnetId": Prop(
                "SubnetId", replace=True, required=True, departs="required: regional gateways are not served"
            ),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"associationId", "networkInterfaceId", "publicIp"})
    not_given = frozenset(
        {
            "autoProvisionZones",
            "autoScalingIps",
            "regionalNatGatewayAddresses",
            "regionalNatGatewayAutoMode",
            "routeTableId",
        }
    )

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_nat_gateway(**to_api(self.props, new), **tags_at_creation("natgateway", new))
        return str(answer["NatGateway"]["NatGatewayId"])

    @override
    def ready(self, ctx: Context, api: Any, id: str, new: Props) -> None:
        until(ctx, f"NAT gateway {id} is available", CREATED, lambda: self._is_available(api, id))

    def _is_available(self, api: Any, id: str) -> bool:
        entry = self._entry(api, id) or {}
        if entry.get("State") == "failed":
            raise UserError(f"NAT gateway {id} failed: {entry.get('FailureCode')}: {entry.get('FailureMessage')}")
        return entry.get("State") == "available"

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        entry = self._entry(api, id)
        if entry is None or entry["State"] in ("deleted", "deleting", "failed"):
            return None
        address = (entry.get("NatGatewayAddresses") or [{}])[0]
        return from_api(self.props, entry) | {
            "allocationId": address.get("AllocationId"),
            "associationId": address.get("AssociationId", ""),
            "networkInterfaceId": address.get("NetworkInterfaceId", ""),
            "privateIp": address.get("PrivateIp", ""),
            "publicIp": address.get("PublicIp", ""),
            "tags": tag_map(entry.get("Tags")),
        }

    def _entry(self, api: Any, id: str) -> dict[str, Any] | None:
        answer = unless_gone(api.describe_nat_gateways, NatGatewayIds=[id])
        return answer["NatGateways"][0] if answer and answer["NatGateways"] else None

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_nat_gateway, NatGatewayId=id)
        until(ctx, f"NAT gateway {id} is deleted", DELETED, lambda: self._is_gone(api, id))

    def _is_gone(self, api: Any, id: str) -> bool:
        entry = self._entry(api, id)
        return entry is None or entry["State"] == "deleted"


class VpcEndpoint(DescribedResource):
    """The way to one service: routes to its addresses (Gateway), or an address of it in each subnet (Interface)."""

    token = "aws:ec2/vpcEndpoint:VpcEndpoint"
    kind = "vpc-endpoint"
    source = upstream("ec2/vpcendpoint", "ec2/vpc_endpoint")
    props = (
        {
            "vpcId": Prop("VpcId", replace=True, required=True),
            "serviceName": Prop(
                "ServiceName", replace=True, required=True, departs="required: service networks are not served"
            ),
            "vpcEndpointType": Prop("VpcEndpointType", default="Gateway", replace=True),
            "policy": Prop("PolicyDocument", json=True, computed=True),
            "privateDnsEnabled": Prop("PrivateDnsEnabled", replace=True, computed=True),
            "routeTableIds": Prop("RouteTableIds", computed=True, unordered=True),
            "subnetIds": Prop("SubnetIds", computed=True, unordered=True),
            "securityGroupIds": Prop(computed=True, unordered=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset(
        {
            "arn",
            "ownerId",
            "cidrBlocks",
            "dnsEntries",
            "networkInterfaceIds",
            "prefixListId",
            "requesterManaged",
            "state",
        }
    )
    _SETS = (("routeTableIds", "RouteTableIds"), ("subnetIds", "SubnetIds"), ("securityGroupIds", "SecurityGroupIds"))

    @override
    def make(self, api: Any, new: Props) -> str:
        groups = {"SecurityGroupIds": new["securityGroupIds"]} if new.get("securityGroupIds") else {}
        tags = tags_at_creation("vpc-endpoint", new)
        given = {"PrivateDnsEnabled": False} | to_api(self.props, new)  # left out, AWS would take it for true
        answer = api.create_vpc_endpoint(**given, **groups, **tags)
        return str(answer["VpcEndpoint"]["VpcEndpointId"])

    @override
    def ready(self, ctx: Context, api: Any, id: str, new: Props) -> None:
        def available() -> bool:
            return {entry["State"].lower() for entry in self.describe(api, id)} == {"available"}

        until(ctx, f"VPC endpoint {id} is available", CREATED, available)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        given: dict[str, Any] = {}
        for name, field in self._SETS:
            before, after = {*(old.get(name) or ())}, {*(new.get(name) or ())}
            if name in new and before != after:
                changed = {f"Add{field}": sorted(after - before), f"Remove{field}": sorted(before - after)}
                given |= {key: ids for key, ids in changed.items() if ids}
        if new.get("policy") and new["policy"] != old.get("policy"):
            given["PolicyDocument"] = new["policy"]
        if given:
            api.modify_vpc_endpoint(VpcEndpointId=id, **given)

    @override
    def describe(self, api: Any, id: str) -> list[dict[str, Any]]:
        return list(api.describe_vpc_endpoints(VpcEndpointIds=[id])["VpcEndpoints"])

    @override
    def details(self, api: Any, id: str, entry: dict[str, Any]) -> Props:
        # as in pulumi-aws: by the service's name; only S3 and DynamoDB have such a list
        here = [{"Name": "prefix-list-name", "Values": [entry["ServiceName"]]}]
        lists = api.describe_prefix_lists(Filters=here)["PrefixLists"]
        names = [
            {"dnsName": name.get("DnsName", ""), "hostedZoneId": name.get("HostedZoneId", "")}
            for name in entry.get("DnsEntries") or ()
        ]
        return {
            "vpcEndpointType": entry.get("VpcEndpointType") or "Gateway",
            "securityGroupIds": [group["GroupId"] for group in entry.get("Groups") or ()],
            "routeTableIds": list(entry.get("RouteTableIds") or ()),
            "subnetIds": list(entry.get("SubnetIds") or ()),
            "privateDnsEnabled": bool(entry.get("PrivateDnsEnabled")),
            "cidrBlocks": [cidr for one in lists for cidr in one.get("Cidrs") or ()],
            "prefixListId": next((one["PrefixListId"] for one in lists), ""),
            "dnsEntries": names,
            "networkInterfaceIds": list(entry.get("NetworkInterfaceIds") or ()),
            "requesterManaged": bool(entry.get("RequesterManaged")),
            "state": entry["State"].lower(),
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        api.delete_vpc_endpoints(VpcEndpointIds=[id])  # one that is gone is no error, but said in the answer
        until(ctx, f"VPC endpoint {id} is deleted", DELETED, lambda: not unless_gone(self.describe, api=api, id=id))
