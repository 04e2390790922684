"""How a program begins and ends: its errors, and what it may not forget."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pulumi
import pytest
from pulumi_aws import cloudwatch, ecs
from release_lane.engine.plugins import Plugin
from release_lane.errors import Refused, UsageError
from release_lane.program import Colour, Held, Lane, Side, alone, run
from tests.program.mocks import ACCOUNT, ARTIFACTS, FIRST, Monitor, World, observed

pytestmark = pytest.mark.program


def program(environment: Callable[[Lane], None], **config: str) -> World:
    """Run this template against an account in which nothing is."""
    world = World(outputs=ARTIFACTS, observed=observed(image=FIRST))
    pulumi.runtime.set_mocks(world, project="release-lane", stack="staging", monitor=Monitor(world))
    raw = {"aws:region": "us-east-1", "release-lane:account": ACCOUNT, "release-lane:imageDigest": FIRST, **config}
    raw["release-lane:insecure"] = "true"
    pulumi.runtime.set_all_config(raw)

    @pulumi.runtime.test
    def body() -> None:
        run(environment)

    body()
    return world


def nothing(lane: Lane) -> None:
    """A template that registers nothing."""
    del lane


def test_an_error_of_the_lane_ends_the_program_without_a_traceback() -> None:
    def refusing(lane: Lane) -> None:
        del lane
        raise Refused("No.", why="because", next_step="do this.")

    with pytest.raises(pulumi.RunError) as ended:
        program(refusing)
    assert str(ended.value) == str(Refused("No.", why="because", next_step="do this."))


def test_wrong_settings_are_reported_before_anything_is_asked_or_registered() -> None:
    called: list[Lane] = []
    with pytest.raises(pulumi.RunError, match="is not a known key"):
        program(called.append, **{"release-lane:cpu": "256"})
    assert not called


def test_a_template_that_forgets_the_release_is_an_error() -> None:
    with pytest.raises(pulumi.RunError, match=r"without `lane\.release"):
        program(nothing)


@pytest.mark.parametrize("wanted", ["", "1"])
def test_what_the_sdk_says_of_each_step_is_spared_and_not_what_the_template_says(
    wanted: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RELEASE_LANE_DEBUG", wanted)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(pulumi.RunError):
        program(lambda lane: pulumi.log.debug(f"built {lane.names.cluster}"))
    said = [record.getMessage() for record in caplog.records]
    assert "built release-lane-staging" in said
    assert any("Invoking function" in each for each in said) is bool(wanted)


def test_the_local_cloud_of_another_checkout_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCAL_AWS_HOME", str(tmp_path))
    with pytest.raises(pulumi.RunError, match=f"local cloud of {tmp_path}") as ended:
        program(nothing)
    assert isinstance(ended.value.__cause__, UsageError)


def test_next_to_a_plugin_of_a_killed_update_nothing_is_asked_or_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = Plugin(pid=77, began=1, name="pulumi-resource-aws", since="2026-01-02T03:04:05+00:00")
    monkeypatch.setattr(alone, "without_engine", lambda stack: (plugin,) if stack.name == "staging" else ())
    module = importlib.import_module("release_lane.program.run")  # the package gives the function this name
    monkeypatch.setattr(module, "need_to_be_alone", partial(alone.need_to_be_alone, 0.0))
    called: list[Lane] = []
    with pytest.raises(pulumi.RunError, match=r"pulumi-resource-aws \(process 77\)") as ended:
        program(called.append)
    assert "release recover staging" in str(ended.value)
    assert not called


def test_plugins_that_end_with_their_engine_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [(Plugin(pid=77, began=1, name="pulumi-resource-release", since=""),), ()]
    monkeypatch.setattr(alone, "without_engine", lambda _: left.pop(0))
    called: list[Lane] = []
    with pytest.raises(pulumi.RunError, match=r"without `lane\.release"):
        program(called.append)
    assert len(called) == 1
    assert left == []


class Bare(Side):
    """A colour without a service of ours."""

    def __init__(self, held: Held) -> None:
        super().__init__(held)
        self.task_definition = ecs.TaskDefinition(held.name, family="theirs", container_definitions="[]")


def test_a_template_may_build_an_environment_of_its_own() -> None:
    """All that the lane asks for is a side for each colour, and an address."""

    def environment(lane: Lane) -> None:
        sides = {held.colour: Bare(held) for held in lane.sides()}
        lane.release(sides, pulumi.Output.from_input("lb.theirs"), alarms={}, after=[])

    world = program(environment)
    assert world.one("Rollout").inputs["taskDefinition"].startswith("arn:")
    assert world.one("TrafficSwitch").inputs["active"] is True
    assert not world.of_type(":Network")


def test_an_alarm_of_the_template_is_watched_by_the_switch_that_waits_for_it() -> None:
    def environment(lane: Lane) -> None:
        sides = {held.colour: Bare(held) for held in lane.sides()}
        slow = cloudwatch.MetricAlarm(
            "slow", name="slow", comparison_operator="GreaterThanThreshold", evaluation_periods=1, threshold=3
        )
        alarms = {Colour.GREEN: {"slow": slow}}
        lane.release(sides, pulumi.Output.from_input("lb.theirs"), alarms=alarms, after=[])

    switch = program(environment).one("TrafficSwitch")
    assert switch.inputs["watch"]["alarms"]["own"] == {"slow": "green"}
