"""AWS STS and IAM: whose account is it."""

from __future__ import annotations

import datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.contracts import contract
from tests.contract.stage import policy

pytestmark = pytest.mark.cloud

API = "https://docs.aws.amazon.com/STS/latest/APIReference"
DOOR = "release_lane/aws/session.py"


@contract(
    says="GetCallerIdentity says to which account the credentials belong, whatever they may do.",
    source=f"{API}/API_GetCallerIdentity.html",
    otherwise="an environment could be changed in another environment's account",
    used_by=(DOOR, "release_lane/program/recall.py"),
)
def test_credentials_tell_their_account(aws: Aws) -> None:
    identity = aws.client("sts").get_caller_identity()
    assert identity["Account"] == aws.where.account
    assert f":{aws.where.account}:" in identity["Arn"]


@contract(
    says="AssumeRole gives temporary credentials with the time at which they end; with them, GetCallerIdentity says "
    "the role's account.",
    source=f"{API}/API_AssumeRole.html",
    otherwise="a switch could begin with credentials that end in its middle; roles of other accounts would be no guard",
    used_by=(DOOR,),
    minutes=0.5,
)
def test_a_role_is_assumed_for_a_time(aws: Aws) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.where.account}:root"},
        "Action": "sts:AssumeRole",
    }
    role = aws.client("iam").create_role(
        RoleName=aws.named("assumed"), AssumeRolePolicyDocument=policy(trust), Tags=aws.tags()
    )["Role"]["Arn"]

    def assumed() -> Any:
        try:
            return aws.client("sts").assume_role(RoleArn=role, RoleSessionName="contract")["Credentials"]
        except ClientError:  # IAM takes some seconds to spread
            return None

    given = aws.eventually(assumed, "the role")
    assert given["Expiration"] > datetime.datetime.now(datetime.UTC)
    session = boto3.client(
        "sts",
        region_name=aws.where.region,
        endpoint_url=aws.where.endpoint or None,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    identity = session.get_caller_identity()
    assert identity["Account"] == aws.where.account
    assert "assumed-role" in identity["Arn"]
