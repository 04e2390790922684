"""SSM parameters whose values are no secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provider_kit import Context, Props
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, AwsResource, tag_list, tag_map, tags_at_creation
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.schema import Prop, upstream


class Parameter(AwsResource):
    """A parameter of the standard tier. Its id is its name."""

    token = "aws:ssm/parameter:Parameter"
    service = "ssm"
    source = upstream("ssm/parameter", "ssm/parameter")
    props = (
        {
            "name": Prop(replace=True),
            "type": Prop(required=True, departs="SecureString is refused"),
            "insecureValue": Prop(
                computed=True, departs="there has to be one, and an import gives it; the provider's gives `value`"
            ),
            "description": Prop(),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "version"})
    not_given = frozenset({"hasValueWo"})
    autoname = AutoName(longest=1011)

    @override
    def wrong(self, values: Props) -> Iterator[tuple[str, str]]:
        if "insecureValue" not in values:
            yield "insecureValue", "is required: no other kind of value is served here"
        if values.get("type") == "SecureString":
            yield "type", "should be String or StringList here"

    @override
    def make(self, api: Any, new: Props) -> str:
        described = {"Description": new["description"]} if new.get("description") else {}
        api.put_parameter(
            Name=new["name"], Type=new["type"], Value=new["insecureValue"], **described, **tags_at_creation(new)
        )
        return str(new["name"])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        keys = ("type", "insecureValue", "description")
        if all(old.get(key) == new.get(key) for key in keys):
            return
        values = {"Type": new["type"], "Value": new["insecureValue"], "Description": new.get("description") or ""}
        api.put_parameter(Name=id, Overwrite=True, **values)

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.get_parameter, Name=id)
        if answer is None:
            return None
        found = answer["Parameter"]
        by_name = [{"Key": "Name", "Option": "Equals", "Values": [id]}]
        (about,) = api.describe_parameters(ParameterFilters=by_name)["Parameters"]
        return {
            "arn": found["ARN"],
            "name": found["Name"],
            "type": found["Type"],
            "version": found["Version"],
            "insecureValue": found["Value"],
            "description": about.get("Description") or None,
            "tags": tag_map(api.list_tags_for_resource(ResourceType="Parameter", ResourceId=id).get("TagList")),
        }

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        of = {"ResourceType": "Parameter", "ResourceId": id}
        if put:
            api.add_tags_to_resource(**of, Tags=tag_list(put))
        if drop:
            api.remove_tags_from_resource(**of, TagKeys=drop)

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_parameter, Name=id)
