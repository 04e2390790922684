"""Whom a task trusts: the local cloud's authority next to everybody else, unless it says so itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.ecs.containers import BUNDLE, Containers, Plan

pytestmark = pytest.mark.pure


@dataclass
class FakeDocker:
    """Docker's client, as far as a container is created. `image`: the variables of every image."""

    image: list[str] | None = None
    made: dict[str, Any] = field(default_factory=dict)

    def inspect_image(self, image_id: str) -> dict[str, Any]:
        assert image_id == "sha256:1"
        return {"Config": {"Env": self.image}}

    def create_host_config(self, **given: Any) -> dict[str, Any]:
        return given

    def create_container(self, _image: str, **given: Any) -> dict[str, str]:
        self.made = given
        return {"Id": "1"}


def created(docker: FakeDocker, bundle: Path, environment: dict[str, str]) -> tuple[dict[str, str], Any]:
    """Its variables, and what is bound into it."""
    plan = Plan(
        name="app",
        task="arn:aws:ecs:us-east-1:000000000000:task/a/0123456789abcdef",
        group="service:web",
        image_id="sha256:1",
        environment=environment,
        command=None,
        entry_point=None,
        memory=None,
        cpu=None,
        definition={},
    )
    Containers(docker, "c1", "lane", 0.1, bundle).create(plan)  # type: ignore[arg-type]
    return docker.made["environment"], docker.made["host_config"]["binds"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.pem"
    path.write_text("certificates")
    return path


@pytest.mark.parametrize("image", [None, ["PATH=/bin", "SSL_CERT_DIR=/certs"]], ids=str)
def test_a_container_finds_the_bundle_where_its_variable_says(bundle: Path, image: list[str] | None) -> None:
    variables, bound = created(FakeDocker(image), bundle, {"PORT": "8080"})
    assert variables == {"PORT": "8080", "SSL_CERT_FILE": BUNDLE}
    assert bound == {str(bundle): {"bind": BUNDLE, "mode": "ro"}}


def test_what_the_definition_says_stands(bundle: Path) -> None:
    given = {"SSL_CERT_FILE": "/certs/own.pem"}
    assert created(FakeDocker(), bundle, given) == (given, None)


def test_what_the_image_says_stands(bundle: Path) -> None:
    assert created(FakeDocker(["SSL_CERT_FILE=/certs/own.pem"]), bundle, {}) == ({}, None)


def test_without_a_bundle_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert created(FakeDocker(), tmp_path / "none.pem", {}) == ({}, None)
