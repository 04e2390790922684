"""CBOR as boto3 writes and reads it."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.cloudwatch.cbor import Malformed, Moment, decode, encode

pytestmark = pytest.mark.pure

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.floats(0, 4e9).map(Moment),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read_again(value: Any) -> None:
    read = decode(encode(value))
    assert read == value
    assert type(read) is type(value)


@given(st.binary(max_size=60))
def test_anything_else_is_malformed_and_nothing_worse(data: bytes) -> None:
    with suppress(Malformed, RecursionError):
        decode(data)


# RFC 8949, appendix A
@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", 0),
        ("1903e8", 1000),
        ("20", -1),
        ("3903e7", -1000),
        ("f93c00", 1.0),
        ("fa47c35000", 100000.0),
        ("fb3ff199999999999a", 1.1),
        ("f97c00", math.inf),
        ("f6", None),
        ("f7", None),
        ("c11a514b67b0", Moment(1363896240)),
        ("c1fb41d452d9ea07ae14", Moment(1363896232.12)),
        ("6449455446", "IETF"),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
        ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
        ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}),
        ("7f657374726561646d696e67ff", "streaming"),
        ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
    ],
)
def test_the_examples_of_the_standard_are_read(data: str, value: Any) -> None:
    read = decode(bytes.fromhex(data))
    assert read == value
    assert type(read) is type(value)  # a time is no mere number


@pytest.mark.parametrize(
    "data", ["", "19", "62c328", "a101", "ff", "0000", "c1616a", "9f01", "bf6161ff", "bb7fffffffffffffff"]
)
def test_what_is_cut_off_or_wrong_is_malformed(data: str) -> None:
    with pytest.raises(Malformed):
        decode(bytes.fromhex(data))
