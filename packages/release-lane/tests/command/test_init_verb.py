"""init: the files of a new project, and what a newer template would change."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from release_lane.disk import template
from release_lane.gates.__main__ import VERSION
from tests.command.words import Stage

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[4]
FLAGS = ("--project", "shop", "--region", "eu-central-1", "--port", "3000", "--health-path", "/healthz")
DOOR = ("--domain", "shop.example.com", "--hosted-zone", "Z0123456789")
MOST_FILES, MOST_LINES = 25, 1500


def written(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    assert Stage().run("init", str(folder), *FLAGS) == 0
    return folder


# ---- writing


def test_a_team_gets_few_files_and_few_lines(shop: Path) -> None:
    files = written(shop)
    assert len(files) <= MOST_FILES
    assert sum(len(text.splitlines()) for text in files.values()) <= MOST_LINES
    assert {"Pulumi.yaml", "infra/__main__.py", "smoke/test_service.py", ".gitignore", "RELEASING.md"} <= {*files}


@pytest.mark.parametrize("ci", ["gitlab", "jenkins"])
def test_another_ci_system_makes_no_more_of_them_and_is_known_again(tmp_path: Path, ci: str) -> None:
    assert Stage().run("init", str(tmp_path), *FLAGS, "--ci", ci) == 0
    files = written(tmp_path)
    assert len(files) <= MOST_FILES
    assert sum(len(text.splitlines()) for text in files.values()) <= MOST_LINES
    on = Stage()
    assert on.run("init", str(tmp_path), "--diff") == 0
    assert on.out == "No difference.\n"


def test_it_ends_with_what_is_missing_and_the_next_three_commands(tmp_path: Path) -> None:
    on = Stage()
    assert on.run("init", str(tmp_path), *FLAGS, "--json", "--app", "service") == 0
    assert len(on.data["next"]) == 3
    assert "release deploy staging" in on.data["next"][-1]
    assert any("there is no service/Dockerfile yet" in note for note in on.data["notes"])
    assert any("fill in the AWS account in Pulumi.artifacts.yaml, Pulumi.staging.yaml" in n for n in on.data["notes"])
    assert any("fill in https (or insecure: true) in Pulumi.production.yaml" in note for note in on.data["notes"])
    assert any("no git repository" in note for note in on.data["notes"])
    assert on.data["files"] == sorted(written(tmp_path))


def test_a_service_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    own = {"app/Dockerfile": "FROM scratch\n", "main.py": "own\n", ".gitignore": "*.log\n"}
    for name, text in own.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / ".git").mkdir()
    on = Stage()
    assert on.run("init", str(tmp_path), *FLAGS, "--account", "111111111111", *DOOR) == 0
    files = written(tmp_path)
    assert "Note:" not in on.out
    assert {name: files[name] for name in ("app/Dockerfile", "main.py")} == {
        "app/Dockerfile": "FROM scratch\n", "main.py": "own\n"
    }  # fmt: skip
    assert files[".gitignore"].startswith("*.log\n.venv/\n")


@pytest.mark.parametrize("kind", ["file", "link", "folder of that name"])
def test_what_exists_is_named_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "pyproject.toml"
    match kind:
        case "file":
            target.write_text("[project]\n")
        case "link":
            target.symlink_to(tmp_path / "nowhere")
        case "folder of that name":
            target.mkdir()
    on = Stage()
    assert on.run("init", str(tmp_path), *FLAGS) == 2
    assert "\n  pyproject.toml\n" in on.err
    assert "--force overwrites" in on.err
    assert os.listdir(tmp_path) == ["pyproject.toml"]


def test_a_file_where_a_folder_should_be_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "smoke").write_text("own\n")
    on = Stage()
    assert on.run("init", str(tmp_path), *FLAGS) == 2
    assert "  smoke/conftest.py" in on.err
    assert written(tmp_path) == {"smoke": "own\n"}


def test_force_overwrites(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    assert Stage().run("init", str(tmp_path), *FLAGS, "--force") == 0
    assert "release-lane==" in written(tmp_path)["pyproject.toml"]


def test_a_second_time_changes_nothing(shop: Path) -> None:
    before = written(shop)
    assert Stage().run("init", str(shop), *FLAGS) == 0
    assert written(shop) == before


def test_all_wrong_answers_are_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    on = Stage()
    assert on.run("init", str(tmp_path / "new"), "--project", "A B", "--port", "0", "--account", "12") == 2
    for flag in ("--project", "--region", "--account", "--port"):
        assert f"\n  {flag}: " in on.err
    assert not (tmp_path / "new").exists()


def test_one_name_for_both_environments_is_refused(tmp_path: Path) -> None:
    on = Stage()
    assert on.run("init", str(tmp_path), *FLAGS, "--environments", "staging") == 2
    assert "--environments needs two names" in on.err


def test_accounts_are_given_for_all_or_by_stack(tmp_path: Path) -> None:
    accounts = ("--account", "111111111111", "--account", "production=222222222222")
    assert Stage().run("init", str(tmp_path), *FLAGS, *accounts) == 0
    files = written(tmp_path)
    assert 'shop:account: "111111111111"' in files["Pulumi.artifacts.yaml"]
    assert 'shop:account: "111111111111"' in files["Pulumi.staging.yaml"]
    assert 'shop:account: "222222222222"' in files["Pulumi.production.yaml"]


def test_a_person_is_asked_for_what_no_flag_gives(tmp_path: Path) -> None:
    on = Stage(answer="\neu-west-1\ntest,live\nshop.example.com\nZ0123456789\n3000\n/healthz\n\nservice\n333333333333")
    folder = tmp_path / "My Shop"
    folder.mkdir()
    assert on.run("init", str(folder)) == 0
    assert "Name of the project [my-shop]: AWS region: " in on.err
    files = written(folder)
    assert "name: my-shop\n" in files["Pulumi.yaml"]
    assert "folder: service" in files["Pulumi.artifacts.yaml"]
    assert 'my-shop:account: "333333333333"' in files["Pulumi.live.yaml"]
    assert "domain: shop.example.com\n    hostedZone: Z0123456789\n" in files["Pulumi.live.yaml"]
    assert "port: 3000\n    healthPath: /healthz\n" in files["Pulumi.test.yaml"]


def test_an_answer_that_cannot_be_used_is_asked_for_again_with_the_reason(tmp_path: Path) -> None:
    typed = [
        "",
        "nowhere",
        "eu-west-1",
        "one",
        "test,live",
        "",
        "none",
        "3000",
        "healthz",
        "/healthz",
        "",
        "",
        "12",
        "",
    ]
    on = Stage(answer="\n".join(typed) + "\n")
    folder = tmp_path / "shop"
    assert on.run("init", str(folder)) == 0
    for reason in ("--region: ", "--environments needs two names", "--port: ", "--health-path: ", "--account: "):
        assert on.err.count(f"  {reason}") == 1, reason
    assert "port: 3000\n    healthPath: /healthz\n" in written(folder)["Pulumi.test.yaml"]


def test_where_input_ends_a_wrong_default_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    on = Stage(answer="")
    assert on.run("init", str(tmp_path / "new")) == 2
    assert "--region: " in on.err
    assert not (tmp_path / "new").exists()


# ---- a newer template


def test_there_is_no_difference_right_after(shop: Path) -> None:
    on = Stage()
    assert on.run("init", str(shop), "--diff") == 0
    assert on.out == "No difference.\n"


def test_what_the_template_would_change_is_shown_and_nothing_is_changed(shop: Path) -> None:
    (shop / "smoke/test_release.py").write_text("an older one\n")
    (shop / "RELEASING.md").unlink()
    (shop / ".gitignore").write_text("*.log\n.venv/\n.local/\n__pycache__/\n")
    before = written(shop)
    on = Stage()
    assert on.run("init", str(shop), "--diff") == 1
    assert "--- smoke/test_release.py\n+++ smoke/test_release.py (template)\n" in on.out
    assert "-an older one\n" in on.out
    assert "--- /dev/null\n+++ RELEASING.md (template)\n" in on.out
    assert "+.pytest_cache/\n" in on.out
    assert "-*.log" not in on.out
    assert written(shop) == before
    assert on.run("init", str(shop), "--diff", "--json") == 1
    assert sorted(on.data["differences"]) == [".gitignore", "RELEASING.md", "smoke/test_release.py"]


def test_what_a_team_fills_in_is_no_difference(shop: Path) -> None:
    for name in ("artifacts", "staging", "production"):
        path = shop / f"Pulumi.{name}.yaml"
        text = path.read_text()
        path.write_text(text.replace("desiredCount: 2", "desiredCount: 7").replace("port: 3000", "port: 3001"))
    (shop / "smoke/test_service.py").write_text("def test_prices() -> None: ...\n")
    (shop / "Pulumi.abroad.yaml").write_text("config:\n  shop:promotesFrom: production\n")
    assert Stage().run("init", str(shop), "--diff") == 0


def test_a_folder_without_a_project_cannot_be_compared(tmp_path: Path) -> None:
    on = Stage()
    assert on.run("init", str(tmp_path), "--diff") == 2
    assert "There is no Pulumi.yaml" in on.err
    (tmp_path / "Pulumi.yaml").write_text("name: [\n")
    assert on.run("init", str(tmp_path), "--diff") == 2
    assert "Pulumi.yaml cannot be read" in on.err


def test_a_setting_of_another_kind_is_not_repeated_by_a_comparison(shop: Path) -> None:
    (shop / "Pulumi.staging.yaml").write_text("config:\n  shop:service: {port: hunter2}\n")
    on = Stage()
    assert on.run("init", str(shop), "--diff", "--debug") == 2
    assert "cannot be compared" in on.err
    assert "hunter2" not in on.err


# ---- one source


def test_a_team_gets_the_versions_that_this_repository_is_tried_with() -> None:
    root = tomllib.loads((ROOT / "pyproject.toml").read_text())
    own = tomllib.loads(template.read()["pyproject.toml"])
    here, theirs = ({*each["project"]["dependencies"]} for each in (root, own))
    scans = {"pip-audit>=2.10"}  # it asks a service on the internet, so no test runs it
    assert theirs - here == {f"release-lane=={VERSION}", *scans}
    assert own["dependency-groups"]["dev"] == [f"local-aws=={VERSION}"]
    assert root["project"]["version"] == VERSION
    local = root["tool"]["local-aws"]
    local["settings"]["smoke.deadlineSeconds"] *= 2  # a team's checks may be slower than those of the sample
    assert own["tool"]["local-aws"] == {key: local[key] for key in ("settings", "settings-of", "environment")}


def test_every_pattern_of_the_template_finds_a_file() -> None:
    for pattern in template.FROM_ROOT:
        assert [*ROOT.glob(pattern)], pattern


def test_a_stack_file_that_only_this_checkout_has_is_not_part_of_the_template(tmp_path: Path) -> None:
    for stack in ("artifacts", "staging", "production", "mine"):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
    found = template.sources(tmp_path, tmp_path)
    assert {name for name in found if name.startswith("Pulumi.")} == {
        "Pulumi.artifacts.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml"
    }  # fmt: skip


# ---- settings


def test_all_settings_are_printed_with_the_keys_of_this_project(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, key in ((shop, "shop:https"), (shop.parent, "release-lane:https")):
        monkeypatch.chdir(folder)
        on = Stage()
        assert on.run("settings") == 0
        assert f"  {key}:\n    domain: shop.example.com" in on.out
    assert "shop:imageDigest" not in on.out
