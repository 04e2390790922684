"""Whether a bucket's policy lets Elastic Load Balancing write access logs. Pure."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.emulator.elbv2.neighbours import permits
from local_aws.emulator.wire import ServiceError
from tests.local.emulator.elbv2.requests import Account
from tests.local.emulator.elbv2.test_actions import refused

pytestmark = pytest.mark.pure

OBJECT = "arn:aws:s3:::logs/shop/AWSLogs/000000000000/ELBAccessLogTestFile"
DELIVERY = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
ALLOW: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": DELIVERY,
    "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::logs/shop/AWSLogs/000000000000/*",
}


@pytest.mark.parametrize(
    ("statement", "permitted"),
    [
        (ALLOW, True),
        ({**ALLOW, "Principal": {"AWS": "arn:aws:iam::127311923021:root"}}, True),
        ({**ALLOW, "Principal": {"AWS": ["1", "127311923021"]}}, True),
        ({**ALLOW, "Principal": "*", "Action": ["s3:Get*", "s3:Put*"], "Resource": ["arn:aws:s3:::logs/*"]}, True),
        ({**ALLOW, "Principal": {"Service": "delivery.logs.amazonaws.com"}}, False),
        ({**ALLOW, "Principal": {"AWS": "arn:aws:iam::127311923021:user/x"}}, False),
        ({**ALLOW, "Action": "s3:GetObject"}, False),
        ({**ALLOW, "Resource": "arn:aws:s3:::logs/other/*"}, False),
        ({**ALLOW, "Effect": "Deny"}, False),
    ],
)
def test_a_bucket_takes_logs_if_its_policy_says_so(statement: dict[str, Any], permitted: bool) -> None:
    assert permits({"Statement": [statement]}, OBJECT, "us-east-1") is permitted
    assert permits({"Statement": statement}, OBJECT, "us-east-1") is permitted


def test_a_denial_outweighs_what_is_allowed_unless_it_has_a_condition() -> None:
    deny = {**ALLOW, "Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    assert not permits({"Statement": [ALLOW, deny]}, OBJECT, "us-east-1")
    only_plain = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    assert permits({"Statement": [ALLOW, only_plain]}, OBJECT, "us-east-1")


def logs(**values: str) -> list[dict[str, str]]:
    return [{"Key": f"access_logs.s3.{key}", "Value": value} for key, value in values.items()]


def test_a_bucket_is_tried_when_logs_begin_to_go_there_and_only_then() -> None:
    tried: list[tuple[str, str]] = []
    account = Account(log_to=lambda bucket, prefix: tried.append((bucket, prefix)))
    arn = account.load_balancer()
    change = {"LoadBalancerArn": arn}
    account.do("ModifyLoadBalancerAttributes", **change, Attributes=logs(bucket="a", prefix="p"))
    assert tried == []
    account.do("ModifyLoadBalancerAttributes", **change, Attributes=logs(enabled="true"))
    idle = [{"Key": "idle_timeout.timeout_seconds", "Value": "61"}]
    account.do("ModifyLoadBalancerAttributes", **change, Attributes=idle)
    account.do("ModifyLoadBalancerAttributes", **change, Attributes=logs(bucket="b"))
    account.do("ModifyLoadBalancerAttributes", **change, Attributes=logs(enabled="false"))
    assert tried == [("a", "p"), ("b", "p")]


def test_logs_to_nowhere_and_to_a_bucket_that_takes_none_are_refused() -> None:
    def denied(bucket: str, _prefix: str) -> None:
        raise ServiceError("InvalidConfigurationRequest", f"Access Denied for bucket: {bucket}.")

    account = Account(log_to=denied)
    change = {"LoadBalancerArn": account.load_balancer()}
    refused(account, "ValidationError", "ModifyLoadBalancerAttributes", **change, Attributes=logs(enabled="true"))
    wanted = logs(enabled="true", bucket="closed")
    refused(account, "InvalidConfigurationRequest", "ModifyLoadBalancerAttributes", **change, Attributes=wanted)
