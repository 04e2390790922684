"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from gates.kit import Context, Props
from local.standins.aws.base import REGION, TAGS, AutoName, tag_map
from local.standins.aws.door import unless_gone
from local.standins.aws.ec2 import DescribedResource, Ec2Resource, tags_at_creation
from local.standins.schema import Prop, from_api

_RULE = {
    "protocol": Prop(text=True),
    "fromPort": Prop(),
    "toPort": Prop(),
    "cidrBlocks": Prop(),
    "ipv6CidrBlocks": Prop(),
    "securityGroups": Prop(),
    "prefixListIds": Prop(),
    "self": Prop(default=False),
    "description": Prop(),
}


def _permission(rule: Props, group: str) -> dict[str, Any]:
    """An inline rule of a group as the API's IpPermission."""
    note = {"Description": rule["description"]} if rule.get("description") else {}
    groups = [*(rule.get("securityGroups") or ()), *([group] if rule.get("self") else ())]
    permission = {
        "IpProtocol": "-1" if rule["protocol"] in ("-1", "all") else rule["protocol"],
        "IpRanges": [{"CidrIp": cidr} | note for cidr in rule.get("cidrBlocks") or ()],
        "Ipv6Ranges": [{"CidrIpv6": cidr} | note for cidr in rule.get("ipv6CidrBlocks") or ()],
        "UserIdGroupPairs": [{"GroupId": other} | note for other in groups],
        "PrefixListIds": [{"PrefixListId": one} | note for one in rule.get("prefixListIds") or ()],
    }
    if permission["IpProtocol"] != "-1":
        permission |= {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}
    return {key: value for key, value in permission.items() if value != []}


def _inline(permission: dict[str, Any], group: str) -> Props:
    """The inverse of `_permission`."""
    groups = [pair["GroupId"] for pair in permission.get("UserIdGroupPairs") or ()]
    cidrs = [one["CidrIp"] for one in permission.get("IpRanges") or ()]
    cidrs6 = [one["CidrIpv6"] for one in permission.get("Ipv6Ranges") or ()]
    lists = [one["PrefixListId"] for one in permission.get("PrefixListIds") or ()]
    rule: Props = {
        "protocol": permission["IpProtocol"],
        "fromPort": permission.get("FromPort", 0),
        "toPort": permission.get("ToPort", 0),
        "self": group in groups,
    }
    more = {
        "cidrBlocks": cidrs,
        "ipv6CidrBlocks": cidrs6,
        "securityGroups": [one for one in groups if one != group],
        "prefixListIds": lists,
    }
    return rule | {key: value for key, value in more.items() if value}


