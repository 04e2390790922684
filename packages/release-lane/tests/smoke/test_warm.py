"""A pytest that is loaded before it is needed."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest
from release_lane.smoke import warm

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider

VERSION = [sys.executable, "-m", "pytest", "--version"]


@pytest.fixture(autouse=True)
def none_waits() -> Iterator[None]:
    yield
    for _, process in warm._waiting:
        process.kill()
        process.communicate()
    warm._waiting.clear()


def prepared() -> subprocess.Popen[str]:
    warm.prepare()
    ((_, process),) = warm._waiting
    return process


def test_a_prepared_process_does_what_was_asked_for() -> None:
    process = prepared()
    started = warm.start(VERSION)
    assert started is process
    assert started.communicate(timeout=PATIENCE)[0].startswith("pytest ")
    assert started.returncode == 0


def test_without_one_it_is_done_all_the_same() -> None:
    started = warm.start(VERSION)
    assert started.communicate(timeout=PATIENCE)[0].startswith("pytest ")
    assert started.returncode == 0


def test_exit_codes_are_pytests() -> None:
    prepared()
    started = warm.start([*VERSION[:3], "--no-such-option"])
    assert "--no-such-option" in started.communicate(timeout=PATIENCE)[0]
    assert started.returncode == 4


def test_each_serves_once() -> None:
    process = prepared()
    assert warm.start(VERSION) is process
    second = warm.start(VERSION)
    assert second is not process
    for started in (process, second):
        started.communicate(timeout=PATIENCE)


def test_one_is_enough() -> None:
    assert prepared() is prepared()


def test_two_can_wait() -> None:
    warm.prepare(2)
    (_, first), (_, second) = warm._waiting
    assert [warm.start(VERSION), warm.start(VERSION)] == [first, second]
    for started in (first, second):
        assert started.communicate(timeout=PATIENCE)[0].startswith("pytest ")


def test_one_that_has_ended_is_no_use() -> None:
    process = prepared()
    process.kill()
    process.wait()
    started = warm.start(VERSION)
    assert started is not process
    assert started.communicate(timeout=PATIENCE)[0].startswith("pytest ")


def test_one_that_has_ended_is_replaced() -> None:
    process = prepared()
    process.kill()
    process.wait()
    assert prepared() is not process


def test_another_command_is_run_as_it_is() -> None:
    process = prepared()
    started = warm.start([sys.executable, "-c", "print('another')"])
    assert started is not process
    assert started.communicate(timeout=PATIENCE)[0] == "another\n"


def test_the_checks_run_in_the_repository_with_their_own_plugins_only() -> None:
    prepared()
    started = warm.start([*VERSION[:3], "--co", "-q", "-c", "/dev/null", "smoke", "--url", "http://127.0.0.1:9"])
    shown = started.communicate(timeout=PATIENCE)[0]
    assert "test_release.py::" in shown
    assert warm.ENVIRONMENT["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] == "1"


def test_one_that_was_not_used_ends_with_the_process_that_prepared_it() -> None:
    code = "from release_lane.smoke import warm\nimport os\nwarm.prepare()\n"
    code += "print(warm._waiting[0][1].pid, flush=True)\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert gone(int(done.stdout))


def gone(pid: int) -> bool:
    """Whether a process, which is no child of ours, has ended, or ends now."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], PATIENCE)[0])
    finally:
        os.close(handle)
