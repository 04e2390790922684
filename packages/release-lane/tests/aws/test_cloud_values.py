"""Small readings of AWS's answers that decide much."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from release_lane.aws.cloud import Cloud
from release_lane.aws.observe import common_digest
from release_lane.aws.values import percent as share
from release_lane.errors import CloudError, Refused
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour, all_on
from release_lane.watch.rollout import Reading, Task

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

    def _service(self, colour: Colour) -> Any:
        del colour
        says = [{"id": "2", "message": "newer"}, {"id": "1", "message": "older"}]
        return {"desiredCount": 2, "taskDefinition": "app:1", "deployments": [], "events": says}

    def _tasks(self, colour: Colour) -> list[Task]:
        del colour
        return []


def test_what_a_service_says_of_itself_is_read_newest_first() -> None:
    assert OneService().read(Colour.BLUE, None).events == ("newer", "older")
