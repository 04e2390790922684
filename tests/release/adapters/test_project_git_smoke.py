"""Stack files, git, and the smoke checks' report."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from release.adapters.git import RealGit
from release.adapters.project import find_root, read_project
from release.adapters.smoke import PytestSmoke
from release.disk.git import environment
from release.errors import CloudError, UsageError
from release.names import Access
from release.placement import Colour
from release.smoking import Expected, read_report

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[3]


def files(folder: Path, **texts: str) -> Path:
    (folder / "Pulumi.yaml").write_text("name: lane\nruntime: python\n")
    for stack, text in texts.items():
        (folder / f"Pulumi.{stack}.yaml").write_text(text)
    return folder


def test_this_projects_own_files_are_read() -> None:
    project = read_project(ROOT)
    assert project.route.environments == ("staging", "production")
    assert project.route.source_of("production") == "staging"
    assert project.builds == "artifacts"
    assert project.artifacts_of("production") == "artifacts"


def test_only_this_projects_own_keys_count(tmp_path: Path) -> None:
    files(tmp_path, one="config:\n  other:promotesFrom: two\n", empty="")
    with pytest.raises(UsageError, match=r"Pulumi\.empty\.yaml is not a mapping"):
        read_project(tmp_path)
    (tmp_path / "Pulumi.empty.yaml").write_text("{}\n")
    assert read_project(tmp_path).route.sources == {"empty": None, "one": None}


def test_a_stack_file_says_where_in_aws_its_resources_are_and_as_whom(tmp_path: Path) -> None:
    one = "config:\n  aws:region: eu-west-1\n  lane:account: '123456789012'\n  lane:idle:\n    afterWatch: 1\n"
    assumed = "  aws:assumeRole:\n    roleArn: arn:aws:iam::123456789012:role/release\n"
    several = "  aws:assumeRoles:\n    - roleArn: arn:aws:iam::123456789012:role/release\n"
    project = read_project(files(tmp_path, plain=one, one=one + assumed, many=one + several, bare="config: {}\n"))
    role = "arn:aws:iam::123456789012:role/release"
    assert project.names("plain").access == Access(region="eu-west-1", account="123456789012")
    assert project.names("one").access.role == project.names("many").access.role == role
    assert project.names("plain").services[Colour.GREEN] == "lane-plain-green"
    assert (project.stacks["plain"].idle_tasks, project.stacks["bare"].idle_tasks) == (1, None)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    files(tmp_path, staging="config: [")
    with pytest.raises(UsageError, match=r"Pulumi\.staging\.yaml cannot be read"):
        read_project(tmp_path)


def test_two_stacks_that_build_are_one_too_many(tmp_path: Path) -> None:
    role = "config:\n  lane:role: artifacts\n"
    with pytest.raises(UsageError, match="2 stack files with role: artifacts"):
        _ = read_project(files(tmp_path, a=role, b=role)).builds


def test_the_root_is_found_from_below(tmp_path: Path) -> None:
    below = files(tmp_path) / "a" / "b"
    below.mkdir(parents=True)
    assert find_root(below) == tmp_path


def test_git_says_what_is_checked_out_and_what_differs(tmp_path: Path) -> None:
    git = RealGit()
    with pytest.raises(UsageError) as caught:
        git.head(tmp_path)
    assert "not a git repository" in caught.value.why
    me = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, env=environment() | me)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "new file.py").touch()
    (tmp_path / "other").touch()
    assert len(git.head(tmp_path)) == 40
    assert git.changed(tmp_path) == ("app/new file.py", "other")
    with pytest.raises(UsageError, match="has no folder app"):
        git.to_build(tmp_path)


def test_only_what_is_expected_becomes_an_option() -> None:
    assert Expected().options() == []
    assert Expected(digest="d", commit="c").options() == ["--expect-digest", "d", "--expect-commit", "c"]


def test_a_report_counts_checks_and_names_failures() -> None:
    report = read_report(
        '<testsuites><testsuite><testcase name="a"/><testcase name="b"><failure message="says error&#10;more"/>'
        '</testcase><testcase name="c"><error message="boom"/></testcase></testsuite></testsuites>'
    )
    assert report.checks == 3
    assert report.failures == ("b: says error", "c: boom")


def smoke_in(folder: Path, check: str) -> PytestSmoke:
    (folder / "smoke").mkdir()
    (folder / "smoke" / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--url')\n    parser.addoption('--expect-digest')\n"
    )
    (folder / "smoke" / "test_it.py").write_text(check)
    return PytestSmoke(root=folder, display=(folder / "display").open("w+"), environ=os.environ)


def test_the_checks_run_in_a_process_of_their_own(tmp_path: Path) -> None:
    smoke = smoke_in(
        tmp_path,
        "def test_it(request):\n    assert request.config.getoption('--url') == 'http://x'\n"
        "    assert request.config.getoption('--expect-digest') == 'd'\n"
        "def test_wrong():\n    assert 1 == 2, 'wrong release'\n",
    )
    report = smoke.run("http://x", Expected(digest="d"))
    assert report.checks == 2
    assert report.failures == ("test_wrong: AssertionError: wrong release",)


def test_checks_that_cannot_be_run_are_an_error_and_no_result(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="could not be run"):
        smoke_in(tmp_path, "import nothing_of_the_kind\n").run("http://x", Expected())


def test_the_display_must_be_a_real_file(tmp_path: Path) -> None:
    smoke = PytestSmoke(root=tmp_path, display=io.StringIO(), environ=os.environ)
    with pytest.raises(io.UnsupportedOperation):
        smoke.run("http://x", Expected())