class SecurityGroup(DescribedResource):
    token = "aws:ec2/securityGroup:SecurityGroup"
    kind = "security-group"
    props = (
        {
            "name": Prop("GroupName", replace=True),
            "description": Prop("Description", default="Managed by Pulumi", replace=True),
            "vpcId": Prop("VpcId", replace=True),
            "ingress": Prop(fields=_RULE),
            "egress": Prop(fields=_RULE),
            "revokeRulesOnDelete": Prop(default=False),
        }
        | TAGS
        | REGION
    )
    computed = frozenset({"arn", "ownerId"})
    autoname = AutoName(longest=255)

    @override
    def make(self, api: Any, new: Props) -> str:
        place = {"VpcId": new["vpcId"]} if new.get("vpcId") else {}
        tags = tags_at_creation("security-group", new)
        names = {"GroupName": new["name"], "Description": new["description"]}
        return str(api.create_security_group(**names, **place, **tags)["GroupId"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        # AWS gives a new group a rule that lets everything out; pulumi-aws takes it away
        (group,) = self.describe(api, id)
        if group.get("IpPermissionsEgress"):
            api.revoke_security_group_egress(GroupId=id, IpPermissions=group["IpPermissionsEgress"])
        self.change(api, id, {}, new)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        for way in ("ingress", "egress"):
            before, after = old.get(way) or [], new.get(way) or []
            revoke = [_permission(rule, id) for rule in before if rule not in after]
            allow = [_permission(rule, id) for rule in after if rule not in before]
            if revoke:
                getattr(api, f"revoke_security_group_{way}")(GroupId=id, IpPermissions=revoke)
            if allow:
                getattr(api, f"authorize_security_group_{way}")(GroupId=id, IpPermissions=allow)

    @override
    def describe(self, api: Any, id: str) -> list[dict[str, Any]]:
        return list(api.describe_security_groups(GroupIds=[id])["SecurityGroups"])

    @override
    def details(self, api: Any, id: str, entry: dict[str, Any]) -> Props:
        return {
            "ingress": [_inline(one, id) for one in entry.get("IpPermissions") or ()],
            "egress": [_inline(one, id) for one in entry.get("IpPermissionsEgress") or ()],
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_security_group, GroupId=id)


class _Rule(Ec2Resource):
    """One rule of a group, as a resource of its own. Subclasses say which way."""

    way: str
    props = (
        {
            "securityGroupId": Prop("GroupId", replace=True),
            "ipProtocol": Prop("IpProtocol", text=True),
            "fromPort": Prop("FromPort"),
            "toPort": Prop("ToPort"),
            "cidrIpv4": Prop("CidrIpv4"),
            "cidrIpv6": Prop("CidrIpv6"),
            "prefixListId": Prop("PrefixListId"),
            "referencedSecurityGroupId": Prop(),
            "description": Prop("Description"),
        }
        | TAGS
        | REGION
    )
    computed = frozenset({"arn", "securityGroupRuleId"})

    def _permissions(self, new: Props) -> list[dict[str, Any]]:
        note = {"Description": new["description"]} if new.get("description") else {}
        sources = {
            "cidrIpv4": ("IpRanges", "CidrIp"),
            "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
            "prefixListId": ("PrefixListIds", "PrefixListId"),
            "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
        }
        ports = {"FromPort": new.get("fromPort"), "ToPort": new.get("toPort")}
        return [
            {"IpProtocol": new["ipProtocol"]}
            | {key: value for key, value in ports.items() if value is not None}
            | {field: [{key: new[name]} | note]}
            for name, (field, key) in sources.items()
            if new.get(name)
        ]

    @override
    def make(self, api: Any, new: Props) -> str:
        authorize = getattr(api, f"authorize_security_group_{self.way}")
        answer = authorize(
            GroupId=new["securityGroupId"],
            IpPermissions=self._permissions(new),
            **tags_at_creation("security-group-rule", new),
        )
        return str(answer["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        rule = {
            "IpProtocol": new["ipProtocol"],
            "FromPort": new.get("fromPort", -1),
            "ToPort": new.get("toPort", -1),
            "CidrIpv4": new.get("cidrIpv4"),
            "CidrIpv6": new.get("cidrIpv6"),
            "PrefixListId": new.get("prefixListId"),
            "ReferencedGroupId": new.get("referencedSecurityGroupId"),
            "Description": new.get("description"),
        }
        given = {key: value for key, value in rule.items() if value is not None}
        api.modify_security_group_rules(
            GroupId=new["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": id, "SecurityGroupRule": given}],
        )

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_security_group_rules, SecurityGroupRuleIds=[id])
        if not answer or not answer["SecurityGroupRules"]:
            return None
        rule = answer["SecurityGroupRules"][0]
        owner = rule.get("GroupOwnerId") or self.door.account()
        live = from_api(self.props, rule) | {
            "arn": self.arn("security-group-rule", id, known, owner),
            "securityGroupRuleId": id,
            "tags": tag_map(rule.get("Tags")),
        }
        if live["ipProtocol"] == "-1":  # AWS answers -1 for the ports, too, which nobody gives
            live = {key: value for key, value in live.items() if key not in ("fromPort", "toPort")}
        other = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
        return live | ({"referencedSecurityGroupId": other} if other else {})

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        revoke = getattr(api, f"revoke_security_group_{self.way}")
        unless_gone(revoke, GroupId=known["securityGroupId"], SecurityGroupRuleIds=[id])


class SecurityGroupIngressRule(_Rule):
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    way = "ingress"


class SecurityGroupEgressRule(_Rule):
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    way = "egress"
