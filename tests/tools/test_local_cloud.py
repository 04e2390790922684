"""What the local cloud keeps for this project, and what goes with it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from local_aws import cloud
from local_aws.places import Places
from local_aws.project import overlay, read_project
from release_lane.disk import template
from release_lane.operate.template import Answers, render
from release_lane.record.asking import Identify

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


def test_stack_files_give_a_live_check_the_time_that_aws_needs_and_the_local_cloud_is_quick(tmp_path: Path) -> None:
    """On AWS a changed rule spreads over the load balancer's nodes: with too little time a good release goes back."""
    for name, text in render(template.read(), Answers(project="shop", region="eu-west-1")).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for folder, project, deadline, more in (
        (ROOT, "release-lane", 5, {}),
        (tmp_path, "shop", 10, {"identify": Identify.NONE}),
    ):
        for stack in ("staging", "production"):
            committed = (folder / f"Pulumi.{stack}.yaml").read_text()
            on_aws, here = (
                yaml.safe_load(text)["config"] for text in (committed, overlay(read_project(folder), stack))
            )
            checks = {"intervalSeconds": 10, "unhealthyThreshold": 4, "drainSeconds": 30}
            assert on_aws[f"{project}:healthCheck"] == checks
            assert on_aws[f"{project}:smoke"] == {"deadlineSeconds": 60, **more}
            assert here[f"{project}:healthCheck"] == {**checks, "intervalSeconds": 5, "drainSeconds": 10}
            assert here[f"{project}:smoke"] == {"deadlineSeconds": deadline, **more}
