"""`make dist`: what the wheels hold."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from release_lane.disk import template

from tools.dist import PACKAGES, ROOT, build

pytestmark = pytest.mark.cli

PACKED = "release_lane/template/packed/"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, zipfile.ZipFile]:
    left = ROOT / "packages/release-lane/build/lib/release_lane/gone.py"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("what an earlier build left\n")
    return {path.name.split("-")[0]: zipfile.ZipFile(path) for path in build(tmp_path_factory.mktemp("dist"))}


def test_every_package_has_a_wheel_without_what_earlier_builds_left(wheels: dict[str, zipfile.ZipFile]) -> None:
    assert {*wheels} == {name.replace("-", "_") for name in PACKAGES}
    assert not [name for wheel in wheels.values() for name in wheel.namelist() if name.endswith("gone.py")]
    assert not [*(ROOT / "packages").glob("*/build")]


def test_the_template_is_packed_as_this_repository_has_it(wheels: dict[str, zipfile.ZipFile]) -> None:
    lane = wheels["release_lane"]
    packed = {name.removeprefix(PACKED): lane.read(name).decode() for name in lane.namelist() if PACKED in name}
    assert packed == {**template.read(), template.SETTINGS: template.settings()}


def test_installing_the_lane_installs_plugin_command_and_the_way_around_proxies(
    wheels: dict[str, zipfile.ZipFile],
) -> None:
    lane = wheels["release_lane"]
    (entries,) = (lane.read(name).decode() for name in lane.namelist() if name.endswith("entry_points.txt"))
    assert "pulumi-resource-release = release_lane.gates.__main__:main" in entries
    assert "release = release_lane.command:main" in entries
    own = Path(ROOT, "packages/release-lane/src/release_lane/direct.pth").read_bytes()
    assert lane.read("release_lane_direct.pth") == own


def test_the_local_cloud_brings_its_locks_and_scripts(wheels: dict[str, zipfile.ZipFile]) -> None:
    names = wheels["local_aws"].namelist()
    folder = ROOT / "packages/local-aws/src"
    data = [
        path for path in (folder / "local_aws").rglob("*.*") if path.suffix in (".lock", ".sum", ".txt", ".sh", ".in")
    ]
    assert data
    assert {str(path.relative_to(folder)) for path in data} <= {*names}
