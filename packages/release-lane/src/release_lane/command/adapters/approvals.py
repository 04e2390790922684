"""Who asked for a release and who approved it, as the CI system says in whose job this runs.

- GitHub. Asked: `actor` and `triggering_actor` of the run. Approved: the run's review history, for the environment of
  this name. Sources: docs.github.com/rest/actions/workflow-runs, "Get a workflow run" and "Get the review history for a
  workflow run"; docs.github.com/rest/commits/commits, "Compare two commits".
- GitLab. Asked: `user` of the pipeline (with RELEASE_CI_TOKEN), else of the deployment. Approved: `approvals` of this
  job's deployment, else who started a manual job. Sources: docs.gitlab.com/api/deployments, …/api/pipelines,
  …/ci/variables/predefined_variables.
- Jenkins. Asked: `userId` of the build's causes, else BUILD_USER_ID, BUILD_USER, BUILD_USER_EMAIL.
  Approved: RELEASE_APPROVER, which is what the step `input` returned for its `submitterParameter`. Sources:
  jenkins.io/doc/pipeline/steps/pipeline-input-step, plugins.jenkins.io/build-user-vars-plugin.
- Any other. Asked: who started the job. Approved: RELEASE_APPROVER.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import quote

from release_lane.engine.locks import Origin
from release_lane.record.approval import Approval, Person

NOT_FOUND = 404
WITHIN = 10.0
"""Seconds for an answer."""

APPROVER, TOKEN, USER = "RELEASE_APPROVER", "RELEASE_CI_TOKEN", "RELEASE_CI_USER"


Ends = Callable[[], tuple[str, str]]
"""The commits of the live release and of the one that is asked for, "" for an unknown one."""


class Approvals(Protocol):
    """What a CI system knows of approvals."""

    def of(self, environment: str, ends: Ends) -> Approval | None:
        """Of the job that runs this. None outside of CI. Never raises: what it does not say is in `unknown`.

        `ends` says between which two commits the release is; it is called only where that is asked for."""


@dataclass(frozen=True)
class RealApprovals:
    """By the environment's variables, and the API that they name."""

    environ: Mapping[str, str]

    def of(self, environment: str, ends: Ends) -> Approval | None:
        """By the first system whose variables are set."""
        if self.environ.get("GITHUB_ACTIONS"):
            return _said(lambda: _github(self.environ, environment, ends))
        if self.environ.get("GITLAB_CI"):
            return _said(lambda: _gitlab(self.environ, environment))
        if self.environ.get("JENKINS_URL") or self.environ.get("BUILD_URL"):
            return _said(lambda: _jenkins(self.environ))
        given, who = tuple(_named(self.environ)), Origin.read(self.environ).who
        return Approval(asked=(Person(login=who),) if who else (), approvers=given) if given else None


class Unsaid(Exception):
    """Why the system did not say it. `status`: the one of its answer, 0 without one."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


def _said(ask: Callable[[], Approval]) -> Approval:
    try:
        return ask()
    except Unsaid as error:
        return Approval(unknown=str(error))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return Approval(unknown=f"the CI system's answer is not as documented ({type(error).__name__}: {error})")


def _ask(url: str, headers: Mapping[str, str], auth: tuple[str, str] | None = None) -> Any:
    """JSON of a GET. It follows no redirect: a token must not go elsewhere.

    Without `auth` it is the headers that say who asks; `requests` would put what netrc has for the host in their place.
    """
    import requests  # here, since few runs need it

    try:
        answer = requests.get(
            url, headers=dict(headers), auth=auth or (lambda asked: asked), timeout=WITHIN, allow_redirects=False
        )
    except requests.RequestException as error:
        raise Unsaid(f"{url} does not answer ({type(error).__name__})") from error
    if answer.status_code != 200:
        raise Unsaid(f"{url} answered {answer.status_code}", answer.status_code)
    return answer.json()


PAGE, PAGES = 100, 10
"""Items on a page, the most that GitHub and GitLab give; and how many pages are read."""


def _pages(url: str, headers: Mapping[str, str], items: Callable[[Any], list[Any]]) -> Iterator[Any]:
    """The items of a list that comes in pages, as far as PAGES reach."""
    more = "&" if "?" in url else "?"
    for number in range(1, PAGES + 1):
        found = items(_ask(f"{url}{more}per_page={PAGE}&page={number}", headers))
        yield from found
        if len(found) < PAGE:
            return


def _named(environ: Mapping[str, str]) -> Iterator[Person]:
    """Those in RELEASE_APPROVER, separated by commas."""
    yield from (Person.written(name) for name in environ.get(APPROVER, "").split(",") if name.strip())


# ---- GitHub ---------------------------------------------------------------------------------------------------


def _github(environ: Mapping[str, str], environment: str, ends: Ends) -> Approval:
    if not (token := environ.get("GITHUB_TOKEN")):
        raise Unsaid("GITHUB_TOKEN is not set (permissions of the job: actions: read, contents: read)")
    base = f"{environ['GITHUB_API_URL']}/repos/{environ['GITHUB_REPOSITORY']}"
    headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}"}
    run = _ask(f"{base}/actions/runs/{environ['GITHUB_RUN_ID']}", headers)
    history = _ask(f"{base}/actions/runs/{environ['GITHUB_RUN_ID']}/approvals", headers)
    approved = [each for each in history if each["state"] == "approved" and _is_for(each, environment)]
    asked = dict.fromkeys(run[key]["login"] for key in ("actor", "triggering_actor") if run.get(key))
    found = Approval(
        asked=tuple(Person(login=login) for login in asked),
        approvers=tuple(dict.fromkeys(Person(login=each["user"]["login"]) for each in approved)),
    )
    try:
        return replace(found, authors=tuple(_accounts(base, headers, *ends())))
    except Unsaid as error:
        return replace(found, unwritten=str(error))


def _is_for(review: Mapping[str, Any], environment: str) -> bool:
    return any(each["name"] == environment for each in review["environments"])


def _accounts(base: str, headers: Mapping[str, str], old: str, new: str) -> Iterator[Person]:
    """Accounts of the commits' authors; none where GitHub does not have the commits (git may know the authors)."""
    if not (old and new):
        return
    try:
        commits = list(_pages(f"{base}/compare/{old}...{new}", headers, lambda compared: compared["commits"]))
    except Unsaid as error:
        if error.status != NOT_FOUND:
            raise
        return
    if len(commits) >= PAGE * PAGES:
        raise Unsaid(f"GitHub names the authors of {len(commits)} commits at most")
    for each in commits:
        by = each["commit"]["author"]
        login = (each.get("author") or {}).get("login") or ""
        yield Person(login=login, name=by.get("name") or "", email=by.get("email") or "")


