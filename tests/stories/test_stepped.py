"""A stepped release, watched: one that does well, one that only its users break, a killed one, an aborted one.

Metrics come every second here, alarms look every ten, and a bake takes three; nothing else differs from a release by
the hour.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from local_aws import metrics
from release_lane.probe import Counts, Probe
from release_lane.record.journal import Abort, Journal, Phase
from release_lane.record.placement import Colour
from tests.command.deaths import children

from tests.patience import ANSWER_WITHIN, PATIENCE
from tests.stories.cloud import client, eventually, idle_of, in_time, no_alarm_fires, rule, tasks, weights
from tests.stories.known import Known
from tests.stories.test_interrupted import way_back
from tools.lane import PROJECT, Lane, Running, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]
Unseen = Callable[..., str]

SETTINGS: dict[str, Any] = {
    "shift": {"steps": [10, 50, 100], "bakeSeconds": 3},
    "alarms": {"errorPercent": 20, "unhealthyTargets": 2, "periodSeconds": 10, "lateSeconds": 8},
    "smoke": {"deadlineSeconds": 8},
}


@pytest.fixture(scope="module", autouse=True)
def quick_metrics(lane: Lane) -> Iterator[None]:
    """CloudWatch hears of the load balancers once a second."""
    with metrics.quick(lane.variables["AWS_ENDPOINT_URL"], 1):
        yield


@pytest.fixture
def environment(lane: Lane) -> Stack:
    """One that moves its users in steps, just as it is; none of its alarms is firing."""
    made = lane.environment("steps", like="staging", **SETTINGS)
    no_alarm_fires(made)
    return made


@pytest.fixture
def stack(known: Known, environment: Stack) -> Stack:
    """The same with a release at least; if it had another one before, that is on the idle colour."""
    brought = known(environment, idle=None)
    no_alarm_fires(brought)
    return brought


MANY, ONE = 100, 1
"""Requests on a connection. HAProxy answers 502 on a new one only; it closes one that was used, without an answer."""


def asking(stack: Stack, per_connection: int = MANY) -> Probe:
    """Users, who ask for something that only users ask for."""
    url = stack.url + "/api/v1/status?by=users"
    return Probe(url, 50, timeout=ANSWER_WITHIN, per_connection=per_connection)


@pytest.fixture
def users(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Probe]:
    with asking(stack, getattr(request, "param", MANY)) as probe:
        yield probe


def journal(stack: Stack) -> Journal | None:
    return Journal.from_tags(tags(stack))


def tags(stack: Stack) -> dict[str, str]:
    found = client(stack.lane, "elbv2").describe_tags(ResourceArns=[rule(stack)["RuleArn"]])["TagDescriptions"][0]
    return {each["Key"]: each["Value"] for each in found["Tags"]}


def step(report: Probe, name: str) -> Counts:
    return report.snapshot().step(name)


# ---- calm


PLAN = "Users: in 3 steps: 10 %, 50 %, 100 %, 3 s of watching after each (9 s at least)."


def went_in_steps(text: str, colour: str) -> None:
    for number, share in enumerate((10, 50, 100), start=1):
        assert re.search(rf"users: .*{colour} {share}%.* \(step {number} of 3\)", text), text


def test_a_release_that_does_well_goes_step_by_step(stack: Stack, unseen: Unseen, users: Probe) -> None:
    live, idle, better = stack.outputs["imageDigest"], idle_of(stack), unseen(stack)
    preview = stack.preview(imageDigest=better)
    assert PLAN in preview.text, preview.text
    released = stack.up(imageDigest=better)
    assert released.ok, released.text
    went_in_steps(released.text, idle)
    assert stack.served()["digest"] == stack.outputs["imageDigest"] == better
    report = users.stop()
    assert (report.total.failed, report.total.mixed) == (0, 0), report.total.reasons
    assert {each.digest for each in report.total.releases} == {live, better}
    settled = stack.up("--expect-no-changes")
    assert settled.ok, settled.text


@pytest.mark.long
def test_going_back_takes_no_steps_and_forward_again_takes_them_all(known: Known, stack: Stack, users: Probe) -> None:
    stack = known(stack)  # under users: a watched release without any is rolled back
    live, previous = stack.outputs["imageDigest"], stack.outputs["previousDigest"]
    back = stack.up(imageDigest=previous, rollbackFrom=live)
    assert back.ok, back.text
    assert "Users: all at once." in back.text
    left = idle_of(stack)
    again = stack.up(imageDigest=live, forwardFrom=previous)
    assert again.ok, again.text
    assert PLAN in again.text, again.text
    went_in_steps(again.text, left)
    assert stack.served()["digest"] == stack.outputs["imageDigest"] == live
    assert users.stop().total.failed == 0


# ---- a hold


def said(stack: Stack, *command: str) -> tuple[int, dict[str, Any], str]:
    """What the `release` command says of the environment: exit code, data, and its other words."""
    variables = {**os.environ, **stack.lane.variables, "RELEASE_LANE_STACKS": str(stack.lane.folder)}
    verb, *more = command
    done = subprocess.run(
        [sys.executable, "-m", "release_lane.command", *verb.split(), stack.name, *more, "--json"],
        cwd=stack.project, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


def share_of(users: Probe, name: str, digest: str) -> float:
    """Of the answers in a step of the prober, those of a release."""
    counts = step(users, name)
    assert counts.failed == counts.mixed == 0, counts.reasons
    return sum(each.count for each in counts.releases if each.digest == digest) / counts.ok


@pytest.mark.long
def test_a_hold_keeps_a_share_of_users_on_the_new_release_until_one_of_them_wins(
    lane: Lane, known: Known, unseen: Unseen
) -> None:
    held = {**SETTINGS, "shift": {"steps": [50, 100], "bakeSeconds": 3, "hold": 10}}
    stack = known(lane.environment("hold", like="staging", **held), idle=None)
    no_alarm_fires(stack)
    old, new = stack.outputs["imageDigest"], unseen(stack)
    third = unseen(stack, new)
    idle = idle_of(stack)
    with asking(stack) as users:
        begun = stack.up(imageDigest=new)
        assert begun.ok, begun.text
        assert "Users: in 1 step: 10 %, 3 s of watching; then a hold keeps 10 % there until it is ended." in begun.text
        assert weights(stack)[idle] == 10
        assert (stack.outputs["imageDigest"], stack.outputs["hold"]["percent"]) == (old, 10)
        assert stack.outputs["recordSchema"] == 2
        users.mark("held")
        kept = stack.up("--expect-no-changes")
        assert kept.ok, kept.text
        for refused in (stack.preview(imageDigest=third), stack.up(imageDigest=third)):
            assert not refused.ok
            assert "Nothing is released while a hold stands" in refused.text, refused.text
            assert "release hold end" in refused.text
        code, checked, words = said(stack, "smoke")
        assert (code, checked["digest"], checked["nextTo"]) == (0, old, new), words
        eventually("enough answers to count", lambda: step(users, "held").ok > 2000)
        users.mark("ended")
        assert 0.06 < share_of(users, "held", new) < 0.14
        code, won, words = said(stack, "hold end", "--winner", "new", "--reason", "more orders")
        assert code == 0, words
        assert (won["digest"], won["replaced"]) == (new, old)
        assert weights(stack)[idle] == 100
        assert not {"hold", "recordSchema"} & stack.outputs.keys()
        assert stack.served()["digest"] == stack.outputs["imageDigest"] == new
        no_alarm_fires(stack)
        again = stack.up(imageDigest=third)
        assert again.ok, again.text
        assert stack.outputs["hold"]["release"]["digest"] == third
        code, lost, words = said(stack, "hold end", "--winner", "old", "--reason", "fewer orders")
        assert code == 0, words
        assert (lost["digest"], lost["replaced"]) == (new, third)
        assert weights(stack)[idle] == 100
        assert stack.outputs["previousDigest"] == third
        report = users.stop()
    assert (report.total.failed, report.total.mixed) == (0, 0), report.total.reasons
    assert {each.digest for each in report.total.releases} == {old, new, third}
    settled = stack.up("--expect-no-changes")
    assert settled.ok, settled.text


# ---- a breach


@pytest.mark.parametrize(
    ("variant", "reason", "got", "users"),
    [
        ("moody", r"requests to {0} failed, but only 0.0 % of|the alarm \S+-{0}-errors is firing", "status 500", MANY),
        pytest.param(
            "abrupt", "the load balancer itself answered .* {0} had", "status 502", ONE, marks=pytest.mark.long
        ),
    ],
    ids=["an error", "broken off"],
    indirect=["users"],
)
def test_an_error_that_only_users_meet_rolls_the_traffic_back_at_the_first_step(
    stack: Stack, lane: Lane, good: str, users: Probe, variant: str, reason: str, got: str
) -> None:
    """Its smoke checks and the switch's own probes pass: only CloudWatch counts what users get."""
    live, idle = stack.outputs["imageDigest"], idle_of(stack)
    bad = lane.derive(variant, good)
    users.mark("released")
    refused = stack.up(imageDigest=bad)
    users.mark("afterwards")
    assert not refused.ok
    assert "step 1 of 3" in refused.text
    assert "step 2 of 3" not in refused.text
    assert re.search(rf"{idle} had 10 % of the users for \d+ s; their traffic was rolled back to", refused.text), (
        refused.text
    )
    assert re.search(reason.format(idle), refused.text), refused.text
    assert "timeline of weights (UTC):" in refused.text
    assert f"last log lines of {idle}:" in refused.text
    assert stack.served()["digest"] == stack.outputs["imageDigest"] == live
    assert weights(stack)[idle] == 0
    found = journal(stack)
    assert found is not None
    assert found.phase is Phase.RESTORED
    healed = stack.up()
    assert healed.ok, healed.text
    users.stop()
    harmed, after = step(users, "released"), step(users, "afterwards")
    assert 0 < harmed.failed < 0.15 * harmed.sent, "a tenth of the users met it for some seconds, and no other user"
    assert set(harmed.reasons) == {got}, harmed.reasons
    assert after.failed == 0, after.reasons


