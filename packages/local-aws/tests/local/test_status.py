"""What a person reads of what runs."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from local_aws.dockercli import Container
from local_aws.places import Places
from local_aws.project import read_project, write_overlays
from local_aws.status import Other, Status, describe, stack_files_of

pytestmark = pytest.mark.pure

NOW = time.time()
TASK = Container(
    name="local-aws-ab-1-app", status="Up 2 minutes", image="x", group="service:release-lane-staging-blue",
    since="2 minutes ago",
)  # fmt: skip
UP = Status(
    up=True, slot=1, endpoint="http://127.0.0.1:4567", balancers="127.0.11.0/24", since=NOW, memory=50 * 2**20,
    processes=("7 python -m local_aws.emulator",), docker="24.0.7", docker_ours=True, containers=(TASK,),
    urls=(("release-lane-staging", "http://127.0.11.1/"),), others=(Other(0, "/other/.local", True),), kept=True,
)  # fmt: skip
DOWN = Status(up=False, slot=0, endpoint="", balancers="", since=None, memory=0)


def test_it_says_what_runs_where_since_when_its_memory_and_urls() -> None:
    said = "\n".join(describe(UP))
    assert f"up since {time.strftime('%H:%M:%S', time.localtime(NOW))}, 50 MB" in said
    for part in (
        "emulator    http://127.0.0.1:4567",
        "slot        1: load balancers are in 127.0.11.0/24",
        "docker      24.0.7, started by a local cloud",
        "process     7 python -m local_aws.emulator",
        "container   local-aws-ab-1-app  Up 2 minutes  service:release-lane-staging-blue",
        "url         http://127.0.11.1/  release-lane-staging",
        "other       slot 0: /other/.local, up",
    ):
        assert f"  {part}" in said


def test_a_cloud_of_yesterday_has_its_day() -> None:
    said = describe(replace(UP, since=NOW - 3 * 86400))[0]
    assert time.strftime("%Y-%m-%d", time.localtime(NOW - 3 * 86400)) in said


def test_a_docker_that_went_away_is_reported() -> None:
    assert any("does not answer" in line for line in describe(replace(UP, docker=None)))


def test_stack_files_that_changed_since_up_are_named() -> None:
    changed = replace(UP, stack_files="changed since they were copied: staging; next: local-aws up")
    assert "  stack files changed since they were copied: staging; next: local-aws up" in describe(changed)
    assert not any("stack files" in line for line in describe(UP))


@pytest.mark.provider
def test_stack_files_are_compared_with_those_of_the_project(tmp_path: Path) -> None:
    places = Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    assert stack_files_of(places) == "changed since they were copied: dev; next: local-aws up"
    write_overlays(read_project(tmp_path), places.stacks)
    assert stack_files_of(places) == ""
    (tmp_path / "Pulumi.dev.yaml").write_text("config: [")
    assert "Pulumi.dev.yaml cannot be read" in stack_files_of(places)


def test_when_it_is_down_the_next_step_is_said() -> None:
    assert describe(DOWN) == ["The local cloud is down. Next: local-aws up"]


def test_what_is_left_and_what_is_kept_is_said() -> None:
    (said,) = describe(replace(DOWN, slot=2, processes=("7 x",), containers=(TASK,), kept=True))
    assert "1 of its processes still run; 1 of its containers are still there; its state is kept, for slot 2" in said
    assert said.endswith("Next: local-aws up, or local-aws down")


def test_the_json_has_urls_by_name() -> None:
    assert UP.as_dict()["urls"] == {"release-lane-staging": "http://127.0.11.1/"}
    found = json.loads(json.dumps(UP.as_dict()))
    assert found["containers"][0]["group"] == TASK.group
    assert found["others"] == [{"slot": 0, "folder": "/other/.local", "up": True}]
