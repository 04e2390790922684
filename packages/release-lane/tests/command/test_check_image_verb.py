"""`release check-image`: what an image declares, and what the stack files lack of it."""

from __future__ import annotations

import pytest
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine
from release_lane.record.contract import PREFIX, Labels
from tests.command.words import A, B, C, Stage, states

pytestmark = pytest.mark.cli

ELSEWHERE = f"ghcr.io/acme/shop@{C.digest}"
FITS = Labels(found={f"{PREFIX}port": "8080", f"{PREFIX}env.optional": "LOG_LEVEL"})
NEEDS = Labels(found={f"{PREFIX}env.required": "UPSTREAM", f"{PREFIX}flags": "new_checkout"})


def stage(**images: Labels) -> Stage:
    names = {"fits": f"release-lane/app@{A.digest}", "needs": f"release-lane/app@{B.digest}", "elsewhere": ELSEWHERE}
    declared = {names[name]: labels for name, labels in images.items()}
    return Stage(engine=FakeEngine(states=states()), cloud=FakeCloud(declared=declared))


def test_an_image_that_gets_what_it_declares_everywhere_ends_with_0_and_what_is_not_declared_is_said() -> None:
    on = stage(fits=FITS)
    assert on.run("check-image", A.digest) == 0
    assert "staging: as declared." in on.out
    assert "production: as declared." in on.out
    assert "Not checked: the image does not declare its secrets, health path and status path" in on.out
    assert on.engine.calls == [], "no engine is needed"


def test_what_an_environment_lacks_is_listed_with_its_file_and_ends_with_1() -> None:
    on = stage(needs=NEEDS)
    assert on.run("check-image", B.digest, "production") == 1
    assert "production: lacks what it declares:\n  env.UPSTREAM: is required, and not given" in on.out
    assert "staging" not in on.out
    assert "Next: correct Pulumi.production.yaml, or the labels in the Dockerfile." in on.out


def test_as_data_it_says_what_is_declared_and_lacking_for_each_environment() -> None:
    on = stage(needs=NEEDS)
    assert on.run("check-image", B.digest, "--json") == 1
    assert on.data["declares"]["env"] == {"required": ["UPSTREAM"], "optional": []}
    assert on.data["declares"]["flags"] == ["new_checkout"]
    assert on.data["declares"]["secrets"] is None
    assert on.data["lacks"] == {
        each: ["env.UPSTREAM: is required, and not given"] for each in ("staging", "production")
    }
    assert on.data["digest"] == B.digest


def test_an_image_of_another_registry_is_asked_for_by_its_name() -> None:
    on = stage(elsewhere=FITS)
    assert on.run("check-image", ELSEWHERE, "staging") == 0


def test_what_cannot_be_read_is_an_error_and_no_empty_contract() -> None:
    on = stage(fits=Labels(found={f"{PREFIX}port": "http"}))
    assert on.run("check-image", A.digest) == 4
    assert f"{PREFIX}port='http'" in on.err
    assert on.run("check-image", B.digest) == 3
    assert "there is no such image" in on.err


@pytest.mark.parametrize("image", ["latest", "ghcr.io/acme/shop:latest", "acme/shop@latest"])
def test_a_tag_is_no_image(image: str) -> None:
    assert stage().run("check-image", image) == 2
