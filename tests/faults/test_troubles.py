"""What happens to tasks and services while users are being moved: the update tells it, and users are served."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from local_aws import emulator_process
from local_aws.emulator.ecs.containers import TASK_LABEL
from local_aws.places import Places
from release_lane.aws import patience, session
from release_lane.aws.cloud import Cloud
from release_lane.gates.__main__ import provider
from release_lane.probe import Probe
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour
from tests.kit.serving import served

from tests.faults.proxy import ALWAYS, Fault
from tests.faults.small_engine import SmallEngine
from tests.faults.stories import Scene
from tests.stories.cloud import client, described, eventually, rule, running_digests, tasks, weights
from tools.lane import PROJECT, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.long, pytest.mark.timeout(600)]

AWAY = 10.0
"""Seconds that a service is away."""


@pytest.fixture(scope="module")
def scene(scene: Scene) -> Scene:
    return scene.begun()


@pytest.fixture
def engine(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallEngine]:
    """Patient enough for what is away for ten seconds."""
    for name, value in scene.stack.lane.variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    # The program does not run in its folder: the gates share its process, and look for smoke/ in this one.
    monkeypatch.delenv("LOCAL_AWS_HOME", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", scene.proxy.url)
    monkeypatch.setenv(patience.SECONDS_VARIABLE, "40")
    session.forget()
    both_whole(scene.stack)  # whatever the test before this one left: each tells a story of its own
    with served(provider()) as client:
        yield SmallEngine(scene.stack, client, record=dict(_record(scene)))
    scene.proxy.heal()
    session.forget()


def _record(scene: Scene) -> dict[str, object]:
    """The engine's outputs, corrected by where earlier small updates left users."""
    outputs = dict(scene.stack.outputs)
    serving = next(colour for colour, weight in weights(scene.stack).items() if weight)
    if outputs["liveColour"] != serving:
        outputs["liveColour"] = serving
        outputs["liveRelease"], outputs["previousRelease"] = outputs["previousRelease"], outputs["liveRelease"]
        outputs["imageDigest"], outputs["previousDigest"] = outputs["previousDigest"], outputs["imageDigest"]
    return outputs


@pytest.fixture
def users(scene: Scene) -> Iterator[Probe]:
    with Probe(scene.stack.url + "/api/v1/status", 50, timeout=20) as probe:
        yield probe


def asked(engine: SmallEngine) -> dict[str, str]:
    """A traffic-only switch to the other release."""
    return {"imageDigest": str(engine.record["previousDigest"]), "rollbackFrom": str(engine.record["imageDigest"])}


def sides(engine: SmallEngine) -> tuple[str, str]:
    """The live colour and the idle one."""
    live = Colour(str(engine.record["liveColour"]))
    return str(live), str(live.other)


