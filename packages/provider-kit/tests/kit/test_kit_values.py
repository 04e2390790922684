"""Values survive the wire: unknowns, secrets, numbers, nothing added and nothing lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_kit import UNKNOWN, has_unknown
from provider_kit.stubs import provider_pb2
from provider_kit.values import SECRET, SIGNATURE, UNKNOWNS, decode, encode, revealing

pytestmark = pytest.mark.pure

LEAVES = (
    st.text(max_size=20)
    | st.booleans()
    | st.integers(-(2**50), 2**50)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
    | st.just(UNKNOWN)
)
NAMES = st.text("abcXYZ.$- é", min_size=1, max_size=6).filter(lambda name: not name.startswith("__"))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner | st.none(), max_size=3) | st.dictionaries(NAMES, inner | st.none(), max_size=3),
    max_leaves=8,
)


def struct() -> Any:
    return provider_pb2.CreateRequest().properties


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_every_value_comes_back_as_it_went(props: dict[str, Any]) -> None:
    assert decode(encode(props, struct())) == (props, frozenset())


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=4), st.data())
def test_a_secret_property_comes_back_with_its_mark(props: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(props)))
    assert decode(encode(props, struct(), {(name,)})) == (props, frozenset({(name,)}))


@pytest.mark.parametrize("sentinel", sorted(UNKNOWNS))
def test_each_kind_of_unknown_is_UNKNOWN(sentinel: str) -> None:
    sent = struct()
    sent["deep"] = {"list": [sentinel]}
    assert decode(sent)[0] == {"deep": {"list": [UNKNOWN]}}


def test_an_unknown_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError, match="not known yet"):
        bool(UNKNOWN)
    assert UNKNOWN != "anything"


@pytest.mark.parametrize("value", [UNKNOWN, {"a": [{"b": UNKNOWN}]}, [[UNKNOWN]]])
def test_an_unknown_is_found_at_any_depth(value: Any) -> None:
    assert has_unknown(value)


def test_known_values_hold_no_unknown() -> None:
    assert not has_unknown({"a": [1, None, {"b": "c"}]})


def test_a_secret_inside_a_map_is_marked_there_and_one_inside_a_list_marks_the_list() -> None:
    sent = struct()
    secret = {SIGNATURE: SECRET, "value": "hunter2"}
    sent["env"] = {"PASSWORD": secret, "NAME": "a"}
    sent["words"] = ["a", secret]
    props, secrets = decode(sent)
    assert props == {"env": {"PASSWORD": "hunter2", "NAME": "a"}, "words": ["a", "hunter2"]}
    assert secrets == {("env", "PASSWORD"), ("words",)}


def test_a_map_with_a_secret_that_turned_into_text_is_a_secret_as_a_whole() -> None:
    sent = encode({"env": '{"PASSWORD": "hunter2"}'}, struct(), {("env", "PASSWORD")})
    assert decode(sent)[1] == {("env",)}


def test_the_engines_own_keys_and_nulls_at_the_top_are_left_out() -> None:
    sent = struct()
    sent["__defaults"] = ["x"]
    sent["gone"] = None
    sent["kept"] = {"null": None}
    assert decode(sent)[0] == {"kept": {"null": None}}
    assert decode(encode({"gone": None, "kept": 1}, struct()))[0] == {"kept": 1}


def test_a_value_that_cannot_travel_is_named() -> None:
    with pytest.raises(TypeError, match=r"property a\.b: set cannot be sent"):
        encode({"a": {"b": {1}}}, struct())


def test_what_is_derived_from_a_secret_is_found_wherever_it_stands() -> None:
    values = {"name": "my-secret-name", "tags": {"word": "abc"}, "plain": "abc"}
    secrets = frozenset({("name",), ("tags", "word")})
    outputs = {
        "name": "my-secret-name",
        "arn": "arn:x/my-secret-name",
        "tagsAll": {"word": "abc", "more": "abcd"},
        "list": ["x", {"y": "abc"}],
        "number": 1,
    }
    assert revealing(outputs, values, secrets) == {("name",), ("arn",), ("tagsAll", "word"), ("list",)}
    assert revealing(outputs, values, frozenset()) == frozenset()
