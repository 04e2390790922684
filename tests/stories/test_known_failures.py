"""How other tools failed their users, each retold here with another end. The threads are named with each story."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from release_lane.probe import Probe

from tests.patience import PATIENCE
from tests.stories.cloud import (
    client,
    end_what_outlived,
    eventually,
    idle_of,
    in_time,
    move_by_hand,
    running_digests,
    tasks,
    weights,
)
from tests.stories.known import Known
from tools.lane import PROJECT, SOON, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.long, pytest.mark.timeout(600), pytest.mark.real]
Prober = Callable[..., Probe]
Unseen = Callable[..., str]


@pytest.fixture
def stack(known: Known, shared: Stack, good: str, better: str) -> Stack:
    """The environment that stories share, with better live and good on the idle colour."""
    return known(shared, live=better, idle=good)


def service(stack: Stack, colour: str) -> Any:
    """What ECS says of a colour's service."""
    name = f"{PROJECT}-{stack.name}"
    return client(stack.lane, "ecs").describe_services(cluster=name, services=[f"{name}-{colour}"])["services"][0]


def test_an_update_whose_image_never_got_healthy_fails_and_stops_no_healthy_task(
    stack: Stack, sick: str, better: str, probe: Prober
) -> None:
    """pulumi/pulumi-aws#4487, pulumi/pulumi-awsx#1848: ECS gave up and went back, the update said success.

    aws/copilot-cli#4838: going back was a new deployment, which stopped the tasks that still served users.
    """
    live = stack.outputs["liveColour"]
    serving, before = tasks(stack, live), service(stack, live)
    prober = probe(stack)
    refused = stack.with_settings(rollout=SOON).up(imageDigest=sick)
    assert not refused.ok
    assert "rollout gate refused" in refused.text
    assert stack.outputs["imageDigest"] == better == stack.served()["digest"]
    healed = stack.up()
    assert healed.ok, healed.text
    after = service(stack, live)
    assert tasks(stack, live) == serving
    assert [each["id"] for each in after["deployments"]] == [each["id"] for each in before["deployments"]]
    report = prober.stop()
    assert (report.total.failed, {release.digest for release in report.total.releases}) == (0, {better})


def test_an_image_that_exits_at_once_is_never_called_stable(stack: Stack, crasher: str, better: str) -> None:
    """kayac/ecspresso#732, fabfuel/ecs-deploy#185: "successful", and the revision that still ran was deregistered."""
    refused = stack.up(imageDigest=crasher)
    assert not refused.ok
    assert "rollout gate refused" in refused.text
    assert "no database here" in refused.text, "the container's own last words"
    running = service(stack, stack.outputs["liveColour"])["taskDefinition"]
    described = client(stack.lane, "ecs").describe_task_definition(taskDefinition=running)["taskDefinition"]
    assert described["status"] == "ACTIVE"
    assert stack.outputs["imageDigest"] == better == stack.served()["digest"]


def test_going_back_never_lands_on_the_side_that_holds_the_refused_release(
    stack: Stack, good: str, better: str, liar: str, probe: Prober
) -> None:
    """fluxcd/flagger#1931: a rollback moved users to the side where the bad release was."""
    prober = probe(stack)
    refused = stack.up(imageDigest=liar)
    assert not refused.ok
    assert "smoke gate refused" in refused.text, refused.text
    assert running_digests(stack, idle_of(stack)) == {liar}, "the other side really holds the bad release"
    back = stack.up(imageDigest=good, rollbackFrom=better)
    assert back.ok, back.text
    assert stack.served()["digest"] == good == stack.outputs["imageDigest"]
    report = prober.stop()
    assert (report.total.failed, {release.digest for release in report.total.releases}) == (0, {good, better})


def test_an_unrelated_update_resets_no_weights(stack: Stack) -> None:
    """aws/aws-cdk#36649: any update of the stack put the rule's weights back to what the code said."""
    live = stack.outputs["liveColour"]
    unrelated = stack.with_settings(testAccess=["192.0.2.0/24"])
    result = unrelated.up()
    assert result.ok, result.text
    assert weights(stack) == {live: 100, idle_of(stack): 0}
    by_hand = {live: 70, idle_of(stack): 30}
    move_by_hand(stack, **by_hand)
    other = stack.with_settings(testAccess=["198.51.100.0/24"])
    refused = other.up()
    assert not refused.ok
    assert f"{live} 70%" in refused.text
    assert "onDrift" in refused.text
    assert weights(stack) == by_hand, "neither reset nor adopted until somebody says which"
    restored = other.up(onDrift="restore")
    assert restored.ok, restored.text
    assert weights(stack) == {live: 100, idle_of(stack): 0}


def test_users_on_a_group_without_a_healthy_target_stop_the_release(stack: Stack, better: str, unseen: Unseen) -> None:
    """aws/containers-roadmap#2853: the shift went on although production pointed at a group with nothing in it."""
    live, idle = stack.outputs["liveColour"], idle_of(stack)
    name = f"{PROJECT}-{stack.name}"
    client(stack.lane, "ecs").update_service(cluster=name, service=f"{name}-{idle}", desiredCount=0)
    eventually("the idle colour is empty", lambda: not tasks(stack, idle))
    move_by_hand(stack, **{live: 0, idle: 100})
    refused = stack.up(imageDigest=unseen(stack))
    assert not refused.ok
    assert f"{idle} 100%" in refused.text
    assert weights(stack) == {live: 0, idle: 100}
    restored = stack.up(onDrift="restore")
    assert restored.ok, restored.text
    assert stack.served()["digest"] == better
    healed = stack.up()
    assert healed.ok, healed.text


@pytest.mark.states
def test_after_an_interrupted_run_a_rollback_leaves_the_release_it_was_asked_to_leave(
    stack: Stack, better: str, unseen: Unseen, probe: Prober
) -> None:
    """A tool that remembers revisions finds the same one twice after an interrupt, and "goes back" to where it is."""
    prober, best = probe(stack), unseen(stack)
    idle = idle_of(stack)
    before = tasks(stack, idle)
    with stack.started("up", imageDigest=best) as running:
        in_time(running, "the idle colour gets new tasks", lambda: tasks(stack, idle) - before)
        os.kill(running.process.pid, signal.SIGKILL)
        running.wait(PATIENCE)
    end_what_outlived(stack)
    assert stack.command("cancel", "--yes").ok
    with stack.started("refresh", "--clear-pending-creates") as refresh:
        assert refresh.wait(PATIENCE).ok
    again = stack.up(imageDigest=best)
    assert again.ok, again.text
    assert stack.outputs["previousDigest"] == better, "not the release that the interrupted run had begun"
    back = stack.up(imageDigest=better, rollbackFrom=best)
    assert back.ok, back.text
    assert stack.served()["digest"] == better
    report = prober.stop()
    assert (report.total.failed, {release.digest for release in report.total.releases}) == (0, {better, best})