# ---- a machine that dies between two steps


AT_HALF = json.dumps({"steps": [50, 100], "bakeSeconds": 3})


@contextmanager
def at_half(stack: Stack, digest: str) -> Iterator[Running]:
    """The engine, while half of the users are on the new release."""
    idle = idle_of(stack)
    with stack.started("up", imageDigest=digest, shift=AT_HALF) as running:
        in_time(running, "half of the users are moved", lambda: weights(stack).get(idle) == 50, every=0.05)
        yield running


def killed_at_half(stack: Stack, digest: str) -> None:
    with at_half(stack, digest) as running:
        os.kill(running.process.pid, signal.SIGSTOP)  # it must not see its plugins die and act on it
        for pid in [*children(running.process.pid), running.process.pid]:
            os.kill(pid, signal.SIGKILL)
        running.wait(PATIENCE)
    assert sorted(weights(stack).values()) == [50, 50], "users stay divided until somebody decides"


@pytest.mark.long
@pytest.mark.states
def test_killed_at_half_the_next_update_finishes_it(stack: Stack, unseen: Unseen, users: Probe) -> None:
    best = unseen(stack)
    killed_at_half(stack, best)
    no_alarm_fires(stack)
    way_back(stack)
    assert stack.outputs["imageDigest"] == best == stack.served()["digest"]
    assert sorted(weights(stack).values()) == [0, 100]
    assert users.stop().total.failed == 0


