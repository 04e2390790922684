"""The wire: requests as botocore writes them, answers as botocore reads them, checked against AWS's own model."""

from __future__ import annotations

import asyncio
import re
import xml.etree.ElementTree as tree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from local_aws.emulator.elbv2 import api
from local_aws.emulator.elbv2.actions import ACTIONS
from local_aws.emulator.elbv2.service import Service
from local_aws.emulator.elbv2.store import Store
from local_aws.emulator.query import Scope, scope_of
from tests.local.emulator.elbv2.requests import EVERYTHING, FIXED, beside, forward
from tests.local.emulator.elbv2.test_service import FakeEdge

pytestmark = pytest.mark.provider  # writes a state file

MODEL = botocore.session.get_session().get_service_model("elbv2")
SCOPE = Scope("000000000000", "us-east-1")


class Wire:
    """boto3 without HTTP: serialises, calls, checks every element against the model, parses."""

    def __init__(self, folder: Path) -> None:
        self.service = Service(Store(folder / "state.json"), FakeEdge(), beside())
        self.service.start()

    def send(self, operation: str, **members: Any) -> tuple[int, bytes]:
        form = create_serializer("query").serialize_to_request(members, MODEL.operation_model(operation))["body"]
        body = "&".join(f"{key}={_quoted(value)}" for key, value in form.items())
        status, headers, content = api.answer(self.service, body, SCOPE)
        assert headers["Content-Type"] == "text/xml"
        return status, content

    def __call__(self, operation: str, **members: Any) -> Any:
        status, content = self.send(operation, **members)
        shape = MODEL.operation_model(operation).output_shape
        assert shape is not None
        result = tree.fromstring(content).find(f"{{{api.NAMESPACE}}}{operation}Result")
        assert status == 200, content
        assert result is not None
        strangers = list(unknown(result, shape, operation))
        assert strangers == []
        return create_parser("query").parse({"body": content, "headers": {}, "status_code": status}, shape)


def _quoted(value: Any) -> str:
    from urllib.parse import quote

    return quote(str(value))


def unknown(element: tree.Element, shape: Shape, path: str) -> Iterator[str]:
    """Elements of an answer that AWS's model does not have, which boto3 would drop without a word."""
    match shape:
        case StructureShape():
            for child in element:
                name = child.tag.rpartition("}")[2]
                if name not in shape.members:
                    yield f"{path}.{name}"
                else:
                    yield from unknown(child, shape.members[name], f"{path}.{name}")
        case ListShape():
            for child in element:
                if not child.tag.endswith("}member"):
                    yield f"{path}: {child.tag}"
                yield from unknown(child, shape.member, f"{path}[]")


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    return Wire(tmp_path)


