"""The artifacts stack: what is built from what, and what is exported, against Pulumi's mocks and real git."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
from release_lane.disk.git import environment
from release_lane.errors import Refused, UsageError
from release_lane.program.artifacts import build_artifacts
from release_lane.settings.artifacts import AppSettings, ArtifactsSettings
from tests.program.mocks import ACCOUNT, FIRST, SECOND, Monitor, Registered, World

pytestmark = pytest.mark.program

ME = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip
REGISTRY = "registry.test/release-lane/app"
ECR = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/release-lane/app"
MADE = {"artifacts": {"repositoryUrl": ECR}}
"""The outputs of a stack whose repository has images."""


@dataclass
class Registry(World):
    """A registry that has images by their tags; a push gives `pushed`, and arrives as `arrives` ("" for not at all)."""

    images: dict[str, str] = field(default_factory=dict)
    pushed: str = FIRST
    arrives: str = FIRST
    context: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    """The repository is not there."""
    failed: list[str] = field(default_factory=list)

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        match args.token:
            case "release:index:findImage":
                digest = self.images.get(args.args["tag"], "")
                tags = sorted(tag for tag, each in self.images.items() if each == digest)
                return {"digest": digest, "tags": tags, "repository": not self.lost}
            case "release:index:examineImage":
                return {"digest": FIRST, "commit": "d" * 40, "image": args.args["image"]}
            case "aws:ecr/getAuthorizationToken:getAuthorizationToken":
                return {"userName": "AWS", "password": "secret"}
        return super().call(args)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made, outputs = super().new_resource(args)
        if args.typ == "docker:index/image:Image":
            folder = Path(args.inputs["build"]["context"])
            self.context = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*")}
            if self.arrives:
                self.images[args.inputs["imageName"].rpartition(":")[2]] = self.arrives
            return made, {**outputs, "repoDigest": f"{REGISTRY}@{self.pushed}"}
        if args.typ == "release:index:AdoptedImage":
            return made, {**outputs, "digest": self.arrives}
        return made, {**outputs, "repositoryUrl": REGISTRY, "registryId": ACCOUNT}

    @property
    def image(self) -> list[Registered]:
        return self.of_type("image:Image")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment() | ME, check=True, capture_output=True)
    return done.stdout.decode().strip()


def checkout(folder: Path, **files: str) -> Path:
    """A repository of one commit, with a service in app/, and these files."""
    for name, text in {"app/Dockerfile": "FROM scratch\n", "app/.gitignore": "*.bin\n", **files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    checkout(tmp_path)
    (tmp_path / "app/old.bin").write_text("built by hand")
    return tmp_path


def exported(
    world: Registry, source: Path, config: Mapping[str, Any] | None = None, region: str = "us-east-1", **app: Any
) -> Mapping[str, Any]:
    """Run the program; what it exports. `config`: further settings of the stack file."""
    found: dict[str, Any] = {}

    @pulumi.runtime.test
    def body() -> pulumi.Output[None]:
        settings = {"role": "artifacts", "account": ACCOUNT, "source": str(source), "app": AppSettings(**app)}
        build_artifacts(ArtifactsSettings(**{**settings, **(config or {})}))
        return pulumi.Output.all(**pulumi.runtime.get_root_resource().outputs).apply(found.update)  # type: ignore[union-attr]

    pulumi.runtime.set_mocks(world, project="release-lane", stack="artifacts", monitor=Monitor(world))
    pulumi.runtime.set_all_config({"aws:region": region})
    body()
    return found


def test_a_commit_that_the_registry_lacks_is_built_from_its_tree(source: Path) -> None:
    world = Registry()
    commit = git(source, "rev-parse", "HEAD")
    outputs = exported(world, source)
    assert world.context == {"Dockerfile": "FROM scratch\n", ".gitignore": "*.bin\n"}
    assert (outputs["imageDigest"], outputs["commit"]) == (FIRST, commit)
    assert (Path.cwd() / outputs["context"]).resolve() == source / "app", "environments ask git there"


def test_the_setting_app_says_which_folder_is_built_and_how(source: Path) -> None:
    (source / "shop").mkdir()
    (source / "shop/release.Dockerfile").write_text("FROM scratch\n")
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "the shop")
    world = Registry()
    app = {"folder": "shop", "dockerfile": "release.Dockerfile", "build_args": {"EDITION": "2", "API_TOKEN": "x"}}
    outputs = exported(world, source, **app)
    assert world.context == {"release.Dockerfile": "FROM scratch\n"}
    (image,) = world.image
    assert image.inputs["build"]["dockerfile"].endswith("/release.Dockerfile")
    assert image.inputs["build"]["args"] == {"EDITION": "2", "API_TOKEN": "x", "COMMIT": outputs["commit"]}
    assert (Path.cwd() / outputs["context"]).resolve() == source / "shop"


def test_two_builds_see_contexts_of_their_own_so_nothing_in_the_state_is_taken_for_a_build(source: Path) -> None:
    """The engine builds only what differs from the state; what is registered must differ whenever a build is due."""
    contexts = []
    for _ in range(2):
        world = Registry()
        exported(world, source)
        (image,) = world.image
        contexts.append(image.inputs["build"]["context"])
    assert contexts[0] != contexts[1]


def test_what_the_registry_has_is_not_built_and_no_image_is_registered(source: Path) -> None:
    world = Registry(images={git(source, "rev-parse", "HEAD"): SECOND})
    outputs = exported(world, source)
    assert world.image == []
    assert outputs["imageDigest"] == SECOND
    assert outputs["imageUri"] == f"{REGISTRY}@{SECOND}"


@pytest.mark.parametrize(
    ("arrives", "words"), [("", "the registry does not have it"), (SECOND, f"the registry has {SECOND} under that tag")]
)
def test_a_digest_that_the_registry_does_not_confirm_is_not_exported(arrives: str, words: str, source: Path) -> None:
    found: Mapping[str, Any] = {}
    with pytest.raises(pulumi.RunError, match=words):
        found = exported(Registry(arrives=arrives), source)
    assert found == {}


def test_another_commit_with_the_same_image_is_said_to_be_one(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "warn", said.append)
    other = "d" * 40
    for world in (Registry(images={other: FIRST, "latest": FIRST}), Registry(images={other: SECOND})):
        exported(world, source)
    assert len(said) == 1
    assert f"has the same image as {other}" in said[0]


def test_other_commits_are_exported_also_where_nothing_is_built(source: Path) -> None:
    commit, other = git(source, "rev-parse", "HEAD"), "d" * 40
    outputs = exported(Registry(images={other: FIRST, commit: FIRST, "v1": FIRST}), source)
    assert json.loads(json.dumps(outputs["otherCommits"])) == [other]


def test_what_cannot_be_built_is_refused_before_anything_is_registered(source: Path) -> None:
    git(source, "rm", "-q", "--cached", "app/Dockerfile")
    git(source, "commit", "--quiet", "--message", "none")
    world = Registry()
    with pytest.raises(UsageError, match=r"There is no app/Dockerfile in commit"):
        exported(world, source)
    assert world.registered == []


@pytest.mark.parametrize(
    ("recorded", "warned"),
    [(REGISTRY, 1), ("", 0)],
    ids=["deleted", "the first build"],
)
def test_a_repository_that_was_deleted_is_reported_with_the_way_to_make_it_anew(
    recorded: str, warned: int, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "warn", said.append)
    world = Registry(lost=True, outputs={"artifacts": {"repositoryUrl": recorded}})
    assert exported(world, source)["imageDigest"] == FIRST
    assert [text for text in said if "pulumi refresh --stack artifacts" in text] == said
    assert len(said) == warned


# ---- the repository that environments have their images from


@pytest.mark.parametrize("lost", [False, True], ids=["there", "deleted"])
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"config": {"repository": "acme/images"}}, "repository from release-lane/app to acme/images"),
        ({"region": "eu-west-1"}, "aws:region from us-east-1 to eu-west-1"),
    ],
    ids=["name", "region"],
)
@pytest.mark.parametrize("adopts", [{}, {"adopt": f"ghcr.io/acme/shop@{FIRST}"}], ids=["build", "adopt"])
def test_another_repository_is_refused_before_anything_is_registered(
    adopts: dict[str, Any], asked: dict[str, Any], said: str, lost: bool, source: Path
) -> None:
    world = Registry(lost=lost, outputs=MADE)
    config = {**asked.get("config", {}), **adopts}
    with pytest.raises(Refused, match="would replace the repository") as refused:
        exported(world, source, **{**asked, "config": config})
    assert said in refused.value.what
    assert not world.registered


@pytest.mark.parametrize(("outputs", "protected"), [({}, False), (MADE, True)], ids=["the first build", "later ones"])
def test_the_engine_neither_replaces_nor_deletes_a_repository_that_has_images(
    outputs: dict[str, Any], protected: bool, source: Path
) -> None:
    world = Registry(outputs=outputs)
    exported(world, source)
    assert world.options["aws:ecr/repository:Repository", "app"].protect is protected
