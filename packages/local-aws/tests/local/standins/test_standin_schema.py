"""Tables of properties: what is refused, what is filled in, and what a refresh sees."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.standins.drift import seen_through
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, Table, filled, problems
from provider_kit import UNKNOWN

pytestmark = pytest.mark.pure

TABLE: Table = {
    "name": Prop("Name", replace=True),
    "size": Prop("Size", default=3),
    "port": Prop("Port", text=True),
    "policy": Prop("Policy", json=True),
    "check": Prop("Check", fields={"path": Prop("Path"), "interval": Prop("Interval", default=30)}),
    "rules": Prop("Rules", fields={"weight": Prop("Weight", default=1), "arn": Prop("Arn")}),
    "own": Prop(unordered=True),
}


@pytest.mark.parametrize(
    ("inputs", "where"),
    [
        ({"colour": 1}, ["colour"]),
        ({"check": {"Path": "/"}}, ["check.Path"]),
        ({"rules": [{"weight": 1}, {"wieght": 1}]}, ["rules[1].wieght"]),
        ({"check": "text"}, ["check"]),
        ({"policy": "{"}, ["policy"]),
        ({"name": UNKNOWN, "check": UNKNOWN, "rules": [UNKNOWN], "policy": UNKNOWN}, []),
        ({"check": None}, []),
    ],
)
def test_what_the_table_does_not_hold_is_named_with_its_path(inputs: dict[str, Any], where: list[str]) -> None:
    assert [path for path, _ in problems(TABLE, inputs, "pulumi-x")] == where


def test_a_refusal_says_what_is_taken() -> None:
    ((_, why),) = problems({"a": Prop(), "b": Prop()}, {"c": 1}, "pulumi-x")
    assert why == "is not served by the local cloud's stand-in for pulumi-x; it takes: a, b"


def test_defaults_are_filled_in_at_every_depth_and_values_take_their_normal_form() -> None:
    inputs = {
        "port": 80,
        "policy": {"b": 1, "a": 2},
        "check": {"path": "/"},
        "rules": [{"arn": "x"}, UNKNOWN],
        "name": None,
    }
    assert filled(TABLE, inputs) == {
        "size": 3,
        "port": "80",
        "policy": '{"a":2,"b":1}',
        "check": {"path": "/", "interval": 30},
        "rules": [{"arn": "x", "weight": 1}, UNKNOWN],
    }


def test_filling_in_twice_changes_nothing() -> None:
    once = filled(TABLE, {"port": 80, "policy": '{ "a": 1 }', "check": {"path": "/"}})
    assert filled(TABLE, once) == once


def test_what_goes_to_the_api_comes_back() -> None:
    values = {"name": "a", "size": 1, "check": {"path": "/", "interval": 5}, "rules": [{"weight": 2, "arn": "x"}]}
    api = to_api(TABLE, values | {"own": "kept here"})
    assert api == {
        "Name": "a",
        "Size": 1,
        "Check": {"Path": "/", "Interval": 5},
        "Rules": [{"Weight": 2, "Arn": "x"}],
    }
    assert from_api(TABLE, api | {"More": 1}) == values


def test_a_refresh_shows_what_was_asked_for_as_it_is_now() -> None:
    inputs = {"name": "a", "check": {"path": "/"}, "own": ["b", "a"]}
    live = {"name": "b", "size": 9, "check": {"path": "/other", "interval": 5}, "own": ["a", "b"]}
    assert seen_through(TABLE, inputs, live) == {"name": "b", "check": {"path": "/other"}, "own": ["b", "a"]}


def test_a_refresh_sees_elements_that_came_and_went() -> None:
    inputs = {"own": ["a"], "rules": [{"arn": "x"}]}
    live = {"own": ["a", "b"], "rules": []}
    assert seen_through(TABLE, inputs, live) == live


def test_an_import_takes_everything_that_is_live() -> None:
    live = {"name": "a", "size": 9, "check": {}, "unheard": 1}
    assert seen_through(TABLE, {}, live) == {"name": "a", "size": 9}
