"""SNS topics of the emulator: subscriptions, deliveries, and alarms that publish. A real ministack, no Docker."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_aws.emulator_process import ensure_environment
from local_aws.toolchain.cache import cache_folder
from tests.local.emulator.ecs.conftest import Emulator, eventually

from tests.ports import free_port

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    port = free_port()
    one = Emulator(
        python=ensure_environment(cache_folder(), print),
        state=tmp_path_factory.mktemp("topics") / "state",
        port=port,
        cloud_id=f"topics-{port}",
        module="tests.local.emulator.serve_topics",
        settings={"LOCAL_TIME_SCALE": "0.01", "LOCAL_METRICS_PERIOD": "1", "LOCAL_METRICS_DELAY": "0"},
    )
    one.start()
    yield one
    one.stop()


class Subscriber:
    """An HTTP endpoint. `answers`: its next statuses, 200 afterwards."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.answers: list[int] = []
        this = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                this.got.append(({key.lower(): value for key, value in self.headers.items()}, json.loads(body)))
                self.send_response(this.answers.pop(0) if this.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def of(self, kind: str) -> list[tuple[dict[str, str], dict[str, Any]]]:
        return [(headers, body) for headers, body in self.got if body["Type"] == kind]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    one = Subscriber()
    yield one
    one.close()


def confirmed(emulator: Emulator, subscriber: Subscriber, topic: str) -> str:
    """Subscribed and confirmed, as an endpoint does it; the subscription's arn."""
    sns = emulator.client("sns")
    before = len(subscriber.of("SubscriptionConfirmation"))
    given = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url)["SubscriptionArn"]
    assert given == "pending confirmation"
    asked = eventually(lambda: subscriber.of("SubscriptionConfirmation")[before:], "the request to confirm")[-1][1]
    with urllib.request.urlopen(asked["SubscribeURL"].replace("localhost", "127.0.0.1")) as answer:
        assert answer.status == 200
    found: list[str] = [
        one["SubscriptionArn"]
        for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if one["Endpoint"] == subscriber.url
    ]
    return found[0]


def refused(call: Any, **members: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**members)
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_a_topic_has_tags_and_attributes_and_can_be_deleted(emulator: Emulator) -> None:
    sns = emulator.client("sns")
    topic = sns.create_topic(Name="tagged", Tags=[{"Key": "a", "Value": "b <c> & d"}])["TopicArn"]
    assert topic == "arn:aws:sns:us-east-1:000000000000:tagged"
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "b <c> & d"}]
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "e", "Value": "f"}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["a"])
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "e", "Value": "f"}]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="Alerts")
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "Alerts"
    assert topic in [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    sns.delete_topic(TopicArn=topic)
    assert topic not in [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    assert refused(sns.get_topic_attributes, TopicArn=topic) == "NotFound"
    assert refused(sns.publish, TopicArn=topic, Message="m") == "NotFound"
    sns.delete_topic(TopicArn=topic)  # as on AWS, nothing to complain about


def test_making_a_topic_again_gives_the_same_one_but_not_another(emulator: Emulator) -> None:
    sns = emulator.client("sns")
    given: dict[str, Any] = {"Name": "again", "Tags": [{"Key": "a", "Value": "b"}]}
    given["Attributes"] = {"DisplayName": "Again"}
    topic = sns.create_topic(**given)["TopicArn"]
    assert sns.create_topic(**given)["TopicArn"] == sns.create_topic(Name="again")["TopicArn"] == topic
    assert refused(sns.create_topic, Name="again", Tags=[{"Key": "a", "Value": "c"}]) == "InvalidParameter"
    assert refused(sns.create_topic, Name="again", Attributes={"DisplayName": "x"}) == "InvalidParameter"
    assert refused(sns.create_topic, Name="no such name!") == "InvalidParameter"


def test_an_endpoint_gets_nothing_before_it_confirmed_and_everything_afterwards(
    emulator: Emulator, subscriber: Subscriber
) -> None:
    sns = emulator.client("sns")
    topic = sns.create_topic(Name="http")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=subscriber.url)
    eventually(lambda: subscriber.of("SubscriptionConfirmation"), "the request to confirm")
    sns.publish(TopicArn=topic, Message="too early")
    pending = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [one["SubscriptionArn"] for one in pending] == ["PendingConfirmation"]
    subscription = confirmed(emulator, subscriber, topic)
    message = sns.publish(TopicArn=topic, Message="hello", Subject="greeting")["MessageId"]
    headers, body = eventually(lambda: subscriber.of("Notification"), "the notification")[0]
    assert (body["Message"], body["Subject"], body["TopicArn"]) == ("hello", "greeting", topic)
    assert headers["x-amz-sns-message-type"] == "Notification"
    assert headers["x-amz-sns-message-id"] == body["MessageId"] == message
    assert headers["x-amz-sns-subscription-arn"] == subscription
    sns.unsubscribe(SubscriptionArn=subscription)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_delivery_that_failed_is_tried_again_unless_the_endpoint_says_never(
    emulator: Emulator, subscriber: Subscriber
) -> None:
    sns = emulator.client("sns")
    topic = sns.create_topic(Name="retries")["TopicArn"]
    confirmed(emulator, subscriber, topic)
    subscriber.answers = [503, 429, 500, 200]
    sns.publish(TopicArn=topic, Message="again and again")
    eventually(lambda: len(subscriber.of("Notification")) == 4, "three retries")

    def told(message: str) -> int:
        return [body["Message"] for _, body in subscriber.of("Notification")].count(message)

    subscriber.answers = [404, 503]
    sns.publish(TopicArn=topic, Message="never")
    eventually(lambda: told("never") == 1, "the message that is refused")
    sns.publish(TopicArn=topic, Message="later")
    eventually(lambda: told("later") == 2, "the retry of a later one")
    assert told("never") == 1


def test_a_queue_gets_what_its_topic_gets(emulator: Emulator) -> None:
    sns, sqs = emulator.client("sns"), emulator.client("sqs")
    topic = sns.create_topic(Name="queued")["TopicArn"]
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="hello")
    found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    assert [json.loads(one["Body"])["Message"] for one in found] == ["hello"]


