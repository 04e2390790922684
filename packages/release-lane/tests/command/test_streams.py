"""What becomes of an update when its output cannot be shown: real processes, and a `pulumi` that is a script."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.command.words import BLUE, B, outputs

from tests.patience import PATIENCE

pytestmark = pytest.mark.cli

ROOT = Path(__file__).resolve().parents[4]

PULUMI = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
if sys.argv[1] == "whoami":
    print(json.dumps({{"url": "file://" + str(here)}}))
elif sys.argv[1:3] == ["stack", "export"]:
    print((here / "state.json").read_text())
else:
    for number in range(5000): print("display", number, file=(sys.stdout, sys.stderr)[number % 2])
    sys.stdout.flush()
    (here / "done").touch()
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A project with one environment, in the folder HOME, whose engine says a lot."""
    (tmp_path / "Pulumi.yaml").write_text("name: release-lane\nruntime: python\n")
    (tmp_path / "Pulumi.staging.yaml").write_text("config:\n  release-lane:account: '1'\n")
    state = {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack", "urn": "u", "outputs": outputs(BLUE, B)}]}}
    (tmp_path / "state.json").write_text(json.dumps(state))
    (tmp_path / "pulumi").write_text(PULUMI.format(python=sys.executable))
    (tmp_path / "pulumi").chmod(0o755)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PULUMI", "AWS", "RELEASE", "LOCAL_AWS"))
    }
    return {**kept, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


def release(rest: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A shell's command line that begins with `release`; in it `code` is where that one's exit code goes."""
    return subprocess.run(
        ["bash", "-c", f"code() {{ echo $1 >{environ['HOME']}/code; }}; release() {{ "
         f"'{sys.executable}' -m release_lane.command \"$@\"; code $?; }}; {rest}"],
        cwd=environ["HOME"], env=dict(environ), text=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip


def code(environ: Mapping[str, str]) -> int:
    return int(Path(environ["HOME"], "code").read_text())


def updated(environ: Mapping[str, str]) -> bool:
    """Did the engine get to its end?"""
    return Path(environ["HOME"], "done").exists()


DEPLOY = f"release deploy staging --digest {B.digest}"


@pytest.mark.parametrize(
    "where", ["2>&1 | head -1", "2>&1 >/dev/null | head -1", "| true", "2>&-", ">&-", ">&- 2>&-", "<&-", "2>/dev/full"]
)
def test_a_reader_that_leaves_or_never_was_changes_nothing(environ: dict[str, str], where: str) -> None:
    release(f"{DEPLOY} {where}", environ)
    assert updated(environ)
    assert code(environ) == 0


def test_a_result_that_could_not_be_written_is_reported_and_has_a_code_of_its_own(environ: dict[str, str]) -> None:
    done = release(f"{DEPLOY} >/dev/full", environ)
    assert updated(environ)
    assert code(environ) == 5
    last = done.stderr.splitlines()[-1]
    assert last == "Error: It is done, but the result could not be written to standard output: No space left on device."


def test_closed_streams_are_not_taken_by_files_of_ours(environ: dict[str, str]) -> None:
    """The first file that is opened gets the lowest free number: it would get everybody's words."""
    release(f"{DEPLOY} <&- >&- 2>&-", environ)
    assert code(environ) == 0
    assert Path(environ["HOME"], "Pulumi.staging.yaml").read_text() == "config:\n  release-lane:account: '1'\n"


ASCII = {"PYTHONIOENCODING": "ascii"}
PLAIN = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.parametrize(
    ("command", "how", "ends"),
    [
        ("release --help", ASCII, 0),
        ("release deploy --help", ASCII, 0),
        ("release", ASCII, 2),
        ("release status", ASCII, 0),
        (DEPLOY, ASCII, 0),
        ("release deploy --help", PLAIN, 0),
        (DEPLOY, PLAIN, 0),
    ],
)
def test_without_unicode_what_can_be_is_shown_and_the_code_stays(
    environ: dict[str, str], command: str, how: Mapping[str, str], ends: int
) -> None:
    done = release(command, {**environ, **how})
    assert code(environ) == ends
    assert (done.stdout + done.stderr).isascii()


def test_a_person_without_unicode_is_still_asked(environ: dict[str, str]) -> None:
    (Path(environ["HOME"]) / "Pulumi.production.yaml").write_text("config:\n  release-lane:promotesFrom: staging\n")
    leader, follower = pty.openpty()
    os.write(leader, "ä\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "release_lane.command", "deploy", "production", "--digest", B.digest],
        cwd=environ["HOME"],
        env={**environ, "PYTHONIOENCODING": "ascii"}, stdin=follower, stdout=subprocess.DEVNULL, stderr=follower,
        timeout=PATIENCE,
    )  # fmt: skip
    os.close(follower)
    os.close(leader)
    assert done.returncode == 130  # anything but yes is a no
