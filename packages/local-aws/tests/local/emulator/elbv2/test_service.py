"""One change at a time: carried by the load balancer first, kept after; and what ECS sees of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.elbv2.model import Address, State, Target, TargetGroup, TargetHealth
from local_aws.emulator.elbv2.service import NOT_IN_USE, Refused, Service
from local_aws.emulator.elbv2.store import Store
from local_aws.emulator.elbv2.targets import TargetGroups
from local_aws.emulator.query import Scope
from local_aws.emulator.wire import ServiceError
from tests.local.emulator.edge.cloud import eventually
from tests.local.emulator.elbv2.requests import EVERYTHING, FIXED, beside, forward, params

pytestmark = pytest.mark.provider  # writes a state file


class FakeEdge:
    """Carries whatever it is given, unless it has to refuse; every target that it carries is healthy."""

    def __init__(self) -> None:
        self.carried: list[State] = []
        self.refusal = ""

    def start(self, state: State) -> None:
        self.apply(state)

    def stop(self) -> None:
        pass

    def apply(self, state: State) -> None:
        if self.refusal:
            raise Refused(self.refusal)
        self.carried.append(state)

    def health(self, group: TargetGroup) -> Mapping[Address, TargetHealth]:
        return self.of(self.carried[-1].targets.get(group.arn, ()))

    @staticmethod
    def of(targets: Iterable[Target]) -> Mapping[Address, TargetHealth]:
        return {one.address: TargetHealth("draining" if one.draining_until else "healthy") for one in targets}


class Fixture:
    """A service with a load balancer, a listener, and two target groups of which `used` has one target to come."""

    def __init__(self, folder: Path, scale: float = 0.01) -> None:
        self.edge = FakeEdge()
        self.store = Store(folder / "state.json")
        self.service = Service(self.store, self.edge, beside(), scale)
        self.service.start()
        balancer = self.do("CreateLoadBalancer", Name="lb", Subnets=["subnet-a", "subnet-b"])
        self.balancer = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        self.used, self.unused = self.group("used"), self.group("unused")
        listener = self.do("CreateListener", LoadBalancerArn=self.balancer, Port=80, DefaultActions=[FIXED])
        self.listener = listener["Listeners"][0]["ListenerArn"]
        rule = self.do(
            "CreateRule",
            ListenerArn=self.listener,
            Priority=1,
            Conditions=[EVERYTHING],
            Actions=[forward((self.used, 0))],
        )
        self.rule = rule["Rules"][0]["RuleArn"]

    def do(self, action: str, **members: Any) -> Any:
        return self.service.perform(action, params(**members), Scope("000000000000", "us-east-1"))

    def group(self, name: str) -> str:
        wanted = {"Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1", "TargetType": "ip"}
        return str(self.do("CreateTargetGroup", Name=name, **wanted)["TargetGroups"][0]["TargetGroupArn"])


@pytest.fixture
def fixture(tmp_path: Path) -> Fixture:
    return Fixture(tmp_path)


def test_an_answer_comes_after_the_load_balancer_carries_it(fixture: Fixture) -> None:
    fixture.do("ModifyRule", RuleArn=fixture.rule, Actions=[forward((fixture.used, 9))])
    assert fixture.edge.carried[-1] == fixture.store.load()
    assert fixture.edge.carried[-1].rules[fixture.rule].action.groups[0].weight == 9  # type: ignore[union-attr]


def test_what_the_load_balancer_refuses_has_not_happened(fixture: Fixture) -> None:
    before = fixture.store.load()
    fixture.edge.refusal = "127.0.10.1:81 is already taken by process 1 (init)"
    with pytest.raises(ServiceError, match="already taken by process 1") as caught:
        fixture.do("CreateListener", LoadBalancerArn=fixture.balancer, Port=81, DefaultActions=[FIXED])
    assert caught.value.code == "InvalidConfigurationRequest"
    fixture.edge.refusal = ""
    assert len(fixture.do("DescribeListeners")["Listeners"]) == 1
    assert fixture.store.load() == before


def test_tags_do_not_trouble_the_load_balancer(fixture: Fixture) -> None:
    count = len(fixture.edge.carried)
    fixture.do("AddTags", ResourceArns=[fixture.rule], Tags=[{"Key": "a", "Value": "b"}])
    fixture.do("DescribeRules", ListenerArn=fixture.listener)
    assert len(fixture.edge.carried) == count
    assert fixture.store.load().tags[fixture.rule] == {"a": "b"}


def test_a_restart_goes_on_from_what_was_kept(fixture: Fixture, tmp_path: Path) -> None:
    fixture.service.register(fixture.used, "10.0.0.1", 8080)
    edge = FakeEdge()
    again = Service(Store(tmp_path / "state.json"), edge, beside())
    again.start()
    assert edge.carried == [fixture.edge.carried[-1]]
    assert again.has_load_balancer(fixture.used)


def test_a_drained_target_disappears_by_itself(fixture: Fixture) -> None:
    groups = TargetGroups()
    groups.attach(fixture.service)
    groups.register(fixture.used, "10.0.0.1", 8080)
    assert groups.health(fixture.used) == {("10.0.0.1", 8080): TargetHealth("healthy")}
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "20"}]
    fixture.do("ModifyTargetGroupAttributes", TargetGroupArn=fixture.used, Attributes=attributes)
    assert groups.deregistration_delay(fixture.used) == pytest.approx(0.2)
    groups.deregister(fixture.used, "10.0.0.1", 8080)
    drained = {("10.0.0.1", 8080): TargetHealth("draining")}
    assert any(_health_in(fixture, state) == drained for state in fixture.edge.carried)
    eventually(lambda: groups.health(fixture.used) == {})


def _health_in(fixture: Fixture, state: State) -> Mapping[Address, TargetHealth]:
    """What that state says of the group's targets, whatever has come since."""
    return FakeEdge.of(state.targets.get(fixture.used, ()))


