"""Networks: VPC, subnets, internet gateway, route tables; ways out of private subnets are in egress.py."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from provider_kit import Change, Context, Props, State
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AwsResource, tag_list, tag_map
from local_aws.standins.aws.door import error_code, unless_gone
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, Table, upstream


def tags_at_creation(kind: str, new: Props) -> dict[str, Any]:
    """EC2's way of giving tags in the call that creates."""
    tags = tag_list(new.get("tags"))
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


class Ec2Resource(AwsResource):
    """EC2 tags everything alike, by id."""

    service = "ec2"

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.create_tags(Resources=[id], Tags=tag_list(put))
        if drop:
            api.delete_tags(Resources=[id], Tags=[{"Key": key} for key in drop])

    def arn(self, kind: str, id: str, known: Props, owner: str) -> str:
        return f"arn:aws:ec2:{known.get('region') or self.door.region}:{owner}:{kind}/{id}"


class DescribedResource(Ec2Resource):
    """A type with one describe call that takes ids and answers a list."""

    kind: str
    """In ARNs and tag specifications: `subnet`."""

    @abstractmethod
    def describe(self, api: Any, id: str) -> list[dict[str, Any]]:
        """The entries that the API has for the id."""

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        entries = unless_gone(lambda: self.describe(api, id))
        if not entries:
            return None
        entry = entries[0]
        owner = entry.get("OwnerId") or self.door.account()
        common = {
            "arn": self.arn(self.kind, id, known, owner),
            "ownerId": owner,
            "tags": tag_map(entry.get("Tags")),
        }
        return from_api(self.props, entry) | common | self.details(api, id, entry)

    def details(self, api: Any, id: str, entry: dict[str, Any]) -> Props:
        """What is not in the entry as the table says."""
        del api, id, entry
        return {}


