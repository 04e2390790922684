"""Stack files, git, and the smoke checks' report."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest
from release_lane.command.adapters.git import RealGit
from release_lane.command.adapters.project import changed_since, find_root, read_project
from release_lane.command.adapters.smoke import PytestSmoke
from release_lane.disk.git import environment
from release_lane.errors import CloudError, Interrupted, UsageError
from release_lane.record.alarms import Kind
from release_lane.record.app import App
from release_lane.record.endpoint import Endpoint
from release_lane.record.names import Access
from release_lane.record.placement import Colour
from release_lane.settings.notify import Event
from release_lane.smoke.checks import Expected, read_report

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[5]


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


@pytest.mark.parametrize("named", ["elsewhere", "{root}/elsewhere"])
def test_stack_files_are_taken_from_the_folder_that_the_environment_names(tmp_path: Path, named: str) -> None:
    files(tmp_path, one="config: {}\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/Pulumi.two.yaml").write_text("config: {}\n")
    environ = {"RELEASE_LANE_STACKS": named.format(root=tmp_path)}
    assert [stack.path for stack in read_project(tmp_path, environ).stacks.values()] == [
        tmp_path / "elsewhere/Pulumi.two.yaml"
    ]
    assert list(read_project(tmp_path, {"RELEASE_LANE_STACKS": ""}).stacks) == ["one"]


def test_a_named_folder_without_stack_files_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no stack file in {tmp_path}/gone") as refused:
        read_project(files(tmp_path, one="config: {}\n"), {"RELEASE_LANE_STACKS": "gone"})
    assert "unset RELEASE_LANE_STACKS" in refused.value.next_step


def test_a_stack_file_that_was_changed_after_its_copy_was_made_is_named(tmp_path: Path) -> None:
    files(tmp_path, one="config: {}\n", two="config: {}\n")
    shutil.copytree(tmp_path, tmp_path / "copies", ignore=shutil.ignore_patterns("Pulumi.yaml", "copies"))
    environ = {"RELEASE_LANE_STACKS": "copies"}
    assert changed_since(tmp_path, environ) == ()
    (tmp_path / "Pulumi.two.yaml").write_text("config: {a: b}\n")
    (tmp_path / "Pulumi.three.yaml").write_text("config: {}\n")
    assert changed_since(tmp_path, environ) == ("Pulumi.three.yaml", "Pulumi.two.yaml")
    assert changed_since(tmp_path, {}) == ()


def test_only_this_projects_own_keys_count(tmp_path: Path) -> None:
    files(tmp_path, one="config:\n  other:promotesFrom: two\n", empty="")
    with pytest.raises(UsageError, match=r"Pulumi\.empty\.yaml is not a mapping"):
        read_project(tmp_path)
    (tmp_path / "Pulumi.empty.yaml").write_text("config: [region]\n")
    with pytest.raises(UsageError, match=r"config of Pulumi\.empty\.yaml is not a mapping"):
        read_project(tmp_path)
    (tmp_path / "Pulumi.empty.yaml").write_text("{}\n")
    assert read_project(tmp_path).route.sources == {"empty": None, "one": None}


def test_a_stack_file_says_where_in_aws_its_resources_are_and_as_whom(tmp_path: Path) -> None:
    one = "config:\n  aws:region: eu-west-1\n  lane:account: '123456789012'\n  lane:idle:\n    afterWatch: 1\n"
    profile = "  aws:profile: deploy\n"
    several = "  aws:assumeRoles:\n    - roleArn: arn:aws:iam::123456789012:role/release\n"
    project = read_project(files(tmp_path, plain=one, one=one + profile, many=one + several, bare="config: {}\n"))
    role = "arn:aws:iam::123456789012:role/release"
    assert project.names("plain").access == Access(region="eu-west-1", account="123456789012")
    assert (project.names("one").access.profile, project.names("many").access.role) == ("deploy", role)
    assert project.names("plain").services[Colour.GREEN] == "lane-plain-green"
    assert (project.stacks["plain"].idle_tasks, project.stacks["bare"].idle_tasks) == (1, None)


@pytest.mark.parametrize("key", ["lane:promotesFrom", "lane:notify", "aws:region", "aws:assumeRoles"])
@pytest.mark.parametrize("shape", ["{secure: CIPHER}", "{webhook: {secure: CIPHER}}", "[{roleArn: {secure: CIPHER}}]"])
def test_an_encrypted_setting_is_refused_and_not_shown(tmp_path: Path, key: str, shape: str) -> None:
    stack = read_project(files(tmp_path, one=f"config:\n  {key}: {shape}\n")).stacks["one"]
    with pytest.raises(UsageError) as refused:
        _ = (stack.promotes_from, stack.notify, stack.access)
    assert f"{key} in Pulumi.one.yaml is encrypted" in refused.value.what
    assert "CIPHER" not in str(refused.value)


def test_what_only_the_program_reads_does_not_keep_the_command_from_its_work(tmp_path: Path) -> None:
    """Otherwise status, abort and recover would not work for a stack whose file has one wrong line."""
    files(tmp_path, one="config:\n  lane:env:\n    TOKEN: {secure: CIPHER}\n  other:key: {secure: CIPHER}\n")
    assert read_project(tmp_path).route.environments == ("one",)


def test_after_the_project_was_renamed_the_prefix_that_is_expected_is_named(tmp_path: Path) -> None:
    files(tmp_path, artifacts="config:\n  release-lane:role: artifacts\n", one="config:\n  release-lane:account: '1'\n")
    with pytest.raises(UsageError) as refused:
        _ = read_project(tmp_path).builds
    assert "Keys begin with lane: (the name in Pulumi.yaml), but these with release-lane:" in refused.value.why
    assert "with lane:role: artifacts" in refused.value.next_step


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    files(tmp_path, staging="config: [")
    with pytest.raises(UsageError, match=r"Pulumi\.staging\.yaml cannot be read"):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("config:\n  lane:env:\n    A: one\n  lane:account: '1'\n  lane:env:\n    B: two\n", "lane:env.*lines 2 and 5"),
        ("config:\n  lane:env:\n    A: one\n    A: two\n", "A stands there twice, in lines 3 and 4"),
        ("config: {}\nconfig: {}\n", "config stands there twice"),
        ("config:\n  lane:env: {A: one, A: two}\n", "A stands there twice, in lines 2 and 2"),
    ],
    ids=["a setting", "a variable", "everything", "in one line"],
)
def test_a_key_that_stands_twice_is_refused_with_file_and_lines(tmp_path: Path, text: str, words: str) -> None:
    """The engine refuses it as well, but does not say of which file it speaks."""
    with pytest.raises(UsageError, match=r"Pulumi\.staging\.yaml cannot be read") as refused:
        read_project(files(tmp_path, staging=text))
    assert re.search(words, refused.value.why)


UNREADABLE = (
    "A: to: hunter2",
    'A: "hunter2',
    "A: *hunter2",
    "A: !hunter2!x",
    "A: !!hunter2 x",
    "A: @hunter2",
    "A: |hunter2",
    "? [A=hunter2, B]\n    : [",
    "A=hunter2: x\n    A=hunter2: y",
)
"""Mistakes below `env`."""


@pytest.mark.parametrize("line", UNREADABLE)
def test_a_file_that_cannot_be_read_is_refused_with_the_line_and_without_its_text(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=r"Pulumi\.staging\.yaml cannot be read") as refused:
        read_project(files(tmp_path, staging=f"config:\n  lane:env:\n    {line}\n"))
    shown = "".join(traceback.format_exception(refused.value))
    assert "hunter2" not in f"{refused.value}{shown}"
    assert re.search(r"lines? [0-9]", refused.value.why)
    assert "\n" not in refused.value.why


def test_a_key_may_stand_again_elsewhere_in_the_file(tmp_path: Path) -> None:
    same = "&same\n    cpu: 256\n"
    text = f"config:\n  lane:one: {same}  lane:two:\n    <<: *same\n    cpu: 512\n"
    assert read_project(files(tmp_path, staging=text)).stacks.keys() == {"staging"}


@pytest.mark.parametrize("alarms", ["periodSeconds: sixty", "names: slow", "datapoints: [1]"])
def test_alarms_that_cannot_be_read_are_a_mistake_in_the_file_and_hinder_only_what_needs_them(
    tmp_path: Path, alarms: str
) -> None:
    project = read_project(files(tmp_path, staging=f"config:\n  lane:alarms:\n    {alarms}\n"))
    assert project.route.environments == ("staging",)
    with pytest.raises(UsageError, match=r"settings are wrong \(Pulumi\.staging\.yaml.*\n  alarms\."):
        _ = project.stacks["staging"].alarms


def test_the_stacks_alarms_are_read_by_the_programs_own_model(tmp_path: Path) -> None:
    text = "{errorPercent: 5, latencySeconds: 1.5, names: [orders-low], periodSeconds: 10, lateSeconds: 0}"
    project = read_project(files(tmp_path, staging=f"config:\n  lane:alarms: {text}\n", bare="{}\n"))
    alarms, names = project.stacks["staging"].alarms, project.names("staging")
    assert alarms.thresholds().keys() == {Kind.ERRORS, Kind.LATENCY}
    assert (alarms.period_seconds, alarms.late_seconds, alarms.datapoints) == (10, 0, 1)
    assert "orders-low" in alarms.watched(names).names
    assert len(alarms.watched(names).names) == 5
    assert project.stacks["bare"].alarms.watched(names).names == ()


@pytest.mark.parametrize(
    ("written", "tasks"),
    [("{afterWatch: 1}", 1), ("{afterWatch: keep}", None), ("{afterWatch: -1}", None), ("7", None)],
)
def test_a_wrong_idle_setting_counts_as_the_default_so_that_recovery_goes_on(
    tmp_path: Path, written: str, tasks: int | None
) -> None:
    project = read_project(files(tmp_path, staging=f"config:\n  lane:idle: {written}\n"))
    assert project.stacks["staging"].idle_tasks == tasks


def test_scalars_are_read_as_the_engine_hands_them_to_the_program(tmp_path: Path) -> None:
    text = 'config:\n  lane:account: 123456789012\n  lane:artifacts: 7\n  lane:notify: \'{"events": ["breach"]}\'\n'
    stack = read_project(files(tmp_path, staging=text)).stacks["staging"]
    assert (stack.access.account, stack.artifacts, stack.notify.events) == ("123456789012", "7", (Event.BREACH,))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    files(tmp_path)
    (tmp_path / "Pulumi.staging.yaml").write_bytes(b"config: \xff\n")
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
        git.to_build(tmp_path, App())


def test_git_says_when_commits_were_made_and_leaves_out_those_that_are_not_here(tmp_path: Path) -> None:
    git = RealGit()
    assert git.committed(tmp_path, {"c" * 40}) == {}
    me = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    at = {"GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05+01:00"}
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, env=environment() | me | at)
    head = git.head(tmp_path)
    assert git.committed(tmp_path, {head, "c" * 40, "--all", ""}) == {head: 1767319445.0}
    assert git.committed(tmp_path, {"--all"}) == {}


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
    report = smoke.run(Endpoint("http://x"), Expected(digest="d"))
    assert report.checks == 2
    assert report.failures == ("test_wrong: AssertionError: wrong release",)
    assert "1 failed, 1 passed" in (tmp_path / "display").read_text()


def test_checks_that_cannot_be_run_are_an_error_and_no_result(tmp_path: Path) -> None:
    with pytest.raises(CloudError, match="could not be run"):
        smoke_in(tmp_path, "import nothing_of_the_kind\n").run(Endpoint("http://x"), Expected())


def test_an_interrupt_ends_the_checks_and_says_that_they_change_nothing(tmp_path: Path) -> None:
    """SIGTERM and SIGHUP arrive as KeyboardInterrupt (release_lane.command)."""
    smoke = smoke_in(tmp_path, "import time\ndef test_it():\n    open('begun', 'w').close(); time.sleep(600)\n")

    def once_begun() -> None:
        while not (tmp_path / "begun").exists():
            time.sleep(0.02)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=once_begun).start()
    with pytest.raises(Interrupted, match="They change nothing"):
        smoke.run(Endpoint("http://x"), Expected())


def test_checks_may_take_as_long_as_they_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a gate has a deadline; a person ends them with Ctrl-C."""
    hours = itertools.count(step=3600.0)
    monkeypatch.setattr("release_lane.smoke.run.time", SimpleNamespace(monotonic=lambda: next(hours)))
    smoke = smoke_in(tmp_path, "import time\ndef test_it(): time.sleep(0.5)\n")
    assert smoke.run(Endpoint("http://x"), Expected()).failures == ()


