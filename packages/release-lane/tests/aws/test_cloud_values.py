"""Small readings of AWS's answers that decide much."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from release_lane.aws.cloud import Cloud
from release_lane.aws.observe import common_digest
from release_lane.aws.values import as_before
from release_lane.aws.values import percent as share
from release_lane.errors import CloudError, Refused
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour, all_on
from release_lane.record.records import Known, Located
from release_lane.watch.rollout import Reading, Target, Task

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("weight", "total", "percent"),
    [(100, 100, 100), (0, 100, 0), (1, 1, 100), (0, 0, 0), (999, 1000, 99), (1, 1000, 1), (50, 100, 50)],
)
def test_none_and_all_of_the_traffic_are_exact(weight: int, total: int, percent: int) -> None:
    assert share(weight, total) == percent


PATH = {"Field": "path-pattern", "Values": ["/*"]}
HOST = {"Field": "host-header", "Values": ["a.example"]}


class OneRule(Cloud):
    """A production listener whose one rule has these conditions."""

    def __init__(self, conditions: list[dict[str, Any]]) -> None:
        rule = {"RuleArn": "arn", "IsDefault": False, "Conditions": conditions, "Actions": [{"Type": "forward"}]}
        self.api = SimpleNamespace(
            describe_rules=lambda **_: {"Rules": [rule]},
            describe_tags=lambda **_: {"TagDescriptions": [{"Tags": []}]},
        )

    @property
    def elb(self) -> Any:
        return self.api


def test_a_rule_for_every_path_is_the_production_rule() -> None:
    assert OneRule([PATH]).rule("listener", {}) is not None


@pytest.mark.parametrize(
    "conditions", [[PATH, HOST], [HOST, PATH], [HOST], [{**PATH, "Values": ["/*", "/a"]}]], ids=str
)
def test_a_rule_that_some_users_do_not_match_is_refused(conditions: list[dict[str, Any]]) -> None:
    with pytest.raises(Refused, match="no longer matches every"):
        OneRule(conditions).rule("listener", {})


def test_what_a_changed_rule_matches_is_reported_in_words() -> None:
    query = {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b"}]}}
    with pytest.raises(Refused) as refused:
        OneRule([HOST, {**PATH, "Values": ["/a", "/b"]}, query]).rule("listener", {})
    told = "but only host-header a.example and path-pattern /a or /b and query-string of its own."
    assert refused.value.what.endswith(told)


class NotFound(Exception):
    """TargetGroupNotFoundException."""


class SomeGroups(Cloud):
    """Only these target groups exist; as on AWS, asking for one that does not is an error for all."""

    def __init__(self, *there: Colour) -> None:
        self.names = Names.of(
            "shop", access=Access(region="r", account="1"), users_port=80, log_group="", repository=""
        )
        known = {self.names.target_groups[colour] for colour in there}
        self.rules: list[Any] = []

        def describe(Names: list[str]) -> Any:
            if not known.issuperset(Names):
                raise NotFound
            return {"TargetGroups": [{"TargetGroupName": name, "TargetGroupArn": f"arn:{name}"} for name in Names]}

        self.api = SimpleNamespace(
            describe_target_groups=describe,
            modify_rule=lambda **given: self.rules.append(given["Actions"][0]["ForwardConfig"]["TargetGroups"]),
            exceptions=SimpleNamespace(TargetGroupNotFoundException=NotFound),
        )

    @property
    def elb(self) -> Any:
        return self.api


@pytest.mark.parametrize("there", [(), (Colour.BLUE,), (Colour.GREEN,), tuple(Colour)])
def test_one_missing_target_group_does_not_hide_the_other(there: tuple[Colour, ...]) -> None:
    assert set(SomeGroups(*there).target_groups()) == set(there)


def test_no_traffic_is_sent_to_a_target_group_that_does_not_exist() -> None:
    cloud = SomeGroups(Colour.GREEN)
    groups = cloud.target_groups()
    cloud.set_weights("rule", groups, all_on(Colour.GREEN))
    assert cloud.rules == [[{"TargetGroupArn": "arn:shop-green", "Weight": 100}]]
    with pytest.raises(CloudError, match="The target group shop-blue does not exist"):
        cloud.set_weights("rule", groups, all_on(Colour.BLUE))


class WithoutRepository(Cloud):
    """As the command opens it: it knows what runs, and no repository."""

    def __init__(self) -> None:
        self.names = SimpleNamespace(repository="")  # type: ignore[assignment]

    @property
    def ecr(self) -> Any:
        raise AssertionError("a repository without a name was asked")


def test_a_colour_in_the_middle_of_a_rollout_can_be_read_where_no_repository_is_known() -> None:
    """`release recover` looks at it, and is needed just then."""
    running = [Task(arn=each, deployment=each, status="RUNNING", digest=f"sha256:{each}") for each in "ab"]
    assert common_digest(WithoutRepository(), Reading(exists=True, tasks=tuple(running)), "sha256:a", "") == "several"


class OneService(Cloud):
    """A colour without tasks whose service has something to say."""

    def __init__(self) -> None:
        """Asks no service."""

    def _services(self, colours: Sequence[Colour]) -> dict[Colour, Any]:
        says = [{"id": "2", "message": "newer"}, {"id": "1", "message": "older"}]
        return {
            each: {"desiredCount": 2, "taskDefinition": "app:1", "deployments": [], "events": says} for each in colours
        }

    def _tasks(self, colour: Colour) -> list[Task]:
        del colour
        return []


def test_what_a_service_says_of_itself_is_read_newest_first() -> None:
    assert OneService().read(Colour.BLUE, None).events == ("newer", "older")


# ---- the production rule, where users are to come by HTTPS

LISTENERS = {80: "arn:80", 443: "arn:443"}


class Doors(Cloud):
    """A load balancer with listeners on 80 and 443; `tags` of the rule of each that has one."""

    def __init__(self, domain: str, ports: Collection[int], tags: Mapping[int, Mapping[str, str]]) -> None:
        access = Access(region="us-east-1", account="0" * 12)
        self.names = Names.of_stack("shop", "production", access=access, domain=domain)
        self.asked: list[str] = []
        here = {LISTENERS[port]: port for port in ports}

        def rules(ListenerArn: str) -> Any:
            self.asked.append(ListenerArn)
            port = here[ListenerArn]
            made = {
                "RuleArn": f"rule:{port}",
                "IsDefault": False,
                "Conditions": [PATH],
                "Actions": [{"Type": "forward"}],
            }
            return {"Rules": [made] if port in tags else []}

        def described(ResourceArns: list[str]) -> Any:
            of = tags[int(ResourceArns[0].removeprefix("rule:"))]
            return {"TagDescriptions": [{"Tags": [{"Key": key, "Value": value} for key, value in of.items()]}]}

        self.api = SimpleNamespace(
            describe_load_balancers=lambda **_: {"LoadBalancers": [{"DNSName": "lb.test", "LoadBalancerArn": "arn"}]},
            describe_target_groups=lambda **_: {"TargetGroups": []},
            describe_listeners=lambda **_: {
                "Listeners": [{"Port": port, "ListenerArn": LISTENERS[port]} for port in ports]
            },
            describe_rules=rules,
            describe_tags=described,
        )

    @property
    def elb(self) -> Any:
        return self.api


DONE, OPENS = {"release-lane:phase": "moved"}, {"release-lane:opening": "80"}


@pytest.mark.parametrize(
    ("domain", "ports", "tags", "rule", "plain", "secured"),
    [
        ("", (80,), {80: DONE}, "rule:80", None, True),
        ("shop.test", (80,), {80: DONE}, "rule:80", "rule:80", False),
        ("shop.test", (80, 443), {80: DONE}, "rule:80", "rule:80", False),
        ("shop.test", (80, 443), {80: DONE, 443: OPENS}, "rule:443", "rule:80", True),
        ("shop.test", (80, 443), {443: OPENS}, "rule:443", None, True),
        ("shop.test", (80, 443), {80: DONE, 443: DONE}, "rule:443", None, True),
        ("shop.test", (80, 443), {}, None, None, False),
    ],
    ids=[
        "plain",
        "443 is not there yet",
        "not opened",
        "killed while opening",
        "nearly opened",
        "opened",
        "no release",
    ],
)
def test_where_users_come_in_is_read_from_the_rules(
    domain: str, ports: tuple[int, ...], tags: dict[int, dict[str, str]], rule: str, plain: str, secured: bool
) -> None:
    at = Doors(domain, ports, tags).balancer()
    assert (at.rule.arn if at.rule else None, at.plain.arn if at.plain else None) == (rule, plain)
    assert at.secured is secured
    opening = at.plain is not None or OPENS in tags.values()
    assert bool(at.located.listener) is not opening


def test_port_80_is_not_asked_about_once_users_come_by_https() -> None:
    for domain, listener in (("shop.test", "arn:443"), ("", "arn:80")):
        cloud = Doors(domain, (80, 443), {80: DONE, 443: DONE})
        cloud.balancer()
        assert cloud.asked == [listener]


# ---- what an earlier look found ------------------------------------------------------------------------------

KNOWN = Known(
    image="sha256:a",
    release="r",
    task_definition="app:1",
    deployment="ecs-svc/1",
    tasks={"10.0.0.1": "sha256:p", "10.0.0.2": "sha256:p"},
)
PRIMARY = {"id": "ecs-svc/1", "status": "PRIMARY", "runningCount": 2}
OLD = {"id": "ecs-svc/0", "status": "ACTIVE", "runningCount": 0}
SAYS = {"desiredCount": 2, "runningCount": 2, "pendingCount": 0, "deployments": [PRIMARY, OLD]}
IN_ROTATION = tuple(Target(ip=ip, state="healthy") for ip in KNOWN.tasks)


def test_tasks_are_taken_as_known_where_service_and_targets_say_that_these_run_and_no_others() -> None:
    tasks = as_before(KNOWN, SAYS, [*IN_ROTATION, Target(ip="10.0.0.9", state="draining")])
    assert {task.ip: task.digest for task in tasks} == KNOWN.tasks
    assert {(task.deployment, task.status) for task in tasks} == {("ecs-svc/1", "RUNNING")}


@pytest.mark.parametrize(
    "says",
    [
        {"desiredCount": 3},
        {"desiredCount": 1},
        {"runningCount": 1},
        {"runningCount": 3},
        {"pendingCount": 1},
        {"deployments": [{**PRIMARY, "id": "ecs-svc/2"}, {**PRIMARY, "status": "ACTIVE"}]},
        {"deployments": [{**PRIMARY, "runningCount": 1}, {**OLD, "runningCount": 1}]},
        {"deployments": []},
    ],
    ids=str,
)
def test_a_service_that_says_something_else_is_asked_for_its_tasks(says: dict[str, Any]) -> None:
    assert as_before(KNOWN, SAYS | says, IN_ROTATION) == ()


@pytest.mark.parametrize(
    "targets",
    [
        [],
        IN_ROTATION[:1],
        [*IN_ROTATION, Target(ip="10.0.0.9", state="healthy")],
        [*IN_ROTATION, Target(ip="10.0.0.9", state="initial")],
        [IN_ROTATION[0], Target(ip="10.0.0.9", state="healthy")],
        [IN_ROTATION[0], Target(ip="10.0.0.2", state="unhealthy")],
        [IN_ROTATION[0], Target(ip="10.0.0.2", state="draining")],
    ],
    ids=str,
)
def test_targets_that_say_something_else_are_looked_at_with_their_tasks(targets: list[Target]) -> None:
    assert as_before(KNOWN, SAYS, targets) == ()


GROUPS = {colour: f"arn:{colour}" for colour in Colour}
LOCATED = Located(dns_name="lb", listener="listener", rule="rule", target_groups=GROUPS)


class ListenerGone(Exception):
    """ListenerNotFoundException."""


class OneBalancer(Cloud):
    """`asked` are its calls. `listener` is the one that exists, `rule` its rule."""

    def __init__(self, listener: str = "listener", rule: str = "rule") -> None:
        self.names = Names.of(
            "shop", access=Access(region="r", account="1"), users_port=80, log_group="", repository=""
        )
        self.asked: list[str] = []

        def call(name: str, answer: Any) -> Any:
            def ask(**given: Any) -> Any:
                self.asked.append(name)
                if given.get("ListenerArn", listener) != listener:
                    raise ListenerGone
                return answer(given)

            return ask

        forward = {"TargetGroups": [{"TargetGroupArn": "arn:shop-blue", "Weight": 100}]}
        there = {"RuleArn": rule, "IsDefault": False, "Conditions": [PATH], "Actions": [{"ForwardConfig": forward}]}
        tags = {"rule": "new", "old": "old"}
        self.api = SimpleNamespace(
            describe_load_balancers=call(
                "balancer", lambda _: {"LoadBalancers": [{"LoadBalancerArn": "a", "DNSName": "lb"}]}
            ),
            describe_listeners=call(
                "listeners",
                lambda _: {"Listeners": [{"ListenerArn": listener, "Port": 80}, {"ListenerArn": "t", "Port": 9001}]},
            ),
            describe_target_groups=call(
                "groups",
                lambda given: {
                    "TargetGroups": [{"TargetGroupName": n, "TargetGroupArn": f"arn:{n}"} for n in given["Names"]]
                },
            ),
            describe_rules=call("rules", lambda _: {"Rules": [there]}),
            describe_tags=call(
                "tags",
                lambda given: {"TagDescriptions": [{"Tags": [{"Key": "of", "Value": tags[given["ResourceArns"][0]]}]}]},
            ),
            exceptions=SimpleNamespace(ListenerNotFoundException=ListenerGone, LoadBalancerNotFoundException=NotFound),
        )

    @property
    def elb(self) -> Any:
        return self.api


def test_of_what_is_located_only_the_rule_is_looked_at() -> None:
    cloud = OneBalancer()
    found = cloud.balancer(LOCATED)
    assert sorted(cloud.asked) == ["rules", "tags"]
    assert found.located == LOCATED
    assert found.rule is not None
    assert found.rule.tags == {"of": "new"}


def test_tags_that_are_not_read_are_not_asked_for() -> None:
    cloud = OneBalancer()
    assert cloud.balancer(LOCATED, tagged=False).rule is not None
    assert cloud.asked == ["rules"]


def test_a_rule_that_was_made_anew_is_read_with_its_own_tags() -> None:
    found = OneBalancer().balancer(replace(LOCATED, rule="old"))
    assert found.rule is not None
    assert (found.rule.arn, found.rule.tags) == ("rule", {"of": "new"})


@pytest.mark.parametrize(
    "located",
    [
        Located(),
        replace(LOCATED, listener="gone"),
        replace(LOCATED, listener=""),
        replace(LOCATED, target_groups={Colour.BLUE: "arn:blue"}),
    ],
    ids=["nothing", "a listener that is gone", "no listener", "one colour alone"],
)
def test_what_is_not_located_or_gone_is_looked_up_by_name(located: Located) -> None:
    cloud = OneBalancer()
    found = cloud.balancer(located)
    assert {"balancer", "groups", "listeners", "rules", "tags"} == set(cloud.asked)
    assert (found.listener, found.target_groups[Colour.BLUE]) == ("listener", "arn:shop-blue")
    assert found.rule is not None
    assert found.rule.weights == all_on(Colour.BLUE)


class TwoServices(Cloud):
    """A cluster in which blue's service runs a task, next to a task that belongs to neither colour."""

    def __init__(self) -> None:
        self.names = Names.of(
            "shop", access=Access(region="r", account="1"), users_port=80, log_group="", repository=""
        )
        tasks = [
            {"taskArn": "1", "lastStatus": "RUNNING", "group": "service:shop-blue"},
            {"taskArn": "2", "lastStatus": "RUNNING", "group": "family:nightly"},
        ]
        service = {"serviceName": "shop-blue", "status": "ACTIVE", "desiredCount": 1, "taskDefinition": "app:1"}
        self.api = SimpleNamespace(
            describe_services=lambda **_: {"services": [{**service, "deployments": []}]},
            get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [{"taskArns": ["1", "2"]}]),
            describe_tasks=lambda **given: {"tasks": [task for task in tasks if task["taskArn"] in given["tasks"]]},
        )

    @property
    def ecs(self) -> Any:
        return self.api


def test_both_colours_are_read_from_one_list_of_the_clusters_tasks() -> None:
    found = TwoServices().read_both(dict)
    assert [task.arn for task in found[Colour.BLUE].tasks] == ["1"]
    assert not found[Colour.GREEN].exists