@pytest.mark.long
@pytest.mark.states
def test_killed_at_half_it_is_undone_by_asking_for_what_is_recorded(stack: Stack, unseen: Unseen) -> None:
    live, third = stack.outputs["imageDigest"], unseen(stack)
    with asking(stack) as users:
        killed_at_half(stack, third)
        stack.command("cancel", "--yes")
        other = stack.up(imageDigest=unseen(stack, third))
        assert "a switch to" in other.text.lower(), "no third release meanwhile"
        assert not other.ok
        undone = stack.up(imageDigest=live)
        assert undone.ok, undone.text
        assert "undo the interrupted switch" in undone.text
        assert stack.outputs["imageDigest"] == live == stack.served()["digest"]
        assert users.stop().total.failed == 0


# ---- a person


@pytest.mark.long
def test_a_person_aborts_it(stack: Stack, lane: Lane, unseen: Unseen, users: Probe) -> None:
    live, third = stack.outputs["imageDigest"], unseen(stack)
    with at_half(stack, third) as running:
        found = journal(stack)
        assert found is not None
        request = Abort(found.to.release_id, "ann").as_tags()
        client(lane, "elbv2").add_tags(
            ResourceArns=[rule(stack)["RuleArn"]], Tags=[{"Key": key, "Value": value} for key, value in request.items()]
        )
        ended = running.wait(PATIENCE)
    assert not ended.ok
    assert "The switch was interrupted: ann asked to abort this switch." in ended.text, ended.text
    assert "Kind: Interrupted" in ended.text
    assert stack.served()["digest"] == stack.outputs["imageDigest"] == live
    assert Abort.from_tags(tags(stack)) is None
    assert users.stop().total.failed == 0


