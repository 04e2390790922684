"""The Image gate: the registry has the digest, and what no gate can see of it is said there."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from provider_kit import Context, UserError
from release_lane.aws.cloud import Image
from release_lane.gates import image
from release_lane.record.adoption import COMMIT_UNKNOWN
from release_lane.record.inputs import ImageInputs
from release_lane.record.names import Access, Names

pytestmark = pytest.mark.pure

DIGEST = "sha256:" + "a" * 64
NAMES = Names.of(
    "", access=Access(region="us-east-1", account="0" * 12), users_port=0, log_group="", repository="lane/app"
)


@dataclass
class Registry:
    tags: tuple[str, ...] | None
    names: Names = field(default=NAMES)

    def image(self, *, digest: str) -> Image | None:
        return None if self.tags is None else Image(digest=digest, tags=self.tags, manifests=frozenset({digest}))


def passed(tags: tuple[str, ...] | None, unchecked: list[str]) -> dict[str, Any]:
    ctx = Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None, name="image")
    inputs = ImageInputs(active=True, names=NAMES, digest=DIGEST, unchecked=tuple(unchecked))
    _, out = image.Image(lambda _: Registry(tags)).create(ctx, inputs.as_dict())  # type: ignore[arg-type,return-value]
    return out


def test_what_no_gate_can_see_of_an_image_goes_on_with_its_pass() -> None:
    out = passed(("v1.2",), [COMMIT_UNKNOWN])
    assert out["passedFor"]["unchecked"] == [COMMIT_UNKNOWN]
    assert out["detail"] == f"{DIGEST[:19]} is in the registry as v1.2; not checked: {COMMIT_UNKNOWN}"


def test_an_image_of_a_known_commit_leaves_nothing_to_say() -> None:
    out = passed(("c" * 40,), [])
    assert out["passedFor"]["unchecked"] == []
    assert "not checked" not in out["detail"]


def test_what_the_registry_does_not_have_is_refused() -> None:
    with pytest.raises(UserError, match=r"is not in the registry lane/app(.|\n)*Kind: Refused"):
        passed(None, [])
