"""The template as a project's own files: answers in, files out. Pure.

The template is written for a project named `release-lane` with the environments staging and production; everything
that differs for another project is replaced here. `answers_in` reads the answers back from a project's files.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from release_lane.record.app import App
from release_lane.record.asking import HEALTH_PATH, Identify
from release_lane.settings import limits
from release_lane.settings.artifacts import path_below, relative_folder, repository
from release_lane.settings.https import certificate, certificate_region, domain, hosted_zone, requested
from release_lane.settings.service import health_path, status_path

TEMPLATE_PROJECT = "release-lane"
TEMPLATE_ENVIRONMENTS = ("staging", "production")
ARTIFACTS = "artifacts"

JOBS = ("build", "checks", "review")
"""Jobs of the release pipeline. Each environment is one more."""

TAKEN = (*JOBS, "rollback", "preview", "default", "stages", "variables", "workflow")
"""What no environment can be called: other jobs, and GitLab's keywords next to these."""

JOB = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
"""A job's name on GitHub (workflow syntax, jobs.<job_id>)."""

FILL_IN = "FILL-IN"

THE_TEAMS = re.compile(r"Pulumi\..+\.yaml|smoke/test_service\.py")
"""Files that a team fills in from the first day on: `--diff` leaves them out."""

IN_WORDS = re.compile(rf"\b({'|'.join(TEMPLATE_ENVIRONMENTS)})\b")
ROLES = re.compile(rf"\b({'|'.join(name.upper() for name in TEMPLATE_ENVIRONMENTS)})(_ROLE_ARN)\b")
"""Variables of a Jenkinsfile that begin with the name of an environment."""
RENAMED_IN = re.compile(r"Pulumi\..*|RELEASING\.md|pyproject\.toml|\.github/.*|\.gitlab-ci\.yml|Jenkinsfile|docs/.*")
"""Files in which the names of environments and keys are replaced. `release-lane:` in infra/ is a type of resources."""

ONLY_HERE = re.compile(r"^[^\n]*>>> only in this repository.*?<<<[^\n]*\n", re.MULTILINE | re.DOTALL)
"""Lines of a file that a team does not get, with the two comments around them."""


GUIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)*(docs/[^)#]+)[^)]*\)")
"""A link to a page that a team does not get: it names the page instead."""

PAGE = re.compile(r"(?<![\w/])docs/(?:adr|guides)/[\w-]+\.md(?! of release-lane)")
"""The plain name of such a page."""


class Ci(StrEnum):
    """CI systems for which the template has a pipeline."""

    GITHUB = "github"
    GITLAB = "gitlab"
    JENKINS = "jenkins"


PIPELINES = {
    Ci.GITHUB: re.compile(r"\.github/.*"),
    Ci.GITLAB: re.compile(r"\.gitlab-ci\.yml|\.ci/prepare"),
    Ci.JENKINS: re.compile(r"Jenkinsfile|\.ci/prepare"),
}
"""The files of each."""

SHARED = ".ci/prepare"
"""The file that two of them have."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What `release init` asks. `accounts`: stack to account; a stack without one is to be filled in by hand.

    So are the `domain` of the second environment, and the `hosted_zone` for its certificate or the ARN of one
    (`certificate`).
    """

    project: str
    region: str
    accounts: Mapping[str, str] = field(default_factory=dict)
    environments: tuple[str, str] = TEMPLATE_ENVIRONMENTS
    domain: str = ""
    hosted_zone: str = ""
    certificate: str = ""
    port: int = 8080
    health_path: str = HEALTH_PATH
    status_path: str = ""
    identify: Identify = Identify.NONE
    app: App = field(default_factory=App)
    ci: Ci = Ci.GITHUB

    @property
    def stacks(self) -> tuple[str, ...]:
        """All stacks of the project."""
        return (ARTIFACTS, *self.environments)


def problems(answers: Answers) -> list[str]:
    """Everything that is wrong with the answers, each with the flag that gives another one."""
    first, second = answers.environments
    checked = {
        "--project": [limits.prefix(f"{answers.project}-{name}") for name in answers.environments]
        + [repository(f"{answers.project}/app")],
        "--region": [limits.region(answers.region)],
        "--environments": [limits.stack_name(name) or _as_a_job(name) for name in answers.environments]
        + ["should be two different names, none of them artifacts" if len({ARTIFACTS, first, second}) < 3 else ""],
        "--account": [limits.account(account) for account in answers.accounts.values()]
        + [f"{name} is none of {', '.join(answers.stacks)}" for name in answers.accounts if name not in answers.stacks],
        "--domain": [
            (domain(answers.domain) if answers.domain else "")
            or (requested(answers.domain) if answers.hosted_zone and not answers.certificate else "")
        ],
        "--hosted-zone": [
            hosted_zone(answers.hosted_zone),
            "is for a certificate that is requested, but --certificate names one"
            if answers.hosted_zone and answers.certificate
            else "",
        ],
        "--certificate": [certificate(answers.certificate) or certificate_region(answers.certificate, answers.region)],
        "--port": ["" if 1 <= answers.port <= 65535 else "should be 1 to 65535"],
        "--health-path": [health_path(answers.health_path)],
        "--status-path": [status_path(answers.status_path)],
        "--identify": [
            "status needs --status-path; without one give header or none"
            if answers.identify is Identify.STATUS and not answers.status_path
            else ""
        ],
        "--app": [relative_folder(answers.app.folder)],
        "--dockerfile": [path_below(answers.app.dockerfile)],
    }
    return [f"{flag}: {each}" for flag, found in checked.items() for each in dict.fromkeys(found) if each]


def _as_a_job(name: str) -> str:
    """What is wrong with the environment's name as that of a job in the release pipeline."""
    if name in TAKEN:
        return f"{name} is a job or a keyword of a pipeline, so no environment can be called so"
    if JOB.fullmatch(name):
        return ""
    return f"{name} should be letters, digits, - and _, first a letter: a job of the release pipeline is called so"


def render(template: Mapping[str, str], answers: Answers) -> dict[str, str]:
    """The project's files by their names."""
    wanted = {name: text for name, text in template.items() if _of_pipeline(name, answers.ci)}
    return {_named(name, answers): _text(name, text, answers) for name, text in wanted.items()}


def _of_pipeline(name: str, ci: Ci) -> bool:
    """Is the file of that CI system's pipeline, or of none?"""
    owners = [each for each, files in PIPELINES.items() if files.fullmatch(name)]
    return ci in owners or not owners


def merged_ignores(existing: str, wanted: str) -> str:
    """A .gitignore that has the lines of both."""
    missing = [line for line in wanted.splitlines() if line not in existing.splitlines()]
    end = "" if existing.endswith("\n") or not existing else "\n"
    return existing + end + "".join(f"{line}\n" for line in missing)


def _named(name: str, answers: Answers) -> str:
    return _renamed(name, answers) if name.startswith("Pulumi.") else name


def _renamed(text: str, answers: Answers) -> str:
    """Both at once, so that names may be exchanged."""
    to = dict(zip(TEMPLATE_ENVIRONMENTS, answers.environments, strict=True))
    variables = {old.upper(): new.upper().replace("-", "_") for old, new in to.items()}
    text = ROLES.sub(lambda found: variables[found[1]] + found[2], text)
    return IN_WORDS.sub(lambda found: to[found[1]], text)


def _text(name: str, text: str, answers: Answers) -> str:
    stack = name.removeprefix("Pulumi.").removesuffix(".yaml")
    text = PAGE.sub(r"\g<0> of release-lane", GUIDE.sub(r"\1 (\2 of release-lane)", ONLY_HERE.sub("", text)))
    if stack in (ARTIFACTS, *TEMPLATE_ENVIRONMENTS):
        text = _stack_file(text, stack, answers)
    if RENAMED_IN.fullmatch(name):
        text = re.sub(rf"(?<![\w./-]){TEMPLATE_PROJECT}:(?=[a-zA-Z])", f"{answers.project}:", _renamed(text, answers))
    text = text.replace(f"{TEMPLATE_PROJECT}-project", f"{answers.project}-releases")
    return re.sub(rf"^name: {TEMPLATE_PROJECT}$", f"name: {answers.project}", text, flags=re.MULTILINE)


def _stack_file(text: str, stack: str, answers: Answers) -> str:
    names = dict(zip(TEMPLATE_ENVIRONMENTS, answers.environments, strict=True))
    text = re.sub(r"^  aws:region: .*$", f"  aws:region: {answers.region}", text, flags=re.MULTILINE)
    if account := answers.accounts.get(names.get(stack, stack), ""):
        line = f'  {TEMPLATE_PROJECT}:account: "{account}"'
        text = re.sub(rf"^  {TEMPLATE_PROJECT}:account: .*$", line, text, flags=re.MULTILINE)
    text = _https(text, answers)
    if stack == ARTIFACTS:
        return _with(text, "app", [f"folder: {answers.app.folder}", f"dockerfile: {answers.app.dockerfile}"])
    paths = [f"healthPath: {answers.health_path}", f"statusPath: {_quoted(answers.status_path)}"]
    text = _with(text, "service", [f"port: {answers.port}", *paths])
    return _with(text, "smoke", [f"identify: {answers.identify}"])


def _https(text: str, answers: Answers) -> str:
    """The section `https`, where the file has one, with what was answered; the rest is still to be filled in."""
    proof = f"certificateArn: {answers.certificate}" if answers.certificate else f"hostedZone: {answers.hosted_zone}"
    if answers.domain:
        text = text.replace(f"    domain: {FILL_IN}\n", f"    domain: {answers.domain}\n")
    if answers.certificate or answers.hosted_zone:
        text = text.replace(f"    hostedZone: {FILL_IN}\n", f"    {proof}\n")
    return text


def _with(text: str, key: str, lines: Sequence[str]) -> str:
    """A stack file with these lines at the beginning of one of its sections, else in a new one."""
    head = f"  {TEMPLATE_PROJECT}:{key}:\n"
    added = "".join(f"    {line}\n" for line in lines)
    if head in text:
        return text.replace(head, head + added, 1)
    return re.sub(
        rf"^  {TEMPLATE_PROJECT}:account: .*\n", lambda found: found[0] + head + added, text, flags=re.MULTILINE
    )


def _quoted(text: str) -> str:
    return text or '""'


# ---- back


def ci_of(names: Collection[str]) -> Ci:
    """The CI system whose pipeline is among a project's files."""
    there = (ci for ci, files in PIPELINES.items() if any(files.fullmatch(each) for each in names if each != SHARED))
    return next(there, Ci.GITHUB)


def answers_in(project: str, stacks: Mapping[str, Mapping[str, Any]], ci: Ci = Ci.GITHUB) -> Answers:
    """The answers that a project's files give: `stacks` are the `config` mappings of its stack files.

    What they do not say has its default; of more than two environments, the first two of the route count.
    """
    own = {name: _own(config, project) for name, config in stacks.items()}
    artifacts = next((name for name, keys in own.items() if keys.get("role") == "artifacts"), ARTIFACTS)
    first, second = environments = _route({name: keys for name, keys in own.items() if name != artifacts})
    service, smoke = _section(own, first, "service"), _section(own, first, "smoke")
    app = _section(own, artifacts, "app")
    regions = (str(config["aws:region"]) for config in stacks.values() if config.get("aws:region"))
    status = str(service.get("statusPath") or "")
    return Answers(
        project=project,
        region=next(regions, ""),
        accounts={
            name: found for name in (ARTIFACTS, first, second) if not limits.account(found := _account(own, name))
        },
        environments=environments,
        ci=ci,
        **_door(_section(own, second, "https")),
        port=int(service.get("port") or Answers.port),
        health_path=str(service.get("healthPath") or HEALTH_PATH),
        status_path=status,
        identify=Identify(smoke.get("identify") or Identify.NONE),
        app=App(
            folder=str(app.get("folder") or App().folder), dockerfile=str(app.get("dockerfile") or App().dockerfile)
        ),
    )


def _own(config: Mapping[str, Any], project: str) -> dict[str, Any]:
    return {key.split(":", 1)[1]: value for key, value in config.items() if key.startswith(f"{project}:")}


def _account(own: Mapping[str, Mapping[str, Any]], stack: str) -> str:
    return str(own.get(stack, {}).get("account") or "")


def _section(own: Mapping[str, Mapping[str, Any]], stack: str, key: str) -> Mapping[str, Any]:
    found = own.get(stack, {}).get(key)
    return found if isinstance(found, Mapping) else {}


def _door(https: Mapping[str, Any]) -> dict[str, str]:
    found = {"domain": "domain", "hosted_zone": "hostedZone", "certificate": "certificateArn"}
    return {name: "" if (text := str(https.get(key) or "")) == FILL_IN else text for name, key in found.items()}


def _route(environments: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """The first environment that another one promotes from, and that one."""
    sources = {name: str(keys.get("promotesFrom") or "") for name, keys in environments.items()}
    for name, source in sources.items():
        if source in sources and not sources[source]:
            return source, name
    return TEMPLATE_ENVIRONMENTS
