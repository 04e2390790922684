"""CloudWatch log groups."""

from __future__ import annotations

from typing import Any

from provider_kit import Context, Props
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, AwsResource
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.schema import Prop, upstream


class LogGroup(AwsResource):
    token = "aws:cloudwatch/logGroup:LogGroup"
    service = "logs"
    source = upstream("cloudwatch/loggroup", "logs/group")
    props = (
        {
            "name": Prop(replace=True),
            "retentionInDays": Prop(default=0),
            "skipDestroy": Prop(default=False, unread=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "logGroupClass"})
    autoname = AutoName(longest=512)

    @override
    def make(self, api: Any, new: Props) -> str:
        tags = {"tags": new["tags"]} if new.get("tags") else {}
        api.create_log_group(logGroupName=new["name"], **tags)
        return str(new["name"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        self.change(api, id, {"retentionInDays": 0}, new)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        days = new["retentionInDays"]
        if days == old.get("retentionInDays"):
            return
        if days:
            api.put_retention_policy(logGroupName=id, retentionInDays=days)
        else:  # 0 means for ever
            api.delete_retention_policy(logGroupName=id)

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        groups = api.describe_log_groups(logGroupNamePrefix=id)["logGroups"]
        group = next((one for one in groups if one["logGroupName"] == id), None)
        if group is None:
            return None
        arn = group["arn"].removesuffix(":*")
        return {
            "arn": arn,
            "name": id,
            "retentionInDays": group.get("retentionInDays", 0),
            "logGroupClass": group.get("logGroupClass", "STANDARD"),
            "tags": api.list_tags_for_resource(resourceArn=arn).get("tags") or {},
        }

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.tag_resource(resourceArn=known["arn"], tags=put)
        if drop:
            api.untag_resource(resourceArn=known["arn"], tagKeys=drop)

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        if not known.get("skipDestroy"):
            unless_gone(api.delete_log_group, logGroupName=id)
