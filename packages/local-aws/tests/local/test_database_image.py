"""The PostgreSQL image: the official one where it can be had, else one of Debian's packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from local_aws import base_image, database_image
from local_aws.base_image import Recipe
from local_aws.emulator.rds.actions import MAJOR

pytestmark = pytest.mark.pure

MACHINE = Recipe(ca_bundle=b"certificates", machine="x86_64")


@dataclass
class FakeImages:
    here: set[str] = field(default_factory=set)
    can_pull: bool = False
    loaded: list[str] = field(default_factory=list)

    def has(self, reference: str) -> bool:
        return reference in self.here

    def pull(self, reference: str) -> bool:
        assert reference == database_image.OFFICIAL
        return self.can_pull

    def load(self, tar: Path, reference: str) -> None:
        assert tar.read_text() == "files"
        self.loaded.append(reference)


def chosen(images: FakeImages, cache: Path) -> str:
    def make(recipe: Recipe, tar: Path, _say: object) -> None:
        assert "postgresql-17" in recipe.packages
        tar.write_text("files")

    recipe = database_image.recipe(MACHINE)
    official, repository = database_image.OFFICIAL, database_image.REPOSITORY
    return base_image.choose(recipe, cache, images, make, lambda _: None, official, repository)


def test_what_is_here_or_can_be_pulled_is_taken(tmp_path: Path) -> None:
    assert chosen(FakeImages(here={database_image.OFFICIAL}), tmp_path) == database_image.OFFICIAL
    assert chosen(FakeImages(can_pull=True), tmp_path) == database_image.OFFICIAL


def test_without_a_registry_it_is_made_once_under_a_name_of_its_own(tmp_path: Path) -> None:
    images = FakeImages()
    made = chosen(images, tmp_path)
    assert made.startswith("local-aws/postgres:")
    assert images.loaded == [made]
    assert database_image.recipe(MACHINE).id != MACHINE.id


def test_a_chosen_one_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(database_image.CHOSEN, "mine/postgres:17")
    assert database_image.ensure_database_image(tmp_path, lambda _: None) == "mine/postgres:17"


def test_its_version_is_the_one_that_rds_takes() -> None:
    assert f"postgresql-{MAJOR}" in database_image.recipe(MACHINE).packages
    assert database_image.OFFICIAL.startswith(f"postgres:{MAJOR}-")
