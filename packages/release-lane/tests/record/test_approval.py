"""Approvals: distinct means somebody who neither asked nor wrote it; required means that there is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.errors import Refused
from release_lane.record.approval import Approval, Person, approved_by, authors_of
from release_lane.record.commit import Logged

pytestmark = pytest.mark.pure

ANN, BO, CY = (Person(login=login) for login in ("ann", "bo", "cy"))


def by(approval: Approval | None, *authors: Person, **over: Any) -> str:
    return approved_by(approval, authors, "production", **{"distinct": True, "required": False, **over})


def test_another_person_is_the_approver() -> None:
    assert by(Approval(asked=(ANN,), approvers=(BO,))) == "bo"


@pytest.mark.parametrize(
    ("approval", "authors", "why"),
    [
        (Approval(asked=(ANN,), approvers=(ANN,)), (), "ann asked for it"),
        (Approval(asked=(ANN,), approvers=(Person(login="ANN"),)), (), "ANN asked for it"),
        (Approval(asked=(ANN,), approvers=(BO,), authors=(BO,)), (), "bo is an author of its commits"),
        (Approval(asked=(ANN,), approvers=(BO,)), (Person(email="12+bo@users.noreply.github.com"),), "bo is an author"),
        (Approval(asked=(ANN,), approvers=(Person(login="bo", name="B"),)), (Person(name="B"),), "bo is an author"),
        (Approval(asked=(ANN,), approvers=(ANN, BO), authors=(ANN, BO)), (), "ann asked for it and is an author"),
    ],
)  # fmt: skip
def test_the_same_person_and_an_author_do_not_count(approval: Approval, authors: tuple[Person, ...], why: str) -> None:
    with pytest.raises(Refused, match="has no approval by another person") as error:
        by(approval, *authors)
    assert why in error.value.why
    assert by(approval, *authors, distinct=False)


def test_one_independent_approver_is_enough_and_is_the_one_who_is_named() -> None:
    assert by(Approval(asked=(ANN,), approvers=(ANN, BO, CY), authors=(CY,))) == "bo"


@pytest.mark.parametrize(
    ("approval", "why"),
    [
        (None, "no CI system says who approved"),
        (Approval(asked=(ANN,)), "the CI run has no approval for this environment"),
        (Approval(unknown="the API answered 403"), "the API answered 403"),
    ],
)
def test_without_an_approval_a_release_is_refused_only_where_one_is_required(
    approval: Approval | None, why: str
) -> None:
    assert by(approval) == ""
    with pytest.raises(Refused, match="has no approval") as error:
        by(approval, required=True)
    assert why in error.value.why


def test_people_without_anything_in_common_are_not_the_same() -> None:
    assert not Person(login="ann").is_(Person(name="ann"))
    assert not Person().is_(Person())
    assert Person(email="A@example.test").is_(Person(name="x", email="a@example.test"))


STRANGER = Person(name="Stranger", email="stranger@shop.test")
"""An author, as git has it."""


@pytest.mark.parametrize("text", ["Stranger", "stranger@shop.test", "Stranger <stranger@shop.test>", " STRANGER "])
def test_who_is_written_down_as_an_approver_is_the_author_of_that_name_or_address(text: str) -> None:
    with pytest.raises(Refused, match="has no approval by another person") as error:
        by(Approval(asked=(Person(login="bob"),), approvers=(Person.written(text),)), STRANGER)
    assert "is an author of its commits (approval.distinct)" in error.value.why


def test_who_is_written_down_as_an_approver_is_who_asked_by_that_login() -> None:
    assert Person.written("bob").is_(Person(login="Bob"))
    assert not Person.written("bob").is_(STRANGER)
    assert str(Person.written("Bob Jones <bob@shop.test>")) == "Bob Jones"


@pytest.mark.parametrize(
    ("approval", "authors", "said"),
    [
        (Approval(asked=(ANN,), approvers=(Person.written("bob"),)), (STRANGER,), "whether bob is Stranger"),
        (Approval(asked=(ANN,), approvers=(BO,)), (STRANGER,), "whether bo is Stranger"),
        (Approval(asked=(ANN,), approvers=(BO,), authors=(STRANGER,)), (STRANGER,), "whether bo is Stranger"),
        (Approval(asked=(ANN,), approvers=(Person.written("bob@shop.test"),)), (STRANGER,), ""),
        (Approval(asked=(ANN,), approvers=(Person(login="bo", name="Bo"),)), (STRANGER,), ""),
        (Approval(asked=(ANN,), approvers=(BO,), authors=(replace(STRANGER, login="s"),)), (STRANGER,), ""),
        (Approval(asked=(ANN,), approvers=(BO,)), (), ""),
    ],
    ids=["a word", "a login", "no account", "an address", "a name", "an account by the CI system", "no commits"],
)
def test_an_approver_who_has_no_kind_of_name_in_common_with_an_author_is_reported(
    approval: Approval, authors: tuple[Person, ...], said: str
) -> None:
    doubts = "".join(approval.doubts(authors, distinct=True))
    assert said in doubts
    assert bool(doubts) is bool(said)
    assert not [*approval.doubts(authors, distinct=False)]


def test_of_many_authors_some_are_named_and_the_rest_is_counted() -> None:
    many = [Person(name=f"Author {number}", email=f"{number}@shop.test") for number in range(9)]
    (said,) = Approval(asked=(ANN,), approvers=(BO,)).doubts(many, distinct=True)
    assert "whether bo is Author 0 or Author 1 or Author 2 or one of 6 others is unknown" in said


def test_an_approver_who_is_an_author_is_refused_without_a_word_on_other_authors() -> None:
    approval = Approval(asked=(ANN,), approvers=(Person.written("Stranger"),))
    assert not [*approval.doubts([STRANGER, Person(name="Cy", email="cy@shop.test")], distinct=True)]


def test_authors_come_from_git_each_once() -> None:
    logged = [Logged(sha=sha, author="Ann", email="a@example.test") for sha in "12"]
    assert authors_of(logged) == (Person(name="Ann", email="a@example.test"),)
