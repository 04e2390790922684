"""Opening HTTPS to users who come by plain HTTP: what is written in which order, and what a failure leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from provider_kit import Cancelled, Context
from release_lane.aws.cloud import Balancer, Rule
from release_lane.errors import CheckFailed, Users
from release_lane.gates.https import open_https
from release_lane.record.decisions import DecisionKind
from release_lane.record.endpoint import Endpoint
from release_lane.record.inputs import SwitchInputs
from release_lane.record.journal import OPENING
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Weights, all_on
from release_lane.record.records import Located, Recorded
from release_lane.smoke.checks import Expected, Report
from tests.gates.fake_cloud import GROUPS, names
from tests.gates.test_switch import A, B, context

pytestmark = pytest.mark.pure
BLUE = Colour.BLUE
HTTPS = replace(names(443), domain="shop.example.com")
TAGS = {"release-lane:phase": "moved"}


@dataclass
class FakeDoor:
    """A load balancer with a rule on port 80, on port 443, or both; `writes` in order."""

    rules: dict[int, Rule]
    names: Names = HTTPS
    listener: str = "arn:listener/443"
    writes: list[str] = field(default_factory=list)

    def balancer(self) -> Balancer:
        rule, plain = self.rules.get(443), self.rules.get(80)
        plain = plain if rule is None or OPENING in rule.tags else None
        return Balancer(
            dns_name="lb.test", listener=self.listener, target_groups=GROUPS, rule=rule or plain, plain=plain
        )

    def create_rule(
        self, listener: str, groups: Mapping[Colour, str], weights: Weights, tags: Mapping[str, str]
    ) -> str:
        assert (listener, groups) == (self.listener, GROUPS)
        self.writes.append("create 443")
        self.rules[443] = Rule(arn="arn:rule/443", weights=weights, tags=tags)
        return "arn:rule/443"

    def delete_rule(self, arn: str) -> None:
        (port,) = (port for port, rule in self.rules.items() if rule.arn == arn)
        self.writes.append(f"delete {port}")
        del self.rules[port]

    def untag_rule(self, arn: str, keys: Collection[str]) -> None:
        rule = self.rules[443]
        assert (arn, list(keys)) == (rule.arn, [OPENING])
        self.writes.append("untag 443")
        self.rules[443] = replace(rule, tags={key: value for key, value in rule.tags.items() if key not in keys})


def plain(weights: Weights | None = None) -> Rule:
    return Rule(arn="arn:rule/80", weights=weights or all_on(BLUE), tags=TAGS)


def opening() -> Rule:
    return Rule(arn="arn:rule/443", weights=all_on(BLUE), tags={**TAGS, OPENING: "80"})


STANDING = Recorded(live_colour=BLUE, live=A, history=(A,))


def given(standing: Recorded | None = STANDING) -> SwitchInputs:
    return SwitchInputs(
        active=False, names=HTTPS, decision=DecisionKind.KEEP, reason="", live=BLUE, release=B, weights=all_on(BLUE),
        expected=all_on(BLUE), standing=standing, smoke_deadline=5.0,
    )  # fmt: skip


class Checks:
    """Remembers what was checked; `fails` may raise."""

    def __init__(self, fails: Callable[[], None] = lambda: None) -> None:
        self.asked: list[tuple[Endpoint, Expected]] = []
        self._fails = fails

    def __call__(self, ctx: Context, endpoint: Endpoint, expected: Expected, deadline: float) -> Report:
        assert (ctx.name, deadline) == ("traffic-switch", 5.0)
        self.asked.append((endpoint, expected))
        self._fails()
        return Report(checks=3)


def opened(at: FakeDoor, checks: Checks, standing: Recorded | None = STANDING) -> None:
    open_https(context(), at, given(standing), checks)  # type: ignore[arg-type]


def test_an_update_that_saw_users_come_by_https_does_not_look_again() -> None:
    there = Located(dns_name="lb.test", listener="arn:listener/443", target_groups=GROUPS)
    door = FakeDoor({80: plain()})  # would be opened, if it were looked at
    open_https(context(), door, replace(given(), located=there), lambda *_: pytest.fail("nothing is checked"))  # type: ignore[arg-type]
    assert door.writes == []


def test_443_serves_the_same_and_is_checked_before_80_redirects() -> None:
    at, seen = FakeDoor({80: plain()}), list[list[str]]()
    checks = Checks(lambda: seen.append(list(at.writes)))
    opened(at, checks)
    assert seen == [["create 443"]], "checked while port 80 still forwards"
    assert at.writes == ["create 443", "delete 80", "untag 443"]
    assert at.rules == {443: Rule(arn="arn:rule/443", weights=all_on(BLUE), tags=TAGS)}
    ((endpoint, expected),) = checks.asked
    assert endpoint == Endpoint("https://shop.example.com", "lb.test")
    assert (expected.digest, expected.colour) == (A.digest, "blue"), "the recorded release, not the one that comes"


def test_an_update_that_was_killed_in_between_is_taken_up_and_checked_again() -> None:
    at, checks = FakeDoor({80: plain(), 443: opening()}), Checks()
    opened(at, checks)
    assert at.writes == ["delete 80", "untag 443"]
    assert len(checks.asked) == 1
    assert OPENING not in at.rules[443].tags


def test_an_update_that_was_killed_at_its_last_step_leaves_only_a_tag_to_remove() -> None:
    at, checks = FakeDoor({443: opening()}), Checks()
    opened(at, checks)
    assert (at.writes, checks.asked) == (["untag 443"], [])


@pytest.mark.parametrize("rules", [{}, {443: replace(opening(), tags=TAGS)}], ids=["no release yet", "opened"])
def test_nothing_is_asked_or_written_where_no_one_comes_by_plain_http(rules: dict[int, Rule]) -> None:
    at, checks = FakeDoor(rules), Checks()
    opened(at, checks)
    assert (at.writes, checks.asked) == ([], [])


@pytest.mark.parametrize("rules", [{80: plain()}, {80: plain(), 443: opening()}], ids=["new", "taken up"])
def test_where_443_does_not_answer_users_stay_on_port_80(rules: dict[int, Rule]) -> None:
    def fails() -> None:
        raise CheckFailed("the certificate is not valid: certificate has expired")

    at = FakeDoor(dict(rules))
    with pytest.raises(CheckFailed, match="HTTPS was not opened") as refused:
        opened(at, Checks(fails))
    assert at.rules == {80: plain()}
    assert refused.value.users is Users.UNTOUCHED
    assert "certificate has expired" in str(refused.value)


def test_an_interrupted_check_leaves_port_80_as_it_was() -> None:
    def fails() -> None:
        raise Cancelled("interrupted")

    at = FakeDoor({80: plain()})
    with pytest.raises(Cancelled):
        opened(at, Checks(fails))
    assert at.rules == {80: plain()}


@pytest.mark.parametrize(
    ("weights", "standing"),
    [({BLUE: 90, BLUE.other: 10}, STANDING), (all_on(BLUE.other), STANDING), (all_on(BLUE), None)],
    ids=["two releases", "the other colour", "no record"],
)
def test_where_the_record_does_not_say_who_answers_any_release_that_is_well_may(
    weights: Weights, standing: Recorded | None
) -> None:
    at, checks = FakeDoor({80: plain(weights)}), Checks()
    opened(at, checks, standing)
    expected: Any = checks.asked[0][1]
    assert (expected.digest, expected.colour, expected.commit) == ("", "", "")
    assert at.rules[443].weights == weights


def test_without_a_listener_on_443_nothing_is_written() -> None:
    at = FakeDoor({80: plain()}, listener="")
    opened(at, Checks())
    assert at.writes == []
