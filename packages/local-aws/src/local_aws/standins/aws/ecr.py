"""Image repositories and their lifecycle policies."""

from __future__ import annotations

from typing import Any

from provider_kit import Context, Props
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, AwsResource, tag_list, tag_map
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, Table, canonical, upstream

ENCRYPTION: Table = {
    "encryptionType": Prop("encryptionType", default="AES256"),
    "kmsKey": Prop("kmsKey", computed=True),
}
SCANNING: Table = {"scanOnPush": Prop("scanOnPush", required=True)}


class Repository(AwsResource):
    token = "aws:ecr/repository:Repository"
    service = "ecr"
    source = upstream("ecr/repository", "ecr/repository")
    props = (
        {
            "name": Prop("repositoryName", replace=True),
            "imageTagMutability": Prop("imageTagMutability", default="MUTABLE"),
            "imageScanningConfiguration": Prop(
                "imageScanningConfiguration", fields=SCANNING, unset={"scanOnPush": False}
            ),
            "encryptionConfigurations": Prop(fields=ENCRYPTION, replace=True, unset=[{"encryptionType": "AES256"}]),
            "forceDelete": Prop(unread=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "registryId", "repositoryUrl"})
    autoname = AutoName(longest=256)

    @override
    def make(self, api: Any, new: Props) -> str:
        encryption = new.get("encryptionConfigurations")
        more = {"encryptionConfiguration": to_api(ENCRYPTION, encryption[0])} if encryption else {}
        answer = api.create_repository(**to_api(self.props, new), **more, tags=tag_list(new.get("tags")))
        return str(answer["repository"]["repositoryName"])

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if old.get("imageTagMutability") != new["imageTagMutability"]:
            api.put_image_tag_mutability(repositoryName=id, imageTagMutability=new["imageTagMutability"])
        if old.get("imageScanningConfiguration") != new.get("imageScanningConfiguration"):
            scanning = new.get("imageScanningConfiguration") or {"scanOnPush": False}
            api.put_image_scanning_configuration(repositoryName=id, imageScanningConfiguration=scanning)

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_repositories, repositoryNames=[id])
        if not answer or not answer["repositories"]:
            return None
        repository = answer["repositories"][0]
        arn = repository["repositoryArn"]
        live = from_api(self.props, repository) | {
            "arn": arn,
            "registryId": repository["registryId"],
            "repositoryUrl": repository["repositoryUri"],
            "tags": tag_map(api.list_tags_for_resource(resourceArn=arn).get("tags")),
        }
        encryption = repository.get("encryptionConfiguration")
        if encryption:
            live["encryptionConfigurations"] = [from_api(ENCRYPTION, encryption)]
        return live

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.tag_resource(resourceArn=known["arn"], tags=tag_list(put))
        if drop:
            api.untag_resource(resourceArn=known["arn"], tagKeys=drop)

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_repository, repositoryName=id, force=bool(known.get("forceDelete")))


class LifecyclePolicy(AwsResource):
    """One per repository; its id is the repository's name."""

    token = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    service = "ecr"
    source = upstream("ecr/lifecyclepolicy", "ecr/lifecycle_policy")
    props = {
        "repository": Prop("repositoryName", replace=True, required=True),
        "policy": Prop("lifecyclePolicyText", json=True, replace=True, required=True),
    } | REGION
    outputs = frozenset({"registryId"})
    delete_before_replace = True  # as in pulumi-aws: a repository has one, so the old one is the new one

    @override
    def make(self, api: Any, new: Props) -> str:
        api.put_lifecycle_policy(**to_api(self.props, new))
        return str(new["repository"])

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.get_lifecycle_policy, repositoryName=id)
        if not answer:
            return None
        return {
            "repository": id,
            "policy": canonical(answer["lifecyclePolicyText"]),
            "registryId": answer["registryId"],
        }

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_lifecycle_policy, repositoryName=id)
