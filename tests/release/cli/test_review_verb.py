"""`release review`: what it previews, where it writes, how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from release.adapters.engine import FakeEngine
from release.adapters.git import FakeGit
from tests.release.cli.words import GREEN, A, B, Stage, failed, plan, ran, said, states

pytestmark = pytest.mark.cli

PREVIEW = ran(*plan("deploy", GREEN, B, target=GREEN, starts=True))
REFUSED = failed(
    said(f"{B.digest} was not proven by staging.\nWhy: no evidence\nNext: deploy it there."), touched=False
)


def stage(*runs: object, **over: object) -> Stage:
    return Stage(engine=FakeEngine(states=states(), runs=list(runs)), **over)  # type: ignore[arg-type]


def test_a_review_previews_what_a_promotion_would_take_and_changes_nothing() -> None:
    on = stage(PREVIEW)
    assert on.run("review", "production") == 0
    assert on.engine.calls == [("preview", "production", {"imageDigest": B.digest})]
    assert on.out.startswith("# Review: production")
    assert "**staging** proved" in on.out
    assert on.err == ""


def test_a_review_of_the_first_environment_takes_what_was_built() -> None:
    on = stage(ran(*plan("keep", GREEN, B, target=None)))
    assert on.run("review", "staging") == 0
    assert on.engine.calls == [("preview", "staging", {"imageDigest": B.digest})]


def test_a_review_of_a_rollback_says_what_it_leaves() -> None:
    on = stage(ran(*plan("flip", GREEN.other, A, target=GREEN.other)))
    assert on.run("review", "staging", "--rollback", "--digest", A.digest) == 0
    assert on.engine.calls == [("preview", "staging", {"imageDigest": A.digest, "rollbackFrom": B.digest})]
    assert "Asked for as a **rollback**" in on.out


def test_a_refusal_is_written_as_a_review_and_ends_with_4() -> None:
    on = stage(REFUSED)
    assert on.run("review", "production") == 4
    assert "**This release is refused.**" in on.out
    assert "Refused: sha256:" in on.err


def test_a_file_takes_the_place_of_stdout(tmp_path: Path) -> None:
    on = stage(PREVIEW)
    assert on.run("review", "production", "--out", str(tmp_path / "review.md")) == 0
    assert (tmp_path / "review.md").read_text().startswith("# Review: production")
    assert on.out == ""


def test_a_refusal_goes_to_the_file_too(tmp_path: Path) -> None:
    assert stage(REFUSED).run("review", "production", "--out", str(tmp_path / "review.md")) == 4
    assert "refused" in (tmp_path / "review.md").read_text()


def test_json_carries_the_markdown() -> None:
    on = stage(PREVIEW)
    on.run("review", "production", "--json")
    assert on.data["markdown"].startswith("# Review")
    assert on.data["digest"] == B.digest


def test_json_of_a_refusal_is_one_object() -> None:
    on = stage(REFUSED)
    assert on.run("review", "production", "--json") == 4
    assert on.data["error"] == "Refused"


def test_a_program_with_uncommitted_changes_is_said_to_be_one() -> None:
    on = stage(PREVIEW, git=FakeGit(commit="d" * 40, differing=("infra/x.py",)))
    on.run("review", "production")
    assert "**with changes that are in no commit**" in on.out


def test_a_program_of_no_known_commit_is_said_to_be_one_in_gits_words() -> None:
    on = stage(PREVIEW, git=FakeGit(refused="fatal: not a git repository"))
    assert on.run("review", "production") == 0
    assert "**of no known commit**: fatal: not a git repository" in on.out
