"""What is recorded, asked for and live, compared by a table."""

from __future__ import annotations

import pytest
from local_aws.standins.drift import recorded, seen_through
from local_aws.standins.schema import Prop, Table, missing
from provider_kit import UNKNOWN, Props
from provider_kit.diffs import structural

pytestmark = pytest.mark.pure

RULE: Table = {"port": Prop(required=True), "order": Prop(computed=True), "groups": Prop(unordered=True)}
TABLE: Table = {
    "name": Prop(required=True),
    "size": Prop(default=1),
    "tags": Prop(),
    "zone": Prop(computed=True),
    "keep": Prop(unread=True),
    "spread": Prop(unset="NONE"),
    "groups": Prop(unordered=True),
    "rules": Prop(fields=RULE, unordered=True),
    "check": Prop(fields={"path": Prop(required=True), "timeout": Prop(computed=True)}),
}


def changes(inputs: Props, outputs: Props, asked: Props) -> list[str]:
    return [change.path for change in structural(recorded(TABLE, inputs, outputs, asked), asked)]


@pytest.mark.parametrize(
    ("inputs", "outputs", "asked", "expected"),
    [
        ({"name": "a"}, {}, {"name": "b"}, ["name"]),
        # what AWS filled in stays, and is a change only when another one is asked for
        ({"name": "a"}, {"zone": "z1"}, {"name": "a"}, []),
        ({"name": "a", "zone": "z1"}, {"zone": "z1"}, {"name": "a"}, []),
        ({"name": "a"}, {"zone": "z1"}, {"name": "a", "zone": "z1"}, []),
        ({"name": "a"}, {"zone": "z1"}, {"name": "a", "zone": "z2"}, ["zone"]),
        ({"check": {"path": "/", "timeout": 5}}, {}, {"check": {"path": "/"}}, []),
        ({}, {"check": {"path": "/", "timeout": 5}}, {"check": {"path": "/"}}, []),
        # what a refresh found in addition to the inputs is removed
        ({"name": "a"}, {"tags": {"by": "hand"}}, {"name": "a"}, ["tags"]),
        ({"name": "a"}, {"tags": {}, "spread": "NONE", "keep": True}, {"name": "a"}, []),
        ({"name": "a"}, {"spread": "ALL"}, {"name": "a"}, ["spread"]),
        # the order of sets, at any depth
        ({"groups": ["a", "b"]}, {}, {"groups": ["b", "a"]}, []),
        ({"groups": ["a", "b"]}, {}, {"groups": ["b", "c"]}, ["groups[1]"]),
        ({"rules": [{"port": 1}, {"port": 2}]}, {}, {"rules": [{"port": 2}, {"port": 1}]}, []),
        ({"rules": [{"port": 1, "order": 7}]}, {}, {"rules": [{"port": 1}]}, []),
        # an unknown may be a change
        ({"groups": ["a"]}, {}, {"groups": [UNKNOWN]}, ["groups[0]"]),
        # a property that an older table had
        ({"name": "a", "gone": False}, {}, {"name": "a"}, []),
        # nothing given, in two spellings
        ({"name": "a", "spread": ""}, {}, {"name": "a"}, []),
    ],
)
def test_what_an_update_would_change(inputs: Props, outputs: Props, asked: Props, expected: list[str]) -> None:
    assert changes(inputs, outputs, asked) == expected


@pytest.mark.parametrize(
    ("inputs", "live", "seen"),
    [
        ({"name": "a"}, {"name": "b", "tags": {"by": "hand"}}, {"name": "b"}),
        ({"tags": {"a": "1"}}, {}, {}),  # taken away by hand
        ({"size": 0, "spread": ""}, {}, {"size": 0, "spread": ""}),  # AWS does not say that nothing was given
        ({"keep": True}, {}, {"keep": True}),
        ({"groups": ["a", "b"]}, {"groups": ["b", "a"]}, {"groups": ["a", "b"]}),
        ({"groups": ["a", "b"]}, {"groups": ["c", "a"]}, {"groups": ["a", "c"]}),
        (
            {"rules": [{"port": 1}, {"port": 2}]},
            {"rules": [{"port": 2, "order": 1}, {"port": 1, "order": 2}]},
            {"rules": [{"port": 1}, {"port": 2}]},
        ),
        ({}, {"name": "a", "tags": {}, "spread": "NONE", "zone": "z"}, {"name": "a", "zone": "z"}),  # an import
    ],
)
def test_what_a_refresh_records_as_inputs(inputs: Props, live: Props, seen: Props) -> None:
    assert seen_through(TABLE, inputs, live) == seen


def test_what_is_required_is_named_with_its_path() -> None:
    inputs = {"rules": [{"port": 1}, {}], "check": {"timeout": 1}}
    assert [path for path, _ in missing(TABLE, inputs)] == ["name", "rules[1].port", "check.path"]
    assert list(missing(TABLE, {"name": UNKNOWN, "rules": UNKNOWN, "check": UNKNOWN})) == []
