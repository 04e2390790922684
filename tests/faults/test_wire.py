"""Requests are distinguished in all of AWS's protocols, and botocore itself reads the errors that are made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from tests.faults.wire import Answer, Call, error, read_call

pytestmark = pytest.mark.pure

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=AKIA1/20260101/us-east-1/{}/aws4_request, Signature=0"}

CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("elbv2", "describe_rules", {"ListenerArn": "arn:l"}, "elasticloadbalancing:DescribeRules"),
    ("sts", "get_caller_identity", {}, "sts:GetCallerIdentity"),
    ("ecs", "describe_services", {"services": ["s"]}, "ecs:DescribeServices"),
    ("ecr", "batch_get_image", {"repositoryName": "p/app", "imageIds": [{"imageTag": "v1"}]}, "ecr:BatchGetImage"),
    ("logs", "get_log_events", {"logGroupName": "g", "logStreamName": "s"}, "logs:GetLogEvents"),
    ("cloudwatch", "describe_alarms", {}, "monitoring:DescribeAlarms"),
    ("s3", "put_object", {"Bucket": "b", "Key": "entries/1.json", "Body": b"{}"}, "s3:PutObject"),
    ("s3", "get_object", {"Bucket": "b", "Key": "entries/1.json"}, "s3:GetObject"),
    ("s3", "list_objects_v2", {"Bucket": "b", "Prefix": "entries/"}, "s3:ListObjectsV2"),
    ("s3", "list_object_versions", {"Bucket": "b", "Prefix": "entries/"}, "s3:ListObjectVersions"),
    ("s3", "get_bucket_versioning", {"Bucket": "b"}, "s3:GetBucketVersioning"),
    ("s3", "create_bucket", {"Bucket": "b"}, "s3:CreateBucket"),
]


def client(service: str, answered: Callable[[AWSRequest], Answer]) -> Any:
    """A botocore client whose requests never leave the process."""
    session = botocore.session.Session()
    session.set_credentials("AKIA1", "secret")
    config = botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    made = session.create_client(service, region_name="us-east-1", config=config)

    def send(request: Any, **_: Any) -> Any:
        answer = answered(request)
        response = botocore.awsrequest.AWSResponse(request.url, answer.status, dict(answer.headers), None)
        response._content = answer.body
        return response

    made.meta.events.register("before-send", send)
    return made


@pytest.mark.parametrize(("service", "method", "given", "name"), CALLS, ids=[call[3] for call in CALLS])
def test_what_botocore_sends_is_reported_by_its_name_and_what_it_gets_is_an_error_to_it(
    service: str, method: str, given: dict[str, Any], name: str
) -> None:
    seen: list[Call] = []

    def throttled(request: Any) -> Answer:
        headers = {key: value.decode() if isinstance(value, bytes) else value for key, value in request.headers.items()}
        sent = request.body.read() if hasattr(request.body, "read") else request.body or b""
        body = sent if isinstance(sent, bytes) else sent.encode()
        path = "/" + request.url.split("/", 3)[3]
        call = read_call(path, headers, body, request.method)
        assert call is not None
        seen.append(call)
        return error(call, 400, "ThrottlingException", "Rate exceeded")

    with pytest.raises(ClientError) as caught:
        getattr(client(service, throttled), method)(**given)
    assert [call.name for call in seen] == [name]
    assert seen[0].key == "AKIA1"
    said = caught.value.response["Error"]
    assert (said["Code"], said["Message"]) == ("ThrottlingException", "Rate exceeded")


@pytest.mark.parametrize("path", ["/v2/", "/health", "/"])
def test_what_is_no_call_is_none(path: str) -> None:
    assert read_call(path, {"User-Agent": "docker"}, b"") is None


def test_an_answer_says_the_same_whatever_its_request_id() -> None:
    one, two = (
        Answer(200, (), b"<R><Weight>1</Weight><RequestId>" + each + b"</RequestId></R>") for each in (b"a", b"b")
    )
    assert one != two
    assert one.says == two.says
