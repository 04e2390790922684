"""The query protocol's flat parameters."""

from __future__ import annotations

import pytest
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.query import parse
from local_aws.emulator.wire import ServiceError

pytestmark = pytest.mark.pure


def test_members_nest_and_lists_keep_their_order() -> None:
    params = Params(parse("A.member.10.K=x&A.member.2.K=y&B.C=z&D.member.1=one&D.member.2=two"))
    assert [one.text("K") for one in params.structs("A")] == ["y", "x"]
    inner = params.struct("B")
    assert inner is not None
    assert inner.text("C") == "z"
    assert params.texts("D") == ("one", "two")


def test_an_empty_list_as_botocore_sends_it_is_no_list() -> None:
    assert Params(parse("Tags=")).structs("Tags") == ()


def test_keys_that_contradict_each_other_do_not_break_the_parser() -> None:
    assert Params(parse("A=1&A.B=2&A.member.x=3&A.member.1=4")).texts("A") == ("4",)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "Value null at 'port' failed to satisfy constraint: Member must not be null"),
        ("Port=", "Member must not be null"),
    ],
)
def test_a_missing_member_is_named_as_aws_names_it(body: str, said: str) -> None:
    with pytest.raises(ServiceError, match=said) as caught:
        Params(parse(body)).required("Port")
    assert caught.value.code == "ValidationError"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "greater than or equal to 1"),
        ("70000", "less than or equal to 65535"),
        ("x", "integer"),
        ("1e3", "integer"),
    ],
)
def test_numbers_are_checked(text: str, said: str) -> None:
    with pytest.raises(ServiceError, match=said):
        Params({"Port": text}).number("Port", 80, 1, 65535)


def test_a_parameter_that_would_not_be_honoured_is_refused() -> None:
    with pytest.raises(ServiceError, match="does not carry the parameter SslPolicy"):
        Params({"Port": "1", "SslPolicy": "x"}).only("Port")
    Params({"Port": "1", "SslPolicy": ""}).only("Port")


def test_a_member_deep_inside_is_named_by_its_path() -> None:
    (tag,) = Params(parse("Tags.member.1.Value=x")).structs("Tags")
    with pytest.raises(ServiceError, match=r"'Tags\.1\.key'"):
        tag.required("Key")