def test_checks_that_end_badly_although_none_failed_have_not_passed(tmp_path: Path) -> None:
    """A hook of the adopter's checks said no; what it saw is in pytest's own words."""
    smoke = smoke_in(tmp_path, "def test_it(): pass\n")
    conftest = tmp_path / "smoke" / "conftest.py"
    conftest.write_text(conftest.read_text() + "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n")
    with pytest.raises(CloudError, match="could not be run"):
        smoke.run(Endpoint("http://x"), Expected())


def test_what_is_built_is_read_from_the_artifacts_stack_file(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (tmp_path / "Pulumi.artifacts.yaml").write_text(
        "config:\n  shop:role: artifacts\n  shop:app:\n    folder: .\n    dockerfile: release.Dockerfile\n"
    )
    (tmp_path / "Pulumi.staging.yaml").write_text("config:\n  shop:account: '1'\n")
    stacks = read_project(tmp_path).stacks
    assert stacks["artifacts"].app == App(folder=".", dockerfile="release.Dockerfile")
    assert stacks["staging"].app == App()


def test_commits_between_two_releases_are_read_both_ways(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.test")
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *who, *arguments],
            check=True,
            capture_output=True,
            text=True,
            env=environment(),
        )
        return done.stdout.strip()

    def commit(subject: str) -> str:
        git("commit", "--quiet", "--allow-empty", "-m", subject)
        return git("rev-parse", "HEAD")

    git("init", "--quiet")
    first = commit("first")
    live = commit("live")
    git("checkout", "--quiet", first)
    new = commit("new: | and <b>")
    git("remote", "add", "origin", "https://token:x@github.com/o/r.git")
    found = RealGit().commits(tmp_path, live, new)
    assert [(each.sha, each.subject, each.author) for each in found.added] == [(new, "new: | and <b>", "Ann")]
    assert [each.sha for each in found.removed] == [live]
    assert found.remote == "https://github.com/o/r.git"
    (tmp_path / "review.md").write_text("left by a job")
    assert RealGit().changed(tmp_path) == ("review.md",)
    assert RealGit().edited(tmp_path) == ()
    assert "nvalid revision range" in RealGit().commits(tmp_path, live, "f" * 40).unknown


