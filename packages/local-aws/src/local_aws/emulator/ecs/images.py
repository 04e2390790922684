"""From an image reference to an image that Docker has, by way of the registry, every time.

Fargate keeps no images, so a digest that the registry does not serve now cannot be started, even when Docker
still has it.
"""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass

import docker
from docker.errors import APIError, ImageNotFound

ACCEPT = ", ".join(
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    )
)
ECR_HOST = re.compile(r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com$")
REGISTRY_TIMEOUT = 10.0


class CannotPull(Exception):
    """The message is what follows `CannotPullContainerError: ` in a task's stoppedReason."""


@dataclass(frozen=True)
class Reference:
    """An image's name: registry host, repository, and a tag or a digest (which wins)."""

    host: str
    repository: str
    version: str

    @classmethod
    def parse(cls, image: str) -> Reference:
        rest, _, digest = image.partition("@")
        host, slash, path = rest.partition("/")
        if not slash or not ({".", ":"} & set(host) or host == "localhost"):
            host, path = "docker.io", rest if slash else f"library/{rest}"
        repository, _, tag = path.partition(":")
        return cls(host, repository, digest or tag or "latest")

    def at(self, version: str) -> str:
        return f"{self.host}/{self.repository}{'@' if version.startswith('sha256:') else ':'}{version}"


@dataclass(frozen=True)
class Pulled:
    """What Docker runs (`image_id`), and the digest by which the registry served it."""

    image_id: str
    digest: str


class Images:
    """`port` is where the emulator's own registry answers; ECR's host names also lead there."""

    def __init__(self, client: docker.APIClient, port: int) -> None:
        self._client = client
        self._port = port

    def pull(self, image: str) -> Pulled:
        """Ask the registry for the digest, and Docker for the image unless it has it. Raises CannotPull."""
        reference = self._localised(Reference.parse(image))
        digest = self._digest(reference, image)
        name = reference.at(digest)
        return Pulled(self._present(name) or self._fetch(reference, digest, image), digest)

    def _own(self) -> str:
        return f"localhost:{self._port}"

    def _localised(self, reference: Reference) -> Reference:
        mine = reference.host in (self._own(), f"127.0.0.1:{self._port}") or ECR_HOST.match(reference.host)
        return Reference(self._own(), reference.repository, reference.version) if mine else reference

    def _digest(self, reference: Reference, image: str) -> str:
        if reference.host == self._own():
            return self._digest_here(reference, image)
        try:
            found = self._client.inspect_distribution(reference.at(reference.version))
            return str(found["Descriptor"]["digest"])
        except APIError as error:
            raise CannotPull(_unresolved(image, str(error.explanation or error))) from error

    def _digest_here(self, reference: Reference, image: str) -> str:
        path = f"/v2/{reference.repository}/manifests/{reference.version}"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=REGISTRY_TIMEOUT)
        try:
            connection.request("HEAD", path, headers={"Accept": ACCEPT})
            answer = connection.getresponse()
        except OSError as error:
            url = f"http://{self._own()}{path}"
            raise CannotPull(_unresolved(image, f'failed to do request: Head "{url}": {error}', 5)) from error
        finally:
            connection.close()
        if answer.status == 404:
            raise CannotPull(_unresolved(image, f"{image}: not found"))
        digest = answer.headers.get("Docker-Content-Digest")
        if answer.status != 200 or not digest:
            raise CannotPull(_unresolved(image, f"unexpected status from HEAD request: {answer.status}"))
        return digest

    def _present(self, name: str) -> str | None:
        try:
            return str(self._client.inspect_image(name)["Id"])
        except ImageNotFound:
            return None

    def _fetch(self, reference: Reference, digest: str, image: str) -> str:
        repository = f"{reference.host}/{reference.repository}"
        try:
            for line in self._client.pull(repository, tag=digest, stream=True, decode=True):
                if "error" in line:
                    raise CannotPull(f"failed to pull image {image}: {line['error']}")
            return str(self._client.inspect_image(reference.at(digest))["Id"])
        except APIError as error:
            raise CannotPull(f"failed to pull image {image}: {error.explanation or error}") from error


def _unresolved(image: str, why: str, tries: int = 1) -> str:
    return f"pull image manifest has been retried {tries} time(s): failed to resolve ref {image}: {why}"
