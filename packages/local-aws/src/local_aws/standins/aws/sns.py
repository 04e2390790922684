"""SNS topics: where alarms are sent."""

from __future__ import annotations

from typing import Any

from provider_kit import Context, Props
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, AwsResource, tag_list, tag_map, tags_at_creation
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.schema import Prop, canonical, upstream


class Topic(AwsResource):
    """A standard topic. Its id is its ARN. The API takes one attribute at a time."""

    token = "aws:sns/topic:Topic"
    service = "sns"
    source = upstream("sns/topic", "sns/topic")
    props = (
        {
            "name": Prop(replace=True),
            "displayName": Prop(attribute="DisplayName"),
            "kmsMasterKeyId": Prop(attribute="KmsMasterKeyId"),
            "policy": Prop(attribute="Policy", json=True, computed=True, departs="an object is taken as well"),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "owner"})
    not_given = frozenset({"beginningArchiveTime"})
    autoname = AutoName(longest=256)

    @override
    def make(self, api: Any, new: Props) -> str:
        return str(api.create_topic(Name=new["name"], **tags_at_creation(new))["TopicArn"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        self.change(api, id, {}, new)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        for name, prop in self.props.items():
            value = new.get(name, "")
            if not prop.attribute or value == old.get(name, "") or (prop.json and not value):
                continue  # a topic always has a policy: leaving it out keeps the one that is there
            api.set_topic_attributes(TopicArn=id, AttributeName=prop.attribute, AttributeValue=value)

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.get_topic_attributes, TopicArn=id)
        if answer is None:
            return None
        attributes = answer["Attributes"]
        live: Props = {
            name: canonical(attributes[prop.attribute]) if prop.json else attributes[prop.attribute]
            for name, prop in self.props.items()
            if prop.attribute and attributes.get(prop.attribute)
        }
        return live | {
            "arn": id,
            "name": id.rpartition(":")[2],
            "owner": attributes.get("Owner") or id.split(":")[4],
            "tags": tag_map(api.list_tags_for_resource(ResourceArn=id).get("Tags")),
        }

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.tag_resource(ResourceArn=id, Tags=tag_list(put))
        if drop:
            api.untag_resource(ResourceArn=id, TagKeys=drop)

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_topic, TopicArn=id)
