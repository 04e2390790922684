"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from provider_kit import Change, Context, Props, State
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, tag_map
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.aws.ec2 import DescribedResource, Ec2Resource, tags_at_creation
from local_aws.standins.fields import from_api
from local_aws.standins.schema import Prop, upstream


class SecurityGroup(DescribedResource):
    """A group without rules: those are resources of their own, as the provider's documentation asks for."""

    token = "aws:ec2/securityGroup:SecurityGroup"
    kind = "security-group"
    source = upstream("ec2/securitygroup", "ec2/vpc_security_group")
    props = (
        {
            "name": Prop("GroupName", replace=True),
            "description": Prop("Description", default="Managed by Pulumi", replace=True),
            "vpcId": Prop("VpcId", replace=True, computed=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "ownerId"})
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

    @override
    def describe(self, api: Any, id: str) -> list[dict[str, Any]]:
        return list(api.describe_security_groups(GroupIds=[id])["SecurityGroups"])

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_security_group, GroupId=id)


SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
"""Where a rule lets traffic come from or go to: exactly one of them."""


class _Rule(Ec2Resource):
    """One rule of a group, as a resource of its own. Subclasses say which way."""

    way: str
    props = (
        {
            "securityGroupId": Prop("GroupId", replace=True, required=True),
            "ipProtocol": Prop("IpProtocol", text=True, required=True),
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
    outputs = frozenset({"arn", "securityGroupRuleId"})

    @override
    def wrong(self, values: Props) -> Iterator[tuple[str, str]]:
        if sum(name in values for name in SOURCES) != 1:
            yield "cidrIpv4", f"exactly one of {', '.join(SOURCES)} is required"

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        changes = super().diff(ctx, old, inputs, ignore)
        # as in pulumi-aws: AWS changes a source, but not into one of another kind
        other_kind = {name for name in SOURCES if (name in old.inputs) != (name in inputs)}
        return [replace(change, replace=change.replace or change.top in other_kind) for change in changes]

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
        if live["ipProtocol"] == "-1":  # AWS also answers -1 for the ports, which no program gives
            live = {key: value for key, value in live.items() if key not in ("fromPort", "toPort")}
        other = (rule.get("ReferencedGroupInfo") or {}).get("GroupId")
        return live | ({"referencedSecurityGroupId": other} if other else {})

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        revoke = getattr(api, f"revoke_security_group_{self.way}")
        unless_gone(revoke, GroupId=known["securityGroupId"], SecurityGroupRuleIds=[id])


class SecurityGroupIngressRule(_Rule):
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    source = upstream("vpc/securitygroupingressrule", "ec2/vpc_security_group_ingress_rule")
    way = "ingress"


class SecurityGroupEgressRule(_Rule):
    token = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    source = upstream("vpc/securitygroupegressrule", "ec2/vpc_security_group_egress_rule")
    way = "egress"
