"""Elastic Load Balancing: targets, health checks, draining."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.balancing import Actor, Balancing, ask_often, fixed, forward
from tests.contract.contracts import contract
from tests.contract.stage import ACTOR_PORT, Stage

pytestmark = pytest.mark.cloud

GUIDE = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application"
API = "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference"
HEALTH = f"{GUIDE}/target-group-health-checks.html"
ATTRIBUTES = f"{GUIDE}/edit-target-group-attributes.html"
JUDGE, DOOR, BALANCER = (
    "release_lane/watch/rollout.py",
    "release_lane/aws/cloud.py",
    "infra/balancer.py",
)


@pytest.fixture
def actor(actors: tuple[Actor, Actor]) -> Actor:
    return actors[0]


def only_target(elb: Balancing, actor: Actor, label: str, **settings: Any) -> str:
    """A group behind a listener with this one target, healthy. While it is not, it is reached by its own listener."""
    group = elb.group(label, **settings)
    elb.listener(forward((group, 1)))
    actor.become(label, 200)
    elb.register(group, actor)
    elb.until(group, "healthy")
    return group


@contract(
    says="A new target is `initial`, with a reason that begins with Elb., and healthy after one check that passed, "
    "whatever the healthy threshold is.",
    source=HEALTH,
    otherwise="a rollout would take a new task for sick, or wait much longer than it needs to",
    used_by=(JUDGE, "release_lane/gates/rollout.py"),
)
def test_a_new_target_is_initial_and_healthy_after_one_check(elb: Balancing, actor: Actor) -> None:
    group = elb.group("fresh", HealthyThresholdCount=10)
    elb.listener(forward((group, 1)))
    actor.become("fresh", 200)
    elb.register(group, actor)
    state, reason = elb.health(group)[actor.ip]
    assert (state, reason[:4]) in (("initial", "Elb."), ("healthy", ""))
    elb.until(group, "healthy")
    assert actor.checked("fresh")[0] < 10, "ten in a row were not asked for"


@contract(
    says="A new target whose checks fail gets no request while another target of its group is healthy, and is "
    "`unhealthy` with the reason Target.ResponseCodeMismatch once they failed as often as the unhealthy threshold.",
    source=HEALTH,
    otherwise="users could meet a release that never was healthy",
    used_by=(JUDGE, BALANCER),
)
def test_a_target_that_never_passed_gets_no_request(elb: Balancing, actors: tuple[Actor, Actor]) -> None:
    good, bad = actors
    group = elb.group("mixed")
    listener = elb.listener(forward((group, 1)))
    good.become("mixed", 200)
    bad.become("mixed", 500)
    elb.register(group, good)
    elb.until(group, "healthy")
    elb.register(group, bad)
    elb.only(listener, "first")
    elb.aws.eventually(
        lambda: elb.health(group)[bad.ip] == ("unhealthy", "Target.ResponseCodeMismatch"), "an unhealthy target"
    )
    assert bad.checked("mixed")[1] >= 2
    elb.only(listener, "first")


def why(elb: Balancing, group: str) -> tuple[str, str]:
    """Reason and description of the only target."""
    (found,) = elb.api.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return found["TargetHealth"].get("Reason", ""), found["TargetHealth"].get("Description", "")


@contract(
    says="An unhealthy target also says why in its description: the status that it answered with in brackets.",
    source=f"{GUIDE}/load-balancer-troubleshooting.html",
    otherwise="a wrong `service.healthPath` would be reported as a broken image",
    used_by=(JUDGE, "release_lane/gates/rollout.py"),
)
def test_another_answer_than_200_is_named_in_the_description(elb: Balancing, actor: Actor) -> None:
    group = elb.group("worded")
    elb.listener(forward((group, 1)))
    actor.become("worded", 404)
    elb.register(group, actor)
    told = ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [404]")
    elb.aws.eventually(lambda: why(elb, group) == told, "the code in brackets")


@contract(
    says="A target whose port refuses connections is `unhealthy` with the reason Target.FailedHealthChecks, no code.",
    source=HEALTH,
    otherwise="a wrong `service.port` would be reported as a broken image",
    used_by=(JUDGE, "release_lane/gates/rollout.py"),
    note="where a security group drops them, it is Target.Timeout; both are reported as the port",
)
def test_a_port_where_nothing_listens_is_a_failed_health_check(elb: Balancing, actor: Actor) -> None:
    group = elb.group("closed")
    elb.listener(forward((group, 1)))
    elb.api.register_targets(TargetGroupArn=group, Targets=[{"Id": actor.ip, "Port": ACTOR_PORT + 1}])
    elb.aws.eventually(
        lambda: why(elb, group) == ("Target.FailedHealthChecks", "Health checks failed"), "a refused connection"
    )


@contract(
    says="A healthy target goes out of rotation after as many failed checks in a row as the unhealthy threshold "
    "says, and not before: fewer change nothing.",
    source=HEALTH,
    otherwise="one slow answer would take a live task from its users; or a dead one would keep getting requests",
    used_by=(BALANCER, "docs/stack-settings.example.yaml"),
    note="each node of a load balancer checks for itself, so on AWS it takes more failed checks in all",
)
def test_a_target_goes_out_of_rotation_at_the_threshold_and_not_before(elb: Balancing, actor: Actor) -> None:
    group = only_target(elb, actor, "patient", UnhealthyThresholdCount=4)
    actor.become("patient", 500, times=3)
    seen: set[str] = set()

    def checked_often() -> bool:
        seen.update(elb.states(group))
        return actor.checked("patient")[0] >= 8

    elb.aws.eventually(checked_often, "eight checks")
    assert seen == {"healthy"}, "three failed checks of four"
    actor.become("patient", 500)
    elb.until(group, "unhealthy")
    assert actor.checked("patient")[1] >= 4


@contract(
    says="An unhealthy target is healthy again after as many passed checks in a row as the healthy threshold says.",
    source=HEALTH,
    otherwise="a task that answers only now and then would go in and out of rotation",
    used_by=(BALANCER, "docs/stack-settings.example.yaml"),
)
def test_an_unhealthy_target_needs_the_healthy_threshold_in_a_row(elb: Balancing, actor: Actor) -> None:
    group = only_target(elb, actor, "wary", HealthyThresholdCount=4)
    actor.become("wary", 500)
    elb.until(group, "unhealthy")
    actor.become("wary", 200)
    elb.until(group, "healthy")
    assert actor.checked("wary")[0] >= 4


@contract(
    says="If all targets of a group are unhealthy, requests go to all of them (it fails open).",
    source=HEALTH,
    otherwise="the gates would take an answer for a sign of health, or an unhealthy colour for an idle one",
    used_by=(JUDGE, "docs/aws.md"),
)
def test_a_group_without_a_healthy_target_fails_open(elb: Balancing, actor: Actor) -> None:
    group = elb.group("open")
    listener = elb.listener(forward((group, 1)))
    actor.become("open", 500)
    elb.register(group, actor)
    elb.until(group, "unhealthy")
    elb.only(listener, "first")


@contract(
    says="A rule that forwards to a group without any target answers 503.",
    source=f"{GUIDE}/load-balancer-troubleshooting.html",
    otherwise="a switch to an empty colour would not be noticed by its live check",
    used_by=("release_lane/gates/switch.py", "release_lane/probe"),
)
def test_a_group_without_targets_answers_503(elb: Balancing) -> None:
    elb.only(elb.listener(forward((elb.group("empty"), 1))), "503")


@contract(
    says="Targets of a group are checked as soon as any listener or rule forwards to it, also with weight 0; before "
    "that they are `unused` with the reason Target.NotInUse.",
    source=HEALTH,
    otherwise="the idle colour would never be healthy, and no release could pass",
    used_by=(BALANCER, JUDGE),
    note="the page says a listener rule, and does not speak of weights",
)
def test_targets_are_checked_once_a_listener_forwards_to_their_group(elb: Balancing, actor: Actor) -> None:
    group, other = elb.group("idle"), elb.group("live")
    actor.become("idle", 200)
    elb.register(group, actor)
    elb.aws.eventually(lambda: elb.health(group)[actor.ip] == ("unused", "Target.NotInUse"), "an unused target")
    elb.rule(elb.listener(fixed(503)), forward((other, 100), (group, 0)))
    elb.until(group, "healthy")


@contract(
    says="A deregistered target is `draining` (Target.DeregistrationInProgress) and gets no new request; one that is "
    "under way is answered; after the deregistration delay the target is no longer listed.",
    source=ATTRIBUTES,
    otherwise="requests under way would fail whenever a task is stopped",
    used_by=(JUDGE, BALANCER, "release_lane/gates/switch.py"),
    note="the page says that it is `unused` then; the gates also take `unused` for out of rotation",
)
def test_a_draining_target_finishes_what_is_under_way(elb: Balancing, actors: tuple[Actor, Actor], aws: Aws) -> None:
    leaving, staying = actors
    group = elb.group("drained", drain=40)
    listener = elb.listener(forward((group, 1)))
    leaving.become("drained", 200)
    elb.register(group, leaving)
    elb.until(group, "healthy")
    elb.only(listener, "first")
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(slow_answer(listener.url, aws.seconds(20))))
    slow.start()
    aws.eventually(lambda: busy(leaving) > 0, "the slow request")
    staying.become("drained", 200)
    elb.register(group, staying)
    aws.eventually(lambda: elb.health(group)[staying.ip][0] == "healthy", "the other target")
    elb.deregister(group, leaving)
    assert elb.health(group)[leaving.ip] == ("draining", "Target.DeregistrationInProgress")
    elb.only(listener, "second")
    slow.join()
    assert answers == ["first"]
    aws.eventually(lambda: set(elb.health(group)) == {staying.ip}, "the end of draining")


def slow_answer(url: str, seconds: float) -> str:
    return str(requests.get(f"{url}/slow", params={"seconds": seconds}, timeout=seconds + 60).json()["name"])


def busy(actor: Actor) -> int:
    return int(requests.get(f"{actor.url}/who", timeout=10).json()["busy"])


@contract(
    says="By default a target group is not sticky, and gives a healthy target its full share at once (no slow start).",
    source=ATTRIBUTES,
    otherwise="users would be held on the colour that they left, or a switch would load few tasks for minutes",
    used_by=(BALANCER, "release_lane/gates/switch.py"),
)
def test_by_default_nothing_is_sticky_and_nothing_starts_slowly(elb: Balancing) -> None:
    group = elb.group("plain")
    shown = elb.api.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    attributes = {each["Key"]: each["Value"] for each in shown}
    assert attributes["stickiness.enabled"] == "false"
    assert attributes["slow_start.duration_seconds"] == "0"
    rule = elb.rule(elb.listener(fixed(503)), forward((group, 1)))
    action = elb.api.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]
    assert action["ForwardConfig"].get("TargetGroupStickinessConfig", {"Enabled": False})["Enabled"] is False


@contract(
    says="A load balancer keeps idle connections, also those to targets, for 60 seconds unless configured otherwise.",
    source=f"{GUIDE}/edit-load-balancer-attributes.html",
    otherwise="a service that hangs up earlier makes the load balancer answer 502 now and then",
    used_by=("app/__main__.py", "docs/aws.md"),
    note="only the setting is looked at, not a connection",
)
def test_idle_connections_are_kept_for_60_seconds(elb: Balancing, stage: Stage) -> None:
    shown = elb.api.describe_load_balancer_attributes(LoadBalancerArn=stage.balancer["LoadBalancerArn"])["Attributes"]
    assert {each["Key"]: each["Value"] for each in shown}["idle_timeout.timeout_seconds"] == "60"


@contract(
    says="The path of a group's health check can be changed in place; its targets are then checked by the new one.",
    source=f"{API}/API_ModifyTargetGroup.html",
    otherwise="a release with another health path could not be started on the idle colour",
    used_by=(BALANCER,),
)
def test_the_path_of_a_health_check_can_be_changed(elb: Balancing, actor: Actor) -> None:
    group = only_target(elb, actor, "before")
    actor.become("after", 500)
    elb.api.modify_target_group(TargetGroupArn=group, HealthCheckPath="/health/after")
    elb.until(group, "unhealthy")


@contract(
    says="Health checks are 5 to 300 seconds apart, wait 2 to 120 seconds, and less than they are apart; thresholds "
    "are 2 to 10.",
    source=HEALTH,
    otherwise="settings that the program takes would be refused half way through an update, or the other way round",
    used_by=("release_lane/settings/service.py",),
    note="that the timeout must be less than the interval is not on the page",
)
def test_health_check_settings_have_limits(elb: Balancing) -> None:
    limits: list[dict[str, Any]] = [
        {"HealthCheckIntervalSeconds": 4},
        {"HealthCheckIntervalSeconds": 301},
        {"HealthCheckTimeoutSeconds": 1},
        {"HealthCheckTimeoutSeconds": 5, "HealthCheckIntervalSeconds": 5},
        {"HealthyThresholdCount": 1},
        {"UnhealthyThresholdCount": 11},
    ]
    # botocore also knows the limits, and would never ask
    unchecked = Balancing(dataclasses.replace(elb.aws, checks=False), elb.stage)
    for number, settings in enumerate(limits):
        with pytest.raises(ClientError, match=r"ValidationError|InvalidConfigurationRequest"):
            unchecked.group(f"limit-{number}", **settings)


@contract(
    says="A target is registered with a port of its own, whatever port its group was made with; that port is what "
    "requests and checks go to.",
    source=f"{GUIDE}/load-balancer-target-groups.html",
    otherwise="a release could not change its port without a new target group, and users would lose theirs",
    used_by=(BALANCER,),
)
def test_a_target_has_a_port_of_its_own(elb: Balancing, actor: Actor) -> None:
    group = elb.group("ported", Port=80)
    listener = elb.listener(forward((group, 1)))
    elb.register(group, actor)
    elb.until(group, "healthy")
    shown = elb.api.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]
    assert shown["Target"]["Port"] == 8080
    assert set(ask_often(listener.url, 5)) == {"first"}
