"""The plugin's process as the engine starts it: from a project's `.venv/bin`, in the folder of the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from release_lane.gates.__main__ import project_root

pytestmark = pytest.mark.provider

PLUGIN = Path(sys.executable).parent / "pulumi-resource-release"


def test_it_says_its_port_and_works_in_the_projects_folder_where_the_smoke_checks_are(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nmain: infra/\n")
    with subprocess.Popen(
        [PLUGIN, "127.0.0.1:1"], cwd=tmp_path / "infra", stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as plugin:
        assert plugin.stdout is not None
        assert int(plugin.stdout.readline()) > 0
        assert os.readlink(f"/proc/{plugin.pid}/cwd") == str(tmp_path)
        plugin.terminate()


def test_the_projects_folder_is_the_nearest_with_a_pulumi_yaml(tmp_path: Path) -> None:
    below = tmp_path / "releases/infra/deep"
    below.mkdir(parents=True)
    assert project_root(below) == below, "there is none"
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "releases/Pulumi.yaml").touch()
    assert project_root(below) == tmp_path / "releases"
