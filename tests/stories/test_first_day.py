"""Stories that must end well from the first day, run on the local cloud with real containers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from release_lane.probe import Probe

from tests.stories.cloud import (
    client,
    deployment_state,
    eventually,
    idle_of,
    move_by_hand,
    running_digests,
    tasks,
    weights,
)
from tests.stories.known import Known
from tools.lane import Lane, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]
Prober = Callable[..., Probe]
Unseen = Callable[..., str]


def settled(stack: Stack, live: str, idle: str) -> None:
    """Green or blue serves `live`, the other colour holds `idle`, and another update has nothing to do."""
    result = stack.up("--expect-no-changes")
    assert result.ok, result.text
    colour = stack.outputs["liveColour"]
    other = {"blue": "green", "green": "blue"}[colour]
    assert stack.served()["digest"] == live == stack.outputs["imageDigest"]
    assert (running_digests(stack, colour), running_digests(stack, other)) == ({live}, {idle})


def test_before_the_first_release_users_get_503(lane: Lane, good: str, liar: str) -> None:
    stack = lane.environment("fresh", like="staging", smoke={"deadlineSeconds": 1})
    prepared = stack.up()
    assert prepared.ok, prepared.text
    assert stack.served() == {"http": 503}
    refused = stack.up(imageDigest=liar)
    assert not refused.ok
    assert "smoke gate refused" in refused.text
    assert stack.served() == {"http": 503}
    assert "liveColour" not in stack.outputs
    released = stack.with_settings(shift={"steps": [10, 50, 100], "bakeSeconds": 3}).up(imageDigest=good)
    assert released.ok, released.text
    assert "Users: all at once." in released.text
    assert stack.served()["digest"] == good


def test_a_refused_release_is_never_exposed_and_the_next_update_heals(
    known: Known, staging: Stack, good: str, better: str, liar: str, probe: Prober
) -> None:
    staging = known(staging, live=better, idle=good)
    prober = probe(staging)
    refused = staging.up(imageDigest=liar)
    assert not refused.ok
    assert "smoke gate refused" in refused.text
    assert staging.outputs["imageDigest"] == better
    back = staging.up(imageDigest=good, rollbackFrom=better)
    assert back.ok, back.text
    assert staging.served()["digest"] == good
    again = staging.up(imageDigest=better, rollbackFrom=good)
    assert again.ok, again.text
    settled(staging, live=better, idle=good)
    report = prober.stop()
    assert report.total.failed == 0
    assert liar not in {release.digest for release in report.total.releases}


@pytest.mark.long
def test_the_next_update_without_a_digest_heals_the_idle_colour(staging: Stack, liar: str) -> None:
    live, idle = staging.outputs["imageDigest"], staging.outputs["previousDigest"]
    assert not staging.up(imageDigest=liar).ok
    healed = staging.up()
    assert healed.ok, healed.text
    assert "Decision: heal" in healed.text
    settled(staging, live=live, idle=idle)


def test_a_change_of_configuration_leaves_the_live_tasks_alone(staging: Stack) -> None:
    colour = staging.outputs["liveColour"]
    before = tasks(staging, colour)
    changed = staging.with_settings(env={"LOG_LEVEL": "warning"})
    result = changed.up()
    assert result.ok, result.text
    assert "waits for the next release" in result.text
    assert tasks(staging, colour) == before
    released = changed.up(imageDigest=staging.outputs["imageDigest"])
    assert released.ok, released.text
    assert tasks(staging, colour) == before, "the colour that was live keeps its tasks, now idle"
    assert staging.outputs["liveColour"] != colour


@pytest.mark.long
def test_a_change_of_this_programs_own_code_leaves_the_live_tasks_alone(
    known: Known, shared: Stack, unseen: Unseen
) -> None:
    staging = known(shared, idle=None)
    before = {side: tasks(staging, side) for side in ("blue", "green")}
    changed = staging.with_changed_program(
        "packages/release-lane/src/release_lane/record/container.py", '"stopTimeout": 30', '"stopTimeout": 45'
    )
    result = changed.up()
    assert result.ok, result.text
    assert {side: tasks(staging, side) for side in ("blue", "green")} == before
    live = staging.outputs["liveColour"]
    released = changed.up(imageDigest=unseen(staging))
    assert released.ok, released.text
    assert staging.outputs["liveColour"] != live
    assert tasks(staging, live) == before[live], "the change went out with the release, on the other colour"


def test_the_switch_alone_moves_no_traffic(staging: Stack, unseen: Unseen) -> None:
    live, best = staging.outputs["imageDigest"], unseen(staging)
    urn = re.search(r"urn:\S+TrafficSwitch::traffic-switch", staging.command("stack", "export").text)
    assert urn
    refused = staging.up("--target", urn.group(0).strip('",'), imageDigest=best)
    assert not refused.ok
    assert "did not pass" in refused.text
    assert staging.served()["digest"] == live == staging.outputs["imageDigest"]


def test_an_old_digest_is_no_release_but_a_rollback_that_must_be_requested(staging: Stack, unseen: Unseen) -> None:
    previous, best = staging.outputs["imageDigest"], unseen(staging)
    assert staging.up(imageDigest=best).ok
    idle_tasks = tasks(staging, {"blue": "green", "green": "blue"}[staging.outputs["liveColour"]])
    refused = staging.up(imageDigest=previous)
    assert not refused.ok
    assert "is a rollback" in refused.text
    assert f"rollbackFrom={best}" in refused.text
    assert staging.served()["digest"] == best
    moved = staging.up(imageDigest=previous, rollbackFrom=best)
    assert moved.ok, moved.text
    assert "Decision: traffic-only" in moved.text
    assert staging.served()["digest"] == previous
    assert tasks(staging, staging.outputs["liveColour"]) == idle_tasks, "a traffic-only switch starts no task"


def test_weights_moved_by_hand_are_noticed_when_there_is_nothing_else_to_do(staging: Stack) -> None:
    live = staging.outputs["liveColour"]
    other = {"blue": "green", "green": "blue"}[live]
    move_by_hand(staging, **{live: 50, other: 50})
    noticed = staging.up()
    assert not noticed.ok
    assert "Drift: users are served blue 50%, green 50%" in noticed.text
    restored = staging.up(onDrift="restore")
    assert restored.ok, restored.text
    assert weights(staging) == {live: 100, other: 0}


@pytest.mark.long
def test_the_same_digest_succeeds_on_a_second_try(lane: Lane, staging: Stack, good: str, network: str) -> None:
    """A container that failed once, for a reason outside it: what it needs at its start was away."""
    from tests.stories.upstream import Upstream

    with Upstream(network) as upstream:
        picky = lane.derive("picky", good)
        stack = staging.with_settings(env={"UPSTREAM": upstream.url})
        upstream.away()
        first = stack.up(imageDigest=picky)
        assert not first.ok
        assert "rollout gate refused" in first.text
        eventually("ECS gives up on the first try", lambda: deployment_state(stack, idle_of(stack)) == "FAILED")
        upstream.back()
        second = stack.up(imageDigest=picky)
        assert second.ok, second.text
        assert staging.served()["digest"] == picky


def test_production_takes_nothing_that_staging_did_not_prove(lane: Lane, staging: Stack, sick: str) -> None:
    proven = staging.outputs["imageDigest"]
    stack = lane.environment("prod", like="production", promotesFrom=staging.name, smoke={"deadlineSeconds": 3})
    refused = stack.up(imageDigest=sick)
    assert not refused.ok
    assert "never proven on stage" in refused.text
    promoted = stack.up(imageDigest=proven)
    assert promoted.ok, promoted.text
    assert stack.served()["digest"] == proven


def test_the_target_that_serves_is_really_healthy_before_users_come(staging: Stack) -> None:
    """After whatever stories came before: the load balancer calls each target of the live colour healthy."""
    elb = client(staging.lane, "elbv2")
    name = f"release-lane-{staging.name}-{staging.outputs['liveColour']}"
    group = elb.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"]

    def states() -> set[str]:
        found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {each["TargetHealth"]["State"] for each in found}

    assert eventually("all targets healthy", lambda: states() == {"healthy"})
