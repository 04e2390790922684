"""From answers to files, and back."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import yaml
from release_lane.disk import template
from release_lane.operate.template import JOBS, Answers, Ci, answers_in, ci_of, merged_ignores, problems, render
from release_lane.record.app import App
from release_lane.record.asking import Identify
from release_lane.settings.artifacts import ArtifactsSettings
from release_lane.settings.model import EnvironmentSettings, parse

pytestmark = pytest.mark.cli

SHOP = Answers(
    project="shop",
    region="eu-central-1",
    accounts={"artifacts": "111111111111", "test": "111111111111", "live": "222222222222"},
    environments=("test", "live"),
    domain="shop.example.com",
    hosted_zone="Z0123456789",
    port=3000,
    health_path="/healthz",
    status_path="/about",
    identify=Identify.HEADER,
    app=App(folder="services/shop", dockerfile="docker/Dockerfile"),
)
FILES = render(template.read(), SHOP)


def config(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load(FILES[f"Pulumi.{name}.yaml"])["config"])


def settings(name: str) -> EnvironmentSettings | ArtifactsSettings:
    given = config(name).items()
    return parse({key: value if isinstance(value, str) else json.dumps(value) for key, value in given}, "shop", name)


def test_the_stack_files_are_those_of_the_project() -> None:
    assert {name for name in FILES if name.startswith("Pulumi.")} == {
        "Pulumi.yaml", "Pulumi.artifacts.yaml", "Pulumi.test.yaml", "Pulumi.live.yaml"
    }  # fmt: skip
    assert yaml.safe_load(FILES["Pulumi.yaml"])["name"] == "shop"
    for name in SHOP.stacks:
        assert config(name)["aws:region"] == "eu-central-1"
        assert settings(name).account == SHOP.accounts[name]


def test_an_environment_asks_the_service_as_it_was_answered() -> None:
    for name, source in (("test", None), ("live", "test")):
        found = settings(name)
        assert isinstance(found, EnvironmentSettings)
        assert found.promotes_from == source
        service = found.service
        assert (service.port, service.health_path, service.status_path) == (3000, "/healthz", "/about")
        assert found.smoke.identify is Identify.HEADER


def test_users_of_the_second_environment_come_by_https_and_those_of_the_first_by_plain_http() -> None:
    first, second = settings("test"), settings("live")
    assert isinstance(first, EnvironmentSettings)
    assert isinstance(second, EnvironmentSettings)
    assert (first.insecure, first.https.domain) == (True, "")
    assert (second.insecure, second.https.domain, second.https.hosted_zone) == (
        False,
        "shop.example.com",
        "Z0123456789",
    )
    assert "settings-of.live]" in FILES["pyproject.toml"]


def test_the_artifacts_stack_builds_the_services_folder() -> None:
    found = settings("artifacts")
    assert isinstance(found, ArtifactsSettings)
    assert found.app.what() == SHOP.app


def test_no_file_speaks_of_the_template() -> None:
    for name, text in FILES.items():
        assert "release-lane:" not in text or name.startswith(("infra/", "tests/")), name
        assert "only in this repository" not in text, name
    workflow = FILES[".github/workflows/release.yml"]
    assert "deploy test --digest" in workflow
    assert "promote live --digest" in workflow
    assert not {"staging", "production"} & {*workflow.replace(".", " ").replace(":", " ").split()}
    assert 'name = "shop-releases"' in FILES["pyproject.toml"]


@pytest.mark.parametrize("ci", Ci)
def test_only_the_pipeline_of_the_chosen_ci_system_is_written_with_the_names_of_the_environments(ci: Ci) -> None:
    files = render(template.read(), replace(SHOP, environments=("test", "live-eu"), ci=ci))
    first = {Ci.GITHUB: ".github/workflows/release.yml", Ci.GITLAB: ".gitlab-ci.yml", Ci.JENKINS: "Jenkinsfile"}
    assert [name for name in first.values() if name in files] == [first[ci]]
    assert (".ci/prepare" in files) is (ci is not Ci.GITHUB)
    pipeline = files[first[ci]]
    assert "promote live-eu --digest" in pipeline
    assert not re.search(r"\b(?:staging|production)\b", pipeline)
    assert not re.search(r"STAGING|PRODUCTION", pipeline)
    assert ci_of(files) is ci


def test_every_link_leads_to_a_file_of_the_team() -> None:
    for name, text in FILES.items():
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if name.endswith(".md") else ():
            assert link in FILES, f"{name}: {link}"
    linked = render({"a.md": "[more](docs/guides/bring-your-own-service.md#settings)"}, SHOP)
    assert linked == {"a.md": "more (docs/guides/bring-your-own-service.md of release-lane)"}


def test_a_page_that_the_team_does_not_get_is_said_to_be_of_release_lane() -> None:
    for name, text in FILES.items():
        pages = re.findall(r"docs/[\w/.-]+\.(?:md|yaml)(?! of release-lane)", text)
        assert not {page for page in pages if page not in FILES}, name


def test_the_workflow_has_a_job_for_each_environment_besides_its_own() -> None:
    assert {*yaml.safe_load(FILES[".github/workflows/release.yml"])["jobs"]} == {*JOBS, *SHOP.environments}


def test_names_of_environments_may_be_exchanged() -> None:
    files = render(template.read(), replace(SHOP, environments=("production", "staging")))
    assert "release-lane" not in yaml.safe_load(files["Pulumi.yaml"])["name"]
    assert yaml.safe_load(files["Pulumi.staging.yaml"])["config"]["shop:promotesFrom"] == "production"
    assert "shop:promotesFrom" not in yaml.safe_load(files["Pulumi.production.yaml"])["config"]


def test_lines_that_are_only_for_the_repository_of_the_template_are_left_out() -> None:
    text = "a\n  # >>> only in this repository: why\n  b\n  # <<<\nc\n  # >>> only in this repository\n# <<<\nd\n"
    assert render({"x": text}, SHOP) == {"x": "a\nc\nd\n"}


CERTIFICATE = "arn:aws:acm:eu-central-1:222222222222:certificate/1"


@pytest.mark.parametrize(
    "answers",
    [
        SHOP,
        replace(SHOP, status_path="", identify=Identify.NONE, app=App(folder=".")),
        replace(SHOP, hosted_zone="", certificate=CERTIFICATE),
        replace(SHOP, domain="", hosted_zone=""),
    ],
)
def test_the_answers_are_read_back_from_the_files(answers: Answers) -> None:
    files = render(template.read(), answers)
    stacks = {
        name.removeprefix("Pulumi.").removesuffix(".yaml"): yaml.safe_load(text)["config"]
        for name, text in files.items()
        if name.startswith("Pulumi.") and name != "Pulumi.yaml"
    }
    further = {"shop:promotesFrom": "live"}
    assert answers_in("shop", stacks) == answers
    assert answers_in("shop", {"abroad": further, **stacks}) == answers, "the first two of the route"


def test_what_files_do_not_say_has_its_default() -> None:
    assert answers_in("shop", {}).environments == ("staging", "production")
    assert answers_in("shop", {"staging": {"shop:account": "to be filled in"}}).accounts == {}
    assert problems(replace(answers_in("shop", {}), region="us-east-1")) == []


@pytest.mark.parametrize(
    ("flag", "wrong"),
    [
        ("--project", {"project": "My Shop"}),
        ("--project", {"project": "a-name-that-is-much-too-long"}),
        ("--region", {"region": ""}),
        ("--region", {"region": "Frankfurt"}),
        ("--environments", {"environments": ("test", "test")}),
        ("--environments", {"environments": ("artifacts", "live")}),
        ("--environments", {"environments": ("a b", "live")}),
        ("--environments", {"environments": ("review", "live")}),
        ("--environments", {"environments": ("test", "build")}),
        ("--environments", {"environments": ("1st", "live")}),
        ("--account", {"accounts": {"test": "1234"}}),
        ("--account", {"accounts": {"tset": "111111111111"}}),
        ("--domain", {"domain": "https://shop"}),
        ("--domain", {"domain": f"{'a' * 49}.long.example.com"}),
        ("--hosted-zone", {"hosted_zone": "example.com"}),
        ("--hosted-zone", {"certificate": "arn:aws:acm:eu-central-1:111111111111:certificate/1"}),
        ("--certificate", {"hosted_zone": "", "certificate": "arn:aws:acm:us-east-1:111111111111:certificate/1"}),
        ("--port", {"port": 0}),
        ("--health-path", {"health_path": "healthz"}),
        ("--status-path", {"status_path": "about"}),
        ("--identify", {"status_path": "", "identify": Identify.STATUS}),
        ("--app", {"app": App(folder="/srv")}),
        ("--dockerfile", {"app": App(dockerfile="../Dockerfile")}),
    ],
    ids=str,
)
def test_a_wrong_answer_is_named_by_its_flag(flag: str, wrong: dict[str, Any]) -> None:
    assert problems(SHOP) == []
    assert flag in {each.split(": ")[0] for each in problems(replace(SHOP, **wrong))}


def test_a_gitignore_keeps_its_lines_and_gets_the_missing_ones() -> None:
    assert merged_ignores("*.log\n.venv/", ".venv/\n.local/\n") == "*.log\n.venv/\n.local/\n"
    assert merged_ignores(".local/\n.venv/\n", ".venv/\n.local/\n") == ".local/\n.venv/\n"
    assert merged_ignores("", ".venv/\n") == ".venv/\n"
