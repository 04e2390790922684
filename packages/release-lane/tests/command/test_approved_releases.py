"""What an approval, or its absence, does to a release."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.command.adapters.approvals import FakeApprovals, RealApprovals
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.git import FakeGit
from release_lane.command.releasing import Change
from release_lane.engine.state import StackState
from release_lane.ledger.memory import in_memory
from release_lane.operate.metrics import changes
from release_lane.operate.plan import tally
from release_lane.record.approval import Approval, Person
from release_lane.record.commit import Commits, Logged
from release_lane.record.ledger import Result
from release_lane.record.seal import Part, Seal
from tests.command.words import BLUE, GREEN, A, B, Stage, becomes, plan, ran, state, states

pytestmark = pytest.mark.cli

ANN, BO = Person(login="ann"), Person(login="bo")
BY_ANOTHER, BY_HERSELF = (Approval(asked=(ANN,), approvers=(each,)) for each in (BO, ANN))
PROMOTED = becomes("production", state(GREEN, A, B, idle=A), ran(*plan("deploy", GREEN, B, target=GREEN, starts=True)))


def stage(found: Approval | None, *runs: Any, **over: Any) -> Stage:
    return Stage(engine=FakeEngine(states=states(), runs=list(runs)), approvals=FakeApprovals(found), **over)


def test_the_approver_is_in_the_message_of_the_update() -> None:
    on = stage(BY_ANOTHER, PROMOTED)
    assert on.run("promote", "production", "--yes") == 0
    assert on.engine.messages == [f"release promote production {B.digest} (approved by bo)"]
    assert on.approvals.ends == (A.commit, B.commit)


def test_who_asked_may_not_be_the_only_one_who_approved() -> None:
    on = stage(BY_HERSELF)
    assert on.run("promote", "production", "--yes") == 4
    assert "has no approval by another person" in on.err
    assert "Why: ann asked for it (approval.distinct)" in on.err
    assert on.engine.calls == []


def test_one_person_may_do_both_where_the_stack_says_so() -> None:
    on = stage(BY_HERSELF, PROMOTED, approval={"distinct": False})
    assert on.run("promote", "production", "--yes") == 0
    assert on.engine.messages[0].endswith("(approved by ann)")


def test_an_author_by_git_does_not_count() -> None:
    between = Commits(old=A.commit, new=B.commit, added=(Logged(sha="1" * 40, email="7+bo@users.noreply.github.com"),))
    on = stage(BY_ANOTHER, git=FakeGit(between=between))
    assert on.run("promote", "production", "--yes") == 4
    assert "bo is an author of its commits" in on.err


@pytest.mark.parametrize("written", ["Stranger", "stranger@shop.test"])
@pytest.mark.parametrize("system", [{"JENKINS_URL": "http://127.0.0.1:9/"}, {}], ids=["Jenkins", "no CI"])
def test_an_approver_whom_a_job_wrote_down_by_name_or_address_is_looked_for_among_the_authors_of_git(
    system: dict[str, str], written: str
) -> None:
    author = Logged(sha="1" * 40, author="Stranger", email="stranger@shop.test")
    between = Commits(old=A.commit, new=B.commit, added=(author,))
    environ = {**system, "BUILD_USER_ID": "bob", "RELEASE_APPROVER": written}
    on = stage(None, git=FakeGit(between=between))
    on.approvals = RealApprovals(environ)  # type: ignore[assignment]
    assert on.run("promote", "production", "--yes") == 4
    assert f"{written} is an author of its commits" in on.err
    assert on.engine.calls == []


def test_an_approver_of_whom_only_a_login_is_known_is_no_author_for_sure_and_that_is_reported() -> None:
    between = Commits(old=A.commit, new=B.commit, added=(Logged(sha="1" * 40, author="Bo", email="bo@shop.test"),))
    on = stage(BY_ANOTHER, PROMOTED, git=FakeGit(between=between))
    assert on.run("promote", "production", "--yes") == 0
    assert "whether bo is Bo is unknown" in on.err


def test_of_a_first_release_the_authors_are_not_known_and_that_is_reported() -> None:
    on = stage(BY_ANOTHER, PROMOTED)
    on.engine.states["production"] = StackState()
    assert on.run("promote", "production", "--yes") == 0, on.err
    assert "Not all authors of its commits are known" in on.err
    assert "no release is live in production" in on.err


def test_without_seal_and_approval_the_refusal_names_the_review_and_who_may_say_who_approved() -> None:
    on = stage(None, approval={"required": True})
    assert on.run("promote", "production", "--yes") == 4
    assert "has no approval, and the seal of its review was not given" in on.err
    assert "`release review production --out review.md --out review.seal`" in on.err
    assert "RELEASE_APPROVER" in on.err


@pytest.mark.parametrize(
    "approval",
    [None, Approval(asked=(ANN,)), Approval(unknown="the API answered 403")],
    ids=["no CI", "none", "unknown"],
)
def test_no_approval_is_refused_where_one_is_required(approval: Approval | None) -> None:
    required = stage(approval, approval={"required": True})
    assert required.run("promote", "production", "--yes") == 4
    assert "has no approval" in required.err
    assert required.engine.calls == []
    otherwise = stage(approval, PROMOTED)
    assert otherwise.run("promote", "production", "--yes") == 0
    assert otherwise.engine.messages == [f"release promote production {B.digest}"]


def test_an_approval_that_cannot_be_read_is_reported() -> None:
    on = stage(Approval(unknown="the API answered 403"), PROMOTED)
    on.run("promote", "production", "--yes")
    assert "Who approved this release is unknown: the API answered 403." in on.err


@pytest.mark.parametrize(
    ("approval", "said"),
    [
        (Approval(approvers=(BO,)), "Who asked for this release is unknown"),
        (Approval(asked=(ANN,), approvers=(BO,)), "one may have approved it: the history is not here."),
        (Approval(asked=(ANN,), approvers=(BO,), unwritten="it answered 502"), "approved it: it answered 502."),
    ],
    ids=["who asked", "the authors, by git", "the authors, by the CI system"],
)
def test_what_a_distinct_approval_could_not_be_held_against_is_reported(approval: Approval, said: str) -> None:
    on = stage(approval, PROMOTED)
    assert on.run("promote", "production", "--yes") == 0
    assert said in on.err
    indifferent = stage(approval, PROMOTED, approval={"distinct": False})
    assert indifferent.run("promote", "production", "--yes") == 0
    assert said not in indifferent.err


def test_where_the_ci_system_names_the_authors_git_need_not() -> None:
    on = stage(Approval(asked=(ANN,), approvers=(BO,), authors=(ANN,)), PROMOTED)
    assert on.run("promote", "production", "--yes") == 0
    assert "approved it" not in on.err


def test_a_rollback_needs_no_approval() -> None:
    on = stage(BY_HERSELF, ran(*plan("traffic-only", BLUE, A, target=BLUE)), approval={"required": True})
    on.engine.states["production"] = state(GREEN, A, B, idle=A)
    assert on.run("rollback", "production", "--yes") == 0
    assert on.approvals.ends is None


def test_the_first_environment_asks_no_ci_system() -> None:
    on = stage(BY_HERSELF, ran(*plan("keep", GREEN, B, target=None)))
    assert on.run("deploy", "staging") == 0


def test_outside_of_ci_no_state_is_read_for_it() -> None:
    on = stage(None, PROMOTED)
    assert on.run("promote", "production", "--yes") == 0
    assert on.approvals.ends is None


def test_a_message_without_an_approver_is_as_before() -> None:
    assert Change(verb="heal", environment="staging").message == "release heal staging"


def test_a_missing_approval_and_an_expired_seal_are_said_at_once() -> None:
    on = stage(BY_HERSELF)
    expired = str(Seal.of("production", on.machine.clock() - 30 * 86_400, {Part.DIGEST: B.digest}))
    assert on.run("promote", "production", "--yes", "--seal", expired) == 4
    assert "has no approval by another person" in on.err
    assert "Its seal would be refused as well: This seal has expired." in on.err
    assert on.engine.calls == []
    good = str(Seal.of("production", on.machine.clock(), {Part.DIGEST: B.digest}))
    assert on.run("promote", "production", "--yes", "--seal", good) == 4
    assert "Its seal would be refused" not in on.err


def test_a_missing_approval_stops_no_release_in_time() -> None:
    on = stage(BY_HERSELF, ledger_url="file://ledger")
    assert on.run("promote", "production", "--yes") == 4
    entries = in_memory(on.ledger).entries()
    (refused,) = changes(entries)
    assert refused.result is Result.REFUSED
    assert not refused.stopped
    found = tally(entries, "production")
    assert (found.results, found.unapproved) == (((Result.REFUSED, 1),), 1)
