"""Who wants to be told of what, and what a message says: names and first sentences, never a secret."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.engine.locks import Origin
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, UsageError, Users
from release_lane.operate.notices import LONGEST_SENTENCE, Event, Notice, Notify, event_of
from tests.decide.situations import B

pytestmark = pytest.mark.pure

TOPIC = "arn:aws:sns:us-east-1:123456789012:releases"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf"
HOOK = "https://hooks.example/T0/B0/token"


# ---- The stack file's key


def test_everything_is_told_to_whoever_is_named() -> None:
    to = Notify.read({"topic": TOPIC, "webhook": HOOK})
    assert (to.topic, to.webhook) == (TOPIC, HOOK)
    assert all(to.wants(event) for event in Event)


def test_only_what_was_asked_for_is_told() -> None:
    to = Notify.read({"topic": TOPIC, "events": ["breach", "rollback"]})
    assert [event for event in Event if to.wants(event)] == [Event.BREACH, Event.ROLLBACK]


@pytest.mark.parametrize("raw", [None, {}, {"events": ["breach"]}, {"topic": "", "webhook": ""}])
def test_without_anybody_to_tell_nothing_is_told(raw: Any) -> None:
    assert not any(Notify.read(raw).wants(event) for event in Event)


@pytest.mark.parametrize(
    "webhook",
    [
        HOOK,
        "https://hooks.example:8443",
        "http://127.0.0.1:8080/hook",
        "http://localhost/hook",
        "http://[::1]:1/",
        SECRET,
        "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/release/hook",
    ],
)
def test_a_webhook_is_an_https_url_or_where_it_is_kept(webhook: str) -> None:
    assert Notify.read({"webhook": webhook}).webhook == webhook


@pytest.mark.parametrize(
    "webhook",
    [
        "http://hooks.example/x",
        "hooks.example",
        "https://user:pass@hooks.example/x",
        "https://",
        "ftp://hooks.example",
        "http://127.0.0.1.example/",
        "arn:aws:s3:::bucket",
        5,
    ],
)
def test_any_other_webhook_is_refused_without_repeating_it(webhook: Any) -> None:
    with pytest.raises(UsageError, match=r"notify\.webhook: ") as refused:
        Notify.read({"webhook": webhook})
    assert str(webhook) not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"topic": "releases"}, "notify.topic: "),
        ({"topic": f"{TOPIC}.fifo"}, "not FIFO"),
        ({"events": ["deploy"]}, "notify.events: should be a list of refused, breach, rollback, recovered"),
        ({"events": "breach"}, "notify.events: "),
        ({"events": [["breach"]]}, "notify.events: "),
        ({"on": ["breach"]}, "notify.on: is not a known key"),
        ("somebody", "should have the keys"),
    ],
)
def test_what_is_wrong_is_named(raw: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Notify.read(raw)
    assert said in refused.value.what


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        Notify.read({"topic": "x", "webhook": "y", "events": ["z"], "more": 1})
    assert len(refused.value.what.splitlines()) == 5


# ---- What happened


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (CheckFailed("The rollout gate refused green: it exits.", users=Users.UNTOUCHED), Event.REFUSED),
        (Refused("sha256:1 was never proven on staging."), Event.REFUSED),
        (CheckFailed("green had 10 % of the users for 42 s: smoke failed", users=Users.RESTORED), Event.BREACH),
        (Interrupted("The switch was interrupted: ann asked to abort.", users=Users.RESTORED), None),
        (Interrupted("The switch was interrupted: ann. blue is dead", users=Users.UNSURE), Event.BREACH),
        (CloudError("The rule cannot be written after a failed switch to green", users=Users.UNSURE), Event.BREACH),
        (CloudError("AWS did not do ModifyRule within 45 s", users=Users.UNTOUCHED), None),
        (CloudError("AWS did not do ecs:CreateService within 45 s"), None),
        (UsageError("The stack's settings are wrong"), None),
        (Interrupted("The update was stopped by SIGINT."), None),
    ],
)
def test_what_an_error_is_to_those_who_are_told_follows_from_its_kind_and_its_users(
    error: ReleaseError, event: Event | None
) -> None:
    assert event_of(error) is event


# ---- The message


def notice(what: str = "The rollout gate refused green.", **over: Any) -> Notice:
    origin = Origin(who="ann", run="https://ci.example/7")
    given = {"event": Event.REFUSED, "project": "lane", "environment": "production", "what": what}
    return Notice(**{**given, "digest": B.digest, "origin": origin, **over})


def test_a_message_says_what_where_who_and_in_which_run() -> None:
    assert notice().as_dict("2026-01-02T03:04:05+00:00") == {
        "event": "refused",
        "project": "lane",
        "environment": "production",
        "digest": B.digest,
        "what": "The rollout gate refused green.",
        "who": "ann",
        "run": "https://ci.example/7",
        "at": "2026-01-02T03:04:05+00:00",
        "text": f"production: refused ({B.digest[:19]}). The rollout gate refused green. https://ci.example/7",
    }


def test_what_is_unknown_is_null() -> None:
    message = notice(origin=Origin(), digest="").as_dict("")
    assert (message["who"], message["run"], message["digest"]) == (None, None, None)
    assert message["text"] == "production: refused. The rollout gate refused green."


def test_log_lines_of_a_task_are_never_sent() -> None:
    message = notice("The rollout gate refused green: it exits.\n  last log lines:\n    password=hunter2").as_dict("")
    assert "hunter2" not in str(message)


def test_a_long_sentence_is_cut() -> None:
    assert len(notice("x" * 1000).sentence) == LONGEST_SENTENCE


def test_a_subject_is_what_sns_takes() -> None:
    assert notice().subject == "production: refused (lane)"
    odd = notice(environment="bücher" * 30).subject
    assert odd.isascii()
    assert len(odd) < 100