def test_an_alarm_tells_its_topic_and_the_topic_its_subscribers(emulator: Emulator, subscriber: Subscriber) -> None:
    sns, cloudwatch = emulator.client("sns"), emulator.client("cloudwatch")
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    confirmed(emulator, subscriber, topic)
    cloudwatch.put_metric_alarm(
        AlarmName="orders",
        Namespace="Shop",
        MetricName="Orders",
        Statistic="Sum",
        Period=1,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
        OKActions=[f"{topic}-missing"],
    )
    datum = {"MetricName": "Orders", "Value": 1.0, "StorageResolution": 1}

    def rung() -> bool:
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=[datum])
        return bool(subscriber.of("Notification"))

    eventually(rung, "the alarm")
    _, body = subscriber.of("Notification")[0]
    assert body["Subject"] == 'ALARM: "orders" in US East (N. Virginia)'
    assert json.loads(body["Message"])["NewStateValue"] == "ALARM"

    def history() -> list[str]:
        found = cloudwatch.describe_alarm_history(AlarmName="orders")["AlarmHistoryItems"]
        return [item["HistorySummary"] for item in found]

    eventually(lambda: any(said.startswith("Failed to execute action") for said in history()), "the OK action")
    assert f"Successfully executed action {topic}" in history()
    assert any("Topic does not exist" in said for said in history())


def test_topics_subscriptions_and_alarms_survive_a_kill(emulator: Emulator, subscriber: Subscriber) -> None:
    sns, cloudwatch = emulator.client("sns"), emulator.client("cloudwatch")
    topic = sns.create_topic(Name="survivor")["TopicArn"]
    subscription = confirmed(emulator, subscriber, topic)
    cloudwatch.put_metric_alarm(
        AlarmName="survivor",
        Namespace="Shop",
        MetricName="Nothing",
        Statistic="Sum",
        Period=86_400,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
        Tags=[{"Key": "a", "Value": "b"}],
    )
    cloudwatch.set_alarm_state(AlarmName="survivor", StateValue="OK", StateReason="a test")
    before = cloudwatch.describe_alarms(AlarmNames=["survivor"])["MetricAlarms"][0]
    eventually(lambda: _stored(emulator.state, subscription), "the topic in the emulator's files")
    emulator.kill()
    emulator.start()
    after = cloudwatch.describe_alarms(AlarmNames=["survivor"])["MetricAlarms"][0]
    assert after["AlarmArn"] == before["AlarmArn"]
    assert after["AlarmActions"] == [topic]
    assert cloudwatch.list_tags_for_resource(ResourceARN=after["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    found = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [one["SubscriptionArn"] for one in found] == [subscription]
    sns.publish(TopicArn=topic, Message="still here")
    eventually(lambda: subscriber.of("Notification"), "the notification after the restart")


def _stored(state: Path, text: str) -> bool:
    return any(text in path.read_text() for path in (state / "ministack").glob("sns*"))
