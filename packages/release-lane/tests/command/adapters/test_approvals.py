"""Who approved, by a real server on loopback that answers as the systems' own pages show.

GitHub: docs.github.com/rest/actions/workflow-runs ("Get a workflow run", "Get the review history for a workflow run"),
docs.github.com/rest/commits/commits ("Compare two commits"). GitLab: docs.gitlab.com/api/deployments ("Get a specific
deployment"), docs.gitlab.com/api/pipelines ("Get a single pipeline"). Jenkins: its `api/json` with a `tree`.
The answers have the fields of those pages that are read here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from release_lane.command.adapters.approvals import RealApprovals
from release_lane.record.approval import Approval, Person

pytestmark = pytest.mark.provider

OLD, NEW = "a" * 40, "b" * 40
Answers = dict[str, Any]


class Server:
    """Answers by path; a number is a status, a text a redirect. Remembers the headers that were sent to each."""

    def __init__(self, answers: Answers) -> None:
        self.answers, self.seen = answers, dict[str, dict[str, str]]()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.seen[self.path] = {name.lower(): value for name, value in self.headers.items()}
                answer = server.answers.get(self.path, 404)
                code = answer if isinstance(answer, int) else 302 if isinstance(answer, str) else 200
                self.send_response(code)
                if isinstance(answer, str):
                    self.send_header("Location", answer)
                body = b"" if isinstance(answer, int | str) else json.dumps(answer).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@contextmanager
def serving(answers: Answers) -> Iterator[Server]:
    server = Server(answers)
    threading.Thread(target=server.http.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()


def asked(environ: dict[str, str], environment: str = "production") -> Approval | None:
    return RealApprovals(environ).of(environment, lambda: (OLD, NEW))


# ---- GitHub ---------------------------------------------------------------------------------------------------

RUN, HISTORY = "/repos/o/r/actions/runs/7", "/repos/o/r/actions/runs/7/approvals"
COMPARED = f"/repos/o/r/compare/{OLD}...{NEW}?per_page=100&page="


def review(login: str, state: str = "approved", *environments: str) -> Any:
    named = [{"id": 161088068, "name": name} for name in environments or ("production",)]
    return {"state": state, "comment": "Ship it!", "environments": named, "user": {"login": login, "id": 1}}


GITHUB: Answers = {
    RUN: {"id": 7, "actor": {"login": "ann"}, "triggering_actor": {"login": "dee"}, "status": "in_progress"},
    HISTORY: [review("bo"), review("cy", "approved", "staging"), review("ed", "rejected"), review("bo")],
    f"{COMPARED}1": {
        "status": "ahead",
        "total_commits": 2,
        "commits": [
            {"sha": NEW, "author": {"login": "fay"}, "commit": {"author": {"name": "Fay F", "email": "f@a.test"}}},
            {"sha": OLD, "author": None, "commit": {"author": {"name": "Gil", "email": "g@example.test"}}},
        ],
    },
}  # fmt: skip


def on_github(server: Server, **over: str) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true", "GITHUB_API_URL": server.url, "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7",
        "GITHUB_TOKEN": "t0ken", **over,
    }  # fmt: skip


def test_github_says_who_asked_who_approved_for_this_environment_and_who_wrote_it() -> None:
    with serving(GITHUB) as server:
        found = asked(on_github(server))
    assert found == Approval(
        asked=(Person(login="ann"), Person(login="dee")),
        approvers=(Person(login="bo"),),
        authors=(
            Person(login="fay", name="Fay F", email="f@a.test"),
            Person(name="Gil", email="g@example.test"),
        ),
    )
    assert server.seen[HISTORY]["authorization"] == "Bearer t0ken"


def test_what_netrc_has_for_the_host_does_not_replace_the_jobs_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ci password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(GITHUB) as server:
        asked(on_github(server))
    assert server.seen[HISTORY]["authorization"] == "Bearer t0ken"
    with serving(GITLAB) as server:
        asked(on_gitlab(server))
    assert "authorization" not in server.seen[DEPLOYMENTS]


def test_github_without_a_review_has_no_approver() -> None:
    with serving({**GITHUB, HISTORY: []}) as server:
        found = asked(on_github(server))
    assert found
    assert found.approvers == ()
    assert not found.unknown


def commit_by(login: str) -> Any:
    return {"sha": NEW, "author": {"login": login}, "commit": {"author": {"name": "", "email": ""}}}


def test_the_authors_of_more_than_a_page_of_commits_are_all_named() -> None:
    pages = {"1": [commit_by("fay")] * 100, "2": [commit_by("bo")]}
    compared = {f"{COMPARED}{number}": {"total_commits": 101, "commits": each} for number, each in pages.items()}
    with serving({**GITHUB, **compared}) as server:
        found = asked(on_github(server))
    assert found
    assert {each.login for each in found.authors} == {"fay", "bo"}


def test_commits_that_github_does_not_have_are_no_obstacle() -> None:
    with serving({**GITHUB, f"{COMPARED}1": 404}) as server:
        found = asked(on_github(server))
    assert found
    assert found.approvers == (Person(login="bo"),)
    assert found.authors == ()


def test_authors_that_github_does_not_say_are_unknown_and_who_asked_and_approved_is_not() -> None:
    with serving({**GITHUB, f"{COMPARED}1": 502}) as server:
        found = asked(on_github(server))
    assert found
    assert "per_page=100&page=1 answered 502" in found.unwritten
    assert (found.approvers, found.asked[0], found.unknown) == ((Person(login="bo"),), Person(login="ann"), "")


@pytest.mark.parametrize(
    ("answers", "over", "why"),
    [
        ({**GITHUB, HISTORY: 403}, {}, "/approvals answered 403"),
        ({**GITHUB, HISTORY: [{"state": "approved"}]}, {}, "is not as documented"),
        ({**GITHUB, RUN: "http://127.0.0.1:9/elsewhere"}, {}, "answered 302"),
        (GITHUB, {"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set (permissions of the job: actions: read"),
        (GITHUB, {"GITHUB_API_URL": "http://127.0.0.1:9"}, "does not answer"),
    ],
    ids=["no permission", "an odd answer", "a redirect", "no token", "no answer"],
)
def test_what_github_does_not_say_is_said_to_be_unknown(answers: Answers, over: dict[str, str], why: str) -> None:
    with serving(answers) as server:
        found = asked(on_github(server, **over))
    assert found
    assert why in found.unknown
    assert "t0ken" not in found.unknown


# ---- GitLab ---------------------------------------------------------------------------------------------------

DEPLOYMENTS = "/projects/3/deployments?environment=production&order_by=id&sort=desc&per_page=100&page=1"
ROOT = {"id": 1, "name": "Ann A", "username": "ann", "state": "active"}
GITLAB: Answers = {
    DEPLOYMENTS: [{"id": 43, "deployable": {"id": 665}}, {"id": 42, "deployable": {"id": 664}}, {"id": 41}],
    "/projects/3/deployments/42": {
        "id": 42,
        "status": "running",
        "user": ROOT,
        "pending_approval_count": 0,
        "approvals": [
            {"user": {"id": 49, "username": "bo", "name": "Bo B"}, "status": "approved", "comment": "looks good"},
            {"user": {"id": 50, "username": "cy", "name": "Cy"}, "status": "rejected"},
        ],
    },
    "/projects/3/pipelines/9": {"id": 9, "status": "running", "user": {"username": "dee", "name": "Dee"}},
}


def on_gitlab(server: Server, **over: str) -> dict[str, str]:
    return {
        "GITLAB_CI": "true", "CI_API_V4_URL": server.url, "CI_PROJECT_ID": "3", "CI_PIPELINE_ID": "9",
        "CI_JOB_ID": "664", "CI_JOB_TOKEN": "j0b", **over,
    }  # fmt: skip


def test_gitlab_says_it_by_the_deployment_of_this_job() -> None:
    with serving(GITLAB) as server:
        found = asked(on_gitlab(server))
    assert found == Approval(asked=(Person(login="ann", name="Ann A"),), approvers=(Person(login="bo", name="Bo B"),))
    assert server.seen[DEPLOYMENTS]["job-token"] == "j0b"


def test_a_job_that_waited_while_many_others_were_made_is_found() -> None:
    newer = [{"id": 1000 - each, "deployable": {"id": 9000 - each}} for each in range(100)]
    with serving({**GITLAB, DEPLOYMENTS: newer, DEPLOYMENTS.removesuffix("1") + "2": GITLAB[DEPLOYMENTS]}) as server:
        found = asked(on_gitlab(server))
    assert found
    assert found.approvers == (Person(login="bo", name="Bo B"),)


def test_with_a_token_of_the_project_gitlab_names_who_started_the_pipeline() -> None:
    with serving(GITLAB) as server:
        found = asked(on_gitlab(server, RELEASE_CI_TOKEN="pr0ject"))
    assert found
    assert found.asked == (Person(login="dee", name="Dee"),)
    assert server.seen["/projects/3/pipelines/9"]["private-token"] == "pr0ject"


def test_who_starts_a_manual_job_of_gitlab_approves_it() -> None:
    started = {"CI_JOB_MANUAL": "true", "GITLAB_USER_LOGIN": "bo", "GITLAB_USER_NAME": "Bo B", "GITLAB_USER_EMAIL": ""}
    with serving({DEPLOYMENTS: []}) as server:
        found = asked(on_gitlab(server, **started))
    assert found == Approval(approvers=(Person(login="bo", name="Bo B"),))


def test_a_gitlab_that_refuses_is_said_to() -> None:
    with serving({DEPLOYMENTS: 401}) as server:
        found = asked(on_gitlab(server))
    assert found
    assert "answered 401" in found.unknown


# ---- Jenkins, and others --------------------------------------------------------------------------------------

BUILD = "/job/x/7/api/json?tree=actions%5Bcauses%5BuserId%2CuserName%5D%5D"
JENKINS: Answers = {
    BUILD: {
        "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        "actions": [
            {"_class": "hudson.model.CauseAction", "causes": [{"userId": "ann", "userName": "Ann A"}, {}]},
            {},
        ],
    }
}


def test_jenkins_says_who_started_the_build_and_the_pipeline_who_submitted_the_input() -> None:
    with serving(JENKINS) as server:
        environ = {
            "JENKINS_URL": server.url, "BUILD_URL": f"{server.url}/job/x/7/", "RELEASE_APPROVER": "bo, cy",
            "RELEASE_CI_USER": "lane", "RELEASE_CI_TOKEN": "t0ken",
        }  # fmt: skip
        found = asked(environ)
    assert found == Approval(
        asked=(Person(login="ann", name="Ann A"),), approvers=(Person(login="bo"), Person(login="cy"))
    )
    assert server.seen[BUILD]["authorization"].startswith("Basic ")


@pytest.mark.parametrize(("user", "people"), [("ann", (Person(login="ann"),)), ("scmChange", ()), ("", ())])
def test_without_an_account_jenkins_plugin_names_who_started_the_build(user: str, people: tuple[Person, ...]) -> None:
    environ = {"JENKINS_URL": "http://127.0.0.1:9/", "BUILD_USER_ID": user, "RELEASE_APPROVER": "bo"}
    assert asked(environ) == Approval(asked=people, approvers=(Person(login="bo"),))


def test_jenkins_plugin_says_the_name_and_address_of_who_started_the_build_as_well() -> None:
    named = {"BUILD_USER_ID": "ann", "BUILD_USER": "Ann A", "BUILD_USER_EMAIL": "ann@example.test"}
    found = asked({"JENKINS_URL": "http://127.0.0.1:9/", **named, "RELEASE_APPROVER": "Ann A <ann@example.test>"})
    assert found
    assert found.asked == (Person(login="ann", name="Ann A", email="ann@example.test"),)
    assert found.approvers == (Person(name="Ann A", email="ann@example.test"),)
    assert found.approvers[0].is_(found.asked[0])


def test_any_other_system_can_name_the_approver() -> None:
    environ = {"RELEASE_APPROVER": "bo", "BUILDKITE_BUILD_CREATOR": "ann"}
    assert asked(environ) == Approval(asked=(Person(login="ann"),), approvers=(Person(login="bo"),))


def test_outside_of_ci_nothing_is_said() -> None:
    assert asked({}) is None
