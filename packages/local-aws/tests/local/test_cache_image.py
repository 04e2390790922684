"""The Valkey image: the official one where it can be had, else one of Debian's packages."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from local_aws import base_image, cache_image
from local_aws.base_image import Recipe
from local_aws.emulator.elasticache.actions import VERSION

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
        assert reference == cache_image.OFFICIAL
        return self.can_pull

    def load(self, tar: Path, reference: str) -> None:
        assert tar.read_text() == "files"
        self.loaded.append(reference)


def chosen(images: FakeImages, cache: Path) -> str:
    def make(recipe: Recipe, tar: Path, _say: object) -> None:
        assert (recipe.suite, "valkey-server" in recipe.packages) == ("trixie", True)
        tar.write_text("files")

    recipe = cache_image.recipe(MACHINE)
    official, repository = cache_image.OFFICIAL, cache_image.REPOSITORY
    return base_image.choose(recipe, cache, images, make, lambda _: None, official, repository)


def test_what_is_here_or_can_be_pulled_is_taken(tmp_path: Path) -> None:
    assert chosen(FakeImages(here={cache_image.OFFICIAL}), tmp_path) == cache_image.OFFICIAL
    assert chosen(FakeImages(can_pull=True), tmp_path) == cache_image.OFFICIAL


def test_without_a_registry_it_is_made_once_under_a_name_of_its_own(tmp_path: Path) -> None:
    images = FakeImages()
    made = chosen(images, tmp_path)
    assert made.startswith("local-aws/valkey:")
    assert images.loaded == [made]
    assert cache_image.recipe(MACHINE).id != MACHINE.id


def test_the_official_one_has_the_version_that_the_api_shows() -> None:
    assert cache_image.OFFICIAL.partition(":")[2] == VERSION


def test_a_chosen_one_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(cache_image.CHOSEN, "mine/valkey:8.1")
    assert cache_image.ensure_cache_image(tmp_path, lambda _: None) == "mine/valkey:8.1"
