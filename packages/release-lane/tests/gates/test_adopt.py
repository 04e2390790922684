"""Taking over an image: what is copied, under which tag, and that the registry is asked before and after."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from provider_kit import UNKNOWN, Context, State, UserError
from release_lane.aws.cloud import Cloud, Image
from release_lane.aws.registry import Registry
from release_lane.errors import CloudError
from release_lane.gates.adopt import AdoptedImage, adopt, examine_image
from release_lane.record.adoption import Adopted, Adoption, Examined, Reference
from release_lane.record.names import Access, Names

pytestmark = pytest.mark.pure

ACCESS = Access(region="us-east-1", account="0" * 12)
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
SHA = "c" * 40
THEIRS, OURS = "ghcr.io/acme/shop", "registry.test/lane/app"


@dataclass
class FakeRegistry:
    """Our registry, as `release_lane.aws.cloud.Cloud` shows it."""

    tags: dict[str, str] = field(default_factory=dict)
    untagged: set[str] = field(default_factory=set)
    names: Names = field(
        default_factory=lambda: Names.of("", access=ACCESS, users_port=0, log_group="", repository="lane/app")
    )

    def image(self, *, digest: str = "", tag: str = "") -> Image | None:
        known = digest or self.tags.get(tag, "")
        if known not in {*self.tags.values(), *self.untagged}:
            return None
        tags = tuple(each for each, of in self.tags.items() if of == known)
        return Image(digest=known, tags=tags, manifests=frozenset({known}))


@dataclass
class FakeCopier:
    """Copies into the fake registry, unless it is `broken`; `more` are the other tags of the foreign repository."""

    into: FakeRegistry
    more: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    silent: bool = False
    copies: list[str] = field(default_factory=list)
    registry: Registry = field(default_factory=lambda: Registry(name="registry.test", host="registry.test"))

    @contextmanager
    def __call__(self, ctx: Context, access: Access) -> Iterator[FakeCopier]:
        del ctx
        assert access == ACCESS
        yield self

    def examine(self, reference: Reference) -> Examined:
        raise AssertionError(reference)

    def referring(self, reference: Reference, manifests: frozenset[str]) -> list[str]:
        assert reference.name == THEIRS
        if self.silent:
            raise CloudError("skopeo could not read it.", why="denied")
        return [tag for tag in self.more if f"sha256:{tag[7:71]}" in manifests]

    def copy(self, reference: Reference, to: str, tag: str, *, other: str = "") -> None:
        assert to == "lane/app"
        self.copies.append(f"{reference.name}:{other}" if other else f"{reference.name} as {tag}")
        if not self.broken:
            self.into.tags[tag] = self.more[other] if other else reference.digest


def adopted(registry: FakeRegistry, copier: FakeCopier, commit: str = SHA, name: str = THEIRS) -> dict[str, Any]:
    ctx = Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None, name="adopted")
    adoption = Adoption(digest=DIGEST, commit=commit, origin=Adopted(image=f"{name}@{DIGEST}"))
    return adopt(ctx, cast(Cloud, registry), adoption, copier)


def test_an_image_of_another_registry_is_copied_under_its_commit() -> None:
    registry = FakeRegistry()
    copier = FakeCopier(registry)
    assert adopted(registry, copier) == {"digest": DIGEST, "tags": [SHA], "notes": []}
    assert copier.copies == [f"{THEIRS} as {SHA}"]


def test_what_is_there_already_is_not_copied_again() -> None:
    registry = FakeRegistry(tags={SHA: DIGEST})
    copier = FakeCopier(registry)
    assert adopted(registry, copier)["digest"] == DIGEST
    assert copier.copies == []


@pytest.mark.parametrize("name", [THEIRS, OURS])
def test_what_is_there_under_another_tag_gets_one_that_keeps_it_from_our_own_copy(name: str) -> None:
    registry = FakeRegistry(tags={"v7": DIGEST})
    copier = FakeCopier(registry)
    assert adopted(registry, copier, commit="", name=name)["tags"] == ["v7", "adopted-aaaaaaaaaaaa"]
    assert copier.copies == [f"{OURS} as adopted-aaaaaaaaaaaa"]


def test_a_commit_whose_tag_another_image_has_is_named_and_the_image_kept_next_to_it() -> None:
    registry = FakeRegistry(tags={SHA: OTHER})
    done = adopted(registry, FakeCopier(registry))
    assert done["tags"] == ["adopted-aaaaaaaaaaaa"]
    assert f"another image has the tag {SHA[:12]}" in done["notes"][0]
    assert registry.tags[SHA] == OTHER


def test_signatures_come_along_and_those_of_other_images_do_not() -> None:
    registry, mine = FakeRegistry(), f"sha256-{'a' * 64}.sig"
    copier = FakeCopier(registry, more={mine: OTHER, f"sha256-{'b' * 64}.sig": OTHER})
    adopted(registry, copier)
    assert registry.tags == {SHA: DIGEST, mine: OTHER}
    adopted(registry, copier)
    assert copier.copies == [f"{THEIRS} as {SHA}", f"{THEIRS}:{mine}"]


def test_signatures_that_could_not_be_looked_for_are_said_and_stop_nothing() -> None:
    registry = FakeRegistry()
    done = adopted(registry, FakeCopier(registry, silent=True))
    assert done["digest"] == DIGEST
    assert "were not all copied: skopeo could not read it. denied" in done["notes"][0]


def test_no_digest_is_handed_out_that_the_registry_does_not_have_afterwards() -> None:
    registry = FakeRegistry()
    with pytest.raises(CloudError, match="was copied, but the registry lane/app does not have it"):
        adopted(registry, FakeCopier(registry, broken=True))


def test_the_registry_is_asked_in_every_update_and_nothing_is_claimed_in_a_preview() -> None:
    ctx = Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None, name="adopted")
    inputs = {"repository": "lane/app", "adoption": {"digest": DIGEST}}
    state = State("adopted", inputs, {**inputs, "digest": DIGEST})
    assert AdoptedImage().diff(ctx, state, inputs, ())
    assert AdoptedImage().preview(ctx, inputs, state)["digest"] is UNKNOWN


def test_it_speaks_to_aws_as_whom_the_settings_say() -> None:
    wanted = Access(region="us-east-1", account="0" * 12, role="arn:r", profile="p", external_id="e", session_name="s")
    asked: list[Access] = []

    def check(access: Access) -> None:
        asked.append(access)
        raise CloudError("that is enough")

    ctx = Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None, name="adopted")
    given = {**wanted.as_dict(), "repository": "lane/app", "image": f"{THEIRS}@{DIGEST}"}
    adoption = Adoption(digest=DIGEST, commit="", origin=Adopted(image=f"{THEIRS}@{DIGEST}"))
    for ask in (
        lambda: examine_image(ctx, given, check),
        lambda: AdoptedImage(check).create(ctx, {**given, "adoption": adoption.as_dict()}),
    ):
        with pytest.raises(UserError, match="that is enough"):
            ask()
    assert asked == [wanted, wanted]
