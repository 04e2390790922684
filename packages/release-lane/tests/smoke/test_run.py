"""One run of the smoke checks: it passes only where pytest itself says so, and it ends."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from release_lane.errors import CheckFailed, CloudError
from release_lane.record.endpoint import Endpoint
from release_lane.smoke.checks import Expected
from release_lane.smoke.run import run

pytestmark = pytest.mark.provider

HANGS = "import os, time\ndef test_it():\n    open('pid', 'w').write(str(os.getpid())); time.sleep(600)\n"


class Unwanted(Exception):
    """The caller no longer wants the result."""


def checks(folder: Path, check: str = "def test_it(): pass\n", conftest: str = "") -> Path:
    (folder / "smoke").mkdir()
    (folder / "smoke" / "test_it.py").write_text(check)
    (folder / "smoke" / "conftest.py").write_text(
        f"def pytest_addoption(parser):\n    parser.addoption('--url')\n{conftest}"
    )
    return folder


def test_checks_that_end_badly_although_none_failed_have_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of the adopter's checks said no."""
    checks(tmp_path, conftest="def pytest_sessionfinish(session):\n    session.exitstatus = 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CloudError, match="could not be run"):
        run(Endpoint("http://x"), Expected())


def test_the_checks_are_those_of_the_working_directory_without_plugins_of_our_own_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = "import sys\ndef test_it(): assert False, ('of this folder', 'xdist' in sys.modules)\n"
    checks(tmp_path, loaded)
    monkeypatch.chdir(tmp_path)
    assert "('of this folder', False)" in str(run(Endpoint("http://x"), Expected()))


def test_checks_that_do_not_end_have_failed_and_are_ended(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="did not end within 2 s"):
        run(Endpoint("http://x"), Expected(), root=checks(tmp_path, HANGS), limit=2)
    gone(tmp_path)


def test_checks_that_the_caller_no_longer_wants_are_ended(tmp_path: Path) -> None:
    def keep_going() -> None:
        if (tmp_path / "pid").exists():
            raise Unwanted

    with pytest.raises(Unwanted):
        run(Endpoint("http://x"), Expected(), root=checks(tmp_path, HANGS), keep_going=keep_going)
    gone(tmp_path)


def test_pytests_own_output_is_shown_and_is_the_reason_of_an_error(tmp_path: Path) -> None:
    shown: list[str] = []
    with pytest.raises(CloudError) as error:
        run(Endpoint("http://x"), Expected(), root=checks(tmp_path, "import nothing_of_the_kind\n"), show=shown.append)
    assert "nothing_of_the_kind" in shown[0]
    assert "nothing_of_the_kind" in error.value.why


def gone(folder: Path) -> None:
    """No process of the checks is left; the kernel may need a moment to say so."""
    pid = int((folder / "pid").read_text() or 0) if (folder / "pid").exists() else 0
    for _ in range(200):
        try:
            os.kill(pid or 2**22 + 1, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still runs")
