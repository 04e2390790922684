"""How often, how long and with which words AWS is asked again: our own clients, a real socket, and faults between."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import pytest
from provider_kit import Context, UserError
from release_lane.aws import patience, session
from release_lane.aws.cloud import Cloud
from release_lane.errors import CloudError, Interrupted, UsageError
from release_lane.gates.observe import find_image
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour, all_on

from tests.faults.proxy import ALWAYS, TAKES_EFFECT, Fault, FaultProxy
from tests.faults.small_aws import ACCOUNT, INDEX, LISTENER, PLATFORM, RULE, SmallAws
from tests.patience import PATIENCE

pytestmark = [pytest.mark.provider, pytest.mark.timeout(PATIENCE)]

GROUPS = {colour: f"arn:group/{colour}" for colour in Colour}
TAGS = {"release-lane:phase": "moving"}
PASSING = [fault for fault in Fault if fault is not Fault.EXPIRED]
"""Faults that are over after a while."""


@dataclass(frozen=True)
class Set:
    """A small AWS, the proxy before it, and a cloud that speaks through it."""

    aws: SmallAws
    proxy: FaultProxy
    cloud: Cloud


LITTLE = 4.0
"""Seconds of patience for what never comes. A try has a quarter of them: enough for an answer on a busy machine."""
UNANSWERED = (Fault.NO_ANSWER, Fault.DONE_BUT_LATE)


@pytest.fixture
def at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Set]:
    """Users are on blue. A call has all the time it needs on a busy machine; a try only where none is answered."""
    with SmallAws(weights={GROUPS[Colour.BLUE]: 100, GROUPS[Colour.GREEN]: 0}) as aws, FaultProxy(aws.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv(patience.SECONDS_VARIABLE, "60")
        session.forget()
        unanswered = getattr(request.node, "callspec", None) and request.node.callspec.params.get("fault") in UNANSWERED
        usual = patience.Patience.configured()
        with patience.held(replace(usual, answer_within=1.0)) if unanswered else nullcontext():
            yield Set(aws, proxy, Cloud(named()))
    session.forget()
    patience.INTERRUPTED.clear()


def named(role: str = "") -> Names:
    access = Access(region="us-east-1", account=ACCOUNT, role=role)
    return Names.of("p-staging", access=access, users_port=80, log_group="", repository="p/app")


# ---- what passes is waited for


@pytest.mark.parametrize("fault", PASSING)
def test_a_read_that_fails_is_answered_all_the_same(at: Set, fault: Fault) -> None:
    struck = at.proxy.inject(fault, "elasticloadbalancing:DescribeRules")
    rule = at.cloud.rule(LISTENER, GROUPS)
    assert rule is not None
    assert rule.weights == all_on(Colour.BLUE)
    assert struck.struck == 1
    assert (at.proxy.counted()["elasticloadbalancing:DescribeRules"] > 1) is (fault is not Fault.STALE)


@pytest.mark.parametrize("fault", PASSING)
def test_weights_and_tags_become_what_was_asked_for(at: Set, fault: Fault) -> None:
    for call in ("ModifyRule", "AddTags"):
        at.proxy.inject(fault, f"elasticloadbalancing:{call}")
    at.cloud.tag_rule(RULE, TAGS)
    at.cloud.set_weights(RULE, GROUPS, all_on(Colour.GREEN))
    assert (at.aws.weights[GROUPS[Colour.GREEN]], at.aws.tags) == (100, TAGS)


@pytest.mark.parametrize("fault", PASSING)
def test_a_rule_is_made_once_and_deleted_once(at: Set, fault: Fault) -> None:
    at.aws.rule = False
    for call in ("CreateRule", "DeleteRule"):
        at.proxy.inject(fault, f"elasticloadbalancing:{call}")
    assert at.cloud.create_rule(LISTENER, GROUPS, all_on(Colour.GREEN), TAGS) == RULE
    at.cloud.delete_rule(RULE)
    assert at.aws.writes == ["CreateRule", "DeleteRule"]


def test_a_rule_that_was_created_by_hand_is_not_taken_for_ours(at: Set) -> None:
    at.aws.tags = {"release-lane:phase": "moved"}
    with pytest.raises(Exception, match="PriorityInUse"):
        at.cloud.create_rule(LISTENER, GROUPS, all_on(Colour.BLUE), TAGS)


# ---- what was done although no answer said so


@pytest.mark.parametrize("fault", sorted(TAKES_EFFECT - {Fault.STALE}, key=str))
def test_a_write_that_is_never_answered_counts_as_done_if_reading_says_so(at: Set, fault: Fault) -> None:
    for call in ("ModifyRule", "AddTags", "CreateRule"):
        at.proxy.inject(fault, f"elasticloadbalancing:{call}", times=ALWAYS)
    with patience.at_most(LITTLE):
        at.cloud.set_weights(RULE, GROUPS, all_on(Colour.GREEN))
        at.cloud.tag_rule(RULE, TAGS)
        at.aws.rule = False
        assert at.cloud.create_rule(LISTENER, GROUPS, all_on(Colour.BLUE), TAGS) == RULE
    assert at.aws.writes.count("CreateRule") == 1


@pytest.mark.parametrize("fault", [Fault.NO_ANSWER, Fault.RESET])
def test_a_write_that_is_never_done_fails(at: Set, fault: Fault) -> None:
    at.proxy.inject(fault, "elasticloadbalancing:ModifyRule", times=ALWAYS)
    with patience.at_most(LITTLE), pytest.raises(CloudError) as caught:
        at.cloud.set_weights(RULE, GROUPS, all_on(Colour.GREEN))
    assert caught.value.unclear
    assert at.aws.writes == []


# ---- what does not pass


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.THROTTLED, "Rate exceeded (Throttling)"),
        (Fault.SERVER_ERROR, "Service unavailable (ServiceUnavailable)"),
        (Fault.NO_ANSWER, "Read timeout"),
        (Fault.RESET, "Connection"),
    ],
)
def test_after_the_budget_the_call_the_tries_and_the_time_are_reported(at: Set, fault: Fault, why: str) -> None:
    at.proxy.inject(fault, "elasticloadbalancing:DescribeRules", times=ALWAYS)
    with patience.at_most(LITTLE), pytest.raises(CloudError) as caught:
        at.cloud.rule(LISTENER, GROUPS)
    tries = at.proxy.counted()["elasticloadbalancing:DescribeRules"]
    told = re.fullmatch(
        r"AWS did not do elasticloadbalancing:DescribeRules within (\d+) s \((\d+) tr(y|ies)\)\.", caught.value.what
    )
    assert told is not None
    assert int(told[2]) == tries >= 1
    assert why in caught.value.why
    assert caught.value.unclear is (fault is not Fault.THROTTLED)


def test_a_refusal_is_not_asked_again(at: Set) -> None:
    at.aws.rule = False
    with pytest.raises(Exception, match="RuleNotFound"):
        at.cloud.elb.delete_rule(RuleArn=RULE)
    assert at.proxy.counted()["elasticloadbalancing:DeleteRule"] == 1


def test_a_cloud_that_does_not_exist_is_reported_sooner(at: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    session.forget()
    with pytest.raises(CloudError, match=r"sts:GetCallerIdentity within \d+ s") as caught:
        session.check_account(at.cloud.names.access, within=0.5)
    assert "127.0.0.1:9" in caught.value.why
    assert not caught.value.unclear


# ---- interrupts


def test_an_interrupt_ends_the_waiting(at: Set) -> None:
    """Without it this would go on for an hour."""
    at.proxy.inject(Fault.THROTTLED, times=ALWAYS)
    threading.Timer(0.3, patience.INTERRUPTED.set).start()
    with patience.held(patience.Patience(seconds=3600)), pytest.raises(Interrupted, match="DescribeRules"):
        at.cloud.rule(LISTENER, GROUPS)


def test_after_an_interrupt_a_call_is_made_once(at: Set) -> None:
    patience.INTERRUPTED.set()
    assert at.cloud.rule(LISTENER, GROUPS)
    at.proxy.begin()
    at.proxy.inject(Fault.THROTTLED, times=ALWAYS)
    with pytest.raises(Interrupted):
        at.cloud.rule(LISTENER, GROUPS)
    assert sum(at.proxy.counted().values()) == 1


def test_rolling_back_is_retried_after_an_interrupt(at: Set) -> None:
    patience.INTERRUPTED.set()
    at.proxy.inject(Fault.THROTTLED)
    with patience.insisting():
        at.cloud.set_weights(RULE, GROUPS, all_on(Colour.GREEN))
    assert at.aws.weights[GROUPS[Colour.GREEN]] == 100


def test_what_only_helps_is_not_waited_for_long(at: Set) -> None:
    at.proxy.inject(Fault.THROTTLED, times=ALWAYS)
    with patience.at_most(0.01), pytest.raises(CloudError, match=r"within \d+ s"):
        at.cloud.rule(LISTENER, GROUPS)


# ---- credentials


def test_given_credentials_that_expire_are_reported(at: Set) -> None:
    at.proxy.inject(Fault.EXPIRED)
    with pytest.raises(CloudError, match="The AWS credentials expired: elasticloadbalancing:DescribeRules was refused"):
        at.cloud.rule(LISTENER, GROUPS)
    assert at.proxy.counted()["elasticloadbalancing:DescribeRules"] == 1


def test_an_assumed_roles_credentials_that_expire_are_renewed(at: Set) -> None:
    cloud = Cloud(named("arn:aws:iam::000000000000:role/deployer"))
    assert cloud.rule(LISTENER, GROUPS)
    at.proxy.inject(Fault.EXPIRED)
    assert cloud.rule(LISTENER, GROUPS)
    assert at.aws.assumed == 2
    assert {call.key for call in at.proxy.calls if call.service != "sts"} == {"ASIA1", "ASIA2"}


def test_a_role_is_assumed_with_external_id_and_session_name(at: Set) -> None:
    access = replace(named("arn:aws:iam::000000000000:role/deployer").access, external_id="x1", session_name="ci")
    assert Cloud(replace(named(), access=access)).rule(LISTENER, GROUPS)
    assert at.aws.asked_to_assume == {"RoleArn": access.role, "ExternalId": "x1", "RoleSessionName": "ci"}


def test_a_role_that_is_taken_away_is_reported_and_not_retried_for_ever(at: Set) -> None:
    cloud = Cloud(named("arn:aws:iam::000000000000:role/deployer"))
    at.proxy.inject(Fault.EXPIRED, "elasticloadbalancing:DescribeRules", times=ALWAYS)
    with pytest.raises(CloudError, match="The AWS credentials expired"):
        cloud.rule(LISTENER, GROUPS)
    assert at.aws.assumed == 2


# ---- the registry


def test_an_index_is_read_with_its_platforms(at: Set) -> None:
    image = at.cloud.image(digest=INDEX)
    assert image is not None
    assert image.manifests == {INDEX, PLATFORM}


def test_patience_is_configured_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(patience.SECONDS_VARIABLE, "8")
    assert patience.current() == replace(patience.current(), seconds=8.0)
    assert patience.current().timeouts == (2.0, 2.0)
    monkeypatch.delenv(patience.SECONDS_VARIABLE)
    assert patience.current().timeouts == (patience.CONNECT_WITHIN, patience.ANSWER_WITHIN)


@pytest.mark.parametrize("text", ["1m", "0", "-1", "nan", "inf", "3601", "60 s"])
def test_what_is_no_time_is_refused_with_the_variables_name_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(patience.SECONDS_VARIABLE, text)
    with pytest.raises(UsageError, match=re.escape(f"at most 3600, not {text!r}")) as refused:
        patience.current()
    assert "RELEASE_LANE_AWS_PATIENCE" in refused.value.what


def test_a_plain_update_says_so_as_well(at: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the provider's process that asks AWS there; the engine shows its words."""
    monkeypatch.setenv(patience.SECONDS_VARIABLE, "1m")
    session.forget()
    asked = {**at.cloud.names.access.as_dict(), "repository": "p/app", "tag": "a"}
    with pytest.raises(UserError) as refused:
        find_image(Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None), asked)
    assert "RELEASE_LANE_AWS_PATIENCE" in str(refused.value)
    assert "Kind: UsageError" in str(refused.value)
