"""The artifacts stack: the registry, and the image of one commit, built once and never again.

The tag is the commit's SHA and cannot be moved (immutable tags); environments only ever see the digest. What is built
is the tree of the commit (`release_lane.disk.export`), and the registry alone says whether it was.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi_aws import ecr

from release_lane.decide.registry import Registry, check_registry
from release_lane.disk.export import export
from release_lane.disk.git import Commit, to_build
from release_lane.disk.scratch import scratch
from release_lane.errors import CloudError, ReleaseError
from release_lane.program.place import project_root
from release_lane.program.recall import access, call, called, check_provider_account, need_no_environment
from release_lane.record.adoption import Adoption, unseen, with_adoption
from release_lane.record.commit import is_commit
from release_lane.settings.artifacts import ArtifactsSettings
from release_lane.settings.secrecy import looks_secret

EXPIRE_UNTAGGED = {
    "rules": [
        {
            # ECR cannot know which digests are held by a task definition: only untagged images may ever expire.
            "rulePriority": 1,
            "description": "untagged images are leftovers",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 14,
            },
            "action": {"type": "expire"},
        }
    ]
}


def build_artifacts(settings: ArtifactsSettings) -> None:
    """Registry and image; outputs imageDigest, commit, otherCommits, imageUri, repositoryUrl, context."""
    check_provider_account(settings.account)
    recorded = need_no_environment()
    where, url = _registry(settings), str(recorded.get("repositoryUrl") or "")
    check_registry(url, Registry(account=settings.account, region=where["region"], repository=where["repository"]))
    if settings.adopt:
        _adopt(settings, where, recorded)
        return
    source = Path(settings.source).resolve() if settings.source else project_root()
    commit = to_build(source, settings.app.what())
    _warn_of_secrets(commit.app.build_args)
    name, question = where["repository"], {**where, "tag": commit.sha}
    found = Found.read(call(FIND_IMAGE, question))
    _tell_of_lost_repository(name, found, known=bool(url))
    repository = _repository(name, known=bool(url))

    async def confirmed(reference: str) -> Found:
        try:
            return _confirmed(reference, Found.read(await called(FIND_IMAGE, question)))
        except ReleaseError as error:
            raise pulumi.RunError(str(error)) from None

    # The registry alone says whether a commit was built. So the state's image is one that was just built, or none:
    # while the registry has the commit, no image is registered, and what the state has of one is only forgotten.
    image: pulumi.Output[Found] = pulumi.Output.from_input(found)
    if not found.digest:
        image = _built(repository, commit).apply(confirmed)
    digest = image.apply(lambda known: _warned(known, commit.sha).digest)
    # The folder is named from the program's, so that it means the same in another checkout.
    _export(repository, digest, commit.sha, os.path.relpath(commit.folder))
    pulumi.export("adopted", recorded.get("adopted") or [])
    pulumi.export("otherCommits", image.apply(lambda known: list(known.others(commit.sha))))


def _warn_of_secrets(build_args: Mapping[str, str]) -> None:
    if named := ", ".join(looks_secret(build_args)):
        pulumi.warn(
            f"app.buildArgs looks as if it held secrets ({named}): it stands in clear in state and image. "
            "If so, remove it, and give the container the value by `secrets`."
        )


class AdoptedImage(pulumi.CustomResource):
    """An image of another registry in ours; its outputs are there once the registry has it."""

    digest: pulumi.Output[str]

    def __init__(self, inputs: dict[str, Any]) -> None:
        props = {**inputs, **dict.fromkeys(("digest", "tags", "notes"))}
        super().__init__("release:index:AdoptedImage", "adopted", props)


def _adopt(settings: ArtifactsSettings, where: dict[str, Any], recorded: Mapping[str, Any]) -> None:
    """Take over an image that was built elsewhere. It is looked at before anything is registered."""
    asked = {"image": settings.adopt, "commit": settings.adopt_commit, "source": settings.adopt_source}
    adoption = Adoption.from_dict(call("release:index:examineImage", {**where, **asked}))
    repository = _repository(where["repository"], known=bool(recorded.get("repositoryUrl")))
    image = AdoptedImage({**where, "repository": repository.name, "adoption": adoption.as_dict()})
    for sentence in unseen(adoption.commit, adoption.origin):
        pulumi.log.warn(f"Not checked: {sentence}.")
    known = with_adoption(recorded.get("adopted") or (), adoption)
    _export(repository, image.digest, adoption.commit, str(recorded.get("context") or ""))
    pulumi.export("adopted", image.digest.apply(lambda _: known))


def _registry(settings: ArtifactsSettings) -> dict[str, Any]:
    """As whom AWS is spoken to, and which repository is asked about."""
    return {**access(settings.account).as_dict(), "repository": settings.repository or f"{pulumi.get_project()}/app"}


def _export(repository: ecr.Repository, digest: pulumi.Output[str], commit: str, context: str) -> None:
    """What every update of this stack says of its image, once the registry has it."""
    pulumi.export("imageDigest", digest)
    pulumi.export("commit", digest.apply(lambda _: commit))
    pulumi.export("context", context)
    pulumi.export("repositoryUrl", repository.repository_url)
    pulumi.export("imageUri", pulumi.Output.concat(repository.repository_url, "@", digest))


def _repository(name: str, *, known: bool) -> ecr.Repository:
    """`known`: environments may have images of it by now, so the engine must not replace or delete it."""
    repository = ecr.Repository(
        "app",
        name=name,
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
        opts=pulumi.ResourceOptions(protect=known),
    )
    ecr.LifecyclePolicy("app", repository=repository.name, policy=json.dumps(EXPIRE_UNTAGGED, sort_keys=True))
    return repository


FIND_IMAGE = "release:index:findImage"


@dataclass(frozen=True)
class Found:
    """What the registry has under a commit's tag: the digest ("" for nothing), and all tags of that image;
    `repository`: is there one at all."""

    digest: str
    tags: tuple[str, ...] = ()
    repository: bool = True

    @staticmethod
    def read(answer: Mapping[str, Any]) -> Found:
        """From the provider's answer."""
        there = bool(answer.get("repository", True))
        return Found(str(answer.get("digest") or ""), tuple(answer.get("tags") or ()), there)

    def others(self, commit: str) -> tuple[str, ...]:
        """Other commits that have the same image."""
        return tuple(tag for tag in self.tags if tag != commit and is_commit(tag))


