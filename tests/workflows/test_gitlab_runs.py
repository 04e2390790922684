"""The GitLab pipeline, run by gitlab-ci-local with a stub in place of `release`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.command.checkout import Ended, until

from tests.patience import PATIENCE
from tests.workflows import gitlab
from tests.workflows.stub import BACKEND, DIGEST, Stubbed, promoted, proven, rolled_back, texts

pytestmark = pytest.mark.skipif(
    not shutil.which("rsync"), reason="rsync is not installed (./bootstrap as root does it)"
)
pipeline = pytest.mark.pipeline
pure = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[2]
REVIEW = "--out review.md --out review.html --out review.seal"
PROVEN = proven(REVIEW)
PROMOTED = promoted()
EXCEPTIONS = "--again --through-freeze 'prices; $(are) wrong'"
FAULT = "--fault 'loses orders'"


def read() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / gitlab.PIPELINE).read_text())
    return found


JOBS = ("build", "checks", "staging", "review", "production", "rollback", "preview", "nightly")


# ---- Read off the file


@pure
def test_one_at_a_time_updates_an_environment_and_none_is_interrupted_or_thrown_away() -> None:
    assert read()["default"]["interruptible"] is False
    assert read()["workflow"]["auto_cancel"]["on_new_commit"] == "none"
    groups = {name: read()[name]["resource_group"] for name in JOBS if "resource_group" in read()[name]}
    assert groups == {"build": "artifacts", "staging": "staging"}
    for name in ("production", "rollback"):  # the lock of the state in place of a group
        updates = [line for line in read()[name]["script"] if ".venv/bin/release" in line]
        assert all("--lock-wait 900" in line for line in updates), name
    assert [name for name in JOBS if read()[name].get("interruptible")] == ["preview"]


@pure
def test_a_rollback_waits_for_no_approval_and_queues_behind_nothing() -> None:
    """GitLab asks for the approvals of an environment where a job makes a deployment; `access` makes none."""
    rollback = read()["rollback"]
    assert rollback["environment"] == {"name": "$ROLLBACK", "action": "access"}
    assert "resource_group" not in rollback
    assert "when" not in rollback["rules"][0]


@pure
def test_each_job_takes_a_role_of_its_own_by_oidc_and_checks_take_none() -> None:
    roles = {name: read()[name].get("variables", {}).get("RELEASE_ROLE") for name in JOBS}
    assert roles == {
        "build": "$BUILD_ROLE_ARN", "checks": None, "staging": "$DEPLOY_ROLE_ARN", "review": "$REVIEW_ROLE_ARN",
        "production": "$DEPLOY_ROLE_ARN", "rollback": "$DEPLOY_ROLE_ARN", "preview": "$PREVIEW_ROLE_ARN",
        "nightly": "$REVIEW_ROLE_ARN",
    }  # fmt: skip
    asks = {name: ".role" in read()[name]["extends"] for name in JOBS}
    assert [name for name, asked in asks.items() if not asked] == ["checks"]
    text = (ROOT / gitlab.PIPELINE).read_text() + (ROOT / ".ci/prepare").read_text()
    assert "SECRET" not in text.upper().replace("THERE ARE NO SECRETS", "")
    assert "ACCESS_KEY" not in text


@pure
def test_a_merge_request_of_a_fork_starts_no_pipeline() -> None:
    merge_request, _ = read()["workflow"]["rules"]
    assert merge_request["if"].endswith("&& $CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID")


# ---- Run with the stub


class Stub(Stubbed):
    """The pipeline over the stub."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, gitlab.PIPELINE, ".ci/prepare")
        gitlab.in_a_shell(self.folder)
        self.git("remote", "add", "origin", "https://gitlab.example.test/acme/shop.git")
        self.git("commit", "--quiet", "--all", "--message", "In a shell")
        self.own = folder / "gitlab"
        self.own.mkdir()

    def started(self, *jobs: str, **more: Any) -> subprocess.Popen[str]:
        """Without shell isolation: jobs run in the checkout itself, where the stub is."""
        return subprocess.Popen(
            [*gitlab.command(self.own, *jobs, **more), "--no-shell-isolation"], cwd=self.folder, env=self.environ(),
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def gitlab(self, *jobs: str, **more: Any) -> Ended:
        process = self.started(*jobs, **more)
        out, _ = process.communicate()
        return Ended(process.returncode, out, "")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Stub:
    return Stub(tmp_path_factory.mktemp("gitlab"))


@pytest.fixture
def stub(shared: Stub) -> Stub:
    return shared.anew()


@pipeline
def test_without_an_approval_a_push_ends_with_the_review(stub: Stub) -> None:
    done = stub.gitlab(BUILD_ROLE_ARN="builds", DEPLOY_ROLE_ARN="deploys", REVIEW_ROLE_ARN="reads")
    assert done.code == 0, done.out
    calls = stub.calls()
    assert texts(calls) == PROVEN
    assert [call.role for call in calls] == ["builds", "builds", "", "deploys", "reads"]
    assert {call.environ["PULUMI_BACKEND_URL"] for call in calls} == {BACKEND}


@pipeline
def test_an_approved_release_is_promoted_by_the_digest_that_was_built_and_watched(stub: Stub) -> None:
    assert stub.gitlab(manual=("production",), WATCH="15m", DRILL="yes").code == 0
    watched = "watch production --for 15m --yes --lock-wait 900"
    assert texts(stub.calls()) == [*proven(REVIEW, drill=True), PROMOTED, watched]


@pipeline
def test_an_adopted_image_takes_the_same_way(stub: Stub) -> None:
    assert stub.gitlab(source="web", IMAGE=f"registry/app@{DIGEST}", IMAGE_COMMIT="abc").code == 0
    calls = texts(stub.calls())
    assert calls == [f"adopt registry/app@{DIGEST} --commit abc --source  --lock-wait 900", *PROVEN[1:]]


@pipeline
@pytest.mark.parametrize(("verb", "reached"), [("scan", 2), ("check", 3), ("deploy", 4), ("review", 5)])
def test_a_failure_stops_all_that_comes_after_it(stub: Stub, verb: str, reached: int) -> None:
    """`deploy` fails where the smoke gate refuses. A review that refuses shows why."""
    stub.fails(verb)
    done = stub.gitlab(manual=("production",))
    assert done.code != 0
    assert texts(stub.calls()) == PROVEN[:reached]
    if verb == "review":
        assert (stub.folder / "review.md").read_text() == "# review says why"


@pipeline
def test_a_hotfix_takes_the_same_way_and_gives_its_reason_to_each_step(stub: Stub) -> None:
    assert stub.gitlab(source="web", HOTFIX="prices; are 'wrong'").code == 0
    assert texts(stub.calls()) == proven(REVIEW, "prices; are 'wrong'")


@pipeline
def test_exceptions_reach_staging_review_and_promotion_as_they_were_typed(stub: Stub) -> None:
    assert stub.gitlab(manual=("production",), source="web", EXCEPTIONS=EXCEPTIONS).code == 0
    assert texts(stub.calls()) == [*proven(REVIEW, exceptions=EXCEPTIONS), promoted(exceptions=EXCEPTIONS)]


@pipeline
@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({}, rolled_back()),
        ({"EXCEPTIONS": FAULT}, rolled_back(FAULT)),
        ({"ROLLBACK_TO": DIGEST}, rolled_back(to=DIGEST)),
    ],
)
def test_a_rollback_builds_and_checks_nothing(stub: Stub, more: dict[str, str], command: str) -> None:
    assert stub.gitlab(source="web", ROLLBACK="production", REASON="errors", **more).code == 0
    assert texts(stub.calls()) == [command]


@pipeline
def test_each_night_asks_for_drift_parity_and_the_ledger_and_nothing_else(stub: Stub) -> None:
    assert stub.gitlab(source="schedule").code == 0
    assert sorted(texts(stub.calls())) == [
        "drift production",
        "drift staging",
        "history --verify",
        "parity production",
        "parity staging",
    ]


@pipeline
def test_a_merge_request_is_previewed_for_staging_and_nothing_else(stub: Stub) -> None:
    same = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7", "CI_PROJECT_ID": "7"}
    assert stub.gitlab(source="merge_request_event", **same).code == 0
    assert texts(stub.calls()) == ["review staging --out review.md --out review.html"]


@pipeline
def test_a_cancelled_job_reaches_the_command(stub: Stub) -> None:
    """GitLab's shell executor signals every process of the script's group: SIGTERM, later SIGKILL."""
    stub.hangs("rollback")
    process = stub.started(source="web", ROLLBACK="production")
    until(stub.waits, "the command waits")
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    until(lambda: (stub.home / "calls").read_text().count("\n") == 2, "it was stopped")
    assert [call.signal for call in stub.calls()] == ["", "SIGTERM"]
