"""The demo where it does not come to its end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from local_aws.errors import LocalError

from tools.demo.__main__ import tell
from tools.demo.source import Source
from tools.demo.steps import Stage
from tools.lane import ROOT

pytestmark = pytest.mark.cli


def test_a_demo_that_breaks_off_shows_how_far_it_came_and_what_users_got(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = tmp_path / "bin/release"
    release.parent.mkdir()
    release.write_text("#!/bin/sh\nexit 3\n")
    release.chmod(0o755)
    stage = Stage({"PATH": f"{release.parent}:{os.environ['PATH']}"}, ROOT, tmp_path / "demo.log")
    with pytest.raises(LocalError, match=r"`release build .*` ended with exit code 3"):
        tell(stage, Source(tmp_path / "source", ROOT), time.monotonic())
    shown = capsys.readouterr().out
    assert "build 1" in shown
    assert "Users: 0 of 0 requests failed until then. The environments stay up until `make down`." in shown
