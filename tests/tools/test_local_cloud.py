"""What the local cloud keeps for this project, and what goes with it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from local_aws import cloud
from local_aws.places import Places

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "packages/release-lane/src/release_lane/template"


@pytest.mark.parametrize("project", [ROOT, TEMPLATE], ids=["this repository", "the template"])
@pytest.mark.parametrize("keep_state", [False, True], ids=["down", "down --keep-state"])
def test_the_ledger_of_the_local_cloud_goes_and_stays_with_its_states(
    project: Path, keep_state: bool, tmp_path: Path
) -> None:
    """A stopped line or a quarantine of yesterday's cloud must not refuse today's first release."""
    settings = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["local-aws"]["settings-of"]
    (ledger,) = {each["ledger"] for each in settings.values()}
    entries = tmp_path / ledger.removeprefix("file://")
    entries.mkdir(parents=True)
    cloud.remove_files(Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path), keep_state=keep_state)
    assert entries.exists() == keep_state
