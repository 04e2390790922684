"""The tree of errors: what, why, the next step, and an exit code."""

from __future__ import annotations

import re

import pytest
import release_lane.errors
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, UsageError, Users, parse

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("kind", "code"), [(CheckFailed, 1), (UsageError, 2), (CloudError, 3), (Refused, 4), (Interrupted, 130)]
)
def test_every_kind_has_its_exit_code(kind: type[ReleaseError], code: int) -> None:
    assert kind("it failed").exit_code == code
    assert issubclass(kind, ReleaseError)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = dict(re.findall(r"[├└]── (\w+) +(\d+)", release_lane.errors.__doc__ or ""))
    assert drawn == {kind.__name__: str(kind.exit_code) for kind in ReleaseError.__subclasses__()}


def test_the_text_has_one_line_for_each_part() -> None:
    error = Refused("It was refused.", why="it must not be", next_step="ask first.")
    assert str(error) == "It was refused.\nWhy: it must not be\nNext: ask first.\nKind: Refused"
    error.users = Users.UNTOUCHED
    assert str(error).endswith("\nKind: Refused\nUsers: untouched")


@pytest.mark.parametrize("users", [None, *Users])
@pytest.mark.parametrize("kind", ReleaseError.__subclasses__())
def test_what_was_written_is_read_again(kind: type[ReleaseError], users: Users | None) -> None:
    error = kind("It failed.\n  a log line: so", why="a\n  b: c", next_step="do.", users=users)
    read = parse(str(error))
    assert read is not None
    assert (type(read), read.as_dict()) == (kind, error.as_dict())


def test_a_text_that_names_no_kind_is_no_error_of_ours() -> None:
    assert parse("It failed.\nWhy: so") is None
    assert parse("It failed.\nKind: Nonsense") is None


def test_parts_that_were_not_given_are_left_out() -> None:
    assert str(CloudError("It broke.")) == "It broke.\nKind: CloudError"
    assert str(CloudError("It broke.", next_step="try again.")) == "It broke.\nNext: try again.\nKind: CloudError"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            CheckFailed("It exits.\n  last log lines:\n    no", next_step="fix it."),
            "It exits. (in full above)\nNext: fix it.",
        ),
        (Refused("No proof.", why="never there", next_step="ask."), "No proof. (in full above)\nNext: ask."),
        (UsageError("These are wrong:\n  a: bad", next_step="do."), "These are wrong (in full above)\nNext: do."),
        (CloudError("It broke."), "It broke."),
        (
            CheckFailed("It exits.", next_step="fix it.", users=Users.RESTORED),
            "It exits.\nUsers: restored\nNext: fix it.",
        ),
        (CloudError(""), ""),
    ],
)
def test_in_short_it_is_the_first_line_and_the_next_step(error: ReleaseError, words: str) -> None:
    assert error.in_short() == words


def test_the_same_as_data() -> None:
    assert UsageError("Wrong.", why="so", next_step="do.").as_dict() == {
        "error": "UsageError",
        "what": "Wrong.",
        "why": "so",
        "next_step": "do.",
        "users": None,
        "exit_code": 2,
    }
