"""What an image says of a schema's revisions, and what a state holds of an environment's migrations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from release_lane.record.contract import Contract
from release_lane.record.revisions import LEADS_TO, NEEDS, PASSED, PROVIDES, Migration, Revisions, Schema

pytestmark = pytest.mark.pure

FAMILY = "shop-staging-migration"


@pytest.mark.parametrize(
    ("labels", "read"),
    [
        ({NEEDS: "r1, r2", PROVIDES: "r2"}, Revisions(needs=("r1", "r2"), provides="r2")),
        ({NEEDS: "r1 r2"}, Revisions(needs=("r1", "r2"))),
        ({PROVIDES: " r2 "}, Revisions(provides="r2")),
        ({NEEDS: "", "other": "x"}, None),
    ],
)
def test_they_are_what_an_image_declares(labels: dict[str, str], read: Revisions | None) -> None:
    assert Revisions.of(Contract.of(labels, "an image")) == read


def test_revisions_are_read_back_and_nothing_is_what_earlier_versions_wrote() -> None:
    known = Revisions(needs=("r1",), provides="r1")
    assert Revisions.from_dict(known.as_dict()) == known
    assert Revisions.from_dict(None) is None


def state(*, passed: list[str] | None = None, begun: str | None = None, family: str = FAMILY) -> dict[str, Any]:
    """The resources of a state: the gate, and the migration's task definition, as far as they are there."""
    label = {} if begun is None else {"dockerLabels": {LEADS_TO: begun}}
    other = {"family": "shop-staging-blue", "containerDefinitions": json.dumps([{"name": "app"}])}
    definition = {"family": family, "containerDefinitions": json.dumps([{"name": "migration", **label}])}
    kind = "aws:ecs/taskDefinition:TaskDefinition"
    return {
        "urn:1": {"type": kind, "outputs": other},
        "urn:2": {"type": kind, "outputs": definition},
        **({"urn:3": {"type": "release:index:Migration", "outputs": {PASSED: passed}}} if passed else {}),
        "urn:4": {"type": "pulumi:pulumi:Stack"},
    }


@pytest.mark.parametrize(
    ("resources", "possible"),
    [
        ({}, ()),
        (state(passed=["r1"], begun="r1"), ("r1",)),
        (state(passed=["r1", "r2"], begun="r3"), ("r2", "r3")),
        (state(passed=["r1"]), ("r1",)),
        (state(begun="r1"), ()),
        (state(passed=["r1"], begun=""), ()),
        (state(passed=["r1", ""], begun="r2"), ()),
        (state(passed=["r1"], begun="r9", family="shop-production-migration"), ("r1",)),
    ],
    ids=[
        "nothing ran",
        "at r1",
        "to r3 did not succeed",
        "none began here",
        "the first did not succeed",
        "one without a label did not succeed",
        "one without a label succeeded",
        "another environment's",
    ],
)
def test_where_a_schema_may_be_is_what_succeeded_last_and_what_began_last(
    resources: dict[str, Any], possible: tuple[str, ...]
) -> None:
    assert Schema.from_resources(resources, FAMILY).possible == possible


def test_a_schema_leaves_a_revision_and_passes_each_once() -> None:
    schema = Schema(passed=("r1", "r2"), begun="r2")
    assert (schema.left("r1"), schema.left("r2"), schema.left("r3")) == (True, False, False)
    assert (schema.after("r2"), schema.after("r3")) == (("r1", "r2"), ("r1", "r2", "r3"))
    assert Schema(passed=("",)).after("") == ("", "")


def test_a_migration_says_where_it_leads() -> None:
    assert Migration(before="r1", to="r2").words() == "from r1 to r2"
    assert "unknown revision to a revision that its image does not name" in Migration(before="", to="").words()
