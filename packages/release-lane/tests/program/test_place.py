"""Where the project is, as a program sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pulumi.runtime import settings
from release_lane.program.place import project_root

pytestmark = pytest.mark.program


def test_the_projects_folder_is_the_one_that_the_engine_names_however_deep_the_program_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep/infra").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep/infra")
    monkeypatch.setattr(settings.SETTINGS, "root_directory", str(tmp_path))
    assert project_root() == tmp_path
    monkeypatch.setattr(settings.SETTINGS, "root_directory", None)
    assert project_root() == tmp_path / "deep", "mocks have no engine"
