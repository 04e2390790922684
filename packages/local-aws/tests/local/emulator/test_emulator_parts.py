"""The emulator's pure parts: the wire, state as JSON, what is refused at the start, what is worth storing."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.__main__ import CORRECTED, MINISTACK, REPLACED, Unfit, check_ministack
from local_aws.emulator.durable import action_of, changes
from local_aws.emulator.ecs.model import (
    Container,
    Deployment,
    DeploymentRules,
    Event,
    LoadBalancer,
    RolloutState,
    Service,
    StopCode,
    Task,
    TaskStatus,
)
from local_aws.emulator.environment import Environment
from local_aws.emulator.wire import ServiceError, decode, encode, json_error, query_error, query_response

pytestmark = pytest.mark.pure

CONTAINER = Container(name="app", image="i", essential=True, arn="c", image_digest="sha256:1", exit_code=0)
BALANCER = LoadBalancer(target_group="group", container="app", port=8080)
TASK = Task(
    arn="arn/task/1",
    cluster="cluster",
    task_definition="definition",
    group="service:web",
    started_by="ecs-svc/1",
    containers=(CONTAINER, replace(CONTAINER, name="second", exit_code=None)),
    created_at=1.5,
    network={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    load_balancers=(BALANCER,),
    last_status=TaskStatus.STOPPED,
    stop_code=StopCode.CONTAINER_EXITED,
)
DEPLOYMENT = Deployment(
    id="ecs-svc/1",
    task_definition="definition",
    load_balancers=(BALANCER,),
    network={},
    created_at=1.0,
    updated_at=2.0,
    rollout=RolloutState.FAILED,
)
SERVICE = Service(
    arn="service",
    name="web",
    cluster="cluster",
    desired=2,
    rules=DeploymentRules(breaker=True),
    grace=3.0,
    created_at=1.0,
    deployments=(DEPLOYMENT, replace(DEPLOYMENT, id="ecs-svc/0")),
    events=(Event(id="e", at=1.0, message="said"),),
    completed=DEPLOYMENT,
    tags={"a": "b"},
)


@pytest.mark.parametrize("value", [TASK, SERVICE, replace(SERVICE, completed=None)], ids=["task", "service", "fresh"])
def test_state_is_the_same_after_json(value: Task | Service) -> None:
    assert decode(type(value), json.loads(json.dumps(encode(value)))) == value


@given(st.dictionaries(st.sampled_from(["Name", "Value"]), st.text(alphabet=st.characters(codec="ascii"))))
def test_xml_answers_carry_any_text(result: dict[str, str]) -> None:
    printable = {key: "".join(c for c in text if c.isprintable()) for key, text in result.items()}
    _, _, body = query_response("DescribeThings", printable, "urn:n")
    found = ElementTree.fromstring(body).find("{urn:n}DescribeThingsResult")
    assert found is not None
    assert {child.tag.removeprefix("{urn:n}"): child.text or "" for child in found} == printable


def test_lists_are_members_booleans_lower_case_and_none_is_left_out() -> None:
    _, _, body = query_response("Act", {"Items": [{"On": True}, {"On": False}], "Gone": None}, "urn:n")
    assert b"<Items><member><On>true</On></member><member><On>false</On></member></Items>" in body
    assert b"Gone" not in body


def test_errors_have_the_code_where_sdks_look_for_it() -> None:
    error = ServiceError("ThingNotFound", "No <thing>.", 404)
    status, headers, body = json_error(error)
    assert (status, headers["Content-Type"]) == (404, "application/x-amz-json-1.1")
    assert body == b'{"__type": "ThingNotFound", "message": "No <thing>."}'
    assert b"<Code>ThingNotFound</Code><Message>No &lt;thing&gt;.</Message>" in query_error(error, "urn:n")[2]


def test_environment_has_defaults_and_refuses_a_time_that_stands_still() -> None:
    read = Environment.read({"LOCAL_CLOUD_ID": "abc"})
    assert (read.port, read.cloud_id, read.network, read.time_scale) == (4566, "abc", "local-aws", 0.1)
    with pytest.raises(ValueError, match="LOCAL_TIME_SCALE"):
        Environment.read({"LOCAL_TIME_SCALE": "0"})


TABLE = dict.fromkeys((*REPLACED, *CORRECTED))


def test_only_the_known_ministack_is_fit() -> None:
    check_ministack(MINISTACK, TABLE)
    with pytest.raises(Unfit, match=r"not 1\.5\.33"):
        check_ministack("1.5.34", TABLE)
    with pytest.raises(Unfit, match="no service 'elasticloadbalancing'"):
        check_ministack(MINISTACK, {"ecs": None})


@pytest.mark.parametrize(
    ("method", "headers", "body", "stored"),
    [
        ("POST", {"x-amz-target": "AmazonEC2ContainerRegistry_V20150921.CreateRepository"}, b"{}", True),
        ("POST", {"x-amz-target": "AmazonEC2ContainerRegistry_V20150921.DescribeImages"}, b"{}", False),
        ("POST", {"x-amz-target": "Logs_20140328.CreateLogGroup"}, b"{}", True),
        ("POST", {"x-amz-target": "Logs_20140328.PutLogEvents"}, b"{}", False),
        ("POST", {}, b"Action=CreateVpc&Version=1", True),
        ("POST", {}, b"Version=1&Action=DescribeVpcs", False),
        ("PUT", {}, b"", True),
        ("GET", {}, b"", False),
    ],
)
def test_changes_are_stored_and_reads_are_not(method: str, headers: dict[str, str], body: bytes, stored: bool) -> None:
    assert changes(method, action_of(headers, body, {})) is stored