def test_a_drain_that_was_under_way_at_the_end_goes_on_after_a_restart(fixture: Fixture, tmp_path: Path) -> None:
    fixture.service.register(fixture.used, "10.0.0.1", 8080)
    fixture.service.deregister(fixture.used, "10.0.0.1", 8080)
    fixture.service.stop()
    kept = fixture.store.load()
    (target,) = kept.targets[fixture.used]
    assert target.draining_until is not None
    soon = State(**{**vars(kept), "targets": {fixture.used: (type(target)("10.0.0.1", 8080, time.time() + 0.1),)}})
    fixture.store.save(soon)
    edge = FakeEdge()
    again = Service(Store(tmp_path / "state.json"), edge, beside())
    again.start()
    eventually(lambda: again.health(fixture.used) == {})


def test_targets_of_a_group_without_load_balancer_are_unused(fixture: Fixture) -> None:
    fixture.service.register(fixture.unused, "10.0.0.1", 8080)
    assert fixture.service.health(fixture.unused) == {("10.0.0.1", 8080): NOT_IN_USE}
    assert NOT_IN_USE.reason == "Target.NotInUse"


def test_weight_zero_is_a_load_balancer_too(fixture: Fixture) -> None:
    assert fixture.service.has_load_balancer(fixture.used)
    assert not fixture.service.has_load_balancer(fixture.unused)
    assert fixture.service.exists(fixture.unused)
    assert not fixture.service.exists("arn:none")


def test_registering_in_a_group_that_is_gone_is_an_error(fixture: Fixture) -> None:
    with pytest.raises(ServiceError) as caught:
        fixture.service.register("arn:none", "10.0.0.1", 8080)
    assert caught.value.code == "TargetGroupNotFound"


def test_two_callers_at_once_lose_nothing(fixture: Fixture) -> None:
    def register(network: int) -> None:
        for host in range(20):
            fixture.service.register(fixture.used, f"10.0.{network}.{host}", 8080)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fixture.service.health(fixture.used)) == 80


def test_subscribers_are_notified_until_they_have_enough() -> None:
    groups, told = TargetGroups(), []

    def broken() -> None:
        raise ValueError("a subscriber's own fault")

    groups.subscribe(broken)
    end = groups.subscribe(lambda: told.append(1))
    groups.announce()
    end()
    groups.announce()
    assert told == [1]


def test_asking_before_the_start_says_what_is_missing() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        TargetGroups().exists("arn")
