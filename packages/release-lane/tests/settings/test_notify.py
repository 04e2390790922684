"""`notify` of a stack file: which events are sent where, as the command reads it."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.errors import UsageError
from release_lane.settings.model import part
from release_lane.settings.notify import Event, NotifySettings

pytestmark = pytest.mark.pure

TOPIC = "arn:aws:sns:us-east-1:123456789012:releases"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook-AbCdEf"
HOOK = "https://hooks.example/T0/B0/token"


def read(raw: Any) -> NotifySettings:
    found = part({"notify": raw}, "notify", "Pulumi.staging.yaml")
    assert isinstance(found, NotifySettings)
    return found


def test_everything_is_sent_to_every_address() -> None:
    to = read({"topic": TOPIC, "webhook": HOOK})
    assert (to.topic, to.webhook) == (TOPIC, HOOK)
    assert all(to.wants(event) for event in Event)


def test_only_requested_events_are_sent() -> None:
    to = read({"topic": TOPIC, "events": ["breach", "rollback"]})
    assert [event for event in Event if to.wants(event)] == [Event.BREACH, Event.ROLLBACK]


@pytest.mark.parametrize("raw", [None, {}, {"events": ["breach"]}, {"topic": "", "webhook": ""}])
def test_without_an_address_nothing_is_sent(raw: Any) -> None:
    assert not any(read(raw).wants(event) for event in Event)


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
    assert read({"webhook": webhook}).webhook == webhook


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
        read({"webhook": webhook})
    assert str(webhook) not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"topic": "releases"}, "notify.topic: "),
        ({"topic": f"{TOPIC}.fifo"}, "not FIFO"),
        ({"events": ["deploy"]}, "notify.events.0: Input should be 'refused', 'breach', 'rollback' or 'recovered'"),
        ({"events": "breach"}, "notify.events: "),
        ({"events": [["breach"]]}, "notify.events.0: "),
        ({"on": ["breach"]}, "notify.on: is not a known key"),
        ("somebody", "notify: should be a mapping of settings"),
    ],
)
def test_what_is_wrong_is_named(raw: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(raw)
    assert said in refused.value.what


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(UsageError) as refused:
        read({"topic": "x", "webhook": "y", "events": ["z"], "more": 1})
    assert len(refused.value.what.splitlines()) == 5
