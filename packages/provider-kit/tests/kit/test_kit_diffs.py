"""What counts as a change, what replaces, and what is ignored."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_kit import UNKNOWN, Change, structural
from provider_kit.diffs import format_path, parse_path
from tests.kit.test_kit_values import NAMES, VALUES

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": None}, {}, []),
        ({}, {"a": 1}, [Change("a", "add")]),
        ({"a": 1}, {}, [Change("a", "delete")]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [Change("a.c")]),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, [Change("a[1]"), Change("a[2]", "add")]),
        ({"a": [1, 2]}, {"a": [1]}, [Change("a[1]", "delete")]),
        ({"a": {"x.y": 1}}, {"a": {"x.y": 2}}, [Change('a["x.y"]')]),
        ({"a": {"b": 1}}, {"a": "text"}, [Change("a")]),
        ({"a": True}, {"a": 1}, [Change("a")]),
        ({"a": "known"}, {"a": UNKNOWN}, [Change("a")]),
        ({"a": {"b": 1}}, {"a": {"b": UNKNOWN}}, [Change("a.b")]),
        ({}, {"a": UNKNOWN}, [Change("a", "add")]),
    ],
)
def test_each_difference_is_one_change_with_its_path(
    old: dict[str, Any], new: dict[str, Any], changes: list[Change]
) -> None:
    assert structural(old, new) == changes


def test_a_change_below_a_property_that_replaces_is_a_replacement() -> None:
    changes = structural({"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "c": 2}, replace_on={"a"})
    assert changes == [Change("a.b", replace=True), Change("c")]


@pytest.mark.parametrize("ignored", ["rules", "rules[0]", "rules[0].weight", "rules[*].weight", "*"])
def test_an_ignored_path_covers_what_is_below_it(ignored: str) -> None:
    old, new = {"rules": [{"weight": 1}]}, {"rules": [{"weight": 2}]}
    assert structural(old, new) == [Change("rules[0].weight")]
    assert structural(old, new, ignore=[ignored]) == []


@pytest.mark.parametrize("other", ["rule", "rules[1]", "rules[0].weight.x", "weight"])
def test_another_path_ignores_nothing(other: str) -> None:
    assert structural({"rules": [{"weight": 1}]}, {"rules": [{"weight": 2}]}, ignore=[other])


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=4))
def test_no_change_means_that_nothing_differs(old: dict[str, Any], new: dict[str, Any]) -> None:
    if structural(old, new) == []:
        assert _bare(old) == _bare(new)
    assert all(change.top in old.keys() | new.keys() for change in structural(old, new))


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        items = [_bare(item) for item in value]
        while items and items[-1] is None:
            items.pop()
        return items
    return value


SEGMENTS = st.text(min_size=1, max_size=5) | st.integers(0, 99)


@given(st.text("abc", min_size=1), st.lists(SEGMENTS, max_size=4))
def test_a_path_that_is_written_can_be_read(top: str, rest: list[str | int]) -> None:
    path = (top, *rest)
    assert parse_path(format_path(path)) == path
