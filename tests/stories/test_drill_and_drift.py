"""A drill as the pipeline does it, and drift as it is found: by the command, on an environment of the stories."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from release_lane.ledger.place import ledger_at
from release_lane.record.ledger import Entry
from release_lane.record.names import Access

from tests.patience import ANSWER_WITHIN
from tests.stories.cloud import client, idle_of, move_by_hand, no_alarm_fires, tasks, weights
from tools.lane import PROJECT, ROOT, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]

Command = Callable[..., tuple[int, Any]]
"""`release VERB` for the environment: its exit code, and what it wrote as JSON."""


@pytest.fixture
def ledger(tmp_path: Path) -> Callable[[], tuple[Entry, ...]]:
    """The entries of a ledger in a folder."""
    access = Access(region="us-east-1", account="000000000000")
    return lambda: ledger_at(f"file://{tmp_path}/ledger", access, ROOT).entries()


@pytest.fixture
def release(staging: Stack, tmp_path: Path) -> Command:
    """The command, whose only stack files are those of this environment; it writes into that ledger."""
    named = staging.with_settings(ledger=f"file://{tmp_path}/ledger")
    shutil.copy(named.settings, tmp_path / f"Pulumi.{staging.name}.yaml")
    shutil.copy(staging.lane.folder / "Pulumi.artifacts.yaml", tmp_path)
    variables = {**staging.lane.variables, "RELEASE_LANE_STACKS": str(tmp_path)}

    def run(verb: str, *options: str) -> tuple[int, Any]:
        command = [str(ROOT / ".venv/bin/release"), verb, staging.name, "--json", *options]
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
        print(done.stderr)
        return done.returncode, json.loads(done.stdout)

    return run


def evidence(stack: Stack) -> Mapping[str, Any]:
    """The proof of the live release."""
    outputs = stack.outputs
    (proof,) = [each for each in outputs["evidence"] if each["digest"] == outputs["imageDigest"]]
    return dict(proof)


@pytest.mark.long
def test_a_drill_moves_users_back_and_forward_without_a_failed_request_and_is_proven(
    release: Command, staging: Stack, unseen: Callable[..., str], ledger: Callable[[], tuple[Entry, ...]]
) -> None:
    released = staging.up(imageDigest=unseen(staging))  # what users were rolled back from could not be drilled
    assert released.ok, released.text
    no_alarm_fires(staging)
    before, ran = staging.outputs, {colour: tasks(staging, colour) for colour in ("blue", "green")}
    code, drill = release("drill", "--timeout", str(ANSWER_WITHIN))
    assert code == 0, drill
    assert (drill["drilled"], drill["digest"], drill["requests"]["failed"]) == (True, before["imageDigest"], 0)
    assert drill["requests"]["sent"] > 0
    after = staging.outputs
    assert {colour: tasks(staging, colour) for colour in ("blue", "green")} == ran, "no task was started"
    kept = ("liveColour", "imageDigest", "releaseId", "previousDigest")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert weights(staging)[after["liveColour"]] == 100
    assert evidence(staging)["drilled"]
    assert [(entry.kind, entry.verb, entry.result) for entry in ledger()] == [
        *[("intent", "drill", ""), ("outcome", "drill", "done")] * 2,
        ("drill", "drill", "done"),
    ]


def test_drift_names_what_was_changed_by_hand_and_by_whom_and_changes_nothing(release: Command, staging: Stack) -> None:
    code, clean = release("drift")
    assert (code, clean["drift"], clean["unchecked"]) == (0, [], []), clean
    assert clean["compared"] > 20

    _record_calls(staging)
    move_by_hand(staging, blue=50, green=50)
    ecs, names = client(staging.lane, "ecs"), {"cluster": f"{PROJECT}-{staging.name}"}
    idle = {**names, "service": f"{PROJECT}-{staging.name}-{idle_of(staging)}"}
    tasks_before = ecs.describe_services(cluster=idle["cluster"], services=[idle["service"]])["services"][0][
        "desiredCount"
    ]
    ecs.update_service(**idle, desiredCount=tasks_before + 1)
    state = staging.state
    try:
        code, found = release("drift")
    finally:
        ecs.update_service(**idle, desiredCount=tasks_before)
    assert code == 1
    assert {each["type"]: each["paths"] for each in found["drift"]} == {
        "traffic": [],
        "aws:ecs/service:Service": ["desiredCount"],
    }
    who = {each["type"]: each["who"] for each in found["drift"]}
    service = who["aws:ecs/service:Service"]
    assert (service["call"], service["by"].rpartition("/")[2]) == ("UpdateService", "test")
    assert who["traffic"] is None, "the local cloud's CloudTrail does not name calls of the load balancer"
    assert staging.state == state
    assert set(weights(staging).values()) == {50}


def _record_calls(stack: Stack) -> None:
    """The local cloud's CloudTrail knows what was called from now on."""
    request = urllib.request.Request(
        f"{stack.lane.variables['AWS_ENDPOINT_URL']}/_ministack/config",
        json.dumps({"cloudtrail._recording_enabled": "true"}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN) as answer:
        assert json.load(answer)["applied"]
