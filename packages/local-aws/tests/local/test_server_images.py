"""The images of PostgreSQL and Valkey: the official ones where they can be had, else of Debian's packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from local_aws import base_image
from local_aws.base_image import Recipe
from local_aws.emulator.elasticache.actions import VERSION
from local_aws.emulator.rds.actions import MAJOR
from local_aws.project import SERVERS
from local_aws.server_images import CACHE, DATABASE, IMAGES, ServerImage, main

pytestmark = pytest.mark.pure

MACHINE = Recipe(ca_bundle=b"certificates", machine="x86_64")
EACH = pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
PACKAGE = {CACHE: "valkey-server", DATABASE: "postgresql-17"}


@dataclass
class FakeImages:
    official: str
    here: set[str] = field(default_factory=set)
    can_pull: bool = False
    loaded: list[str] = field(default_factory=list)

    def has(self, reference: str) -> bool:
        return reference in self.here

    def pull(self, reference: str) -> bool:
        assert reference == self.official
        return self.can_pull

    def load(self, tar: Path, reference: str) -> None:
        assert tar.read_text() == "files"
        self.loaded.append(reference)


def chosen(image: ServerImage, images: FakeImages, cache: Path) -> str:
    def make(recipe: Recipe, tar: Path, _say: object) -> None:
        assert (recipe.suite, PACKAGE[image] in recipe.packages) == ("trixie", True)
        tar.write_text("files")

    recipe = image.recipe(MACHINE)
    return base_image.choose(recipe, cache, images, make, lambda _: None, image.official, image.repository)


@EACH
def test_what_is_here_or_can_be_pulled_is_taken(image: ServerImage, tmp_path: Path) -> None:
    assert chosen(image, FakeImages(image.official, here={image.official}), tmp_path) == image.official
    assert chosen(image, FakeImages(image.official, can_pull=True), tmp_path) == image.official


@pytest.mark.parametrize(("image", "named"), [(CACHE, "local-aws/valkey:"), (DATABASE, "local-aws/postgres:")])
def test_without_a_registry_it_is_made_once_under_a_name_of_its_own(
    image: ServerImage, named: str, tmp_path: Path
) -> None:
    images = FakeImages(image.official)
    made = chosen(image, images, tmp_path)
    assert made.startswith(named)
    assert images.loaded == [made]
    assert image.recipe(MACHINE).id != MACHINE.id


@pytest.mark.parametrize(
    ("image", "variable", "reference"),
    [
        (CACHE, "LOCAL_AWS_CACHE_IMAGE", "mine/valkey:8.1"),
        (DATABASE, "LOCAL_AWS_DATABASE_IMAGE", "mine/postgres:17"),
    ],
)
def test_a_chosen_one_is_taken_as_it_is(
    image: ServerImage, variable: str, reference: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable, reference)
    assert image.ensure(tmp_path, lambda _: None) == reference


def test_the_official_one_of_a_cache_has_the_version_that_the_api_shows() -> None:
    assert CACHE.official.partition(":")[2] == VERSION


def test_that_of_a_database_has_the_version_that_rds_takes() -> None:
    assert f"postgresql-{MAJOR}" in DATABASE.recipe(MACHINE).packages
    assert DATABASE.official.startswith(f"postgres:{MAJOR}-")


def test_there_is_one_for_each_kind_of_server_that_a_project_may_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(sorted(IMAGES)) == SERVERS
    assert main(["queue"]) == 2
    assert "cache|database" in capsys.readouterr().err