def test_what_a_user_wants_git_to_show_of_signatures_is_not_taken_for_its_answer(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.test")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, env=environment())

    git("init", "--quiet")
    git("config", "log.showSignature", "true")
    signed = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n{}author A <a@b> 1 +0000\ncommitter A <a@b> 2 +0000\n"
    subprocess.run(["git", "hash-object", "-t", "tree", "-w", "/dev/null"], cwd=tmp_path, check=True)
    names, parent = [], ""
    for subject in ("first", "second"):
        text = f"{signed.format(parent)}gpgsig -----BEGIN SSH SIGNATURE-----\n x\n\n{subject}\n"
        made = subprocess.run(
            ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
            cwd=tmp_path, input=text, text=True, check=True, capture_output=True,
        )  # fmt: skip
        names.append(made.stdout.strip())
        parent = f"parent {names[-1]}\n"
    first, second = names
    assert RealGit().committed(tmp_path, names) == dict.fromkeys(names, 2.0)
    assert [each.sha for each in RealGit().commits(tmp_path, first, second).added] == [second]


def test_commits_that_a_shallow_clone_has_but_does_not_connect_are_unknown(tmp_path: Path) -> None:
    """Each build of a persistent workspace fetched one commit: what is between two of them is not here."""
    far, near = tmp_path / "far", tmp_path / "near"
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.test")

    def git(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True, env=environment()
        )
        return done.stdout.strip()

    for folder in (far, near):
        folder.mkdir()
        git(folder, "init", "--quiet")
    git(far, "config", "uploadpack.allowAnySHA1InWant", "true")
    commits = []
    for subject in ("live", "in between", "new"):
        git(far, "commit", "--quiet", "--allow-empty", "-m", subject)
        commits.append(git(far, "rev-parse", "HEAD"))
    live, _, new = commits
    for each in (live, new):
        git(near, "fetch", "--quiet", "--depth=1", far.as_uri(), each)
    found = RealGit().commits(near, live, new)
    assert "shallow" in found.unknown
    assert (found.added, found.removed) == ((), ())
    git(near, "fetch", "--quiet", "--depth=3", far.as_uri(), new)
    assert [each.subject for each in RealGit().commits(near, live, new).added] == ["new", "in between"]


def test_a_shell_that_is_not_set_to_the_local_cloud_of_its_checkout_is_led_to_the_ledger_there(tmp_path: Path) -> None:
    files(tmp_path, one="config: {}\n")
    assert read_project(tmp_path, {}).to_name_a_ledger.startswith("`release ledger create`")
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/env").write_text("")
    assert read_project(tmp_path, {}).to_name_a_ledger.startswith("`. .local/env`: ")
    set_to_it = read_project(tmp_path, {"RELEASE_LANE_STACKS": str(tmp_path)})
    assert set_to_it.to_name_a_ledger.startswith("`release ledger create`")
