"""What a local cloud counts as its own in Docker."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_aws import dockercli
from local_aws.places import Places

pytestmark = pytest.mark.provider

DOCKER = """#!/bin/sh
case "$*" in
*label=local-aws.cloud={cloud}*) echo "$1-new";;
*label=release-lane.cloud={cloud}*) echo "$1-earlier";;
*) echo another;;
esac
"""


def test_what_an_earlier_version_left_is_its_own_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path)
    (tmp_path / "docker").write_text(DOCKER.format(cloud=places.cloud_id))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = dockercli.ours(places)
    assert found.containers == ("ps-new", "ps-earlier")
    assert found.networks == ("network-new", "network-earlier")
