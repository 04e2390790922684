"""As whom a stack's settings say that AWS is spoken to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from release_lane.record.names import Access, Names
from release_lane.settings.credentials import VARIABLES, access_of, problems

pytestmark = pytest.mark.pure

ROLE = "arn:aws:iam::123456789012:role/deploy"
FULL: dict[str, Any] = {
    "aws:region": "eu-west-1",
    "aws:profile": "deploy",
    "aws:assumeRoles": [{"roleArn": ROLE, "externalId": "x1", "sessionName": "ci"}],
}


@pytest.mark.parametrize(
    "config", [FULL, {**FULL, "aws:assumeRoles": json.dumps(FULL["aws:assumeRoles"])}], ids=["file", "engine"]
)
def test_program_and_command_read_the_same_from_engine_and_file(config: dict[str, Any]) -> None:
    assert problems(config) == []
    assert access_of(config, "123456789012") == Access(
        region="eu-west-1", account="123456789012", role=ROLE, profile="deploy", external_id="x1", session_name="ci"
    )


def test_it_reaches_the_gates_whole() -> None:
    access = access_of(FULL, "123456789012")
    names = Names.of_stack("p", "s", access=access)
    assert Names.from_dict(names.as_dict()).access == Access.from_dict(access.as_dict()) == access


def test_without_any_of_it_gates_get_what_they_always_got() -> None:
    plain = access_of({"aws:region": "eu-west-1"}, "1")
    assert plain.as_dict() == {"region": "eu-west-1", "account": "1", "role": ""}
    assert Access.from_dict({"region": "eu-west-1", "account": "1"}) == plain


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ([{"roleArn": ROLE}, {"roleArn": ROLE}], "one role, no chain"),
        ([{"externalId": "x"}], "roleArn is missing"),
        ([{"roleArn": ROLE, "tags": {"a": "hunter2"}}], "aws:assumeRoles.tags: is not handed to the gates"),
        ({"roleArn": ROLE}, "should be a list"),
        ("hunter2", "should be a list"),
        (["hunter2"], "should be a list"),
    ],
)
def test_a_role_that_gates_could_not_assume_alike_is_refused(roles: Any, said: str) -> None:
    (told,) = problems({"aws:assumeRoles": roles})
    assert said in told
    assert "hunter2" not in told


def test_the_old_name_of_roles_names_the_new_one() -> None:
    (told,) = problems({"aws:assumeRole": {"roleArn": ROLE}})
    assert "aws:assumeRoles" in told


def test_what_is_empty_names_nothing() -> None:
    assert problems({f"aws:{key}": "" for key in VARIABLES}) == []
    assert problems({"aws:endpoints": "[]", "aws:maxRetries": "3", "aws:defaultTags": "{}"}) == []
