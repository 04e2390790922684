"""The GitHub workflows, run by act with a stub in place of `release`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.command.checkout import Ended

from tests.workflows import github
from tests.workflows.stub import BACKEND, DIGEST, Stubbed, promoted, proven, rolled_back, texts

pipeline = pytest.mark.pipeline

PULL = {"head": {"repo": {"full_name": "acme/shop"}, "ref": "change"}, "base": {"ref": "main"}, "number": 7}
PULL_REQUEST = {"pull_request": PULL, "repository": {"full_name": "acme/shop"}}
FORKED = {"pull_request": {**PULL, "head": {"repo": {"full_name": "else/shop"}, "ref": "change"}}}
REVIEW = "--out result --out review.seal"
RELEASED = [*proven(REVIEW), promoted()]
EXCEPTIONS = "--again --through-freeze 'prices; $(are) wrong'"
FAULT = "--fault 'loses orders'"


class Stub(Stubbed):
    """The workflows over the stub."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ".github")
        github.known_to_act(self.folder)
        self.git("remote", "add", "origin", "https://github.com/acme/shop.git")
        self.own = folder / "act"

    def act(self, workflow: str, event: str = "push", about: Any = None, *options: str) -> Ended:
        command = github.command(self.own, workflow, event, about or {}, options)
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ(**github.places(self.own)), stdin=subprocess.DEVNULL,
            capture_output=True, text=True,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    def dispatch(self, workflow: str, **inputs: str) -> Ended:
        """What a person starts by hand on main, with these inputs."""
        return self.act(workflow, "workflow_dispatch", {"inputs": inputs})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Stub:
    return Stub(tmp_path_factory.mktemp("github"))


@pytest.fixture
def stub(shared: Stub) -> Stub:
    return shared.anew()


@pipeline
def test_a_push_to_main_is_built_once_and_its_digest_goes_from_job_to_job(stub: Stub) -> None:
    assert stub.act("release").code == 0
    calls = stub.calls()
    assert texts(calls) == RELEASED
    assert {call.environ["PULUMI_BACKEND_URL"] for call in calls} == {BACKEND}


@pipeline
def test_a_release_is_drilled_and_watched_where_the_team_says_so(stub: Stub) -> None:
    assert stub.act("release", "push", {}, "--var", "WATCH=15m", "--var", "DRILL=yes").code == 0
    watched = "watch production --for 15m --yes --lock-wait 900"
    assert texts(stub.calls()) == [*proven(REVIEW, drill=True), promoted(), watched]


@pipeline
def test_an_adopted_image_takes_the_same_way(stub: Stub) -> None:
    image = f"registry/app@{DIGEST}"
    assert stub.dispatch("release", image=image, commit="abc", source="https://example.test").code == 0
    calls = texts(stub.calls())
    assert calls[0] == f"adopt {image} --commit abc --source https://example.test --lock-wait 900"
    assert calls[1:] == RELEASED[1:]


@pipeline
@pytest.mark.parametrize(
    ("verb", "reached"), [("build", 1), ("scan", 2), ("check", 3), ("deploy", 4), ("review", 5), ("promote", 6)]
)
def test_a_failure_stops_all_that_comes_after_it(stub: Stub, verb: str, reached: int) -> None:
    """`deploy` fails where the smoke gate refuses. A review that refuses shows why."""
    stub.fails(verb)
    done = stub.act("release", "push", {}, "--var", "WATCH=15m")
    assert done.code != 0
    assert texts(stub.calls()) == RELEASED[:reached]
    assert ("# review says why" in done.out) == (verb == "review")


@pipeline
def test_without_an_approval_nothing_of_production_runs(stub: Stub) -> None:
    """act knows no reviewers: it is asked for all jobs but the one whose environment has some."""
    assert stub.act("release", "push", {}, "--job", "review").code == 0
    assert texts(stub.calls()) == RELEASED[:-1]


@pipeline
def test_a_hotfix_takes_the_same_way_and_gives_its_reason_to_each_step(stub: Stub) -> None:
    assert stub.dispatch("hotfix", reason="prices; are 'wrong'").code == 0
    why = "prices; are 'wrong'"
    assert texts(stub.calls()) == [*proven(REVIEW, why), promoted(why)]


@pipeline
@pytest.mark.parametrize("digest", ["", DIGEST])
def test_a_rollback_builds_and_checks_nothing(stub: Stub, digest: str) -> None:
    assert stub.dispatch("rollback", environment="production", digest=digest, reason="errors").code == 0
    assert texts(stub.calls()) == [rolled_back(to=digest)]


@pipeline
def test_a_rollback_for_a_fault_says_what_was_wrong(stub: Stub) -> None:
    given = {"environment": "production", "digest": "", "reason": "errors", "exceptions": FAULT}
    assert stub.dispatch("rollback", **given).code == 0
    assert texts(stub.calls()) == [rolled_back(FAULT)]


@pipeline
def test_a_rollback_that_fails_shows_what_it_wrote(stub: Stub) -> None:
    stub.fails("rollback")
    done = stub.dispatch("rollback", environment="production", digest="", reason="errors")
    assert done.code != 0
    assert "rollback wrote this" in done.out


@pipeline
@pytest.mark.parametrize(
    ("workflow", "inputs", "why"), [("release", {}, ""), ("hotfix", {"reason": "prices"}, "prices")]
)
def test_exceptions_reach_staging_review_and_promotion_as_they_were_typed(
    stub: Stub, workflow: str, inputs: dict[str, str], why: str
) -> None:
    assert stub.dispatch(workflow, exceptions=EXCEPTIONS, **inputs).code == 0
    assert texts(stub.calls()) == [*proven(REVIEW, why, EXCEPTIONS), promoted(why, EXCEPTIONS)]


@pipeline
def test_each_night_asks_for_drift_and_parity_everywhere_and_for_the_ledger_even_if_one_fails(stub: Stub) -> None:
    stub.fails("drift")
    assert stub.act("nightly", "schedule").code != 0
    assert sorted(texts(stub.calls())) == [
        "drift production",
        "drift staging",
        "history --verify",
        "parity production",
        "parity staging",
    ]


@pipeline
def test_a_pull_request_is_previewed_for_staging_and_one_of_a_fork_is_not(stub: Stub) -> None:
    assert stub.act("preview", "pull_request", PULL_REQUEST).code == 0
    assert texts(stub.calls()) == ["review staging"]
    assert stub.act("preview", "pull_request", {**PULL_REQUEST, **FORKED}).code == 0
    assert stub.calls() == []
