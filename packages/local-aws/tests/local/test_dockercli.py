"""What a local cloud counts as its own in Docker."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_aws import dockercli
from local_aws.cloud import leftovers
from local_aws.places import Places

pytestmark = pytest.mark.provider

DOCKER = """#!/bin/sh
case "$*" in
*label=local-aws.cloud={cloud}*) echo "$1-new";;
*label=release-lane.cloud={cloud}*) echo "$1-earlier";;
*) echo another;;
esac
"""


IMAGES = """#!/bin/sh
[ "$2" = ls ] || { echo "$@" >> "$0.removed"; exit; }
echo '{"Repository":"localhost:4566/shop/app","Tag":"<none>","Digest":"sha256:1"}'
"""


def _docker(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "docker").write_text(script)
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


HELD = """#!/bin/sh
case "$*" in
"network ls"*local-aws.cloud*) echo held; echo used;;
"network inspect held"*) echo 0;;
"network inspect used"*) echo 1;;
esac
"""


def test_an_empty_network_that_docker_holds_is_kept_and_one_in_use_is_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _docker(tmp_path, HELD, monkeypatch)
    left, held = leftovers(Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path))
    assert left == ["network used"]
    assert held == ["network held, which is empty and which Docker holds until it is started anew"]


KEPT = """#!/bin/sh
case "$*" in
"volume ls"*label=local-aws.cloud={cloud}*) [ -e "$0.removed" ] || echo data;;
"volume rm"*) echo "$@" >> "$0.removed";;
esac
"""


def test_what_databases_keep_goes_unless_the_state_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path)
    _docker(tmp_path, KEPT.format(cloud=places.cloud_id), monkeypatch)
    assert leftovers(places) == (["volume data"], [])
    assert leftovers(places, keep_state=True) == ([], [])
    assert dockercli.remove_volumes(places) == 1
    assert (tmp_path / "docker.removed").read_text() == "volume rm data\n"
    assert leftovers(places) == ([], [])


def test_images_of_the_first_slot_are_left_to_the_cloud_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path)
    _docker(tmp_path, IMAGES, monkeypatch)
    assert dockercli.remove_untagged_images(places) == 0
    assert not (tmp_path / "docker.removed").exists()
    places.runtime.mkdir()
    places.slot_file.write_text("0\n")
    assert dockercli.remove_untagged_images(places) == 1
    assert (tmp_path / "docker.removed").read_text() == "image rm localhost:4566/shop/app@sha256:1\n"


def test_what_an_earlier_version_left_is_its_own_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path)
    _docker(tmp_path, DOCKER.format(cloud=places.cloud_id), monkeypatch)
    found = dockercli.ours(places)
    assert found.containers == ("ps-new", "ps-earlier")
    assert found.networks == ("network-new", "network-earlier")
