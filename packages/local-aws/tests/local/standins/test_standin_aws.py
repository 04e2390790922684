"""The aws stand-in as the engine meets it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import grpc
import pytest
from local_aws.standins.aws.door import Door, answers, botocore_client, loopback_endpoint
from local_aws.standins.aws.provider import provider
from provider_kit import UserError
from tests.kit.serving import UNKNOWN_STRING, Client, Refusal, plain, secret, served
from tests.local.standins.fake_aws import FakeAws, refusal

pytestmark = pytest.mark.provider

LOOPBACK = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_REGION": "us-east-1"}


def urn(token: str) -> str:
    return f"urn:pulumi:dev::p::{token}::thing"


VPC = urn("aws:ec2/vpc:Vpc")
GROUP = urn("aws:lb/targetGroup:TargetGroup")


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws()


@pytest.fixture
def client(aws: FakeAws) -> Iterator[Client]:
    with served(provider(Door(LOOPBACK, aws.client, answers=lambda _: True))) as client:
        client.configure()
        yield client


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:4566", "http://localhost:1", "http://[::1]:4566", "http://127.0.10.3"]
)
def test_an_endpoint_on_this_machine_is_taken(endpoint: str) -> None:
    assert loopback_endpoint({"AWS_ENDPOINT_URL": endpoint}) == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://ecs.us-east-1.amazonaws.com",
        "http://127.0.0.1@example.com",
        "http://localhost.example.com",
        "http://0.0.0.0:4566",
        "http://10.0.0.1:4566",
        "nonsense",
    ],
)
def test_every_other_endpoint_is_refused_before_any_call(endpoint: str, aws: FakeAws) -> None:
    door = Door({"AWS_ENDPOINT_URL": endpoint}, aws.client, answers=lambda _: True)
    with served(provider(door)) as client:
        with pytest.raises(Refusal, match=r"AWS_ENDPOINT_URL.*For a real account use the official plugin") as refused:
            client.configure()
    assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION
    assert aws.calls == []


def test_a_cloud_that_is_not_up_is_reported_at_once(aws: FakeAws) -> None:
    with served(provider(Door(LOOPBACK, aws.client, answers=lambda _: False))) as client:
        with pytest.raises(Refusal, match=r"nothing answers at http://127\.0\.0\.1:4566: start the local cloud"):
            client.configure()


def test_whether_something_answers_is_found_out_by_asking() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        here = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert answers(here)
    assert not answers(here)


def test_a_client_goes_to_the_endpoint_and_past_every_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    access = {"endpoint": "http://127.0.0.1:9", "key": "k", "secret": "s", "token": ""}
    client = botocore_client("sts", "us-east-1", access)
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client._endpoint.http_session._proxy_config.proxy_url_for("http://127.0.0.1:9") is None


def test_configuration_that_would_be_ignored_is_refused(client: Client) -> None:
    with pytest.raises(Refusal, match="aws:endpoints, aws:profile: not served"):
        client.configure(endpoints='[{"ecs": "https://ecs.amazonaws.com"}]', profile="production")


def test_an_account_that_is_not_allowed_is_refused(aws: FakeAws) -> None:
    aws.script["sts.get_caller_identity"] = {"Account": "000000000000", "Arn": "a", "UserId": "u"}
    door = Door(LOOPBACK, aws.client, answers=lambda _: True)
    door.configure({"allowedAccountIds": ["000000000000"]})
    for config in ({"allowedAccountIds": ["111111111111"]}, {"forbiddenAccountIds": ["000000000000"]}):
        with pytest.raises(UserError, match="AWS account 000000000000 is not one"):
            door.configure(config)


def test_a_type_and_a_property_that_are_not_there_are_refused(client: Client) -> None:
    with pytest.raises(Refusal, match=r"resource type aws:s3/bucket:Bucket is not served by aws 7\.") as refused:
        client.check({}, urn=urn("aws:s3/bucket:Bucket"))
    assert refused.value.code is grpc.StatusCode.FAILED_PRECONDITION
    (failure,) = client.check({"cidrBlock": "10.0.0.0/16", "ipv6CidrBlock": "x"}, urn=VPC).failures
    assert failure.property == "ipv6CidrBlock"
    with pytest.raises(Refusal, match="function aws:s3/getBucket:getBucket is not served"):
        client.call("Invoke", "InvokeRequest", tok="aws:s3/getBucket:getBucket", args={})


def test_a_function_refuses_arguments_that_it_would_ignore(client: Client) -> None:
    token = "aws:index/getAvailabilityZones:getAvailabilityZones"
    with pytest.raises(Refusal, match="allAvailabilityZones: not served"):
        client.call("Invoke", "InvokeRequest", tok=token, args={"allAvailabilityZones": True})


def test_check_fills_in_name_region_defaults_and_the_default_tags(client: Client) -> None:
    client.configure(region="eu-west-1", defaultTags='{"tags": {"stack": "dev", "team": "x"}}')
    answer = client.check({"port": 80, "tags": {"team": "a"}}, urn=GROUP, randomSeed=b"seed")
    inputs = plain(answer.inputs)
    assert inputs.pop("name").startswith("thing-")
    assert inputs == {
        "port": 80,
        "region": "eu-west-1",
        "targetType": "instance",
        "deregistrationDelay": 300,
        "slowStart": 0,
        "tags": {"stack": "dev", "team": "a"},
    }


def test_a_made_up_name_stays_and_one_that_would_be_too_long_is_refused(client: Client) -> None:
    first = plain(client.check({}, urn=GROUP, randomSeed=b"1").inputs)["name"]
    again = plain(client.check({}, olds={"name": first}, urn=GROUP, randomSeed=b"2").inputs)["name"]
    assert again == first
    with pytest.raises(Refusal, match="longer than 32 characters: give it a name"):
        client.check({}, urn=f"{GROUP}-with-quite-a-long-name-of-its-own", randomSeed=b"1")


def test_what_has_a_given_name_is_deleted_before_its_replacement_is_made(client: Client) -> None:
    base = {"port": 80, "protocol": "HTTP", "targetType": "ip", "vpcId": "vpc-1"}
    for name, first in (({"name": "a"}, True), ({}, False)):
        old = plain(client.check(base | name, urn=GROUP, randomSeed=b"seed").inputs)
        diff = client.diff(old, old | {"port": 81}, urn=GROUP)
        assert list(diff.replaces) == ["port"]
        assert diff.deleteBeforeReplace is first


def test_a_preview_makes_no_call_and_knows_what_can_be_known(client: Client, aws: FakeAws) -> None:
    inputs = {"name": "a", "vpcId": UNKNOWN_STRING, "tags": {"team": "a"}}
    answer = plain(client.create(inputs, urn=GROUP, preview=True).properties)
    assert answer == inputs | {
        "arn": UNKNOWN_STRING,
        "arnSuffix": UNKNOWN_STRING,
        "loadBalancerArns": UNKNOWN_STRING,
        "tagsAll": {"team": "a"},
        # AWS fills them in where they are left out
        **dict.fromkeys(("healthCheck", "ipAddressType", "protocolVersion", "stickiness"), UNKNOWN_STRING),
        "loadBalancingAlgorithmType": UNKNOWN_STRING,
    }
    assert aws.calls == []


def test_a_resource_lives_in_its_own_region(client: Client, aws: FakeAws) -> None:
    for region in ("eu-west-1", "us-east-1"):
        news = plain(client.check({"cidrBlock": "10.0.0.0/16", "region": region}, urn=VPC).inputs)
        client.create(news, urn=VPC)
        assert {call.region for call in aws.calls} == {region}
        aws.calls.clear()


def test_what_aws_refuses_is_reported_in_its_words(client: Client, aws: FakeAws) -> None:
    aws.script["ecs.create_service"] = refusal(
        "CreateService", "InvalidParameterException", "Creation of service was not idempotent."
    )
    service = urn("aws:ecs/service:Service")
    inputs = plain(client.check({"name": "a", "cluster": "c", "taskDefinition": "t"}, urn=service).inputs)
    with pytest.raises(Refusal) as refused:
        client.create(inputs, urn=service)
    assert refused.value == Refusal(
        grpc.StatusCode.FAILED_PRECONDITION,
        "AWS refused CreateService: Creation of service was not idempotent. (InvalidParameterException)",
    )


def test_the_registrys_password_is_a_secret(client: Client, aws: FakeAws) -> None:
    token = base64.b64encode(b"AWS:hunter2").decode()
    aws.script["ecr.get_authorization_token"] = {
        "authorizationData": [{"authorizationToken": token, "proxyEndpoint": "https://r"}]
    }
    name = "aws:ecr/getAuthorizationToken:getAuthorizationToken"
    answer = client.call("Invoke", "InvokeRequest", tok=name, args={"registryId": "1"})
    result = plain(getattr(answer, "return"))
    assert (result["userName"], result["password"]) == ("AWS", secret("hunter2"))
    assert result["authorizationToken"] == secret(token)


def test_the_zones_are_those_that_were_asked_for_in_order(client: Client, aws: FakeAws) -> None:
    aws.script["ec2.describe_availability_zones"] = {
        "AvailabilityZones": [
            {"ZoneName": "b", "ZoneId": "2", "State": "available", "GroupName": "g"},
            {"ZoneName": "a", "ZoneId": "1", "State": "available", "GroupName": "g"},
            {"ZoneName": "c", "ZoneId": "3", "State": "unavailable", "GroupName": "g"},
            {"ZoneName": "d", "ZoneId": "4", "State": "available", "GroupName": "g"},
        ]
    }
    token = "aws:index/getAvailabilityZones:getAvailabilityZones"
    args = {"state": "available", "excludeNames": ["d"], "filters": [{"name": "zone-type", "values": ["x"]}]}
    result = plain(getattr(client.call("Invoke", "InvokeRequest", tok=token, args=args), "return"))
    assert (result["names"], result["zoneIds"], result["groupNames"]) == (["a", "b"], ["1", "2"], ["g"])
    assert aws.named("ec2.describe_availability_zones") == [{"Filters": [{"Name": "zone-type", "Values": ["x"]}]}]


def test_tags_are_added_and_taken_away_one_by_one(client: Client, aws: FakeAws) -> None:
    old = {"name": "a", "tags": {"keep": "1", "change": "1", "drop": "1"}} | DEFAULTS
    client.update(old, old | {"tags": {"keep": "1", "change": "2", "new": "1"}}, urn=GROUP, id="arn")
    assert aws.named("elbv2.add_tags")[0]["Tags"] == [
        {"Key": "change", "Value": "2"},
        {"Key": "new", "Value": "1"},
    ]
    assert aws.named("elbv2.remove_tags")[0]["TagKeys"] == ["drop"]


DEFAULTS = {"targetType": "instance", "deregistrationDelay": 300, "slowStart": 0, "region": "us-east-1"}


def test_an_update_of_what_is_gone_says_so(client: Client, aws: FakeAws) -> None:
    aws.script["elbv2.describe_target_groups"] = refusal("DescribeTargetGroups", "TargetGroupNotFound")
    old = {"name": "a"} | DEFAULTS
    with pytest.raises(Refusal, match="TargetGroup arn is not there any more"):
        client.update(old, old | {"slowStart": 30}, urn=GROUP, id="arn")