@pytest.mark.long
@pytest.mark.states
def test_ctrl_c_while_it_is_watched_rolls_the_traffic_back(stack: Stack, unseen: Unseen, users: Probe) -> None:
    live, third = stack.outputs["imageDigest"], unseen(stack)
    with at_half(stack, third) as running:
        running.process.send_signal(signal.SIGINT)
        ended = running.wait(PATIENCE)
    assert not ended.ok
    assert "The switch was interrupted" in ended.text, ended.text
    assert sorted(weights(stack).values()) == [0, 100]
    assert stack.served()["digest"] == stack.outputs["imageDigest"] == live
    assert users.stop().total.failed == 0


# ---- alarms and scaling


def fire(stack: Stack, name: str) -> None:
    """An alarm of the adopter's, which fires and stays so."""
    watch = client(stack.lane, "cloudwatch")
    metric = {"Namespace": "shop", "MetricName": name}
    watch.put_metric_alarm(
        AlarmName=name,
        **metric,
        Statistic="Maximum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    watch.put_metric_data(Namespace="shop", MetricData=[{"MetricName": name, "Value": 1.0, "StorageResolution": 1}])

    def is_firing() -> bool:
        return bool(watch.describe_alarms(AlarmNames=[name], StateValue="ALARM")["MetricAlarms"])

    eventually("the alarm is firing", is_firing)


@pytest.mark.long
def test_no_traffic_moves_while_an_alarm_is_firing_unless_that_is_said_or_they_go_back(
    stack: Stack, lane: Lane, unseen: Unseen, users: Probe
) -> None:
    name = f"orders-{lane.mark}"
    fire(stack, name)
    live, idle, third = stack.outputs["imageDigest"], idle_of(stack), unseen(stack)
    before = tasks(stack, idle)
    watched = stack.with_settings(alarms={**SETTINGS["alarms"], "names": [name]})
    refused = watched.up(imageDigest=third)
    assert not refused.ok
    assert f"the alarm {name} is firing" in refused.text
    assert "Kind: Refused" in refused.text
    assert tasks(stack, idle) == before, "nothing was started"
    released = watched.up(imageDigest=third, onAlarm="proceed")
    assert released.ok, released.text
    back = watched.up(imageDigest=live, rollbackFrom=third)
    assert back.ok, back.text
    assert f"the alarm {name} is firing" in back.text
    assert users.stop().total.failed == 0


@pytest.mark.long
def test_an_alarm_that_does_not_exist_is_reported(stack: Stack, unseen: Unseen) -> None:
    lost = stack.with_settings(alarms={**SETTINGS["alarms"], "names": ["no-such-alarm"]})
    refused = lost.up(imageDigest=unseen(stack))
    assert not refused.ok
    assert "There is no CloudWatch alarm no-such-alarm" in refused.text


Scale = Callable[[str], None]


@pytest.fixture
def scale(stack: Stack) -> Iterator[Scale]:
    """Registers a colour's service to be scaled; taken away again."""
    scaling, cluster = client(stack.lane, "application-autoscaling"), f"{PROJECT}-{stack.name}"
    done: list[dict[str, str]] = []

    def register(colour: str) -> None:
        target = {
            "ServiceNamespace": "ecs",
            "ResourceId": f"service/{cluster}/{cluster}-{colour}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=4)
        done.append(target)

    yield register
    for target in done:
        scaling.deregister_scalable_target(**target)


@pytest.mark.long
def test_a_live_service_that_is_scaled_is_left_only_for_one_that_is_scaled_too(
    stack: Stack, unseen: Unseen, scale: Scale
) -> None:
    fourth, live = unseen(stack), str(Colour(idle_of(stack)).other)
    scale(live)
    refused = stack.preview(imageDigest=fourth)
    assert not refused.ok
    assert f"{idle_of(stack)} would not be scaled after the switch" in refused.text, refused.text
    scale(idle_of(stack))
    fine = stack.preview(imageDigest=fourth)
    assert fine.ok, fine.text
