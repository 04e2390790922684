"""The artifacts stack: the registry, and the image of one commit, built once and never again.

The tag is the commit's SHA and cannot be moved (immutable tags); environments only ever see the digest.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pulumi
import pulumi_docker as docker
from pulumi_aws import ecr

from infra.recall import assumed_role, call, check_provider_account, need_no_environment, own_outputs
from infra.settings import ArtifactsSettings
from release.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
CONTEXT = "app"
"""The folder with the Dockerfile, in the repository that is built."""

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
    """Registry and image; outputs imageDigest, commit, imageUri, repositoryUrl."""
    check_provider_account(settings.account)
    need_no_environment()
    source = Path(settings.source).resolve() if settings.source else ROOT
    commit = clean_commit(source)
    name = settings.repository or f"{pulumi.get_project()}/app"
    repository = _repository(name)
    built = _already_built(settings, name, commit)
    recorded = own_outputs()
    context = os.path.relpath(source / CONTEXT)
    digest: pulumi.Output[str]
    if not built:
        image = _image(repository, context, commit)
        digest = image.repo_digest.apply(lambda reference: reference.rsplit("@", 1)[1])
    else:
        # The registry has this commit: it is never built again, and the image in the state (perhaps of another
        # commit) stays as it is. Where the folder it was built from is gone, only its entry in the state goes.
        digest = pulumi.Output.from_input(built)
        context = recorded.get("context", "")
        if context and Path(context).exists():
            _image(repository, context, commit, keep=True)
    pulumi.export("imageDigest", digest)
    pulumi.export("commit", digest.apply(lambda _: commit))
    pulumi.export("context", context)
    pulumi.export("repositoryUrl", repository.repository_url)
    pulumi.export("imageUri", pulumi.Output.concat(repository.repository_url, "@", digest))


def clean_commit(source: Path) -> str:
    """The commit that `source` has checked out; `UsageError` if its build context differs from it."""
    commit = _git(source, "rev-parse", "HEAD").strip()
    changed = _git(source, "status", "--porcelain", "--", CONTEXT).splitlines()
    if changed:
        raise UsageError(
            f"{CONTEXT}/ has changes that are in no commit: {', '.join(line[3:] for line in changed[:5])}.",
            why="an image must be traceable to a commit, and its tag is the commit's SHA",
            next_step="commit (or stash) them, then build.",
        )
    if not (source / CONTEXT / "Dockerfile").exists():
        raise UsageError(f"There is no {CONTEXT}/Dockerfile in {source}.", next_step="give another `source`.")
    return commit


def _git(source: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(source), *arguments], check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise UsageError("git is not installed, but the image's tag is a commit.", next_step="install git.") from None
    except subprocess.CalledProcessError as error:
        raise UsageError(
            f"{source} is not a git checkout with a commit.",
            why=str(error.stderr).strip(),
            next_step="build from a checkout: the image's tag is its commit.",
        ) from None


def _repository(name: str) -> ecr.Repository:
    repository = ecr.Repository(
        "app",
        name=name,
        image_tag_mutability="IMMUTABLE",
        image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
    )
    ecr.LifecyclePolicy("app", repository=repository.name, policy=json.dumps(EXPIRE_UNTAGGED, sort_keys=True))
    return repository


def _already_built(settings: ArtifactsSettings, repository: str, commit: str) -> str:
    """The digest that the registry has for this commit, "" if none."""
    found = call(
        "release:index:findImage",
        {
            "region": pulumi.Config("aws").require("region"),
            "account": settings.account,
            "role": assumed_role(),
            "repository": repository,
            "tag": commit,
        },
    )
    return str(found.get("digest") or "")


def _image(repository: ecr.Repository, context: str, commit: str, *, keep: bool = False) -> docker.Image:
    """Build and push. With `keep` the image in the state stays as it is.

    `context` is relative to the program's folder, so that another checkout of the same repository sees no change.
    """
    token = ecr.get_authorization_token_output(registry_id=repository.registry_id)
    return docker.Image(
        "app",
        image_name=pulumi.Output.concat(repository.repository_url, ":", commit),
        build=docker.DockerBuildArgs(
            context=context,
            dockerfile=f"{context}/Dockerfile",
            platform="linux/amd64",
            args={"COMMIT": commit},
        ),
        registry=docker.RegistryArgs(
            server=repository.repository_url, username=token.user_name, password=pulumi.Output.secret(token.password)
        ),
        opts=pulumi.ResourceOptions(
            ignore_changes=["*"] if keep else ["registry.password"],
            # An image stays in the registry whatever becomes of its entry in the state.
            retain_on_delete=True,
        ),
    )
