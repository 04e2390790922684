"""Which things in an account are taken for a run's own: only such with its mark."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import PREFIX, Aws, Where, new_mark
from tests.contract.leftovers import KINDS, Kind, _remove_kind, mark_in, remove

pytestmark = [pytest.mark.pure, pytest.mark.timeout(20)]  # what is tried for ever fails

MARK = "0a1b2c3d"
WHERE = Where(account="1", region="r", mark=MARK, endpoint="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        (f"{PREFIX}{MARK}-lb", MARK),
        (f"/{PREFIX}{MARK}-token", MARK),
        (f"arn:aws:ecs:us-east-1:1:cluster/{PREFIX}{MARK}-cluster", MARK),
        (MARK, MARK),
        ("0a1b", ""),
        (f"{MARK}0", ""),
        (f"{PREFIX}production-lb", ""),
        (f"my-{PREFIX}{MARK}-lb", ""),
        (f"{PREFIX}{MARK}", ""),
        (f"{PREFIX}{MARK}0-lb", ""),
        ("production", ""),
        ("", ""),
    ],
)
def test_a_mark_is_eight_digits_after_the_prefix(text: str, mark: str) -> None:
    assert mark_in(text) == mark


def test_a_new_mark_is_one() -> None:
    assert mark_in(f"{PREFIX}{new_mark()}-lb")


def test_only_a_whole_mark_can_be_removed() -> None:
    for mark in ("", "0a1b", "production", ".*"):
        with pytest.raises(AssertionError, match="8 hex digits"):
            remove(Aws(WHERE), mark, print, 0)


def test_of_a_kind_only_what_has_the_mark_is_left() -> None:
    names = [f"{PREFIX}{MARK}-a", f"{PREFIX}ffffffff-b", "production"]
    kind = Kind("thing", lambda _: [(name, name) for name in names], lambda *_: None)
    assert [each.id for each in kind.left(Aws(WHERE), MARK)] == names[:1]
    assert [each.id for each in kind.left(Aws(WHERE))] == names[:2]


class Shelf:
    """Things that can go only in turn, or not at all."""

    def __init__(self, *names: str, denied: bool = False) -> None:
        self.names = list(names)
        self.denied = denied
        self.tries = 0

    def delete(self, _: Aws, id: str) -> None:
        self.tries += 1
        if self.denied or id != self.names[-1]:
            code = "AccessDenied" if self.denied else "DependencyViolation"
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Delete")
        self.names.remove(id)

    @property
    def kind(self) -> Kind:
        return Kind("thing", lambda _: [(name, name) for name in list(self.names)], self.delete)


def removed(shelf: Shelf, until: float) -> list[str]:
    said: list[str] = []
    _remove_kind(Aws(WHERE), shelf.kind, MARK, said.append, until)
    return said


def test_what_hangs_on_something_else_is_tried_again_and_said_once() -> None:
    shelf = Shelf(*(f"{PREFIX}{MARK}-{letter}" for letter in "abc"))
    assert removed(shelf, float("inf")) == ["thing: DependencyViolation: no"]
    assert shelf.names == []


def test_what_is_forbidden_is_not_tried_for_ever() -> None:
    shelf = Shelf(f"{PREFIX}{MARK}-a", denied=True)
    assert removed(shelf, float("inf")) == ["thing: AccessDenied: no"]
    assert shelf.tries == 1


def test_what_stays_is_given_up_when_the_time_is_over() -> None:
    shelf = Shelf(f"{PREFIX}{MARK}-a", "somebody's")
    removed(shelf, 0.0)
    assert shelf.names[0] == f"{PREFIX}{MARK}-a"


def test_kinds_go_before_what_they_lie_in() -> None:
    order = [kind.name for kind in KINDS]

    def before(first: str, second: str) -> bool:
        return order.index(first) < order.index(second)

    for first, second in (
        ("service", "task"),
        ("task", "cluster"),
        ("service", "target group"),
        ("load balancer", "target group"),
        ("load balancer", "security group"),
        ("task", "subnet"),
        ("subnet", "route table"),
        ("subnet", "VPC"),
        ("internet gateway", "VPC"),
        ("database", "subnet group of databases"),
        ("cache", "subnet group of caches"),
        ("subnet group of databases", "subnet"),
        ("subnet group of caches", "subnet"),
        ("database", "security group"),
        ("cache", "security group"),
        ("security group", "VPC"),
    ):
        assert before(first, second), f"{first} before {second}"
