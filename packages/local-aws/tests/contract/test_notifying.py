"""Amazon SNS, Parameter Store and Secrets Manager: telling people."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.contracts import contract

pytestmark = pytest.mark.cloud

API = "https://docs.aws.amazon.com/sns/latest/api"
NOTIFY, NOTICES = "release_lane/command/adapters/notify.py", "release_lane/operate/notices.py"


@pytest.fixture
def topic(aws: Aws) -> str:
    return str(aws.client("sns").create_topic(Name=aws.named("notices"), Tags=aws.tags())["TopicArn"])


@contract(
    says="Publish hands message, subject and attributes to every subscription of the topic.",
    source=f"{API}/API_Publish.html",
    otherwise="a refused release, a breach or a rollback would be reported nowhere",
    used_by=(NOTIFY,),
    note="tried with a queue; what mail and other endpoints make of it is theirs",
    minutes=1,
)
def test_a_message_reaches_the_subscriptions_of_its_topic(aws: Aws, topic: str) -> None:
    sns, sqs = aws.client("sns"), aws.client("sqs")
    queue = queue_for(aws, topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn_of(aws, queue))
    event = {"DataType": "String", "StringValue": "refused"}
    sns.publish(TopicArn=topic, Subject="staging: refused", Message='{"a": 1}', MessageAttributes={"event": event})
    got = aws.eventually(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), "the message")
    envelope: dict[str, Any] = json.loads(got[0]["Body"])
    assert (envelope["Subject"], envelope["Message"], envelope["TopicArn"]) == ("staging: refused", '{"a": 1}', topic)
    assert envelope["MessageAttributes"]["event"]["Value"] == "refused"


def queue_for(aws: Aws, topic: str) -> str:
    """A queue that the topic may write to; its URL."""
    sqs = aws.client("sqs")
    url = str(
        sqs.create_queue(QueueName=aws.named("heard"), tags={tag["Key"]: tag["Value"] for tag in aws.tags()})[
            "QueueUrl"
        ]
    )
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn_of(aws, url),
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    return url


def arn_of(aws: Aws, queue: str) -> str:
    found = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


@contract(
    says="A subject of more than 100 characters, or with a line break, is InvalidParameter; a topic that does not "
    "exist is NotFound.",
    source=f"{API}/API_Publish.html",
    otherwise="a long reason would keep people from hearing of it, or a wrong topic would swallow every message",
    used_by=(NOTICES, NOTIFY),
)
def test_a_bad_subject_or_topic_is_refused(aws: Aws, topic: str) -> None:
    sns = aws.client("sns")

    def code(**given: str) -> str:
        with pytest.raises(ClientError) as refused:
            sns.publish(**{"TopicArn": topic, "Subject": "fine", "Message": "fine", **given})
        return str(refused.value.response["Error"]["Code"])

    assert code(Subject="x" * 101) == "InvalidParameter"
    assert code(Subject="two\nlines") == "InvalidParameter"
    assert code(TopicArn=f"{topic}-never") == "NotFound"


@contract(
    says="GetParameter with decryption gives the text of a SecureString, GetSecretValue that of a secret by its ARN.",
    source="https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html",
    otherwise="the address of a webhook could not be read, and a refused release would be reported nowhere",
    used_by=(NOTIFY,),
    note="secrets: API_GetSecretValue.html of Secrets Manager",
)
def test_a_kept_address_can_be_read(aws: Aws) -> None:
    ssm, asm, address = aws.client("ssm"), aws.client("secretsmanager"), "https://hooks.example/secret"
    ssm.put_parameter(Name=f"/{aws.named('hook')}", Value=address, Type="SecureString", Tags=aws.tags())
    found = ssm.get_parameter(Name=f"/{aws.named('hook')}", WithDecryption=True)["Parameter"]["Value"]
    assert found == address
    arn = asm.create_secret(Name=aws.named("hook"), SecretString=address, Tags=aws.tags())["ARN"]
    assert asm.get_secret_value(SecretId=arn)["SecretString"] == address
