"""A release that changes the database's schema first, by what its image says; no database is needed to see when that
runs, what it stops, and what is known afterwards."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from release_lane.probe import Probe
from release_lane.record.revisions import GATE, NEEDS, PASSED, PROVIDES

from tests.patience import PATIENCE
from tests.stories.cloud import client, eventually, idle_of, in_time, tasks
from tests.stories.test_interrupted import way_back
from tools.lane import PROJECT, Lane, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.long, pytest.mark.timeout(600)]
Prober = Callable[..., Probe]

COMMAND = ["/venv/bin/python", "-u", "-c", "import os; exec(os.environ['MIGRATES'])"]


def image(lane: Lane, good: str, name: str, *, to: str, needs: str, does: str = "") -> str:
    """A good image whose migration leads to a revision; `does` is what it runs instead, in Python."""
    runs = does or f"print('upgrade to {to}')"
    return lane.derive(name, good, [f'LABEL {PROVIDES}="{to}"', f'LABEL {NEEDS}="{needs}"', f'ENV MIGRATES="{runs}"'])


def ran(stack: Stack) -> list[dict[str, Any]]:
    """The tasks of its migrations, running and ended."""
    ecs, cluster = client(stack.lane, "ecs"), f"{PROJECT}-{stack.name}"
    of = {"cluster": cluster, "family": f"{cluster}-migration"}
    arns = [arn for status in ("RUNNING", "STOPPED") for arn in ecs.list_tasks(**of, desiredStatus=status)["taskArns"]]
    return list(ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]) if arns else []


def passed(stack: Stack) -> list[str]:
    """The revisions that the state knows."""
    (gate,) = [each for each in stack.state["resources"] if each["type"] == GATE]
    return list(gate["outputs"][PASSED])


@pytest.fixture(scope="module")
def migrating(lane: Lane, good: str) -> Stack:
    """An environment whose first release led the schema to r1; its image can live with r2 as well."""
    stack = lane.environment("schema", migration={"command": COMMAND, "deadlineSeconds": 10})
    first = image(lane, good, "schema-1", to="r1", needs="r1 r2")
    result = stack.up(imageDigest=first)
    assert result.ok, result.text
    assert "migration: upgrade to r1" in result.text
    assert passed(stack) == ["r1"]
    return stack


def test_a_release_migrates_first_and_what_fails_starts_no_task(
    migrating: Stack, lane: Lane, good: str, probe: Prober
) -> None:
    stack, prober, first = migrating, probe(migrating), migrating.outputs["imageDigest"]
    second = image(lane, good, "schema-2", to="r2", needs="r1 r2")
    fails = image(
        lane, good, "schema-2-fails", to="r2", needs="r2", does="print('duplicate column'); raise SystemExit(3)"
    )
    hangs = image(
        lane, good, "schema-2-hangs", to="r2", needs="r2", does="import time; print('waits'); time.sleep(600)"
    )
    before = len(ran(stack))
    shown = stack.preview(imageDigest=second)
    assert "from r1 to r2, before tasks are started" in shown.text
    assert len(ran(stack)) == before, "a preview runs none"

    refused = stack.up(imageDigest=fails)
    assert not refused.ok
    assert "ended with exit code 3" in refused.text
    assert "duplicate column" in refused.text
    assert (tasks(stack, idle_of(stack)), passed(stack)) == (set(), ["r1"])

    late = stack.up(imageDigest=hangs)
    assert not late.ok
    assert "did not end within 10 s" in late.text
    assert [each["lastStatus"] for each in ran(stack)] == ["STOPPED"] * (before + 2)
    assert (tasks(stack, idle_of(stack)), stack.served()["digest"]) == (set(), first)

    done = stack.up(imageDigest=second)
    assert done.ok, done.text
    assert (passed(stack), stack.served()["digest"]) == (["r1", "r2"], second)
    assert stack.outputs["evidence"][-1]["migrated"] == "from r1 to r2"

    count = len(ran(stack))
    back = stack.up(imageDigest=first, rollbackFrom=second)
    assert back.ok, back.text
    assert (len(ran(stack)), passed(stack)) == (count, ["r1", "r2"]), "a rollback runs none"
    assert prober.stop().total.failed == 0


def test_what_the_labels_forbid_is_refused_before_anything_changes(migrating: Stack, lane: Lane, good: str) -> None:
    stack, count = migrating, len(ran(migrating))
    contract = image(lane, good, "schema-3", to="r3", needs="r3")
    for refused in (stack.preview(imageDigest=contract), stack.up(imageDigest=contract)):
        assert not refused.ok
        assert "its migration leads to schema r3, and the live release" in refused.text
    assert len(ran(stack)) == count


@pytest.mark.states
def test_a_migration_whose_engine_is_killed_is_ended_and_the_next_update_runs_it_again(
    migrating: Stack, lane: Lane, good: str
) -> None:
    stack = migrating.with_settings(migration={"command": COMMAND, "deadlineSeconds": 600})
    live = stack.outputs["imageDigest"]
    hangs = image(
        lane, good, "schema-2-hangs-on", to="r2", needs="r1 r2", does="import time; print('waits'); time.sleep(600)"
    )
    with stack.started("up", imageDigest=hangs) as running:
        in_time(running, "the migration runs", lambda: "migration: waits" in running.text)
        running.process.send_signal(signal.SIGKILL)
        running.wait(PATIENCE)
    eventually("its provider ended its task", lambda: all(each["lastStatus"] == "STOPPED" for each in ran(stack)))
    assert stack.served()["digest"] == live
    way_back(stack)
    again = image(lane, good, "schema-2-again", to="r2", needs="r1 r2")
    done = stack.up(imageDigest=again)
    assert done.ok, done.text
    assert "migration: upgrade to r2" in done.text
