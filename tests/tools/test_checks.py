"""`make test`: its verdict, and that a failure never ends as a success."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests
from tests.patience import PATIENCE
from tools.checks import (
    EVERY,
    FOLDERS,
    LANES,
    LINT,
    OF_THE_CLOUD,
    PURE,
    RINGS,
    STATES,
    STORIES,
    Check,
    Outcome,
    chosen,
    conclude,
    main,
    perform,
    places_of,
    run_lane,
    set_aside,
    side_by_side,
)
from tools.lane import ROOT


def ok(name: str) -> Outcome:
    return Outcome(name, 0, 1.0)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([ok("a"), ok("b")], 0),
        ([ok("a"), Outcome("b", 1, 1.0)], 1),
        ([Outcome("a", -9, 1.0), ok("b")], 1),
        ([ok("a"), Outcome("cloud", 0, 0.0, "no docker")], 0),
        ([Outcome("local cloud", 3, 1.0), Outcome("cloud", 0, 0.0, "it did not come up")], 1),
    ],
)
def test_one_no_is_a_no(outcomes: list[Outcome], code: int) -> None:
    assert conclude(outcomes) == code


@pytest.mark.pure
def test_the_summary_names_what_was_left_out_and_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    conclude([ok("lint"), Outcome("types", 1, 2.0), Outcome("cloud", 0, 0.0, "there is no docker")])
    text = capsys.readouterr().out
    assert "FAILED    types (2.0 s)" in text
    assert "LEFT OUT  cloud: there is no docker" in text


@pytest.mark.provider
def test_the_summary_names_each_test_that_failed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ill = "import pytest\n\n@pytest.fixture\ndef broken():\n    raise OSError('no port')\n\n"
    (tmp_path / "test_it.py").write_text(
        f"{ill}def test_well(): pass\ndef test_ill(): assert 1 == 2\ndef test_never(broken): pass\n"
    )
    at = f"--rootdir={tmp_path}"
    check = Check("rings", (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", at, str(tmp_path)))
    assert conclude([perform(check, os.environ)]) == 1
    summary = capfd.readouterr().out.partition("\nsummary\n")[2]
    assert "test_it::test_ill: assert 1 == 2" in summary
    assert 'test_it::test_never: failed on setup with "OSError: no port"' in summary
    assert "test_well" not in summary


@pytest.mark.pure
def test_an_unknown_check_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lnit"]) == 2
    assert "lnit" in capsys.readouterr().err


@pytest.mark.pure
def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--fats"]) == 2
    assert "--fats" in capsys.readouterr().err


@pytest.mark.provider
@pytest.mark.parametrize(
    "module",
    [
        *("tools.checks", "tools.demo", "tools.provider"),
        *("local_aws.standins.tables", "tests.faults.record", "tests.contract.page"),
    ],
)
def test_who_asks_for_help_gets_it_and_nothing_else(module: str, tmp_path: Path) -> None:
    """Without tools on the PATH, and with the local cloud in an empty folder: nothing could be begun unseen."""
    environment = {
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "PATH": "",
        "HOME": str(tmp_path),
        "LOCAL_RUNTIME": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert module in done.stdout
    assert not list(tmp_path.iterdir())


MARKS = ("pure", "program", "provider", "cli", "pipeline", "cloud", "story", "long")
ALONE: list[set[str]] = [{mark} for mark in MARKS[:5]]
MARKED = [
    set(),
    *ALONE,
    {"cloud"},
    {"cloud", "story"},
    {"cloud", "long"},
    {"cloud", "story", "long"},
    {"pure", "cloud"},
]


def runs(check: Check, marks: set[str], folder: str) -> bool:
    """Whether a check of tests runs one with these marks in this folder, as pytest reads its command."""
    options = check.command[check.command.index("pytest") + 1 :]
    expression = options[options.index("-m") + 1]
    folders = [each for each in options if each in FOLDERS]
    return (not folders or folder in folders) and bool(eval(expression, {}, {mark: mark in marks for mark in MARKS}))


@pytest.mark.pure
@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("marks", MARKED, ids=lambda marks: "-".join(sorted(marks)) or "none")
def test_every_test_is_run_by_exactly_one_check(marks: set[str], folder: str) -> None:
    """A test without any mark as well. (Some of the cloud's run once more, with another backend; the pure ones
    are rings.)"""
    of_tests = [check for check in chosen(["--all"]) if "pytest" in check.command and check is not STATES]
    assert [check.name for check in of_tests if runs(check, marks, folder)] == [expected(marks, folder)]


STRIKES = re.compile(r"SIGKILL|SIGINT|\blocks\(|\.locks\b|way_back\(|killed_at_half\(")
BY_ITSELF = {"test_outlived_on_the_local_cloud.py"}
"""Goes through both backends already."""


@pytest.mark.pure
def test_every_story_of_locks_and_crashes_runs_with_the_states_in_s3_as_well() -> None:
    marked, struck = set(), set()
    for path in ROOT.glob("**/tests/**/test_*.py"):
        if path.is_relative_to(ROOT / OF_THE_CLOUD) or path.name in BY_ITSELF:
            continue
        tree = ast.parse(path.read_text())
        of_all = [each for each in tree.body if ast.unparse(each).startswith("pytestmark")]
        for test in tree.body:
            if not isinstance(test, ast.FunctionDef) or not test.name.startswith("test_"):
                continue
            marks = {mark for each in (*of_all, *test.decorator_list) for mark in MARK.findall(ast.unparse(each))}
            if "states" in marks:
                assert "cloud" in marks, test.name
                marked.add(test.name)
            if "cloud" in marks and STRIKES.search(ast.unparse(test)):
                struck.add(test.name)
    assert struck
    assert struck <= marked


MARK = re.compile(r"pytest\.mark\.(\w+)")


def expected(marks: set[str], folder: str) -> str:
    """By what a test needs, how long it takes, and whose it is."""
    if "pipeline" in marks:
        return "pipelines"
    if "cloud" not in marks:
        return "local-rings" if folder == OF_THE_CLOUD else "rings"
    if folder == OF_THE_CLOUD:
        return "local"
    story = "story" in marks
    if "long" in marks:
        return "long" if story else "long-command"
    return "stories" if story else "command"


@pytest.mark.pure
def test_make_test_and_the_rest_are_everything_and_share_nothing() -> None:
    lane, rest, every = chosen([]), chosen(["--rest"]), chosen(["--all"])
    assert not set(lane) & set(rest)
    assert set(lane) | set(rest) == set(every) == {*EVERY.values()} - {PURE}
    assert {*chosen(["--fast"])} - {PURE} < set(lane)
    assert runs(RINGS, {"pure"}, "tests")


@pytest.mark.pure
def test_checks_are_chosen_by_name_and_set_each_once() -> None:
    names = [check.name for check in chosen(["stories", "--fast", "lint"])]
    assert names == ["lint", "format", "types", "pure", "stories"]


LONG_ONE = re.compile(r"^@pytest\.mark\.long\n(?:@.*\n|[ \])].*\n)*def (test_\w+)", re.MULTILINE)
LONG_FILE = re.compile(r"^pytestmark = [^=]*pytest\.mark\.long", re.MULTILINE)


def long_tests() -> Iterator[tuple[str, str]]:
    """(the end of a file's path, the name of a test); "" for a file that is long as a whole."""
    for folder in tests.__path__:
        for path in Path(folder).rglob("test_*.py"):
            text, file = path.read_text(), "/".join(path.parts[-2:])
            if LONG_FILE.search(text):
                yield file, ""
            yield from ((file, name) for name in LONG_ONE.findall(text))


@pytest.mark.pure
def test_the_page_of_guarantees_says_which_tests_are_long() -> None:
    """A line that names a long test, or a file of them, names `make test-all`."""
    found = set(long_tests())
    assert len(found) > 10
    lines = [line for line in (ROOT / "docs/guarantees.md").read_text().splitlines() if line.startswith("- `")]
    silent = {
        (file, name)
        for file, name in found
        for line in lines
        if (f"::{name}`" in line or f"{file}`" in line if name else file in line) and "make test-all" not in line
    }
    assert silent == set()


@pytest.mark.provider
@pytest.mark.parametrize(("source", "code"), [("pass", 0), ("raise SystemExit(3)", 3)])
def test_a_commands_exit_code_is_the_verdict(source: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    check = Check("thing", (sys.executable, "-c", f"print('its output'); {source}"))
    assert perform(check, os.environ).code == code
    assert ("its output" in capsys.readouterr().out) is (code != 0)


@pytest.mark.provider
def test_a_ring_without_any_test_is_a_no(capfd: pytest.CaptureFixture[str]) -> None:
    command = (sys.executable, "-m", "pytest", "-q", "-m", "pure and cloud", "tests/tools/test_checks.py")
    assert perform(Check("rings", command, show="as it comes"), os.environ).code != 0
    assert "no test was found" in capfd.readouterr().out


@pytest.mark.pure
def test_what_runs_at_once_has_clouds_of_its_own() -> None:
    """The second one lies in a folder of the first, which `make down` removes as a whole."""
    one, other = ({places_of(check) for check in lane} for lane in LANES)
    assert (len(one), len(other)) == (1, 1)
    first, second = one.pop(), other.pop()
    assert first.runtime in second.runtime.parents
    assert first.lock != second.lock


@pytest.mark.pure
def test_each_check_of_a_lane_finds_a_new_cloud_and_one_that_does_not_come_up_is_a_no(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    ups = iter([ok("local cloud"), Outcome("local cloud", 3, 1.0)])
    monkeypatch.setattr("tools.checks.renew", lambda _: said.append("renewed") or next(ups))
    monkeypatch.setattr("tools.checks.perform", lambda check, _: said.append(check.name) or ok(check.name))
    outcomes = run_lane(LANES[0], places_of(LANES[0][0]), goes=True)
    assert said == ["stories", "renewed", "local", "renewed"]
    assert conclude(outcomes) == 1
    assert [each.name for each in outcomes if each.left_out] == ["long"]
    said.clear()
    run_lane(LANES[0], places_of(LANES[0][0]), goes=False)
    assert said == ["stories", "local", "long"]


@pytest.mark.pure
def test_rings_next_to_clouds_get_what_those_leave_of_the_processors() -> None:
    command = set_aside(RINGS).command
    assert command == ("nice", "-n", "19", *RINGS.command)
    assert [set_aside(check) for check in (LINT, STORIES)] == [LINT, STORIES]


def test_what_ran_aside_shows_how_it_ended_without_its_progress(capfd: pytest.CaptureFixture[str]) -> None:
    said = "..s.x    [ 50%]\\n.....    [100%]\\nSKIPPED [1] why\\n9 passed"
    assert perform(Check("rings", (sys.executable, "-c", f"print('{said}')"), show="at the end"), os.environ).ok
    assert capfd.readouterr().out == "\n--- rings\nSKIPPED [1] why\n9 passed\n\n"


def test_outcomes_come_in_the_order_asked() -> None:
    assert [o.name for o in side_by_side([lambda: ok("a"), lambda: ok("b"), lambda: ok("c")])] == ["a", "b", "c"]


@pytest.mark.provider
def test_the_help_of_make_names_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    declared = makefile.split(".PHONY:")[1].splitlines()[0].split()
    undocumented = [name for name in declared if f"\n{name}: " not in makefile.replace("bootstrap:", "bootstrap: ##")]
    assert undocumented == []