def test_a_whole_life_is_reported_in_awss_shapes(wire: Wire) -> None:
    balancer = wire("CreateLoadBalancer", Name="lb", Subnets=["subnet-a", "subnet-b"], SecurityGroups=["sg-1"])
    arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    common = {"Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1", "TargetType": "ip"}
    blue = wire("CreateTargetGroup", Name="blue", **common)["TargetGroups"][0]["TargetGroupArn"]
    green = wire("CreateTargetGroup", Name="green", Matcher={"HttpCode": "200-299"}, **common)
    green = green["TargetGroups"][0]["TargetGroupArn"]
    wire("ModifyTargetGroup", TargetGroupArn=green, HealthCheckPath="/up?a&b<x>")
    listener = wire("CreateListener", LoadBalancerArn=arn, Port=80, Protocol="HTTP", DefaultActions=[FIXED])
    listener = listener["Listeners"][0]["ListenerArn"]
    rule = wire(
        "CreateRule",
        ListenerArn=listener,
        Priority=1,
        Conditions=[EVERYTHING],
        Actions=[forward((blue, 100), (green, 0))],
        Tags=[{"Key": "phase", "Value": "shift"}],
    )["Rules"][0]["RuleArn"]
    wire("ModifyRule", RuleArn=rule, Actions=[forward((blue, 0), (green, 100))])
    wire("SetRulePriorities", RulePriorities=[{"RuleArn": rule, "Priority": 7}])
    wire("RegisterTargets", TargetGroupArn=blue, Targets=[{"Id": "10.0.0.1", "Port": 8080}])
    wire("DeregisterTargets", TargetGroupArn=blue, Targets=[{"Id": "10.0.0.1"}])
    shown = wire("DescribeRules", ListenerArn=listener)["Rules"]
    assert [one["Priority"] for one in shown] == ["7", "default"]
    assert shown[0]["Actions"][0]["ForwardConfig"]["TargetGroups"][1] == {"TargetGroupArn": green, "Weight": 100}
    for operation, members in {
        "DescribeLoadBalancers": {},
        "DescribeLoadBalancerAttributes": {"LoadBalancerArn": arn},
        "DescribeCapacityReservation": {"LoadBalancerArn": arn},
        "SetSecurityGroups": {"LoadBalancerArn": arn, "SecurityGroups": ["sg-2"]},
        "SetSubnets": {"LoadBalancerArn": arn, "Subnets": ["subnet-a", "subnet-c"]},
        "SetIpAddressType": {"LoadBalancerArn": arn, "IpAddressType": "ipv4"},
        "DescribeTargetGroups": {"LoadBalancerArn": arn},
        "DescribeTargetGroupAttributes": {"TargetGroupArn": blue},
        "DescribeTargetHealth": {"TargetGroupArn": blue},
        "DescribeListeners": {"LoadBalancerArn": arn},
        "DescribeListenerAttributes": {"ListenerArn": listener},
        "DescribeListenerCertificates": {"ListenerArn": listener},
        "DescribeTags": {"ResourceArns": [arn, rule]},
        "DeleteRule": {"RuleArn": rule},
        "DeleteListener": {"ListenerArn": listener},
        "DeleteTargetGroup": {"TargetGroupArn": blue},
        "DeleteLoadBalancer": {"LoadBalancerArn": arn},
    }.items():
        wire(operation, **members)


@pytest.mark.parametrize("operation", sorted(ACTIONS))
def test_every_action_is_one_of_awss(operation: str) -> None:
    assert operation in MODEL.operation_names


def test_an_error_is_reported_as_aws_does(wire: Wire) -> None:
    status, content = wire.send("DeleteListener", ListenerArn="arn:<none>")
    parsed = create_parser("query").parse(
        {"body": content, "headers": {}, "status_code": status}, Shape("none", {"type": "structure"})
    )
    assert status == 400
    assert parsed["Error"] == {
        "Type": "Sender",
        "Code": "ListenerNotFound",
        "Message": "One or more listeners not found: arn:<none>",
    }
    assert re.fullmatch(r"[0-9a-f-]{36}", parsed["ResponseMetadata"]["RequestId"])


def test_an_action_that_does_not_exist_is_invalid(wire: Wire) -> None:
    status, _, content = api.answer(wire.service, "Action=Explode&Version=2015-12-01", SCOPE)
    assert status == 400
    assert b"<Code>InvalidAction</Code>" in content


def test_a_fault_of_ours_is_not_the_callers(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise KeyError("oops")

    monkeypatch.setitem(ACTIONS, "DescribeRules", fail)
    status, _, content = api.answer(wire.service, "Action=DescribeRules", SCOPE)
    assert status == 500
    assert b"<Type>Receiver</Type><Code>InternalFailure</Code>" in content


def test_account_and_region_come_from_the_signature() -> None:
    def scope(key: str) -> Scope:
        signed = f"AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/elasticloadbalancing/aws4_request, …"
        return scope_of({"Authorization": signed})

    assert scope("123456789012") == Scope("123456789012", "eu-west-1")
    assert scope("test") == Scope("000000000000", "eu-west-1")
    assert scope_of({}) == SCOPE


def test_nothing_is_answered_before_it_is_started() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        asyncio.run(api.handle_request("POST", "/", {}, b"Action=DescribeRules", {}))
