"""What SNS refuses as AWS does, and what it sends to HTTP endpoints."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.query import parse
from local_aws.emulator.sns import (
    check_attribute,
    check_message,
    check_subscription,
    check_topic,
    entries,
    headers_of,
    without_credentials,
)
from local_aws.emulator.wire import ServiceError

pytestmark = pytest.mark.pure


def params(**members: str) -> Params:
    return Params(parse(urlencode({key.replace("__", "."): value for key, value in members.items()})))


@pytest.mark.parametrize(
    ("check", "members", "why"),
    [
        (check_topic, {"Name": "bad name!"}, "Topic Name"),
        (check_topic, {"Name": "x" * 257}, "Topic Name"),
        (check_topic, {}, "Topic Name"),
        (check_topic, {"Name": "t", "Attributes__entry__1__key": "X"}, "AttributeName"),
        (check_subscription, {"Protocol": "pigeon", "Endpoint": "x"}, "protocol string: pigeon"),
        (check_subscription, {"Protocol": "http", "Endpoint": "x"}, "Endpoint must match"),
        (check_subscription, {"Protocol": "https", "Endpoint": "http://x"}, "Endpoint must match"),
        (check_message, {}, "Empty message"),
        (check_message, {"Message": "m", "Subject": "s" * 101}, "Subject"),
        (check_message, {"Message": "m", "Subject": "a\nb"}, "Subject"),
        (check_message, {"Message": "m", "MessageStructure": "json"}, "failed to parse"),
        (check_message, {"Message": '{"sqs": "m"}', "MessageStructure": "json"}, "No default entry"),
    ],
)
def test_what_aws_refuses_is_refused(check: Any, members: dict[str, str], why: str) -> None:
    with pytest.raises(ServiceError, match=why) as caught:
        check(params(**members))
    assert caught.value.code == "InvalidParameter"


def test_what_aws_takes_is_taken() -> None:
    check_topic(params(Name="alerts_1-b"))
    check_topic(params(Name="orders.fifo", Attributes__entry__1__key="FifoTopic", Attributes__entry__1__value="true"))
    check_subscription(params(Protocol="http", Endpoint="http://127.0.0.1:8080/hook?x=1"))
    check_subscription(params(Protocol="https", Endpoint="https://user:secret@example.com"))
    check_message(params(Message="m", Subject='ALARM: "a" in US East (N. Virginia)'))
    check_message(params(Message='{"default": "m"}', MessageStructure="json"))
    check_attribute("HTTPFailureFeedbackRoleArn")


def test_attributes_are_read_by_name() -> None:
    two = params(
        Attributes__entry__1__key="DisplayName",
        Attributes__entry__1__value="a b",
        Attributes__entry__2__key="Policy",
        Attributes__entry__2__value="{}",
    )
    assert entries(two, "Attributes") == {"DisplayName": "a b", "Policy": "{}"}


def test_the_headers_of_a_notification_are_awss() -> None:
    envelope = {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:t", "Message": "m"}
    headers = headers_of(json.dumps(envelope), "arn:t:s")
    assert {key: value for key, value in headers.items() if key.startswith("x-")} == {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": "1",
        "x-amz-sns-topic-arn": "arn:t",
        "x-amz-sns-subscription-arn": "arn:t:s",
    }
    assert headers_of("just text", "")["x-amz-sns-rawdelivery"] == "true"
    assert "x-amz-sns-rawdelivery" in headers_of('{"Type": "Notification"}', "")


def test_credentials_of_an_endpoint_become_a_header() -> None:
    url, headers = without_credentials("https://us%40er:secret@example.com/a@b")
    assert url == "https://example.com/a@b"
    assert headers == {"Authorization": "Basic dXNAZXI6c2VjcmV0"}
    assert without_credentials("http://example.com/a@b") == ("http://example.com/a@b", {})