# ---- GitLab ---------------------------------------------------------------------------------------------------


def _gitlab(environ: Mapping[str, str], environment: str) -> Approval:
    own, job = environ.get(TOKEN, ""), environ.get("CI_JOB_TOKEN", "")
    headers = {"PRIVATE-TOKEN": own} if own else {"JOB-TOKEN": job}
    base = f"{environ['CI_API_V4_URL']}/projects/{environ['CI_PROJECT_ID']}"
    deployment = _deployment(base, headers, environment, environ["CI_JOB_ID"])
    approvals = [each for each in deployment.get("approvals") or () if each["status"] == "approved"]
    approvers = tuple(dict.fromkeys(_user(each["user"]) for each in approvals)) or tuple(_started_by_hand(environ))
    if own:
        asked = [_ask(f"{base}/pipelines/{environ['CI_PIPELINE_ID']}", headers)["user"]]
    else:
        asked = [deployment["user"]] if approvals else []
    return Approval(asked=tuple(map(_user, asked)), approvers=approvers)


def _deployment(base: str, headers: Mapping[str, str], environment: str, job: str) -> Mapping[str, Any]:
    """The deployment of this job; nothing where the job has no `environment`.

    Each pipeline makes one, so those of later pipelines come before that of a job that waited.
    """
    query = f"environment={quote(environment, safe='')}&order_by=id&sort=desc"
    found = _pages(f"{base}/deployments?{query}", headers, list)
    mine = next((each for each in found if str((each.get("deployable") or {}).get("id")) == job), None)
    return _ask(f"{base}/deployments/{mine['id']}", headers) if mine else {}


def _user(user: Mapping[str, Any]) -> Person:
    return Person(login=str(user["username"]), name=str(user.get("name") or ""))


def _started_by_hand(environ: Mapping[str, str]) -> Iterator[Person]:
    """In a manual job these variables name who started the job, not the pipeline."""
    if environ.get("CI_JOB_MANUAL") == "true":
        login, name, email = (environ.get(f"GITLAB_USER_{part}", "") for part in ("LOGIN", "NAME", "EMAIL"))
        yield Person(login=login, name=name, email=email)


# ---- Jenkins --------------------------------------------------------------------------------------------------

AUTOMATIC = ("timer", "scmChange", "branchIndexing", "remoteRequest", "genericWebhook")
"""What the plugin writes into BUILD_USER_ID where no person started the build."""


def _jenkins(environ: Mapping[str, str]) -> Approval:
    approvers, user = tuple(_named(environ)), environ.get("BUILD_USER_ID", "")
    auth = (environ[USER], environ[TOKEN]) if environ.get(USER) and environ.get(TOKEN) else None
    if auth and environ.get("BUILD_URL"):
        build = _ask(f"{environ['BUILD_URL']}api/json?tree={quote('actions[causes[userId,userName]]')}", {}, auth)
        causes = [cause for action in build["actions"] for cause in action.get("causes") or ()]
        asked = [Person(login=each["userId"], name=each.get("userName") or "") for each in causes if each.get("userId")]
        return Approval(asked=tuple(dict.fromkeys(asked)), approvers=approvers)
    named = Person(login=user, name=environ.get("BUILD_USER", ""), email=environ.get("BUILD_USER_EMAIL", ""))
    asked_by = (named,) if user and user not in AUTOMATIC else ()
    return Approval(asked=asked_by, approvers=approvers)


@dataclass
class FakeApprovals:
    """As given; None: this runs outside of CI."""

    found: Approval | None = None
    ends: tuple[str, str] | None = None

    def of(self, environment: str, ends: Ends) -> Approval | None:
        """Asks for the commits, where there is an answer."""
        del environment
        self.ends = ends() if self.found else None
        return self.found
