"""The Jenkinsfile: its stages executed by Groovy with a stub in place of `release`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.command.checkout import Ended, until

from tests.patience import PATIENCE
from tests.workflows import jenkins
from tests.workflows.stub import BACKEND, DIGEST, Stubbed, promoted, proven, rolled_back, texts

pytestmark = pytest.mark.skipif(not shutil.which("java"), reason="Java is not installed")
pipeline = pytest.mark.pipeline

REVIEW = "--out review.md --out review.html --out review.seal"
PROVEN = proven(REVIEW)
PROMOTED = promoted()
EXCEPTIONS = "--again --through-freeze 'prices; $(are) wrong'"
FAULT = "--fault 'loses orders'"
ROLES = {f"{name}_ROLE_ARN": f"{name.lower()}'s" for name in ("BUILD", "STAGING", "REVIEW", "PRODUCTION", "PREVIEW")}
SUCCESS, FAILURE, ABORTED = 0, 1, 2


class Stub(Stubbed):
    """The stages over the stub."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "Jenkinsfile", ".ci/prepare")
        self.own, self.builds = folder / "jenkins", 0

    def started(self, **environ: str) -> subprocess.Popen[str]:
        self.builds += 1
        work = self.own / str(self.builds)
        return subprocess.Popen(
            jenkins.command(self.folder, work), cwd=self.folder, text=True, stdin=subprocess.DEVNULL,
            env=self.environ(**ROLES, **{"BRANCH_NAME": "main", "APPROVERS": "ann,bob", **environ}),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def jenkins(self, **environ: str) -> Ended:
        process = self.started(**environ)
        out, _ = process.communicate()
        return Ended(process.returncode, out, "")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Stub:
    return Stub(tmp_path_factory.mktemp("jenkins"))


@pytest.fixture
def stub(shared: Stub) -> Stub:
    return shared.anew()


def said(done: Ended, what: str) -> list[str]:
    """What the harness noted."""
    return re.findall(rf"^\[jenkins\] {what} ?(.*)$", done.out, re.MULTILINE)


@pipeline
def test_an_approved_release_is_promoted_by_the_digest_that_was_built_and_watched(stub: Stub) -> None:
    """Each agent has a workspace of its own: nothing but the digest goes from stage to stage."""
    done = stub.jenkins(APPROVER="ann", WATCH="15m", DRILL="yes")
    assert done.code == SUCCESS, done.out
    calls = stub.calls()
    watched = "watch production --for 15m --yes --lock-wait 900"
    assert texts(calls) == [*proven(REVIEW, drill=True), PROMOTED, watched]
    roles = ["build's", "build's", "", "staging's", "staging's", "review's", "production's", "production's"]
    assert [call.role for call in calls] == roles
    assert {call.environ["PULUMI_BACKEND_URL"] for call in calls} == {BACKEND}
    assert said(done, "lock") == ["release-artifacts", "release-staging"]  # production: the lock of the state


@pipeline
def test_a_rejected_approval_promotes_nothing_and_one_that_waits_holds_no_agent_and_no_lock(stub: Stub) -> None:
    done = stub.jenkins()
    assert done.code == ABORTED
    assert texts(stub.calls()) == PROVEN
    (asked,) = said(done, "input")
    assert asked.endswith("submitter ann,bob; without an agent; locks []")
    assert said(done, "archived") == [f"{name}: # {PROVEN[-1]}" for name in ("review.md", "review.html")]


@pipeline
@pytest.mark.parametrize(("verb", "reached"), [("scan", 2), ("check", 3), ("deploy", 4), ("review", 5)])
def test_a_failure_stops_all_that_comes_after_it(stub: Stub, verb: str, reached: int) -> None:
    """`deploy` fails where the smoke gate refuses. A review that refuses shows why."""
    stub.fails(verb)
    done = stub.jenkins(APPROVER="ann")
    assert done.code == FAILURE
    assert texts(stub.calls()) == [*PROVEN, PROMOTED][:reached]
    if verb == "review":
        assert said(done, "archived") == [f"{name}: # review says why" for name in ("review.md", "review.html")]


@pipeline
def test_an_adopted_image_takes_the_same_way(stub: Stub) -> None:
    assert stub.jenkins(PARAM_IMAGE=f"registry/app@{DIGEST}", PARAM_IMAGE_COMMIT="abc").code == ABORTED
    calls = texts(stub.calls())
    assert calls == [f"adopt registry/app@{DIGEST} --commit abc --source  --lock-wait 900", *PROVEN[1:]]


@pipeline
def test_a_hotfix_takes_the_same_way_and_gives_its_reason_to_each_step(stub: Stub) -> None:
    assert stub.jenkins(PARAM_HOTFIX="prices; are 'wrong'").code == ABORTED
    assert texts(stub.calls()) == proven(REVIEW, "prices; are 'wrong'")


@pipeline
def test_exceptions_reach_staging_review_and_promotion_as_they_were_typed(stub: Stub) -> None:
    assert stub.jenkins(APPROVER="ann", PARAM_EXCEPTIONS=EXCEPTIONS).code == SUCCESS
    assert texts(stub.calls()) == [*proven(REVIEW, exceptions=EXCEPTIONS), promoted(exceptions=EXCEPTIONS)]


@pipeline
@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({}, rolled_back()),
        ({"PARAM_EXCEPTIONS": FAULT}, rolled_back(FAULT)),
        ({"PARAM_ROLLBACK_TO": DIGEST}, rolled_back(to=DIGEST)),
    ],
)
def test_a_rollback_builds_and_checks_nothing(stub: Stub, more: dict[str, str], command: str) -> None:
    done = stub.jenkins(PARAM_ROLLBACK="production", PARAM_REASON="errors", **more)
    assert done.code == SUCCESS
    (call,) = stub.calls()
    assert (call.text, call.role) == (command, "production's")
    assert said(done, "lock") == []  # it queues behind nothing but the update that holds the lock of the state
    assert said(done, "input") == []


@pipeline
def test_each_night_asks_for_drift_parity_and_the_ledger_and_nothing_else(stub: Stub) -> None:
    assert stub.jenkins(CAUSE="TimerTrigger").code == SUCCESS
    assert [(call.text, call.role) for call in stub.calls()] == [
        ("drift staging", "review's"),
        ("drift production", "review's"),
        ("parity production", "review's"),
        ("history --verify", "review's"),
    ]


@pipeline
def test_a_pull_request_is_previewed_for_staging_and_another_branch_does_nothing(stub: Stub) -> None:
    assert stub.jenkins(CHANGE_ID="7", BRANCH_NAME="PR-7").code == SUCCESS
    (call,) = stub.calls()
    assert (call.text, call.role) == ("review staging --out review.md --out review.html", "preview's")
    assert stub.jenkins(BRANCH_NAME="other").code == SUCCESS
    assert stub.calls() == []


@pipeline
def test_an_aborted_build_reaches_the_command(stub: Stub, tmp_path: Path) -> None:
    """Jenkins signals the processes of a step from the leaves up, SIGTERM to each, and sends no SIGKILL."""
    stub.hangs("rollback")
    process = stub.started(PARAM_ROLLBACK="production", ABORT=str(tmp_path / "abort"))
    until(stub.waits, "the command waits")
    (tmp_path / "abort").touch()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == ABORTED
    assert [call.signal for call in stub.calls()] == ["", "SIGTERM"]


@pipeline
def test_npm_groovy_lint_finds_nothing() -> None:
    done = subprocess.run(jenkins.lint(), cwd=jenkins.ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
