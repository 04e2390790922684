"""What is handed over for the ledger, and what came of an update whose outcome was never written."""

from __future__ import annotations

import json

import pytest
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, UsageError, Users
from release_lane.record.chain import MOVED, PROVEN
from release_lane.record.digest import Digest
from release_lane.record.intended import STANDING, Intended, Standing, came_of, result_of, why_of
from release_lane.record.ledger import Draft, Entry, EntryKind, Result
from release_lane.record.names import Access
from release_lane.record.placement import Release, Service

pytestmark = pytest.mark.pure

ACCESS = Access(region="eu-west-1", account="000000000000", role="arn:role")
A = Release(digest=Digest("sha256:" + "a" * 64), service=Service(), commit="c" * 40)
THEN = Standing(live="old", proven="2026-01-01", switched_to="old", phase="moved")


def intent(release: str = A.id) -> Entry:
    details = {STANDING: THEN.as_dict()}
    return Draft(id="1", kind=EntryKind.INTENT, at="", digest=A.digest, release=release, details=details).after(
        None, ""
    )


def test_what_is_intended_crosses_the_engine() -> None:
    given = Intended(
        ledger="s3://b",
        access=ACCESS,
        environment="production",
        release=A,
        standing=THEN,
        details={"decision": "deploy"},
    )
    assert Intended.from_dict(json.loads(json.dumps(given.as_dict()))) == given
    assert given.names == (A.digest, A.commit, A.id)


def test_a_refusal_may_know_the_digest_alone() -> None:
    given = Intended(ledger="s3://b", access=ACCESS, environment="production", digest=A.digest)
    assert Intended.from_dict(json.loads(json.dumps(given.as_dict()))) == given
    assert given.names == (A.digest, "", "")


@pytest.mark.parametrize(
    ("now", "result"),
    [
        (Standing(live=A.id, proven="2026-01-02", switched_to=A.id, phase="moved"), Result.DONE),
        (Standing(live="old", proven="2026-01-01", switched_to=A.id, phase="restored"), Result.ROLLED_BACK),
        (Standing(live="old", proven="2026-01-01", switched_to=A.id, phase="moving"), Result.INTERRUPTED),
        (Standing(live="old", proven="2026-01-02", switched_to=A.id, phase="held", held=A.id), Result.DONE),
        (THEN, Result.INTERRUPTED),
        (Standing(), Result.INTERRUPTED),
    ],
    ids=[
        "it is live",
        "it was rolled back",
        "it died while it moved",
        "it is held",
        "nothing changed",
        "none known",
    ],
)
def test_what_came_of_an_intent_is_read_from_record_and_journal(now: Standing, result: Result) -> None:
    found, why, details = came_of(intent(), now)
    assert found is result
    assert why
    assert details == ({MOVED: True, PROVEN: "2026-01-02"} if result is Result.DONE else {})


def test_a_release_that_was_live_before_the_intent_proves_nothing_of_it() -> None:
    assert came_of(intent("old"), THEN)[0] is Result.INTERRUPTED


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (Refused("x", users=Users.UNTOUCHED), Result.REFUSED),
        (CheckFailed("x", users=Users.UNTOUCHED), Result.REFUSED),
        (UsageError("x"), Result.REFUSED),
        (CloudError("x"), Result.FAILED),
        (Interrupted("x", users=Users.UNTOUCHED), Result.INTERRUPTED),
        (CheckFailed("x", users=Users.RESTORED), Result.ROLLED_BACK),
        (Interrupted("x", users=Users.RESTORED), Result.ROLLED_BACK),
        (CloudError("x", users=Users.UNSURE), Result.UNKNOWN),
    ],
    ids=lambda each: getattr(each, "users", None) or str(each),
)
def test_an_error_says_what_an_update_came_to(error: ReleaseError, result: Result) -> None:
    assert result_of(error) is result


@pytest.mark.parametrize(
    "logs", ["last log lines:\n    password=hunter2", "last log lines of green:\n    password=hunter2"]
)
def test_what_an_application_logged_is_not_kept(logs: str) -> None:
    error = CheckFailed(f"The rollout gate refused green: it exits.\n  {logs}", why="ECS says so")
    assert why_of(error) == "The rollout gate refused green: it exits. ECS says so"


def test_what_failed_line_by_line_is_kept() -> None:
    assert why_of(CheckFailed("The smoke gate refused green.\n  test_a: no")) == (
        "The smoke gate refused green.\n  test_a: no"
    )
