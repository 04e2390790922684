"""The actor's images: built here, pushed to the run's own repository."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.base_image import ensure_base_image
from local_aws.toolchain.cache import cache_folder
from tests.contract.aws import PREFIX, Aws

ACTOR = Path(__file__).resolve().parent / "actor"


def say(text: str) -> None:
    print(text, file=sys.stderr)


@dataclass(frozen=True)
class Pushed:
    """An image in the registry. `uri` is what a task definition takes; `local_name` is Docker's."""

    repository: str
    tag: str
    digest: str
    local_name: str
    uri: str


class Images:
    """Builds editions of the actor, and pushes them with a login of its own (the person's stays as it is)."""

    def __init__(self, aws: Aws, repository: Mapping[str, Any]) -> None:
        self._aws = aws
        self._repository = repository
        self._folder = tempfile.TemporaryDirectory(prefix="contract-docker-")
        self._base = ensure_base_image(cache_folder(), say)
        if aws.where.real:
            self._log_in()

    @property
    def _pushed_to(self) -> str:
        """The repository as Docker here knows it: the local cloud's registry has no name in DNS."""
        uri = str(self._repository["repositoryUri"])
        if self._aws.where.real:
            return uri
        return self._aws.where.endpoint.removeprefix("http://") + "/" + uri.split("/", 1)[1]

    def _log_in(self) -> None:
        token = self._aws.client("ecr").get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(token["authorizationToken"]).decode().partition(":")
        host = self._pushed_to.split("/", 1)[0]
        self.docker("login", "--username", user, "--password-stdin", host, given=password)

    def docker(self, *arguments: str, given: str | None = None) -> str:
        """Run docker; what it printed. RuntimeError with that if it failed."""
        environ = {**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": self._folder.name}
        done = subprocess.run(["docker", *arguments], input=given, env=environ, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"docker {arguments[0]} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def build(self, edition: str, tag: str) -> str:
        """An image that differs from the others by a label; Docker's name for it."""
        name = f"{self._pushed_to}:{tag}"
        given = ("--build-arg", f"BASE_IMAGE={self._base}", "--build-arg", f"EDITION={edition}")
        self.docker("build", "--quiet", *given, "--tag", name, str(ACTOR))
        return name

    def push(self, edition: str) -> Pushed:
        """Build and push, with the edition as its tag."""
        name = self.build(edition, edition)
        self.docker("push", "--quiet", name)
        inspected = json.loads(self.docker("image", "inspect", "--format", "{{json .RepoDigests}}", name))
        digest = next(each for each in inspected if each.startswith(f"{self._pushed_to}@")).rsplit("@", 1)[1]
        return Pushed(
            repository=str(self._repository["repositoryName"]),
            tag=edition,
            digest=digest,
            local_name=name,
            uri=f"{self._repository['repositoryUri']}@{digest}",
        )

    def architecture(self, pushed: Pushed) -> str:
        """As a task definition spells it."""
        found = self.docker("image", "inspect", "--format", "{{.Architecture}}", pushed.local_name).strip()
        return {"amd64": "X86_64", "arm64": "ARM64"}[found]

    def close(self) -> None:
        """Forget them here; the registry's are removed with the repository."""
        self._folder.cleanup()
        forget(self._aws.where.mark)


def forget(mark: str) -> None:
    """Remove a run's names of images from Docker on this machine: of those built, and of those that ECS pulled.

    By name, not by id: runs side by side have the same images under other names.
    """
    listing = ["docker", "image", "ls", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}"]
    listed = subprocess.run(
        [*listing, "--filter", f"reference=*/{PREFIX}{mark}-*"], capture_output=True, text=True
    ).stdout
    names = {_name(*line.split()) for line in listed.splitlines()}
    if names:
        subprocess.run(["docker", "image", "rm", "--force", *sorted(names)], capture_output=True)


def _name(repository: str, tag: str, digest: str) -> str:
    return f"{repository}@{digest}" if tag == "<none>" else f"{repository}:{tag}"