def kill(stack: Stack, colour: str, number: int) -> None:
    """Kill some tasks of a colour as a machine that dies would, and wait until ECS knows."""
    gone = sorted(tasks(stack, colour))[:number]
    for arn in gone:
        found = subprocess.run(
            ["docker", "ps", "--quiet", "--filter", f"label={TASK_LABEL}={arn}"],
            check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        subprocess.run(["docker", "kill", *found], check=True, capture_output=True)
    eventually("ECS knows", lambda: not tasks(stack, colour) & set(gone))


def both_whole(stack: Stack) -> None:
    """Wait until no trouble of before is left."""
    try:
        eventually("both colours are fully healthy", lambda: all(whole(stack, str(colour)) for colour in Colour))
    except AssertionError as late:
        raise AssertionError(f"{late}\n{described(stack)}") from None


def whole(stack: Stack, colour: str) -> bool:
    """As many tasks as wanted, all of them healthy."""
    cloud = client(stack.lane, "elbv2")
    groups = cloud.describe_target_groups(Names=[f"{PROJECT}-{stack.name}-{colour}"])["TargetGroups"]
    health = cloud.describe_target_health(TargetGroupArn=groups[0]["TargetGroupArn"])["TargetHealthDescriptions"]
    states = [each["TargetHealth"]["State"] for each in health if each["TargetHealth"]["State"] != "draining"]
    return states == ["healthy", "healthy"] and len(running_digests(stack, colour)) == 1


def reached(engine: SmallEngine, scene: Scene, wanted: str) -> None:
    """Once both colours are whole again, the next update gets to what was asked for."""
    both_whole(scene.stack)
    if engine.record["imageDigest"] != wanted:
        again = engine.up(imageDigest=wanted, rollbackFrom=str(engine.record["imageDigest"]))
        assert again.ok, again.error
    assert engine.record["imageDigest"] == wanted == scene.stack.served()["digest"]


def test_all_idle_tasks_that_die_after_the_gates_stop_the_switch(
    engine: SmallEngine, scene: Scene, users: Probe
) -> None:
    live, idle = sides(engine)
    wanted = asked(engine)
    engine.before["traffic-switch"] = lambda: kill(scene.stack, idle, 2)
    ended = engine.up(**wanted)
    assert f"{idle} is no longer what passed the gates" in ended.error
    assert "Users: untouched" in ended.error
    assert weights(scene.stack)[live] == 100
    reached(engine, scene, wanted["imageDigest"])
    counts = users.stop().total
    assert (counts.failed, counts.mixed) == (0, 0), counts


def test_a_task_of_the_receiving_colour_that_dies_after_the_move_brings_users_back(
    engine: SmallEngine, scene: Scene, users: Probe
) -> None:
    live, idle = sides(engine)
    wanted = asked(engine)
    # Of the two looks before the journal's end, which are side by side, the one at the colour.
    engine.before["traffic-switch"] = lambda: None
    scene.proxy.meanwhile(
        "elasticloadbalancing:ModifyRule",
        lambda: scene.proxy.meanwhile("ecs:DescribeServices", lambda: kill(scene.stack, idle, 1)) and None,
    )
    ended = engine.up(**wanted)
    assert not ended.ok
    assert "rolled back to where it was before" in ended.error
    assert "Users: restored" in ended.error
    assert weights(scene.stack)[live] == 100
    reached(engine, scene, wanted["imageDigest"])
    assert users.stop().total.mixed == 0


def test_a_task_of_the_colour_that_users_leave_may_die_in_the_switch(
    engine: SmallEngine, scene: Scene, users: Probe
) -> None:
    live, _ = sides(engine)
    wanted = asked(engine)
    scene.proxy.meanwhile("elasticloadbalancing:ModifyRule", lambda: kill(scene.stack, live, 1))
    ended = engine.up(**wanted)
    assert ended.ok, ended.error
    reached(engine, scene, wanted["imageDigest"])
    assert users.stop().total.mixed == 0


@pytest.mark.parametrize("service", ["ecr", "elasticloadbalancing"])
def test_a_service_that_is_away_for_ten_seconds_is_waited_for(
    service: str, engine: SmallEngine, scene: Scene, users: Probe
) -> None:
    wanted = asked(engine)
    scene.proxy.take_away(service, AWAY)
    ended = engine.up(**wanted)
    assert ended.ok, ended.error
    reached(engine, scene, wanted["imageDigest"])
    counts = users.stop().total
    assert (counts.failed, counts.mixed) == (0, 0), counts


def test_a_control_plane_that_hangs_in_the_switch_serves_users_and_is_waited_for(
    engine: SmallEngine, scene: Scene, users: Probe
) -> None:
    """The emulator stands still as users are moved: the load balancer goes on, the update finishes later."""
    emulator = emulator_process.running(Places.read())
    assert emulator is not None

    def hang() -> None:
        os.kill(emulator.pid, signal.SIGSTOP)
        threading.Timer(AWAY, os.kill, (emulator.pid, signal.SIGCONT)).start()

    wanted = asked(engine)
    scene.proxy.meanwhile("elasticloadbalancing:ModifyRule", hang)
    try:
        ended = engine.up(**wanted)
    finally:
        os.kill(emulator.pid, signal.SIGCONT)
    assert ended.ok, ended.error
    reached(engine, scene, wanted["imageDigest"])
    counts = users.stop().total
    assert (counts.failed, counts.mixed) == (0, 0), counts


def test_credentials_that_expire_after_users_were_moved_are_reported_first_and_the_next_update_finishes(
    engine: SmallEngine, scene: Scene, users: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, idle = sides(engine)
    wanted = asked(engine)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"short-lived-{time.monotonic_ns()}")
    session.forget()

    def moved() -> None:
        scene.proxy.inject(Fault.EXPIRED, "elasticloadbalancing:DescribeRules", times=ALWAYS)

    scene.proxy.meanwhile("elasticloadbalancing:ModifyRule", moved)
    ended = engine.up(**wanted)
    scene.proxy.heal()
    assert "THE TRAFFIC COULD NOT BE ROLLED BACK" in ended.error
    assert "Users: unsure" in ended.error
    assert "The AWS credentials expired" in ended.error
    assert weights(scene.stack)[idle] == 100, "they are where the message says to look"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    session.forget()
    reached(engine, scene, wanted["imageDigest"])
    counts = users.stop().total
    assert (counts.failed, counts.mixed) == (0, 0), counts


def test_an_assumed_role_is_renewed_by_the_emulators_sts(
    engine: SmallEngine, scene: Scene, request: pytest.FixtureRequest
) -> None:
    del engine
    names = Names.of(
        f"{PROJECT}-{scene.stack.name}",
        access=Access(
            region="us-east-1", account="000000000000", role="arn:aws:iam::000000000000:role/release-lane-deployer"
        ),
        users_port=80,
        log_group="",
        repository="",
    )
    request.addfinalizer(session.forget)
    scene.proxy.begin()
    cloud = Cloud(names)
    assert cloud.balancer().rule
    scene.proxy.inject(Fault.EXPIRED, "elasticloadbalancing:DescribeTags")
    found = cloud.balancer().rule
    assert found is not None
    assert found.arn == rule(scene.stack)["RuleArn"]
    assert scene.proxy.counted()["sts:AssumeRole"] == 2
    keys = {call.key for call in scene.proxy.calls if call.service == "elasticloadbalancing"}
    assert len(keys) == 2
    assert "test" not in keys