def _tell_of_lost_repository(name: str, found: Found, *, known: bool) -> None:
    """The engine does not make it again while the state has it, and only `refresh` looks; outputs cannot tell."""
    if known and not found.repository:
        pulumi.warn(
            f"The repository {name} was made by this stack, but the registry does not have it: somebody deleted it. "
            f"If the push finds none, `pulumi refresh --stack {pulumi.get_stack()}`, then build: it is made again."
        )


def _confirmed(reference: str, found: Found) -> Found:
    """What the registry has, if it is what was pushed as `repository@digest`."""
    if found.digest == reference.rsplit("@", 1)[-1]:
        return found
    has = f"has {found.digest} under that tag" if found.digest else "does not have it"
    raise CloudError(
        f"{reference} was pushed, but the registry {has}.",
        why="a digest counts only once the registry says that the commit's tag names it",
        next_step="build again: what the registry has is taken, what it lacks is built.",
    )


def _warned(found: Found, commit: str) -> Found:
    others = found.others(commit)
    if others:
        pulumi.warn(
            f"Commit {commit} has the same image as {' and '.join(others)}: {found.digest}. "
            "Nothing that reaches the image differs between them, so the digest does not say which of them runs."
        )
    return found


def _built(repository: ecr.Repository, commit: Commit) -> pulumi.Output[str]:
    """Build and push the commit; `repository@digest` as the push said it.

    The context is a new folder each time, so the image never equals one that the state remembers: it is built.
    """
    kept = ExitStack()
    context = kept.enter_context(scratch()).folder / "context"
    atexit.register(kept.close)  # this process ends after the build: the engine builds while the program waits
    export(commit, context)
    token = ecr.get_authorization_token_output(registry_id=repository.registry_id)
    digest: pulumi.Output[str] = docker.Image(
        "app",
        image_name=pulumi.Output.concat(repository.repository_url, ":", commit.sha),
        build=docker.DockerBuildArgs(
            context=str(context),
            dockerfile=str(context / commit.app.dockerfile),
            platform="linux/amd64",
            args={**commit.app.build_args, "COMMIT": commit.sha},
        ),
        registry=docker.RegistryArgs(
            server=repository.repository_url, username=token.user_name, password=pulumi.Output.secret(token.password)
        ),
        opts=pulumi.ResourceOptions(
            ignore_changes=["registry.password"],
            # An image stays in the registry whatever becomes of its entry in the state.
            retain_on_delete=True,
        ),
    ).repo_digest
    return digest
