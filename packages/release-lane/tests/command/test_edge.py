"""Usage, help, and what happens to an unforeseen error."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from release_lane.command import run, verbs
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.command.parser import VERBS, every_verb
from release_lane.command.terminal import Terminal, table
from tests.command.words import Stage, states

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[4]


def broken(_: FakeEngine) -> Run:
    raise ZeroDivisionError("a bug")


def test_no_verb_shows_the_list_and_is_a_usage_error() -> None:
    on = Stage()
    assert on.run() == 2
    assert "promote" in on.err
    assert on.out == ""


def test_an_unknown_verb_is_a_usage_error_in_one_sentence() -> None:
    on = Stage()
    assert on.run("promot", "production") == 2
    assert on.err.startswith("Error: Argument VERB: invalid choice: 'promot'")


def test_the_shell_of_another_checkouts_local_cloud_is_a_usage_error() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "release_lane.command", "status"], cwd=ROOT, capture_output=True, text=True,
        env={
            **os.environ, "LOCAL_AWS_HOME": "/another/checkout",
            "RELEASE_LANE_STACKS": "/another/checkout/.local/stacks",
        },
    )  # fmt: skip
    assert ended.returncode == 2
    assert "This shell uses the local cloud of /another/checkout" in ended.stderr
    assert f"`. {ROOT}/.local/env`" in ended.stderr


def test_a_change_of_a_stack_file_that_the_local_cloud_does_not_have_yet_is_reported(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: lane\n")
    for file in ("stacks/Pulumi.staging.yaml", "Pulumi.staging.yaml"):
        (tmp_path / file).write_text("config: {}\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCAL_AWS_"))}
    ended = subprocess.run(
        [sys.executable, "-m", "release_lane.command", "probe", "nowhere", "--for", "1s"], cwd=tmp_path,
        env={**kept, "RELEASE_LANE_STACKS": "stacks"}, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "Not in use yet: what was changed in Pulumi.staging.yaml" in ended.stderr


@pytest.mark.parametrize("verb", [verb.NAME for verb in VERBS])
def test_every_verb_explains_itself_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert Stage().run(verb, "--help") == 0
    shown = capsys.readouterr().out
    assert f"\n  release {verb}" in shown or f"$(release {verb}" in shown
    assert "--json" in shown


def test_a_new_verb_is_a_file_of_its_own_and_touches_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "greet.py").write_text(
        'ORDER = 25\nNAME = "greet"\nHELP = "Say hello."\nDETAILS = "  release greet"\n'
        "def arguments(parser):\n    pass\ndef run(tools, arguments):\n    return 0\n"
    )
    monkeypatch.setattr(verbs, "__path__", [*verbs.__path__, str(tmp_path)])
    assert [verb.NAME for verb in every_verb()][:9] == [
        "init",
        "settings",
        "check",
        "build",
        "adopt",
        "greet",
        "scan",
        "check-image",
        "deploy",
    ]
    sys.modules.pop(f"{verbs.__name__}.greet")


def test_a_bug_is_said_to_be_one_without_a_traceback() -> None:
    on = Stage(engine=FakeEngine(states=states(), runs=[broken]))
    assert on.run("deploy", "staging") == 3
    assert "release itself failed: ZeroDivisionError: a bug" in on.err
    assert "Traceback" not in on.err


def test_debug_shows_the_traceback() -> None:
    on = Stage(engine=FakeEngine(states=states(), runs=[broken]))
    assert on.run("deploy", "staging", "--debug") == 3
    assert "Traceback" in on.err


def test_ctrl_c_anywhere_ends_with_130() -> None:
    def interrupted(_: Terminal) -> object:
        raise KeyboardInterrupt

    err = io.StringIO()
    terminal = Terminal(out=io.StringIO(), err=err, source=io.StringIO())
    assert run(["status"], terminal, interrupted) == 130  # type: ignore[arg-type]
    assert err.getvalue().startswith("Interrupted:")


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert Terminal.real({"TERM": "xterm"}).colour
    assert not Terminal.real({"TERM": "xterm", "NO_COLOR": "1"}).colour
    assert not Terminal.real({"TERM": "dumb"}).colour


def test_outside_of_a_project_the_installed_command_says_so(tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from release_lane.command import main; sys.exit(main())", "status"],
        cwd=str(tmp_path), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "There is no Pulumi.yaml" in done.stderr
    assert done.stdout == ""


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert table(["A", "LONG"], [["value", "x"]]) == "A      LONG\nvalue  x"
