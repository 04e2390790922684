"""Three protocols, one form of request and answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.cloudwatch import cbor, protocol
from local_aws.emulator.cloudwatch.cbor import Moment
from local_aws.emulator.cloudwatch.request import Members
from local_aws.emulator.wire import Entries, ServiceError

pytestmark = pytest.mark.pure

CBOR = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
JSON = {"x-amz-target": "GraniteServiceVersion20100801.PutMetricAlarm", "content-type": "application/x-amz-json-1.0"}
PATH = "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm"
MEMBERS = {"AlarmName": "a", "Threshold": 1.5, "ActionsEnabled": False, "AlarmActions": ["x", "y"], "Period": 60}
FORM = (
    b"Action=PutMetricAlarm&Version=2010-08-01&AlarmName=a&Threshold=1.5&ActionsEnabled=false"
    b"&AlarmActions.member.1=x&AlarmActions.member.2=y&Period=60&Dimensions=&StartTime=2026-11-21T11%3A00%3A00Z"
)


def requests() -> dict[str, protocol.Request]:
    at = Moment(1_795_258_800)
    return {
        "cbor": protocol.read(PATH, CBOR, cbor.encode({**MEMBERS, "StartTime": at}), {}),
        "json": protocol.read("/", JSON, json.dumps({**MEMBERS, "StartTime": float(at)}).encode(), {}),
        "query": protocol.read("/", {}, FORM, {}),
    }


@pytest.mark.parametrize("name", ["cbor", "json", "query"])
def test_a_request_means_the_same_in_each_protocol(name: str) -> None:
    request = requests()[name]
    members = Members(request.members)
    assert (request.protocol, request.action) == (name, "PutMetricAlarm")
    assert members.text("AlarmName") == "a"
    assert members.number("Threshold") == 1.5
    assert members.integer("Period") == 60
    assert members.flag("ActionsEnabled", True) is False
    assert members.texts("AlarmActions") == ("x", "y")
    assert members.structs("Dimensions") == ()
    assert members.moment("StartTime") == 1_795_258_800


def test_a_packed_body_is_unpacked() -> None:
    packed = gzip.compress(cbor.encode(MEMBERS))
    assert protocol.read(PATH, {**CBOR, "content-encoding": "gzip"}, packed, {}).members == MEMBERS


@pytest.mark.parametrize(
    ("headers", "body"),
    [(CBOR, b"\x62"), (CBOR, b"\x01"), (JSON, b"{"), (JSON, b"[]"), ({**CBOR, "content-encoding": "gzip"}, b"no")],
)
def test_a_body_that_cannot_be_read_is_refused(headers: Mapping[str, str], body: bytes) -> None:
    with pytest.raises(ServiceError) as caught:
        protocol.read(PATH, headers, body, {})
    assert caught.value.code == "SerializationException"


ANSWER = {
    "Label": "M",
    "Datapoints": [{"Timestamp": Moment(1_795_258_800.5), "Sum": 2.0, "ExtendedStatistics": Entries({"p95": 0.25})}],
    "NextToken": None,
}


def test_an_answer_has_times_as_each_protocol_writes_them_and_no_null() -> None:
    _, headers, body = protocol.write(protocol.Request("cbor", "GetMetricStatistics", {}), ANSWER)
    assert headers["smithy-protocol"] == "rpc-v2-cbor"
    found = cbor.decode(body)
    assert "NextToken" not in found
    assert isinstance(found["Datapoints"][0]["Timestamp"], Moment)
    _, _, body = protocol.write(protocol.Request("json", "GetMetricStatistics", {}), ANSWER)
    assert json.loads(body)["Datapoints"][0] == {
        "Timestamp": 1_795_258_800.5,
        "Sum": 2.0,
        "ExtendedStatistics": {"p95": 0.25},
    }
    _, _, body = protocol.write(protocol.Request("query", "GetMetricStatistics", {}), ANSWER)
    space = {"a": protocol.NAMESPACE}
    point = ElementTree.fromstring(body).find(".//a:Datapoints/a:member", space)
    assert point is not None
    assert point.findtext("a:Timestamp", namespaces=space) == "2026-11-21T11:00:00.500Z"
    assert point.findtext("a:ExtendedStatistics/a:entry/a:key", namespaces=space) == "p95"
    assert point.findtext("a:ExtendedStatistics/a:entry/a:value", namespaces=space) == "0.25"


def test_an_error_carries_its_code_where_each_protocol_looks_for_it() -> None:
    error = ServiceError("ResourceNotFound", "gone", 404)
    for name in ("cbor", "json"):
        status, headers, _ = protocol.refuse(name, error)  # type: ignore[arg-type]
        assert (status, headers["x-amzn-query-error"]) == (404, "ResourceNotFound;Sender")
    assert b"<Code>ResourceNotFound</Code>" in protocol.refuse("query", error)[2]


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "x", 0, -1, 1.5, float("nan"), float("inf"), True, [], [1], ["x"], {}, {"a": 1}, b"x", 10**400]
)


@given(ODD, st.sampled_from(["text", "number", "integer", "moment", "struct", "structs", "texts", "numbers"]))
def test_a_member_of_the_wrong_kind_is_refused_and_nothing_worse(value: Any, kind: str) -> None:
    with suppress(ServiceError):
        getattr(Members({"It": value}), kind)("It")
