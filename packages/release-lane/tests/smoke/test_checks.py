"""Reading pytest's JUnit XML, and what counts as a passed run of the smoke checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from release_lane.record.asking import Asked, Identify
from release_lane.smoke.checks import Expected, read_report, unexplained


def junit(*cases: str) -> str:
    return f'<?xml version="1.0"?><testsuites><testsuite name="pytest">{"".join(cases)}</testsuite></testsuites>'


def case(name: str, inside: str = "") -> str:
    return f'<testcase classname="smoke" name="{name}">{inside}</testcase>'


FAILED = '<failure message="got 503, expected 200&#10;second line">a long traceback</failure>'
BROKEN = '<error message="failed on setup">a long traceback</error>'
SKIPPED = '<skipped type="pytest.skip" message="no --expect-commit given" />'


@pytest.mark.pure
@pytest.mark.parametrize(
    ("cases", "checks", "failures"),
    [
        ([case("a"), case("b")], 2, ()),
        ([case("a"), case("b", FAILED)], 2, ("b: got 503, expected 200",)),
        ([case("a", BROKEN)], 1, ("a: failed on setup",)),
        ([case("a", "<failure />")], 1, ("a: failed",)),
        ([case("a"), case("b", SKIPPED)], 1, ()),
        (
            [case("a", FAILED), case("b", SKIPPED), case("c", FAILED)],
            2,
            ("a: got 503, expected 200", "c: got 503, expected 200"),
        ),
        ([case("a", "<system-out>noise</system-out>")], 1, ()),
        ([], 0, ("smoke: not a single check was run",)),
        ([case("a", SKIPPED)], 0, ("smoke: not a single check was run",)),
    ],
)
def test_a_report_counts_what_was_checked_and_names_what_failed(
    cases: list[str], checks: int, failures: tuple[str, ...]
) -> None:
    report = read_report(junit(*cases))
    assert (report.checks, report.failures) == (checks, failures)


@pytest.mark.pure
def test_what_was_left_out_is_named_and_never_counted_as_passed() -> None:
    report = read_report(junit(case("a"), case("b", SKIPPED), case("c", "<skipped />")))
    assert report.unchecked == ("b: no --expect-commit given", "c: skipped")
    nameless = Asked(status_path="", identify=Identify.NONE)
    assert read_report(junit(case("a"), case("b", SKIPPED)), nameless).unchecked == (
        *nameless.unchecked,
        "b: no --expect-commit given",
    )


@pytest.mark.provider
def test_what_pytest_really_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad(): assert 1 == 2, 'got 1, expected 2'\n"
        "def test_left_out(): pytest.skip('not given')\n"
        "@pytest.fixture\n"
        "def broken(): raise RuntimeError('no fixture')\n"
        "def test_broken(broken): pass\n"
    )
    written = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={written}", str(tmp_path)]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    report = read_report(written.read_text())
    assert report.checks == 3
    assert [failure.split(":")[0] for failure in report.failures] == ["test_bad", "test_broken"]
    assert "got 1, expected 2" in report.failures[0]
    assert report.unchecked == ("test_left_out: not given",)


@pytest.mark.pure
def test_the_checks_get_what_must_answer() -> None:
    plain = Expected(digest="sha256:aa", colour="green")
    assert plain.options() == ["--expect-digest", "sha256:aa", "--expect-colour", "green"]
    with_commit = Expected(digest="sha256:aa", colour="green", commit="c0ffee")
    assert with_commit.options() == [*plain.options(), "--expect-commit", "c0ffee"]


@pytest.mark.pure
def test_the_checks_get_a_second_release_that_may_answer() -> None:
    both = Expected(digest="sha256:aa", next_to=Expected(digest="sha256:bb", colour="blue"))
    assert both.options() == [
        *("--expect-digest", "sha256:aa"),
        *("--beside-digest", "sha256:bb", "--beside-colour", "blue"),
    ]


@pytest.mark.pure
def test_a_failure_that_no_check_explains_is_seen() -> None:
    assert unexplained(1, junit(case("a")))
    assert not unexplained(1, junit(case("a", FAILED)))
    assert not unexplained(1, junit())
    assert not unexplained(0, junit(case("a")))
