"""The stack of an environment's flags reads the environment's own stack file."""

from __future__ import annotations

import json

import pytest
from release_lane.errors import UsageError
from release_lane.settings.flags import FlagsSettings, asked_in
from release_lane.settings.model import EnvironmentSettings, parse

pytestmark = pytest.mark.pure

FREEZE = json.dumps({"windows": [{"from": "Fri 16:00", "to": "Mon 08:00"}]})
PRODUCTION = {
    "aws:region": "us-east-1",
    "p:account": "000000000000",
    "p:promotesFrom": "staging",
    "p:insecure": "true",
    "p:ledger": "s3://releases",
    "p:env": '{"LOG_LEVEL": "info"}',
    "p:freeze": FREEZE,
}
GIVEN = {"p:role": "flags", "p:flags": '{"a": "on", "b": "25%", "c": "removed"}'}


def test_an_environments_file_is_one_of_its_flags_once_the_role_is_given() -> None:
    environment = parse(PRODUCTION, "p", "production")
    settings = parse(PRODUCTION | GIVEN, "p", "production-flags")
    assert isinstance(environment, EnvironmentSettings)
    assert isinstance(settings, FlagsSettings)
    assert (settings.account, settings.ledger, settings.freeze) == (
        environment.account,
        environment.ledger,
        environment.freeze,
    )
    assert settings.asked == {"a": 100, "b": 25, "c": None}


def test_without_flags_they_stay_as_they_are() -> None:
    settings = parse(PRODUCTION | {"p:role": "flags"}, "p", "production-flags")
    assert isinstance(settings, FlagsSettings)
    assert (settings.asked, settings.undo_flags) == ({}, False)


@pytest.mark.parametrize(
    ("given", "stack", "says"),
    [
        (GIVEN, "production", "role: flags are in a stack named like production-flags, not in production"),
        (GIVEN | {"p:undoFlags": "true"}, "production-flags", "undoFlags: goes back to earlier values"),
        (GIVEN | {"p:flags": '{"a": "yes"}'}, "production-flags", "should be on, off, removed"),
        (GIVEN | {"p:account": "12"}, "production-flags", "account: should be the 12 digits"),
        (
            GIVEN | {"p:freeze": '{"windows": [{"from": "Mon", "to": "Sun"}]}'},
            "production-flags",
            "leaves no minute of the week",
        ),
    ],
    ids=["stack", "both", "share", "account", "freeze"],
)
def test_what_is_wrong_is_refused_with_its_key(given: dict[str, str], stack: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(PRODUCTION | given, "p", stack)


def test_an_environment_takes_no_flags() -> None:
    """They would be set by each of its updates, and stand in its way."""
    with pytest.raises(UsageError, match="flags: is not a known key"):
        parse(PRODUCTION | {"p:flags": "{}"}, "p", "production")


@pytest.mark.parametrize(("name", "share"), [("a b", "on"), ("a", "maybe")])
def test_a_pair_of_the_command_line_is_held_to_the_same_rules(name: str, share: str) -> None:
    assert asked_in({"a": "off"}) == {"a": "off"}
    with pytest.raises(ValueError, match="should be"):
        asked_in({name: share})
