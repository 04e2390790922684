"""The image is the commit, and the registry alone says whether it was built: real engine, real Docker, real git."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import botocore.exceptions
import pytest
from release_lane.disk.git import environment

from tests.patience import PATIENCE
from tools.lane import Lane, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story]

ME = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


@dataclass(frozen=True)
class Place:
    """An artifacts stack with a registry and a repository of its own."""

    lane: Lane
    source: Path
    stack: Stack
    registry: str

    @property
    def service(self) -> dict[str, str]:
        """Its files. Docker makes two images of the same ones where two checkouts build at once, and takes either later
        on: these are no other checkout's."""
        service = f"{self.lane.mark}\n"
        return {
            "app/Dockerfile": "FROM scratch\nCOPY . /srv/\n",
            "app/service.py": service,
            "app/.gitignore": "*.bin\n",
        }

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.source), *arguments]
        return subprocess.run(
            command, env=environment() | ME, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, **files: str) -> str:
        for name, text in files.items():
            (self.source / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a commit")
        return self.git("rev-parse", "HEAD")

    def built(self) -> bool:
        """Are state and registry agreed on the image of its last commit?"""
        try:
            head = self.git("rev-parse", "--verify", "HEAD:app/Dockerfile") and self.git("rev-parse", "HEAD")
            return bool(self.in_registry(head) == self.stack.outputs["imageDigest"])
        except (subprocess.CalledProcessError, botocore.exceptions.ClientError, KeyError):
            return False

    def in_registry(self, commit: str) -> str:
        """The digest that the registry has for a commit."""
        ecr = self.lane.aws("ecr")
        (found,) = ecr.describe_images(repositoryName=self.registry, imageIds=[{"imageTag": commit}])["imageDetails"]
        return str(found["imageDigest"])

    def files(self, digest: str) -> set[str]:
        """What is in the image, by asking Docker for all of it."""
        endpoint = self.lane.variables["AWS_ENDPOINT_URL"].removeprefix("http://")
        reference = f"{endpoint}/{self.registry}@{digest}"
        created = self.docker("create", reference, "none").decode().strip()
        try:
            with tarfile.open(fileobj=io.BytesIO(self.docker("cp", f"{created}:/srv", "-"))) as content:
                return {member.name for member in content if member.isfile()}
        finally:
            self.docker("rm", created)

    def docker(self, *arguments: str) -> bytes:
        environ = dict(self.lane.variables)
        return subprocess.run(["docker", *arguments], env=environ, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def place(lane: Lane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    source = tmp_path_factory.mktemp("commits")
    (source / "app").mkdir()
    registry = f"lane-{lane.mark}/commits"
    stack = lane.stack(f"commits-{lane.mark}", like="artifacts", source=str(source), repository=registry)
    made = Place(lane, source, stack, registry)
    made.git("init", "--quiet", "--initial-branch=main")
    yield made
    lane.aws("ecr").delete_repository(repositoryName=registry, force=True)


@pytest.fixture
def built(place: Place) -> Place:
    """Its last commit has a Dockerfile, and is built. Where a story left something else, it is built now."""
    if not place.built():
        place.commit(**place.service)
        with place.stack.started("refresh") as process:
            assert process.wait(PATIENCE).ok
        result = place.stack.up()
        assert result.ok, result.text
    return place


def test_a_file_that_git_ignores_is_not_in_the_image(place: Place) -> None:
    place.commit(**place.service)
    (place.source / "app/old.bin").write_text("built by hand")
    result = place.stack.up()
    assert result.ok, result.text
    assert place.files(place.stack.outputs["imageDigest"]) == {"srv/Dockerfile", "srv/service.py", "srv/.gitignore"}


@pytest.mark.long
def test_an_image_that_was_deleted_is_built_again_and_again(built: Place) -> None:
    """Also right after a build, whose image the state still remembers with the same inputs."""
    commit = built.git("rev-parse", "HEAD")
    for _ in range(2):
        ecr = built.lane.aws("ecr")
        ecr.batch_delete_image(repositoryName=built.registry, imageIds=[{"imageTag": commit}])
        result = built.stack.up()
        assert result.ok, result.text
        assert built.in_registry(commit) == built.stack.outputs["imageDigest"]


def test_what_the_registry_has_is_not_built(built: Place) -> None:
    before = built.stack.outputs
    (built.source / "app/old.bin").write_text("another one")
    result = built.stack.up("--json")
    assert result.ok, result.text
    assert "docker:index:Image" not in result.text or "create" not in result.text
    assert built.stack.outputs == before


def test_two_commits_with_one_image_are_said_to_be_so(built: Place) -> None:
    first = built.git("rev-parse", "HEAD")
    second = built.commit(README="outside of what is built")
    result = built.stack.up()
    assert result.ok, result.text
    assert f"Commit {second} has the same image as {first}" in result.text
    assert built.stack.outputs["otherCommits"] == [first]
    assert built.in_registry(second) == built.in_registry(first) == built.stack.outputs["imageDigest"]


@pytest.mark.long
def test_a_repository_that_was_deleted_is_made_again_as_the_update_says(built: Place) -> None:
    built.lane.aws("ecr").delete_repository(repositoryName=built.registry, force=True)
    told = built.stack.up()
    assert not told.ok
    assert "the registry does not have it" in told.text
    assert "pulumi refresh" in told.text
    with built.stack.started("refresh") as process:
        refreshed = process.wait(120)
    assert refreshed.ok, refreshed.text
    result = built.stack.up()
    assert result.ok, result.text
    assert built.in_registry(built.git("rev-parse", "HEAD")) == built.stack.outputs["imageDigest"]


def test_a_commit_without_a_dockerfile_is_refused_before_anything(built: Place) -> None:
    before = built.stack.outputs
    built.git("rm", "-q", "app/Dockerfile")
    built.git("commit", "--quiet", "--message", "none")
    result = built.stack.up()
    assert not result.ok
    assert "There is no app/Dockerfile in commit" in result.text
    assert "Traceback" not in result.text
    assert built.stack.outputs == before
