"""`release review`: what it previews, where it writes, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.git import FakeGit
from release_lane.engine.locks import Origin
from release_lane.errors import CloudError
from release_lane.operate.scanning import Finding, Scan
from release_lane.record.commit import Commits, Logged
from tests.command.words import GREEN, A, B, Stage, built, digest, failed, plan, ran, said, state, states

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


@pytest.mark.parametrize(
    ("scan", "says"),
    [
        (Scan(status="COMPLETE", findings=(Finding(name="CVE-1", severity="high"),)), "`sha256:bbbbbbbbbbbb`: 1 high."),
        (Scan(status="UNSUPPORTED_IMAGE"), "was **not scanned**: the registry says UNSUPPORTED_IMAGE."),
        (CloudError("AWS refused a request.", why="not allowed"), "scan found is unknown:** not allowed"),
    ],
)
def test_a_review_says_what_the_registry_found_in_the_image(scan: Scan | CloudError, says: str) -> None:
    on = stage(PREVIEW, cloud=FakeCloud(scans=[scan]))
    assert on.run("review", "production") == 0
    assert says in on.out
    assert on.cloud.scanned == [("release-lane/app", B.digest)]


def test_a_review_of_the_first_environment_takes_what_was_built() -> None:
    on = stage(ran(*plan("keep", GREEN, B, target=None)))
    assert on.run("review", "staging") == 0
    assert on.engine.calls == [("preview", "staging", {"imageDigest": B.digest})]


def test_a_review_of_a_rollback_says_what_it_leaves() -> None:
    on = stage(ran(*plan("traffic-only", GREEN.other, A, target=GREEN.other)))
    assert on.run("review", "staging", "--rollback", "--digest", A.digest) == 0
    assert on.engine.calls == [("preview", "staging", {"imageDigest": A.digest, "rollbackFrom": B.digest})]
    assert "Requested as a **rollback**" in on.out


def test_a_review_of_a_rollback_of_the_digest_alone_says_so_and_is_of_nothing_else() -> None:
    on = stage(ran(*plan("deploy", GREEN.other, A, target=GREEN.other, starts=True)))
    assert on.run("review", "staging", "--rollback", "--digest-only") == 0
    assert on.engine.calls == [("preview", "staging", {"imageDigest": A.digest, "redeployFrom": B.digest})]
    assert "Requested as a **rollback of the image alone**" in on.out
    assert on.run("review", "staging", "--digest-only") == 2
    assert "give --rollback as well" in on.err


@pytest.mark.parametrize("given", ["--again", "--exceptions=--again"])
def test_a_review_of_a_way_forward_again_says_so(given: str) -> None:
    on = stage(ran(*plan("traffic-only", GREEN.other, B, target=GREEN.other)))
    on.engine.states["staging"] = state(GREEN, A, B, A)
    assert on.run("review", "staging", "--digest", B.digest, given) == 0
    assert on.engine.calls == [("preview", "staging", {"imageDigest": B.digest, "forwardFrom": A.digest})]
    assert f"**Going forward again:** users were rolled back from it to `{A.digest}`" in on.out


def test_a_review_of_a_rollback_is_of_what_a_rollback_would_do() -> None:
    """By default back to the previous release, and not to what was built last."""
    back = ran(*plan("traffic-only", GREEN.other, A, target=GREEN.other))
    on = stage(back)
    on.engine.states["artifacts"] = built("c")
    assert on.run("review", "staging", "--rollback") == 0
    other = stage(back)
    assert other.run("rollback", "staging") == 0
    assert on.engine.calls[0][2] == other.engine.calls[0][2]


def test_a_rebuild_can_be_reviewed_before_it_is_done() -> None:
    on = stage(PREVIEW)
    assert on.run("review", "production", "--allow-replace") == 0
    assert on.engine.calls == [("preview", "production", {"imageDigest": B.digest, "allowReplace": "true"})]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["production", "--rollback"], "has had only one release"),
        (["staging", "--rollback", "--digest", digest("f")], "was never live in staging"),
        (["staging", "--rollback", "--digest", B.digest], "is already live in staging"),
    ],
    ids=["the first release", "never live", "live"],
)
def test_a_rollback_that_would_be_refused_has_no_review(argv: list[str], words: str) -> None:
    on = stage(PREVIEW)
    assert on.run("review", *argv) == 4
    assert words in on.err
    assert on.engine.calls == []


def test_a_file_that_cannot_be_written_is_a_mistake_of_the_call(tmp_path: Path) -> None:
    on = stage(PREVIEW)
    assert on.run("review", "production", "--out", str(tmp_path / "no" / "review.md")) == 2
    assert "cannot be written to" in on.err
    assert "release itself failed" not in on.err
    assert on.engine.calls == []


def test_an_old_review_does_not_pass_for_one_that_could_not_be_made(tmp_path: Path) -> None:
    old = tmp_path / "review.md"
    old.write_text("# Review: production\n")
    on = stage(PREVIEW)
    on.engine.away = CloudError("The cloud does not answer.")
    assert on.run("review", "production", "--out", str(old)) == 3
    assert old.read_text() == ""


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
    assert "**with uncommitted changes**" in on.out


def test_a_program_of_no_known_commit_is_said_to_be_one_in_gits_words() -> None:
    on = stage(PREVIEW, git=FakeGit(refused="fatal: not a git repository"))
    assert on.run("review", "production") == 0
    assert "**commit is unknown**: fatal: not a git repository" in on.out


def test_one_preview_is_written_in_several_forms(tmp_path: Path) -> None:
    on = stage(PREVIEW)
    files = [tmp_path / f"review.{suffix}" for suffix in ("md", "html", "json")]
    assert on.run("review", "production", *(part for file in files for part in ("--out", str(file)))) == 0
    assert [verb for verb, _, _ in on.engine.calls] == ["preview"]
    assert files[0].read_text().startswith("# Review: production")
    assert files[1].read_text().startswith("<!doctype html>")
    assert json.loads(files[2].read_text())["kind"] == "image only"


def test_a_form_can_be_asked_for_on_stdout() -> None:
    on = stage(PREVIEW)
    assert on.run("review", "production", "--format", "html") == 0
    assert on.out.startswith("<!doctype html>")


def test_a_review_says_who_asks() -> None:
    on = stage(PREVIEW, origin=Origin(who="ann", run="https://ci.test/7"))
    on.run("review", "production")
    assert "Asked by ann in [this CI run](https://ci.test/7), 2026-01-02" in on.out
    by_hand = stage(PREVIEW)
    by_hand.run("review", "production")
    assert "Asked by me@here, outside CI" in by_hand.out


def test_a_review_is_possible_where_aws_cannot_be_observed() -> None:
    def away(_: object) -> None:
        raise CloudError("AWS refused a request.", why="no credentials")

    on = stage(PREVIEW, cloud=FakeCloud(each=away))
    assert on.run("review", "production") == 0
    assert "**What the colours run now is unknown:** no credentials" in on.out


def test_the_commits_between_live_and_new_are_asked_of_git() -> None:
    between = Commits(old=A.commit, new=B.commit, added=(Logged(sha="1" * 40, subject="Fix it"),))
    on = stage(PREVIEW, git=FakeGit(between=between))
    on.run("review", "production")
    assert "`1111111` Fix it" in on.out


def test_a_review_reads_the_quarantine_of_what_it_leaves_and_the_pardon_of_what_it_releases() -> None:
    first = stage(PREVIEW, ledger_url="file://ledger")
    first.run("quarantine", A.digest, "--reason", "it charges twice")
    first.run("quarantine", B.digest, "--reason", "it hangs")
    first.run("pardon", B.digest, "--reason", "the database did")
    on = stage(PREVIEW, ledger_url="file://ledger", ledger=first.ledger)
    assert on.run("review", "production", "--through-freeze", "a fix", "--again", "--json") == 0
    assert on.data["rollback"]["inQuarantine"].startswith("it charges twice (")
    assert on.data["pardoned"].startswith("it was in quarantine: it hangs (")
    assert on.data["overrides"] == {"forwardFrom": A.digest, "throughFreeze": "a fix"}
