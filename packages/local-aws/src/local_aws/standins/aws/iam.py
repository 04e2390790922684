"""Roles and the policies on them. IAM has no regions."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import unquote

from provider_kit import Context, Props, UserError
from typing_extensions import override

from local_aws.standins.aws.base import TAGS, AutoName, AwsResource, rfc3339, tag_list, tag_map
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, Table, canonical, upstream


def _document(answer: Any) -> str:
    """A policy as IAM answers it: URL-encoded text, which botocore may have read already."""
    return canonical(unquote(answer) if isinstance(answer, str) else answer)


class Role(AwsResource):
    token = "aws:iam/role:Role"
    service = "iam"
    source = upstream("iam/role", "iam/role")
    props = {
        "assumeRolePolicy": Prop("AssumeRolePolicyDocument", json=True, required=True),
        "description": Prop("Description"),
        "forceDetachPolicies": Prop(default=False, unread=True),
        "managedPolicyArns": Prop(computed=True, unordered=True),
        "maxSessionDuration": Prop("MaxSessionDuration", default=3600),
        "name": Prop("RoleName", replace=True),
        "path": Prop("Path", default="/", replace=True),
        "permissionsBoundary": Prop("PermissionsBoundary"),
    } | TAGS
    outputs = frozenset({"arn", "createDate", "uniqueId"})
    autoname = AutoName(longest=64)

    @override
    def make(self, api: Any, new: Props) -> str:
        return str(api.create_role(**to_api(self.props, new), Tags=tag_list(new.get("tags")))["Role"]["RoleName"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        self._attach(api, id, [], new.get("managedPolicyArns") or [])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if old.get("assumeRolePolicy") != new["assumeRolePolicy"]:
            api.update_assume_role_policy(RoleName=id, PolicyDocument=new["assumeRolePolicy"])
        if any(old.get(name) != new.get(name) for name in ("description", "maxSessionDuration")):
            api.update_role(
                RoleName=id,
                Description=new.get("description") or "",
                MaxSessionDuration=new["maxSessionDuration"],
            )
        self._boundary(api, id, old.get("permissionsBoundary"), new.get("permissionsBoundary"))
        self._attach(api, id, old.get("managedPolicyArns") or [], new.get("managedPolicyArns") or [])

    def _boundary(self, api: Any, id: str, old: str | None, new: str | None) -> None:
        if new and new != old:
            api.put_role_permissions_boundary(RoleName=id, PermissionsBoundary=new)
        elif old and not new:
            api.delete_role_permissions_boundary(RoleName=id)

    def _attach(self, api: Any, id: str, old: list[str], new: list[str]) -> None:
        for arn in old:
            if arn not in new:
                unless_gone(api.detach_role_policy, RoleName=id, PolicyArn=arn)
        for arn in new:
            if arn not in old:
                api.attach_role_policy(RoleName=id, PolicyArn=arn)

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.get_role, RoleName=id)
        if not answer:
            return None
        role = answer["Role"]
        live = from_api(self.props, role | {"AssumeRolePolicyDocument": None, "PermissionsBoundary": None})
        live |= {
            "arn": role["Arn"],
            "uniqueId": role["RoleId"],
            "createDate": rfc3339(role.get("CreateDate")),
            "assumeRolePolicy": _document(role["AssumeRolePolicyDocument"]),
            "tags": tag_map(role.get("Tags")),
        }
        boundary = (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        if boundary:
            live["permissionsBoundary"] = boundary
        live["managedPolicyArns"] = _attached(api, id)
        return live

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.tag_role(RoleName=id, Tags=tag_list(put))
        if drop:
            api.untag_role(RoleName=id, TagKeys=drop)

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        attached = _attached(api, id) if known.get("forceDetachPolicies") else known.get("managedPolicyArns")
        for arn in attached or ():
            unless_gone(api.detach_role_policy, RoleName=id, PolicyArn=arn)
        unless_gone(api.delete_role, RoleName=id)


def _attached(api: Any, role: str) -> list[str]:
    answer = unless_gone(api.list_attached_role_policies, RoleName=role) or {"AttachedPolicies": []}
    return sorted(policy["PolicyArn"] for policy in answer["AttachedPolicies"])


class RolePolicyAttachment(AwsResource):
    """Its id is `role/policy-arn`, as on an import."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    service = "iam"
    source = upstream("iam/rolepolicyattachment", "iam/role_policy_attachment")
    props: ClassVar[Table] = {
        "role": Prop("RoleName", replace=True, required=True),
        "policyArn": Prop("PolicyArn", replace=True, required=True),
    }

    @override
    def make(self, api: Any, new: Props) -> str:
        api.attach_role_policy(**to_api(self.props, new))
        return f"{new['role']}/{new['policyArn']}"

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        role, _, arn = id.partition("/")
        return {"role": role, "policyArn": arn} if arn in _attached(api, role) else None

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.detach_role_policy, RoleName=known["role"], PolicyArn=known["policyArn"])


class RolePolicy(AwsResource):
    """Its id is `role:name`."""

    token = "aws:iam/rolePolicy:RolePolicy"
    service = "iam"
    source = upstream("iam/rolepolicy", "iam/role_policy")
    props: ClassVar[Table] = {
        "role": Prop("RoleName", replace=True, required=True),
        "name": Prop("PolicyName", replace=True),
        "policy": Prop("PolicyDocument", json=True, required=True),
    }
    autoname = AutoName(longest=128)

    @override
    def make(self, api: Any, new: Props) -> str:
        api.put_role_policy(**to_api(self.props, new))
        return f"{new['role']}:{new['name']}"

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        api.put_role_policy(**to_api(self.props, new))

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        role, colon, name = id.partition(":")
        if not colon:
            raise UserError(f"{id!r} is no role policy: its id is ROLE:NAME")
        answer = unless_gone(api.get_role_policy, RoleName=role, PolicyName=name)
        if not answer:
            return None
        return {"role": role, "name": name, "policy": _document(answer["PolicyDocument"])}

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_role_policy, RoleName=known["role"], PolicyName=known["name"])
