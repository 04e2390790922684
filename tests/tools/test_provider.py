"""`make test-provider`: what it runs, and what it says where there is no provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.checks import Outcome, conclude
from tools.lane import ROOT
from tools.provider import LIKE_STANDINS, SAMPLE, WHOLE, check, main, without

pytestmark = pytest.mark.pure

NONE = Outcome("provider", 3, 1.0, "There is no Go on this machine.")
STORIES = [check("provider stories", WHOLE)]


def test_a_sample_without_a_provider_is_left_out_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(without(NONE, STORIES, must=False)) == 0
    assert "LEFT OUT  provider stories: no provider: There is no Go on this machine." in capsys.readouterr().out


def test_a_sample_for_which_no_time_is_left_is_left_out_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--sample", "--unless-after", "1"]) == 0
    assert "LEFT OUT  provider (a sample): no time is left" in capsys.readouterr().out


def test_who_asks_for_the_stories_themselves_gets_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(without(NONE, STORIES, must=True)) == 1
    text = capsys.readouterr().out
    assert "FAILED    provider (1.0 s)" in text
    assert "LEFT OUT  provider stories" in text


def test_what_it_runs_is_there_and_the_sample_is_part_of_the_whole() -> None:
    for path in (*WHOLE, *SAMPLE, *LIKE_STANDINS):
        assert (ROOT / path.partition("::")[0]).exists(), path
    for path in SAMPLE:
        assert any(Path(path).is_relative_to(whole) for whole in WHOLE), path


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--all"]) == 2
    assert "--sample" in capsys.readouterr().err