class Vpc(DescribedResource):
    token = "aws:ec2/vpc:Vpc"
    kind = "vpc"
    source = upstream("ec2/vpc", "ec2/vpc_")
    props = (
        {
            "cidrBlock": Prop("CidrBlock", replace=True, required=True, departs="required: there is no IPAM here"),
            "instanceTenancy": Prop("InstanceTenancy", default="default", replace=True),
            "enableDnsSupport": Prop(default=True),
            "enableDnsHostnames": Prop(computed=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset(
        {
            "arn",
            "ownerId",
            "defaultNetworkAclId",
            "defaultRouteTableId",
            "defaultSecurityGroupId",
            "dhcpOptionsId",
            "mainRouteTableId",
        }
    )
    not_given = frozenset({"ipv6AssociationId"})
    _SWITCHES = (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames"))

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        changes = super().diff(ctx, old, inputs, ignore)
        if (old.inputs.get("instanceTenancy"), inputs["instanceTenancy"]) != ("dedicated", "default"):
            return changes
        # the one way that AWS changes a VPC's tenancy in place
        return [replace(change, replace=change.replace and change.top != "instanceTenancy") for change in changes]

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_vpc(**to_api(self.props, new), **tags_at_creation("vpc", new))
        return str(answer["Vpc"]["VpcId"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        at_creation = {"instanceTenancy": new["instanceTenancy"], "enableDnsSupport": True}
        self.change(api, id, at_creation, new)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if old["instanceTenancy"] != new["instanceTenancy"]:
            api.modify_vpc_tenancy(VpcId=id, InstanceTenancy=new["instanceTenancy"])
        for name, attribute in self._SWITCHES:  # the API takes one at a time
            if new.get(name, False) != old.get(name, False):
                api.modify_vpc_attribute(VpcId=id, **{attribute: {"Value": new.get(name, False)}})

    @override
    def describe(self, api: Any, id: str) -> list[dict[str, Any]]:
        return list(api.describe_vpcs(VpcIds=[id])["Vpcs"])

    @override
    def details(self, api: Any, id: str, entry: dict[str, Any]) -> Props:
        here = {"Name": "vpc-id", "Values": [id]}
        main = api.describe_route_tables(Filters=[here, {"Name": "association.main", "Values": ["true"]}])
        group = api.describe_security_groups(Filters=[here, {"Name": "group-name", "Values": ["default"]}])
        acl = api.describe_network_acls(Filters=[here, {"Name": "default", "Values": ["true"]}])
        return {
            "dhcpOptionsId": entry.get("DhcpOptionsId"),
            "mainRouteTableId": _first(main["RouteTables"], "RouteTableId"),
            "defaultRouteTableId": _first(main["RouteTables"], "RouteTableId"),
            "defaultSecurityGroupId": _first(group["SecurityGroups"], "GroupId"),
            "defaultNetworkAclId": _first(acl["NetworkAcls"], "NetworkAclId"),
        } | {
            name: api.describe_vpc_attribute(VpcId=id, Attribute=name)[attribute]["Value"]
            for name, attribute in self._SWITCHES
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_vpc, VpcId=id)


def _first(entries: list[dict[str, Any]], field: str) -> str | None:
    return str(entries[0][field]) if entries else None


class Subnet(DescribedResource):
    token = "aws:ec2/subnet:Subnet"
    kind = "subnet"
    source = upstream("ec2/subnet", "ec2/vpc_subnet")
    props = (
        {
            "vpcId": Prop("VpcId", replace=True, required=True),
            "cidrBlock": Prop("CidrBlock", replace=True, required=True, departs="required: there is no IPAM here"),
            "availabilityZone": Prop("AvailabilityZone", replace=True, computed=True),
            "mapPublicIpOnLaunch": Prop(default=False),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "ownerId", "availabilityZoneId"})
    not_given = frozenset({"ipv6CidrBlockAssociationId"})

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_subnet(**to_api(self.props, new), **tags_at_creation("subnet", new))
        return str(answer["Subnet"]["SubnetId"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        self.change(api, id, {"mapPublicIpOnLaunch": False}, new)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        public = new["mapPublicIpOnLaunch"]
        if public != old.get("mapPublicIpOnLaunch"):
            api.modify_subnet_attribute(SubnetId=id, MapPublicIpOnLaunch={"Value": public})

    @override
    def describe(self, api: Any, id: str) -> list[dict[str, Any]]:
        return list(api.describe_subnets(SubnetIds=[id])["Subnets"])

    @override
    def details(self, api: Any, id: str, entry: dict[str, Any]) -> Props:
        return {
            "availabilityZoneId": entry.get("AvailabilityZoneId"),
            "mapPublicIpOnLaunch": entry.get("MapPublicIpOnLaunch", False),
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_subnet, SubnetId=id)


class InternetGateway(DescribedResource):
    token = "aws:ec2/internetGateway:InternetGateway"
    kind = "internet-gateway"
    source = upstream("ec2/internetgateway", "ec2/vpc_internet_gateway")
    props = {"vpcId": Prop(computed=True)} | TAGS | REGION
    outputs = frozenset({"arn", "ownerId"})

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_internet_gateway(**tags_at_creation("internet-gateway", new))
        return str(answer["InternetGateway"]["InternetGatewayId"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        if new.get("vpcId"):
            api.attach_internet_gateway(InternetGatewayId=id, VpcId=new["vpcId"])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if old.get("vpcId") == new.get("vpcId"):
            return
        if old.get("vpcId"):
            api.detach_internet_gateway(InternetGatewayId=id, VpcId=old["vpcId"])
        self.settle(api, id, new)

    @override
    def describe(self, api: Any, id: str) -> list[dict[str, Any]]:
        return list(api.describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"])

    @override
    def details(self, api: Any, id: str, entry: dict[str, Any]) -> Props:
        return {"vpcId": _first(entry.get("Attachments") or [], "VpcId")}

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        if known.get("vpcId"):
            unless_gone(api.detach_internet_gateway, InternetGatewayId=id, VpcId=known["vpcId"])
        unless_gone(api.delete_internet_gateway, InternetGatewayId=id)


ROUTE: Table = {
    "cidrBlock": Prop("DestinationCidrBlock", required=True, departs="required: routes by IPv4 alone are served"),
    "gatewayId": Prop("GatewayId"),
    "natGatewayId": Prop("NatGatewayId"),
}


class RouteTable(DescribedResource):
    token = "aws:ec2/routeTable:RouteTable"
    kind = "route-table"
    source = upstream("ec2/routetable", "ec2/vpc_route_table")
    props = (
        {
            "vpcId": Prop("VpcId", replace=True, required=True),
            "routes": Prop(fields=ROUTE, computed=True, unordered=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "ownerId"})

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_route_table(VpcId=new["vpcId"], **tags_at_creation("route-table", new))
        return str(answer["RouteTable"]["RouteTableId"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        self.change(api, id, {}, new)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        before = {route["cidrBlock"]: route for route in old.get("routes") or []}
        after = {route["cidrBlock"]: route for route in new.get("routes") or []}
        for cidr in before.keys() - after.keys():
            unless_gone(api.delete_route, RouteTableId=id, DestinationCidrBlock=cidr)
        for cidr, route in after.items():
            if cidr not in before:
                _create_route(api, id, route)
            elif route != before[cidr]:
                api.replace_route(RouteTableId=id, **to_api(ROUTE, route))

    @override
    def describe(self, api: Any, id: str) -> list[dict[str, Any]]:
        return list(api.describe_route_tables(RouteTableIds=[id])["RouteTables"])

    @override
    def details(self, api: Any, id: str, entry: dict[str, Any]) -> Props:
        # as in pulumi-aws: the VPC's own route is none of the program's, nor are those of gateway endpoints
        others = (route for route in entry.get("Routes", ()) if route.get("GatewayId") != "local")
        routes = [route for route in others if not str(route.get("GatewayId")).startswith("vpce-")]
        return {"routes": [from_api(ROUTE, route) for route in routes]}

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_route_table, RouteTableId=id)


def _create_route(api: Any, table: str, route: Props) -> None:
    try:
        api.create_route(RouteTableId=table, **to_api(ROUTE, route))
    except Exception as error:
        if error_code(error) != "RouteAlreadyExists":
            raise
        api.replace_route(RouteTableId=table, **to_api(ROUTE, route))  # of an update that failed after it


class RouteTableAssociation(Ec2Resource):
    """Replaced on every change: the API answers a new id for a changed one, and an update cannot change ids."""

    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    source = upstream("ec2/routetableassociation", "ec2/vpc_route_table_association")
    props = {
        "subnetId": Prop("SubnetId", replace=True),
        "gatewayId": Prop("GatewayId", replace=True),
        "routeTableId": Prop(
            "RouteTableId",
            replace=True,
            required=True,
            departs="replaces; the provider changes it in place, where AWS answers a new id that nothing can record",
        ),
    } | REGION
    delete_before_replace = True

    @override
    def make(self, api: Any, new: Props) -> str:
        return str(api.associate_route_table(**to_api(self.props, new))["AssociationId"])

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        target, slash, table = id.partition("/")  # an import's: `subnet/table` or `gateway/table`
        if slash or known.get("routeTableId"):
            answer = unless_gone(api.describe_route_tables, RouteTableIds=[table or known["routeTableId"]])
        else:
            here = [{"Name": "association.route-table-association-id", "Values": [id]}]
            answer = api.describe_route_tables(Filters=here)
        for entry in (one for found in (answer or {}).get("RouteTables", ()) for one in found.get("Associations", ())):
            if entry.get("RouteTableAssociationId") == id or (slash and _associated(entry) == target):
                return from_api(self.props, entry) | {"id": entry["RouteTableAssociationId"]}
        return None

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.disassociate_route_table, AssociationId=id)


def _associated(entry: dict[str, Any]) -> str | None:
    """The subnet or gateway of an association."""
    return entry.get("SubnetId") or entry.get("GatewayId")
