"""Which provider a cloud gets, and that it keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.provider import Serves, ensure, noted, wanted
from local_aws.standins.versions import plugin_version
from local_aws.toolchain.cache import Say
from local_aws.toolchain.provider import Provider

pytestmark = pytest.mark.provider

REAL = Serves("real", "pulumi-aws 7.51.1 (built from modules)")
PLUGIN = f"plugins/resource-aws-v{plugin_version('pulumi_aws')}/pulumi-resource-aws"


def places(folder: Path) -> Places:
    here = Places(root=folder, runtime=folder / ".local", cache=folder / "cache")
    here.runtime.mkdir()
    return here


def note(here: Places, serves: Serves | None) -> None:
    if serves:
        here.provider.write_text(json.dumps(asdict(serves)))


@pytest.mark.parametrize(
    ("asked", "before", "kind"),
    [
        ("", None, "stand-in"),
        ("real", None, "real"),
        ("", REAL, "real"),
        ("stand-in", REAL, "stand-in"),
    ],
)
def test_it_is_what_was_asked_for_else_what_the_cloud_has_else_the_stand_in(
    asked: str, before: Serves | None, kind: str, tmp_path: Path
) -> None:
    here = places(tmp_path)
    note(here, before)
    state(here, "staging", "pulumi:pulumi:Stack")
    assert wanted(here, asked) == kind


def test_another_word_is_refused_and_names_the_two(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no provider 'realistic'") as refused:
        wanted(places(tmp_path), "realistic")
    assert "stand-in, real" in str(refused.value)


def state(here: Places, stack: str, *types: str) -> None:
    path = here.state / f".pulumi/stacks/shop/{stack}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"checkpoint": {"latest": {"resources": [{"type": each} for each in types]}}}))


@pytest.mark.parametrize(("asked", "before"), [("real", None), ("stand-in", REAL)])
def test_a_state_of_the_other_provider_is_not_gone_on_with(asked: str, before: Serves | None, tmp_path: Path) -> None:
    here = places(tmp_path)
    note(here, before)
    state(here, "empty", "pulumi:pulumi:Stack")
    state(here, "staging", "pulumi:pulumi:Stack", "aws:ec2/vpc:Vpc")
    (here.state / ".pulumi/stacks/shop/torn.json").write_text("{")
    with pytest.raises(LocalError, match=r"made with the other provider \(\S+\): staging\.") as refused:
        wanted(here, asked)
    assert f"local-aws up --provider {asked}" in str(refused.value)
    assert wanted(here, "") == (before.kind if before else "stand-in")


def test_the_one_that_serves_is_noted_and_said(tmp_path: Path) -> None:
    here, said = places(tmp_path), list[str]()

    def made(cache: Path, say: Say) -> Provider:
        say(f"looking in {cache.name}")
        return Provider(tmp_path / "real", "7.51.1", "built")

    assert noted(here) is None
    assert ensure(here, "real", said.append, made) == REAL == noted(here)
    assert said == ["looking in cache", REAL.what]
    assert f"exec {tmp_path}/real/pulumi-resource-aws" in (here.pulumi_home / PLUGIN).read_text()
    stand_in = ensure(here, "stand-in", said.append, made)
    assert noted(here) == stand_in
    assert stand_in.what.startswith("stand-in for pulumi-aws ")
    assert "local_aws.standins.aws" in (here.pulumi_home / PLUGIN).read_text()


def test_a_note_of_another_version_of_local_aws_is_no_note(tmp_path: Path) -> None:
    here = places(tmp_path)
    for text in ("", "{}", '{"kind": "real"}', '["real"]'):
        here.provider.write_text(text)
        assert noted(here) is None
