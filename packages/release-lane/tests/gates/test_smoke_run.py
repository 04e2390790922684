"""The smoke gate passes only where pytest itself says so."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from provider_kit import Context
from release_lane.errors import CloudError
from release_lane.gates.smoke import run_checks
from release_lane.smoke.checks import Expected

pytestmark = pytest.mark.provider


def test_checks_that_end_badly_although_none_failed_have_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of the adopter's checks said no."""
    (tmp_path / "smoke").mkdir()
    (tmp_path / "smoke" / "test_it.py").write_text("def test_it(): pass\n")
    (tmp_path / "smoke" / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--url')\n"
        "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n"
    )
    monkeypatch.chdir(tmp_path)

    def log(*_: Any, **__: Any) -> None:
        """Quiet."""

    context = Context(config={}, cancelled=threading.Event(), log=log, name="smoke")
    with pytest.raises(CloudError, match="could not be run"):
        run_checks(context, "http://x", Expected(), limit=60)
